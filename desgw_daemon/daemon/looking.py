"""The look at /pnfs of one tick: what is asked for, what was seen, and what it means for each exposure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from desgw_daemon.daemon.parts import Part, Parts
from desgw_daemon.decide.ccds import assess
from desgw_daemon.decide.looks import plan_looks
from desgw_daemon.decide.readiness import count_forcefiles
from desgw_daemon.domain.facts import CallCounts, Look, LookRequest, Sighting, Unseen
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.observe.looker import TREE
from desgw_daemon.store.looks import record_forcefile_counts, record_look
from desgw_daemon.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was asked for and what came."""

    requests: tuple[LookRequest, ...]
    look: Look

    @property
    def unseen(self) -> int:
        """How many things could not be seen."""
        return sum(isinstance(sight, Unseen) for sight in self.look.sightings)

    @property
    def problem(self) -> str | None:
        """Why /pnfs as a whole could not be seen."""
        return self.look.silent


def look_around(house: House, snapshot: Snapshot, now: datetime, parts: Parts) -> Looked:
    """Look at what can have changed. Nothing to look at costs nothing."""
    nothing = Look(sightings=(), calls=CallCounts(), seconds=0.0)

    def blind(requests: tuple[LookRequest, ...], why: str) -> Looked:
        return Looked(requests=requests, look=replace(nothing, silent=f"it cannot be told: {why}"))

    def look() -> Looked:
        hanging = {folder for stuck in house.abandoned.living(TREE) for folder in stuck.what.split(", ")}
        requests = plan_looks(snapshot, house.policy, now, hanging=hanging)
        if not requests:
            return Looked(requests=(), look=nothing)
        return parts.do(Part.LOOKING, lambda: _look(house, requests), lambda why: blind(requests, why))

    return parts.do(Part.LOOKING, look, lambda why: blind((), why))


def _look(house: House, requests: tuple[LookRequest, ...]) -> Looked:
    poll = house.config.poll
    look = house.looker.look(
        requests,
        deadline=poll.look_deadline,
        answer_within=poll.answer_within,
        calls_at_once=poll.calls_at_once,
        calls_per_second=poll.calls_per_second,
        max_stuck=poll.max_stuck,
    )
    return Looked(requests=requests, look=look)


def record_looked(
    connection: Connection, snapshot: Snapshot, looked: Looked, policy: Policy, now: datetime, parts: Parts
) -> None:
    """Write down what the look has shown, each exposure by itself."""
    sightings: dict[int, list[Sighting]] = defaultdict(list)
    for sight in looked.look.sightings:
        sightings[sight.exposure_id].append(sight)
    exposures = {exposure.id: exposure for exposure in snapshot.exposures}
    for request in looked.requests:
        before = exposures[request.exposure_id]
        seen = sightings[request.exposure_id]
        if looked.look.silent:
            # The mount as a whole: each exposure keeps its state, with its age, and none is put aside for it.
            seen = [sight for sight in seen if not (isinstance(sight, Unseen) and sight.hung)]
        if looked.look.silent and not seen:
            seen = [Unseen(exposure_id=before.id, what="folders", ccd=None, problem=looked.look.silent, at=now)]
        what = f"what was seen of {before.label}"
        parts.record(connection, Part.RECORDING, what, partial(_record, connection, before, request, seen, policy, now))


def _record(
    connection: Connection, before: Exposure, request: LookRequest, seen: list[Sighting], policy: Policy, now: datetime
) -> None:
    after = assess(before, request, seen, policy, now)
    record_look(connection, before, after, at=now)
    files = count_forcefiles(after)
    record_forcefile_counts(
        connection,
        after,
        expected=files.expected,
        found=files.found,
        missing=files.missing,
        surplus=files.surplus,
    )
