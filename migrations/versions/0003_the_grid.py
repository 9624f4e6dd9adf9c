"""The grid: tries of submissions, jobs of DAGs, templates, DAGs of others, disagreements

Revision: 0003
Before it: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from desgw_daemon.store.columns import UtcDateTime
from desgw_daemon.store.views import create_views, drop_views

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward. Views are dropped first: tables cannot be altered under them."""
    drop_views(op.get_bind())
    op.create_table(
        "submit_try",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", AutoString(), nullable=True),
        sa.Column("cause", AutoString(), nullable=True),
        sa.Column("text", AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ux_submit_try_number", "submit_try", ["submission_id", "number"], unique=True)
    op.create_table(
        "dag_node",
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("process", sa.Integer(), nullable=False),
        sa.Column("ccd", sa.Integer(), nullable=True),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("signal", sa.Integer(), nullable=True),
        sa.Column("hold_reason", AutoString(), nullable=True),
        sa.Column("host", AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"]),
        sa.PrimaryKeyConstraint("submission_id", "name", "process"),
    )
    op.create_table(
        "foreign_dag",
        sa.Column("tag", AutoString(), nullable=False),
        sa.Column("job_id", AutoString(), nullable=False),
        sa.Column("expnum", sa.Integer(), nullable=True),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("owner", AutoString(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("as_of", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "job_id"),
    )
    with op.batch_alter_table("dagmaker_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("templates", sa.JSON(), server_default="[]", nullable=False))

    with op.batch_alter_table("exposure", schema=None) as batch_op:
        batch_op.add_column(sa.Column("disagreement", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("disagreement_since", UtcDateTime(), nullable=True))

    with op.batch_alter_table("poll", schema=None) as batch_op:
        batch_op.add_column(sa.Column("engine_calls", sa.Integer(), server_default="0", nullable=False))

    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.add_column(sa.Column("nodes_running", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("nodes_waiting", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("nodes_held", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("hold_reason", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("held_since", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("templates", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("nodes_at", UtcDateTime(), nullable=True))

    create_views(op.get_bind())
