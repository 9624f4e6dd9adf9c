"""What comes into the queue by itself: lists in the inbox, and the data of exposures that waited for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from desgw_daemon.daemon.inbox import InboxOutcome, take_lists
from desgw_daemon.daemon.resolving import refusal
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.report.logs import Log
from desgw_daemon.store.adding import learn_data
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.journal import move_exposure
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What went wrong: exposures.list cannot be read, parts of the inbox cannot be worked with. ignored: see there."""

    workflow_problem: str | None
    inbox_problems: tuple[str, ...]
    inbox_ignored: tuple[str, ...]


def take_in(house: House, log: Log, now: datetime) -> Intake:
    """Take the inbox's lists, and give waiting exposures their data."""
    try:
        outcome = take_lists(house, log, now)
    except OSError as error:
        outcome = InboxOutcome(problems=(f"{error.filename or house.inbox}: {error.strerror}",), ignored=())
    return Intake(workflow_problem=_learn(house, now), inbox_problems=outcome.problems, inbox_ignored=outcome.ignored)


def _learn(house: House, now: datetime) -> str | None:
    """Give waiting exposures their data. Returns why exposures.list cannot be read, if it cannot."""
    with reading(house.database) as connection:
        snapshot = load_snapshot(connection, scope="open", with_ccds_of=())
    waiting = [e for e in snapshot.exposures if e.state is ExposureState.QUEUED and e.key is None]
    if not waiting:
        return None
    answer = house.exposures_list.lookup({exposure.expnum for exposure in waiting})
    with writing(house.database) as connection:
        for exposure in waiting:
            data = answer.found.get(exposure.expnum)
            if data is None:
                continue
            if problem := refusal(exposure.band, data):
                why = (
                    f"{problem}. `desgw-daemon queue remove {exposure.expnum}` takes it out; if the file is wrong, mend"
                    f" it, then `desgw-daemon queue retry {exposure.expnum}`"
                )
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
