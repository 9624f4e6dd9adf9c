"""Who else has an exposure in hand: it is made or submitted once at a time, whoever does it.

mytemp_EXPNUM, the .dag and the input files on /pnfs are shared by all seasons, and by all daemons.
"""

from __future__ import annotations

from collections.abc import Callable

from desgw_daemon.decide.words import at
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import ENDED, IN_FLIGHT, MAKING_LIVE, ExposureState, SubmissionState
from desgw_daemon.domain.submissions import ForeignDag, Submission


def in_flight(exposure: Exposure) -> Submission | None:
    """Its DAG that may still run, whatever the attempt."""
    return next((s for s in exposure.submissions if s.state in IN_FLIGHT), None)


def may_still_run(exposure: Exposure) -> str | None:
    """What may still run of it, in words."""
    if last := in_flight(exposure):
        return f"its last DAG ({last.tag}, {last.state} since {at(last.intent_at)})"
    making = next((m for m in exposure.makings if m.state in MAKING_LIVE), None)
    return None if making is None else f"its DAGMaker (since {at(making.intent_at)})"


def occupies(other: Exposure) -> bool:
    """Whether another exposure of the same number keeps this one from being made."""
    if other.state in (ExposureState.MAKING, ExposureState.SUBMITTING) or may_still_run(other):
        return True
    # Somebody else's DAG: nobody but the files can tell when it has ended.
    return other.watch_only and other.state is ExposureState.PROCESSING


def rival(snapshot: Snapshot, exposure: Exposure, stands_in_the_way: Callable[[Exposure], bool]) -> str | None:
    """Another exposure of the same number that stands in the way, whatever its season and nite; or a foreign DAG."""
    for other in snapshot.exposures:
        if other.expnum == exposure.expnum and other.id != exposure.id and stands_in_the_way(other):
            return (
                f"the same exposure is {other.state} in season {other.season} (nite {other.nite}) since"
                f" {at(other.since)}; both would write the same files. It goes on when that one's DAG has ended"
            )
    return foreign_rival(snapshot, exposure)


def foreign_rival(snapshot: Snapshot, exposure: Exposure) -> str | None:
    """A DAG of this exposure that lives in the queue and does not belong to what we have in flight, in words."""
    dag = next((dag for dag in strangers(snapshot) if dag.expnum == exposure.expnum), None)
    if dag is None:
        return None
    return (
        f"the queue has a DAG of the same exposure that is none of those in flight here: {stranger_words(dag)}. Both"
        " would write the same files. It goes on when that one has left the queue"
    )


def strangers(snapshot: Snapshot) -> list[ForeignDag]:
    """The DAGs in the queue that are none of ours: another daemon's, or one of ours that was taken for ended."""
    if not (living := _living(snapshot)):
        return []
    ours = _tags_in_flight(snapshot)
    return [dag for dag in living if dag.tag not in ours]


def second_jobs(snapshot: Snapshot) -> list[tuple[Exposure, Submission, ForeignDag]]:
    """Further jobs in the queue with the tag of a DAG in flight: it was submitted more than once."""
    if not (living := _living(snapshot)):
        return []
    ours = _tags_in_flight(snapshot)
    return [
        (*mine, dag)
        for dag in living
        if (mine := ours.get(dag.tag)) is not None and mine[1].job_id not in (None, dag.job_id)
    ]


def stranger_words(dag: ForeignDag) -> str:
    """Which it is."""
    owner = f" of {dag.owner}" if dag.owner else ""
    return f"{dag.tag}, job {dag.job_id}{owner}, {dag.state}, seen since {at(dag.first_seen)}"


def _living(snapshot: Snapshot) -> list[ForeignDag]:
    """Those that have not ended: a queue may show a DAG for days after its end."""
    return [dag for dag in snapshot.foreign_dags if SubmissionState(dag.state) not in ENDED]


def _tags_in_flight(snapshot: Snapshot) -> dict[str, tuple[Exposure, Submission]]:
    return {s.tag: (e, s) for e in snapshot.exposures for s in e.submissions if s.state in IN_FLIGHT}
