"""The tables. docs/database.md describes each column; migrations/ brings older files up to date.

Times are stored as UTC without a zone (SQLite has no type for them); the views show them as
``2026-11-22T02:14:05Z``. Lists of names are JSON. `table=True` models do not validate: what comes here
has been checked before.
"""

from __future__ import annotations

from sqlalchemy import Table
from sqlmodel import SQLModel

from desgw_daemon.store.tables.alerts import AlertPendingRow, AlertRow, CheckupRow, DeliveryRow, SilenceRow
from desgw_daemon.store.tables.cycles import DaemonRunRow, PollRow, RequestRow, SettingRow, StuckRow, TransitionRow
from desgw_daemon.store.tables.exposures import CcdRow, ExposureRow, ForcefileRow
from desgw_daemon.store.tables.grid import DagNodeRow, ForeignDagRow, MakingRow, SubmissionRow, SubmitTryRow
from desgw_daemon.store.tables.postproc import PostprocExposureRow, PostprocRunRow, PostprocStepRow
from desgw_daemon.store.tables.seasons import OutputRow, RcChangeRow, RcVersionRow, RefreshRow, SeasonRow

__all__ = [
    "AlertPendingRow",
    "AlertRow",
    "CcdRow",
    "CheckupRow",
    "DaemonRunRow",
    "DagNodeRow",
    "DeliveryRow",
    "ExposureRow",
    "ForcefileRow",
    "ForeignDagRow",
    "MakingRow",
    "OutputRow",
    "PollRow",
    "PostprocExposureRow",
    "PostprocRunRow",
    "PostprocStepRow",
    "RcChangeRow",
    "RcVersionRow",
    "RefreshRow",
    "RequestRow",
    "SeasonRow",
    "SettingRow",
    "SilenceRow",
    "StuckRow",
    "SubmissionRow",
    "SubmitTryRow",
    "TransitionRow",
    "table",
]


def table(model: type[SQLModel]) -> Table:
    """The table of a model, for statements that handle many rows."""
    found: Table = SQLModel.metadata.tables[str(model.__tablename__)]
    return found
