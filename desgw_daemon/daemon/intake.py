"""What comes into the queue by itself: lists in the inbox, and the data of exposures that waited for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from desgw_daemon.domain.names import is_band, is_nite
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.observe.exposures_list import ExposureData, ExposuresList
from desgw_daemon.observe.lists import Entry
from desgw_daemon.report.logs import Log
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.journal import move_exposure
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.queue import Wish, learn_data
from desgw_daemon.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A list with what exposures.list says of it. problems: why it cannot be taken; notes: good to know."""

    wishes: tuple[Wish, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def resolve(exposures_list: ExposuresList, entries: Sequence[Entry]) -> Resolved:
    """Fill in bands and nites that a list does not say. One that is not known yet is accepted: it waits."""
    answer = exposures_list.lookup({entry.expnum for entry in entries})
    wishes, problems, notes = [], [], []
    if answer.problem:
        notes.append(f"{answer.problem}; exposures without band and nite wait until it can be")
    for entry in entries:
        data = answer.found.get(entry.expnum)
        if data is None:
            wishes.append(Wish(expnum=entry.expnum, band=entry.band, nite=entry.nite))
            if (entry.band is None or entry.nite is None) and not answer.problem:
                notes.append(f"{entry.expnum} is not in exposures.list yet: it waits for its data")
        elif problem := _refused(entry, data):
            problems.append(problem)
        else:
            wishes.append(Wish(expnum=entry.expnum, band=entry.band or data.band, nite=entry.nite or data.nite))
    return Resolved(wishes=tuple(wishes), problems=tuple(problems), notes=tuple(notes))


def _refused(entry: Entry, data: ExposureData) -> str | None:
    if data.band == "VR":
        return f"{entry.expnum} is in VR, which SEdiff does not process"
    if entry.band is not None and entry.band != data.band:
        return f"{entry.expnum} is {data.band} in exposures.list, not {entry.band}"
    if problem := unusable(data):
        return problem
    return None


def unusable(data: ExposureData) -> str | None:
    """Why the line of exposures.list is of no use; None when it is good."""
    if data.conflict:
        return f"exposures.list has several, different lines for {data.expnum}"
    if not is_band(data.band):
        return f"exposures.list gives {data.expnum} the band {data.band!r}"
    if not is_nite(data.nite):
        return f"exposures.list gives {data.expnum} the nite {data.nite!r}"
    return None


def take_in(house: House, log: Log, now: datetime) -> str | None:
    """Give waiting exposures their data. Returns why exposures.list cannot be read, if it cannot."""
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
