"""A night without a human: alerts that wait and are acknowledged, their delivery, starts of the daemon, what hangs

Revision: 0005
Before it: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from desgw_daemon.domain.states import DeliveryState
from desgw_daemon.store.columns import UtcDateTime, state_is_one_of
from desgw_daemon.store.views import create_views, drop_views

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward. Views are dropped first: tables cannot be altered under them."""
    drop_views(op.get_bind())
    op.create_table(
        "alert_pending",
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("rule", AutoString(), nullable=False),
        sa.Column("severity", AutoString(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("muted_by", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("what", AutoString(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("who", AutoString(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=True),
        sa.Column("severity", AutoString(), nullable=False),
        sa.Column("title", AutoString(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("folder", AutoString(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("problem", AutoString(), nullable=True),
        sa.Column("digest_id", sa.Integer(), nullable=True),
        state_is_one_of(DeliveryState, "ck_delivery_state"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"]),
        sa.ForeignKeyConstraint(["digest_id"], ["delivery.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_delivery_state", "delivery", ["state", "channel"])
    op.create_table(
        "checkup",
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("outcome", AutoString(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("todo", AutoString(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "daemon_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("stopped_at", UtcDateTime(), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("boot_id", AutoString(), nullable=False),
        sa.Column("version", AutoString(), nullable=False),
        sa.Column("stopped", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "stuck_process",
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("boot_id", AutoString(), nullable=False),
        sa.Column("tree", AutoString(), nullable=False),
        sa.Column("what", AutoString(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("pid", "start", "boot_id"),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(sa.Column("since", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("told_text", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("active", sa.Boolean(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("acked_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("acked_by", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("ack_reason", AutoString(), nullable=True))
    with op.batch_alter_table("poll", schema=None) as batch_op:
        batch_op.add_column(sa.Column("postprocessing_problem", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("part_errors", sa.JSON(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("seconds", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("boot_id", AutoString(), nullable=True))
        batch_op.add_column(sa.Column("boottime", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("clock_jump", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("free_bytes", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("stuck", sa.Integer(), server_default="0", nullable=False))
    with op.batch_alter_table("exposure", schema=None) as batch_op:
        batch_op.add_column(sa.Column("hung_at", UtcDateTime(), nullable=True))

    create_views(op.get_bind())
