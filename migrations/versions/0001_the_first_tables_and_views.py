"""The first tables and views

Revision: 0001
Before it:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

from desgw_daemon.store.columns import UtcDateTime
from desgw_daemon.store.views import create_views, drop_views

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward. Views are dropped first: tables cannot be altered under them."""
    drop_views(op.get_bind())
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("rule", AutoString(), nullable=False),
        sa.Column("severity", AutoString(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("season", sa.Integer(), nullable=True),
        sa.Column("nite", AutoString(), nullable=True),
        sa.Column("expnum", sa.Integer(), nullable=True),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("cleared_at", UtcDateTime(), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.Column("cleared_told_at", UtcDateTime(), nullable=True),
        sa.Column("times_told", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index("ux_alert_up", ["key"], unique=True, sqlite_where=sa.text("cleared_at IS NULL"))

    op.create_table(
        "exposure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("season", sa.Integer(), nullable=False),
        sa.Column("nite", AutoString(), nullable=True),
        sa.Column("expnum", sa.Integer(), nullable=False),
        sa.Column("band", AutoString(), nullable=True),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("added_by", AutoString(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("hold_reason", AutoString(), nullable=True),
        sa.Column("watch_only", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("ready", AutoString(), nullable=False),
        sa.Column("news_at", UtcDateTime(), nullable=False),
        sa.Column("folders_at", UtcDateTime(), nullable=True),
        sa.Column("forcefiles_at", UtcDateTime(), nullable=True),
        sa.Column("full_look_at", UtcDateTime(), nullable=True),
        sa.Column("recheck_asked_at", UtcDateTime(), nullable=True),
        sa.Column("as_of", UtcDateTime(), nullable=True),
        sa.Column("unseen_since", UtcDateTime(), nullable=True),
        sa.Column("unseen_problem", AutoString(), nullable=True),
        sa.Column("forcefiles_expected", sa.Integer(), nullable=False),
        sa.Column("forcefiles_found", sa.Integer(), nullable=False),
        sa.Column("forcefiles_missing", sa.JSON(), nullable=False),
        sa.Column("forcefiles_surplus", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            (
                "state IN ('queued', 'making', 'submitting', 'processing', 'ready', 'postprocessing', "
                "'done', 'attention', 'removed')"
            ),
            name="ck_exposure_state",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("exposure", schema=None) as batch_op:
        batch_op.create_index("ix_exposure_expnum", ["expnum"], unique=False)
        batch_op.create_index("ix_exposure_season_state", ["season", "state"], unique=False)
        batch_op.create_index("ux_exposure_identity", ["season", "nite", "expnum"], unique=True)
        batch_op.create_index(
            "ux_exposure_waiting", ["season", "expnum"], unique=True, sqlite_where=sa.text("nite IS NULL")
        )

    op.create_table(
        "poll",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("exposures", sa.Integer(), nullable=False),
        sa.Column("listings", sa.Integer(), nullable=False),
        sa.Column("stats", sa.Integer(), nullable=False),
        sa.Column("reads", sa.Integer(), nullable=False),
        sa.Column("look_seconds", sa.Float(), nullable=True),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.Column("pnfs_problem", AutoString(), nullable=True),
        sa.Column("engine_problem", AutoString(), nullable=True),
        sa.Column("workflow_problem", AutoString(), nullable=True),
        sa.Column("making_problem", AutoString(), nullable=True),
        sa.Column("actions", sa.Integer(), nullable=False),
        sa.Column("error", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "postproc_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("season", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("bands", sa.JSON(), nullable=False),
        sa.Column("fingerprint", AutoString(), nullable=False),
        sa.Column("skipto", sa.Integer(), nullable=False),
        sa.Column("skipto_reason", AutoString(), nullable=False),
        sa.Column("folder", AutoString(), nullable=False),
        sa.Column("asked_by", AutoString(), nullable=True),
        sa.Column("intent_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("step_at", UtcDateTime(), nullable=True),
        sa.Column("reason", AutoString(), nullable=True),
        sa.CheckConstraint("state IN ('intent', 'running', 'done', 'failed', 'lost')", name="ck_postproc_run_state"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("postproc_run", schema=None) as batch_op:
        batch_op.create_index("ux_postproc_run_number", ["season", "number"], unique=True)

    op.create_table(
        "request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("season", sa.Integer(), nullable=False),
        sa.Column("skipto", sa.Integer(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("asked_by", AutoString(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("answer", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "setting",
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("value", AutoString(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("who", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "ccd",
        sa.Column("exposure_id", sa.Integer(), nullable=False),
        sa.Column("ccd", sa.Integer(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("step", AutoString(), nullable=True),
        sa.Column("fails", sa.JSON(), nullable=False),
        sa.Column("fail_stats", sa.JSON(), nullable=False),
        sa.Column("stale", sa.JSON(), nullable=False),
        sa.Column("job", AutoString(), nullable=True),
        sa.Column("host", AutoString(), nullable=True),
        sa.Column("tarball_size", sa.Integer(), nullable=True),
        sa.Column("tarball_mtime", sa.Float(), nullable=True),
        sa.Column("foreign", sa.JSON(), nullable=False),
        sa.Column("pair_at", UtcDateTime(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("reason", AutoString(), nullable=True),
        sa.Column("as_of", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'complete', 'failed', 'missing', 'broken', 'lost')", name="ck_ccd_state"
        ),
        sa.ForeignKeyConstraint(
            ["exposure_id"],
            ["exposure.id"],
        ),
        sa.PrimaryKeyConstraint("exposure_id", "ccd"),
    )
    op.create_table(
        "dagmaker_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exposure_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("folder", AutoString(), nullable=False),
        sa.Column("dag_sha256", AutoString(), nullable=True),
        sa.Column("intent_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("reason", AutoString(), nullable=True),
        sa.Column("last_words", AutoString(), nullable=True),
        sa.CheckConstraint("state IN ('intent', 'running', 'made', 'failed', 'lost')", name="ck_dagmaker_run_state"),
        sa.ForeignKeyConstraint(
            ["exposure_id"],
            ["exposure.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("dagmaker_run", schema=None) as batch_op:
        batch_op.create_index("ix_dagmaker_run_exposure", ["exposure_id"], unique=False)

    op.create_table(
        "forcefile",
        sa.Column("exposure_id", sa.Integer(), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("ccd", sa.Integer(), nullable=True),
        sa.Column("band", AutoString(), nullable=True),
        sa.Column("kind", AutoString(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("mtime", sa.Float(), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("whole_at", UtcDateTime(), nullable=True),
        sa.Column("as_of", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["exposure_id"],
            ["exposure.id"],
        ),
        sa.PrimaryKeyConstraint("exposure_id", "name"),
    )
    op.create_table(
        "postproc_exposure",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("exposure_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["exposure_id"],
            ["exposure.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["postproc_run.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "exposure_id"),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exposure_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tag", AutoString(), nullable=False),
        sa.Column("engine", AutoString(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("dag_path", AutoString(), nullable=False),
        sa.Column("dag_sha256", AutoString(), nullable=False),
        sa.Column("intent_at", UtcDateTime(), nullable=False),
        sa.Column("job_id", AutoString(), nullable=True),
        sa.Column("submitted_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("absent_at", UtcDateTime(), nullable=True),
        sa.Column("nodes_total", sa.Integer(), nullable=True),
        sa.Column("nodes_done", sa.Integer(), nullable=True),
        sa.Column("nodes_failed", sa.Integer(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("reason", AutoString(), nullable=True),
        sa.Column("as_of", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            (
                "state IN ('intent', 'submitting', 'queued', 'running', 'held', 'done', 'failed', "
                "'removed', 'rejected', 'unknown', 'lost')"
            ),
            name="ck_submission_state",
        ),
        sa.ForeignKeyConstraint(
            ["exposure_id"],
            ["exposure.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.create_index("ix_submission_state", ["state"], unique=False)
        batch_op.create_index("ux_submission_attempt", ["exposure_id", "attempt"], unique=True)
        batch_op.create_index("ux_submission_tag", ["tag"], unique=True)

    op.create_table(
        "transition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("exposure_id", sa.Integer(), nullable=True),
        sa.Column("ccd", sa.Integer(), nullable=True),
        sa.Column("season", sa.Integer(), nullable=True),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("before", AutoString(), nullable=True),
        sa.Column("after", AutoString(), nullable=False),
        sa.Column("why", AutoString(), nullable=False),
        sa.Column("who", AutoString(), nullable=False),
        sa.ForeignKeyConstraint(
            ["exposure_id"],
            ["exposure.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("transition", schema=None) as batch_op:
        batch_op.create_index("ix_transition_exposure", ["exposure_id", "id"], unique=False)

    create_views(op.get_bind())
