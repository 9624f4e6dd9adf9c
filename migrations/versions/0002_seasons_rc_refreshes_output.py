"""Seasons, dagmaker.rc, refreshes and output.txt

Revision: 0002
Before it: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from desgw_daemon.store.columns import UtcDateTime
from desgw_daemon.store.views import create_views, drop_views

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward. Views are dropped first: tables cannot be altered under them."""
    drop_views(op.get_bind())
    op.create_table(
        "output",
        sa.Column("season", sa.Integer(), nullable=False),
        sa.Column("path", AutoString(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("season"),
    )
    op.create_table(
        "rc_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("who", AutoString(), nullable=False),
        sa.Column("path", AutoString(), nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("before", AutoString(), nullable=True),
        sa.Column("after", AutoString(), nullable=True),
        sa.Column("why", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rc_version",
        sa.Column("sha256", AutoString(), nullable=False),
        sa.Column("first_read_at", UtcDateTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "refresh",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("who", AutoString(), nullable=False),
        sa.Column("why", AutoString(), nullable=False),
        sa.Column("folder", AutoString(), nullable=True),
        sa.Column("exposures", sa.Integer(), nullable=True),
        sa.Column("reason", AutoString(), nullable=True),
        sa.CheckConstraint("state IN ('running', 'done', 'failed')", name="ck_refresh_state"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "season",
        sa.Column("season", sa.Integer(), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("taken_by", AutoString(), nullable=False),
        sa.Column("how", AutoString(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("unverified", sa.JSON(), nullable=False),
        sa.Column("reused_at", UtcDateTime(), nullable=True),
        sa.Column("reused_by", AutoString(), nullable=True),
        sa.Column("ligoid", AutoString(), nullable=True),
        sa.Column("triggerid", AutoString(), nullable=True),
        sa.Column("propid", AutoString(), nullable=True),
        sa.Column("triggermjd", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("season"),
    )
    with op.batch_alter_table("dagmaker_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rc_sha256", AutoString(), nullable=True))

    with op.batch_alter_table("exposure", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unlisted_since", UtcDateTime(), nullable=True))

    with op.batch_alter_table("poll", schema=None) as batch_op:
        batch_op.add_column(sa.Column("credential_problem", AutoString(), nullable=True))

    create_views(op.get_bind())
