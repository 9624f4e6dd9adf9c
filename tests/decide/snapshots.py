"""Any night that may be written down: snapshots for hypothesis.

Not every combination can come to be; the rules must hold for all of them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from hypothesis import strategies as st

from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import (
    ENDED,
    CcdState,
    ExposureState,
    MakingState,
    Ready,
    RunState,
    SubmissionState,
)
from desgw_daemon.domain.submissions import ForeignDag, Submission, SubmitTry
from tests.decide.build import (
    EXPNUM,
    NITE,
    SEASON,
    START,
    exposure,
    finished,
    fits,
    forcefile,
    foreign,
    making,
    psf,
    request,
    run,
    states_of,
    submission,
    tried,
)

SEASONS: Final = (SEASON, 2208)
#: Moments of the night; now is the last of them.
hours = st.integers(0, 100).map(lambda number: START + timedelta(hours=number))
NOW: Final = START + timedelta(hours=100)
#: Few templates; some are exposures of the queue.
templates = st.lists(st.sampled_from([1, 2, EXPNUM + 2]), unique=True).map(tuple)
#: Small caps are reached soon.
policies = st.builds(
    Policy,
    dagmaker_max_at_once=st.integers(1, 3),
    dagmaker_made_ahead=st.integers(1, 3),
    submit_max_in_flight=st.integers(1, 4),
    submit_templates=st.sampled_from(["exclusive", "ignore"]),
    submit_breaker_after=st.integers(1, 3),
    surplus=st.sampled_from(["hold", "ignore"]),
    postproc_auto=st.booleans(),
    postproc_retries=st.integers(0, 2),
    postproc_min_exposures=st.integers(1, 3),
    postproc_min_interval=st.sampled_from([timedelta(minutes=1), timedelta(hours=50)]),
    postproc_missing_folders=st.sampled_from(["leave-out", "make"]),
)


@st.composite
def submissions(draw: st.DrawFn, number: int, attempt: int) -> Submission:
    """An attempt in any state."""
    state = draw(st.sampled_from(SubmissionState))
    return submission(
        number,
        state,
        attempt=attempt,
        tag=f"{number}_a{attempt}",
        job_id=draw(st.sampled_from([None, f"local.{number}"])),
        intent_at=draw(hours),
        ended_at=draw(hours) if state in ENDED else None,
        held_since=draw(st.none() | hours),
        templates=draw(templates),
    )


def _lacking(count: int) -> list[str]:
    return [name for ccd in SEARCH_CCDS[:count] for name in (fits(ccd), psf(ccd))]


#: Exposures as looks have shown them.
SEEN: Final = (
    *(finished(states_of(count, state)) for state in CcdState for count in (1, 9, 12)),
    *(finished(without=_lacking(count)) for count in (1, 29, 30, 59)),
    finished({1: CcdState.LOST}, more=[forcefile(fits(1), 1)]),
    finished({1: CcdState.PENDING, 3: CcdState.FAILED, 4: CcdState.MISSING}, without=_lacking(2)),
    finished(more=[forcefile(fits(3) + ".fz", 3, size=0, whole_at=None, first_seen=START + timedelta(hours=100))]),
)


@st.composite
def looked_at(draw: st.DrawFn, number: int) -> Exposure:
    """An exposure with CCDs and forcefiles."""
    return replace(
        draw(st.sampled_from(SEEN)),
        id=number,
        full_look_at=draw(st.none() | hours),
        recheck_asked_at=draw(st.none() | hours),
        unseen_since=draw(st.none() | hours),
        unseen_problem="Input/output error",
    )


@st.composite
def exposures(draw: st.DrawFn, number: int) -> Exposure:
    """An exposure in any state, with or without CCDs, makings and submissions."""
    attempt = draw(st.integers(1, 2))
    base = draw(st.one_of(st.just(exposure(number)), looked_at(number)))
    makings = tuple(
        making(
            10 * number + n,
            draw(st.sampled_from(MakingState)),
            exposure_id=number,
            attempt=draw(st.integers(1, attempt)),
            reason="it ended",
            templates=draw(templates),
            intent_at=draw(hours),
        )
        for n in range(draw(st.integers(0, 2)))
    )
    state = draw(st.sampled_from(ExposureState))
    places = [(NITE, "i"), ("20261120", "r")]
    # Only one that waits for its data may lack them.
    known = draw(st.sampled_from([*places, (NITE, None), (None, None)] if state is ExposureState.QUEUED else places))
    return replace(
        base,
        # Few numbers, so that some are alike.
        expnum=EXPNUM + draw(st.integers(0, 4)),
        season=draw(st.sampled_from(SEASONS)),
        nite=known[0],
        band=known[1],
        state=state,
        ready=draw(st.sampled_from(Ready)),
        held=draw(st.booleans()),
        watch_only=draw(st.booleans()),
        priority=draw(st.integers(0, 1)),
        attempt=attempt,
        since=draw(hours),
        news_at=draw(hours),
        makings=makings,
        submissions=tuple(draw(submissions(number, n)) for n in range(1, draw(st.integers(0, attempt)) + 1)),
    )


@st.composite
def runs(draw: st.DrawFn, members: list[Exposure]) -> tuple[PostprocRun, ...]:
    """Runs of the seasons; one of all at most still lives."""
    made: list[PostprocRun] = []
    for season in SEASONS:
        for number in range(1, draw(st.integers(0, 2)) + 1):
            which = draw(st.integers(0, 255))
            inside = [e for e in members if e.season == season and which >> (e.id - 1) & 1]
            state = draw(st.sampled_from([RunState.DONE, RunState.FAILED, RunState.LOST]))
            made.append(run(number, state, of=inside, id=10 * season + number, season=season, reason="it ended"))
    alive: RunState | None = draw(st.sampled_from([None, RunState.INTENT, RunState.RUNNING]))
    if made and alive is not None:
        made[-1] = replace(made[-1], state=alive)
    return tuple(made)


@st.composite
def tries(draw: st.DrawFn, members: list[Exposure]) -> tuple[SubmitTry, ...]:
    """Hand-overs of submissions that are known, and of some that are not; oldest first."""
    known = [s.id for e in members for s in e.submissions] + [999]
    made: list[SubmitTry] = []
    for number in range(1, draw(st.integers(0, 5)) + 1):
        outcome = draw(st.sampled_from([None, "accepted", "permanent", "transient", "credential", "unclear"]))
        cause = draw(st.sampled_from(["quota", "no_schedd"])) if outcome not in (None, "accepted") else None
        made.append(
            tried(number, outcome, of=draw(st.sampled_from(known)), ended_at=draw(hours), id=number, cause=cause)
        )
    return tuple(made)


@st.composite
def strangers(draw: st.DrawFn, members: list[Exposure]) -> tuple[ForeignDag, ...]:
    """DAGs of others in the queue, some under a tag that is known here."""
    tags = [s.tag for e in members for s in e.submissions] + ["dp2299_20261121_1_a1"]
    expnums = st.sampled_from([None, EXPNUM, EXPNUM + 1, 1])
    return tuple(
        foreign(draw(expnums), tag=draw(st.sampled_from(tags)), job_id=f"{number}.0@schedd", first_seen=draw(hours))
        for number in range(draw(st.sampled_from([0, 0, 1, 2])))
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A whole night."""
    members = [draw(exposures(number)) for number in range(1, draw(st.integers(0, 8)) + 1)]
    silent = st.sampled_from([None, None, None, (START, "no answer")])
    return Snapshot(
        exposures=tuple(members),
        runs=draw(runs(members)),
        paused=draw(st.sampled_from([False, False, False, True])),
        paused_reason="disk full",
        postproc_requests=draw(st.sampled_from([{}, request(), request(9999)])),
        making_blocked=draw(silent),
        pnfs_silent=draw(silent),
        engine_silent=draw(silent),
        tries=draw(tries(members)),
        foreign_dags=draw(strangers(members)),
        credential_bad=draw(silent),
    )
