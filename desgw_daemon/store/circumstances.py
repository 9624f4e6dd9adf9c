"""What does not answer at the moment, and since when, from the rows that the cycles have left."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.store.checkup import load_checkup
from desgw_daemon.store.cycle import silent_since
from desgw_daemon.store.outbox import load_undelivered
from desgw_daemon.store.stuck import known_stuck
from desgw_daemon.store.vitals import load_vitals


def with_circumstances(connection: Connection, snapshot: Snapshot) -> Snapshot:
    """The snapshot with what is silent (the trees, the engine, the making of DAGs), what the credential lacks,
    what `doctor` found, and how the daemon itself is.
    """
    return replace(
        snapshot,
        pnfs_silent=silent_since(connection, "pnfs_problem"),
        workflow_silent=silent_since(connection, "workflow_problem"),
        postprocessing_silent=silent_since(connection, "postprocessing_problem"),
        stuck=known_stuck(connection),
        engine_silent=silent_since(connection, "engine_problem"),
        making_blocked=silent_since(connection, "making_problem"),
        undelivered=load_undelivered(connection),
        credential_bad=silent_since(connection, "credential_problem"),
        checkup=load_checkup(connection),
        vitals=load_vitals(connection),
    )
