"""What comes into the queue by itself: lists in the inbox, and the data of exposures that waited for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from desgw_daemon.daemon.inbox import InboxOutcome, take_lists
from desgw_daemon.daemon.parts import Part, Parts
from desgw_daemon.daemon.resolving import refusal
from desgw_daemon.decide.words import at, some
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.observe.exposures_list import ExposureData
from desgw_daemon.report.logs import Log
from desgw_daemon.store.adding import learn_data, note_unlisted
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.journal import move_exposure
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What went wrong: exposures.list cannot be read, or something in the inbox."""

    workflow_problem: str | None
    inbox: InboxOutcome

    @property
    def alerts(self) -> tuple[AlertWanted, ...]:
        """What of it a person should know; that a folder is silent is told elsewhere."""
        return tuple(self._alerts())

    def _alerts(self) -> Iterator[AlertWanted]:
        if self.inbox.problems:
            yield AlertWanted(
                key="inbox",
                rule="inbox",
                text=f"the inbox cannot be worked with: {some(self.inbox.problems)}. `desgw-daemon queue add FILE`"
                " takes a list all the same",
            )
        for refused in self.inbox.refused:
            yield AlertWanted(
                key=f"list_refused:{refused.name}",
                rule="list_refused",
                text=f"{refused.name} in the inbox was refused as a whole at {at(refused.since)}: {refused.why}. None"
                f" of its exposures is queued. Mend it and drop it again; all that is wrong with it: {refused.file}",
                since=refused.since,
            )
        if self.inbox.ignored:
            yield AlertWanted(
                key="inbox_ignored",
                rule="inbox_ignored",
                text=f"not taken from the inbox: {some(self.inbox.ignored)}. Rename them to NAME.list in a season's"
                " folder, or take them away",
            )


def take_in(house: House, log: Log, now: datetime, parts: Parts) -> Intake:
    """Take the inbox's lists, and give waiting exposures their data."""
    inbox = parts.do(Part.INBOX, lambda: _take_lists(house, log, now), lambda _: InboxOutcome())
    workflow_problem = parts.do(Part.EXPOSURES_LIST, lambda: _learn(house, now), lambda _: None)
    return Intake(workflow_problem=workflow_problem, inbox=inbox)


def _take_lists(house: House, log: Log, now: datetime) -> InboxOutcome:
    try:
        return take_lists(house, log, now)
    except OSError as error:
        return InboxOutcome(problems=(f"{error.filename or house.inbox}: {error.strerror}",))


def _learn(house: House, now: datetime) -> str | None:
    """What exposures.list says of those of the queue. Returns why it cannot be read, if it cannot.

    Also of those whose list has said band and nite: DAGMaker looks them up all the same, and makes no good DAG without.
    """
    with reading(house.database) as connection:
        snapshot = load_snapshot(connection, scope="open", with_ccds_of=())
    queued = [e for e in snapshot.exposures if e.state is ExposureState.QUEUED and not e.watch_only]
    adopted = [e for e in snapshot.exposures if e.state is ExposureState.QUEUED and e.watch_only and e.key is None]
    if not queued and not adopted:
        return None
    answer = house.exposures_list.lookup({exposure.expnum for exposure in (*queued, *adopted)})
    if answer.problem:
        return answer.problem if any(e.key is None for e in (*queued, *adopted)) else None
    # Most cycles have nothing to write.
    news = [
        e for e in (*queued, *adopted) if e.key is None or (e.unlisted_since is None) == (e.expnum not in answer.found)
    ]
    if news:
        with writing(house.database) as connection:
            for exposure in news:
                _learn_one(connection, exposure, answer.found.get(exposure.expnum), now)
    return None


def _learn_one(connection: Connection, exposure: Exposure, data: ExposureData | None, now: datetime) -> None:
    if data is None:
        if exposure.unlisted_since is None:
            note_unlisted(connection, exposure, since=now)
        return
    if problem := refusal(exposure.band, data):
        why = (
            f"{problem}. `desgw-daemon queue remove {exposure.expnum}` takes it out; if the file is wrong, mend"
            f" it, then `desgw-daemon queue retry {exposure.expnum}`"
        )
        move_exposure(connection, exposure, ExposureState.ATTENTION, at=now, why=why)
        return
    note_unlisted(connection, exposure, since=None)
    if exposure.key is None:
        nite, band = exposure.nite or data.nite, exposure.band or data.band
        learn_data(connection, exposure, nite=nite, band=band, at=now)
