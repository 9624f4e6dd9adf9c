"""What comes into the queue by itself: lists in the inbox, and the data of exposures that waited for them."""

from __future__ import annotations

from datetime import datetime

from desgw_daemon.daemon.inbox import take_lists
from desgw_daemon.daemon.resolving import unusable
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.report.logs import Log
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.journal import move_exposure
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.queue import learn_data
from desgw_daemon.wiring import House


def take_in(house: House, log: Log, now: datetime) -> str | None:
    """Take the inbox's lists, and give waiting exposures their data.

    Returns why exposures.list cannot be read, if it cannot.
    """
    take_lists(house, log, now)
    with reading(house.database) as connection:
        snapshot = load_snapshot(connection, with_ccds_of=())
    waiting = [e for e in snapshot.exposures if e.state is ExposureState.QUEUED and e.key is None]
    if not waiting:
        return None
    answer = house.exposures_list.lookup({exposure.expnum for exposure in waiting})
    with writing(house.database) as connection:
        for exposure in waiting:
            data = answer.found.get(exposure.expnum)
            if data is None:
                continue
            if problem := unusable(data):
                why = f"{problem}. Mend the file, then `desgw-daemon queue retry {exposure.expnum}`"
                move_exposure(connection, exposure, ExposureState.ATTENTION, at=now, why=why)
                continue
            learn_data(
                connection,
                exposure,
                nite=exposure.nite or data.nite,
                band=exposure.band or data.band,
                at=now,
            )
    return answer.problem
