"""Post-processing: what a run rests on, what it came to, its steps

Revision: 0004
Before it: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from desgw_daemon.store.columns import UtcDateTime
from desgw_daemon.store.views import create_views, drop_views

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward. Views are dropped first: tables cannot be altered under them."""
    drop_views(op.get_bind())
    op.create_table(
        "postproc_step",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["postproc_run.id"]),
        sa.PrimaryKeyConstraint("run_id", "step"),
    )
    with op.batch_alter_table("postproc_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("signal", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("stage", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("result", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("last_words", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("list_name", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("evidence", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("left_out", sa.JSON(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("files_fingerprint", AutoString(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("retry_of", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("notes", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("stopped_by", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("stopped_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("stop_reason", AutoString(), nullable=True))
    with op.batch_alter_table("exposure", schema=None) as batch_op:
        batch_op.add_column(sa.Column("blacklisted_since", UtcDateTime(), nullable=True))

    create_views(op.get_bind())
