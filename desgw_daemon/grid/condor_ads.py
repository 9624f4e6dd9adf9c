"""What HTCondor's job ads say of a DAG and of its jobs. Pure: ads in, values out.

The numbers of JobStatus: 1 idle, 2 running, 3 removed, 4 completed, 5 held, 6 transferring output, 7 suspended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.domain.submissions import DagNode
from desgw_daemon.grid.engine import DagStatus, OtherDag
from desgw_daemon.grid.jobs import ccd_of

Ad = Mapping[str, Any]

#: The attributes that our tag and exposure are kept in.
TAG: Final = "DesgwTag"
EXPNUM: Final = "DesgwExpnum"
#: JobUniverse of DAGMan itself: the scheduler's.
DAGMAN_UNIVERSE: Final = 7
#: HoldReasonCode while the input files are being copied to the schedd.
SPOOLING: Final = 16
ATTRIBUTES: Final = (
    "ClusterId,ProcId,JobUniverse,JobStatus,Owner,QDate,CompletionDate,EnteredCurrentStatus,ExitCode,ExitBySignal,"
    "ExitSignal,HoldReason,HoldReasonCode,LastHoldReasonCode,NumJobStarts,RemoveReason,DAG_Status,DAG_NodesTotal,"
    "DAG_NodesDone,DAG_NodesFailed,DAG_NodesFutile,DAG_NodesQueued,DAG_JobsRunning,DAG_JobsHeld,"
    f"{TAG},{EXPNUM},DAGNodeName,LastRemoteHost,RemoteHost"
)
_IDLE, _RUNNING, _REMOVED, _COMPLETED, _HELD = 1, 2, 3, 4, 5
_STATES: Final = {_IDLE: SubmissionState.QUEUED, _HELD: SubmissionState.HELD}
_NODE_STATES: Final = {_IDLE: "waiting", _REMOVED: "removed", _HELD: "held"}


def is_dag(ad: Ad) -> bool:
    """Whether an ad is DAGMan's own, not that of one of its jobs."""
    return ad.get("JobUniverse") == DAGMAN_UNIVERSE


def job_id(ad: Ad, schedd: str) -> str:
    """163.0@SCHEDD; 163.0 for this machine's own schedd, whose name is "" here."""
    number = f"{ad.get('ClusterId')}.{ad.get('ProcId', 0)}"
    return f"{number}@{schedd}" if schedd else number


def is_spooling(ad: Ad) -> bool:
    """Whether its files are still being copied to the schedd: it may yet vanish."""
    return ad.get("JobStatus") == _HELD and ad.get("HoldReasonCode") == SPOOLING


def is_over(ad: Ad) -> bool:
    """Whether a job has ended by itself. One that was submitted from afar stays in the queue for days after that."""
    return ad.get("JobStatus") == _COMPLETED


def other_dag(ad: Ad, schedd: str) -> OtherDag:
    """A DAG in the queue that was not asked for."""
    expnum = ad.get(EXPNUM)
    return OtherDag(
        tag=str(ad.get(TAG)),
        expnum=expnum if isinstance(expnum, int) else None,
        job_id=job_id(ad, schedd),
        state=dag_state(ad, in_queue=True),
        owner=str(ad.get("Owner", "")),
    )


def never_arrived(ad: Ad) -> bool:
    """Whether it was removed before its files had been copied: nothing of it ever ran."""
    return (
        ad.get("JobStatus") == _REMOVED
        and SPOOLING in (ad.get("HoldReasonCode"), ad.get("LastHoldReasonCode"))
        and not ad.get("NumJobStarts")
    )


def held_for(ad: Ad, now: datetime) -> timedelta:
    """How long it has been in its present status."""
    since = _time(ad.get("EnteredCurrentStatus"))
    return timedelta(0) if since is None else now - since


def in_order(ads: Iterable[tuple[str, Ad]]) -> list[tuple[str, Ad]]:
    """(schedd, ad), oldest first."""
    return sorted(ads, key=lambda each: (each[1].get("QDate", 0), each[0], each[1].get("ClusterId", 0)))


def dag_state(ad: Ad, *, in_queue: bool) -> SubmissionState:
    """Where DAGMan's own job is. One that has been removed is so when it has left the queue: before, its jobs end."""
    status = ad.get("JobStatus")
    if status == _REMOVED:
        return SubmissionState.RUNNING if in_queue else SubmissionState.REMOVED
    if status == _COMPLETED:
        good = ad.get("ExitCode") == 0 and ad.get("DAG_Status", 0) == 0
        return SubmissionState.DONE if good else SubmissionState.FAILED
    return _STATES.get(status if isinstance(status, int) else 0, SubmissionState.RUNNING)


def dag_status(ad: Ad, schedd: str, *, in_queue: bool, held_jobs: Sequence[Ad] = (), log: str = "") -> DagStatus:
    """A DAG by DAGMan's ad. held_jobs: ads of its jobs that are on hold. log: where DAGMan says more."""
    state = dag_state(ad, in_queue=in_queue)
    total, done, failed = (ad.get(f"DAG_Nodes{name}") for name in ("Total", "Done", "Failed"))
    running = waiting = held = None
    if isinstance(total, int) and in_queue:
        # Its own counts are of processes: a node of sixty counts once here.
        queued = ad.get("DAG_NodesQueued", 0)
        nodes_held = {job.get("DAGNodeName") for job in held_jobs}
        held = len(nodes_held) if held_jobs else min(ad.get("DAG_JobsHeld", 0), queued)
        running = max(0, min(ad.get("DAG_JobsRunning", 0), queued - held))
        waiting = max(0, total - (done or 0) - (failed or 0) - ad.get("DAG_NodesFutile", 0) - running - held)
        if state is SubmissionState.HELD:
            running = None  # DAGMan does not follow its jobs while it is held itself
    reason = _reason(ad, state, log)
    hold_reason = ad.get("HoldReason") if state is SubmissionState.HELD else None
    if hold_reason is None and held_jobs:
        hold_reason = f"{held_jobs[0].get('DAGNodeName')}: {held_jobs[0].get('HoldReason')}"
    return DagStatus(
        state=state,
        job_id=job_id(ad, schedd),
        nodes_total=total,
        nodes_done=done,
        nodes_failed=failed,
        nodes_running=running,
        nodes_waiting=waiting,
        nodes_held=held,
        hold_reason=hold_reason,
        exit_code=ad.get("ExitCode") if state in (SubmissionState.DONE, SubmissionState.FAILED) else None,
        submitted_at=_time(ad.get("QDate")),
        ended_at=None
        if in_queue and not is_over(ad)
        else _time(ad.get("CompletionDate") or ad.get("EnteredCurrentStatus")),
        reason=reason,
    )


def _reason(ad: Ad, state: SubmissionState, log: str) -> str | None:
    match state:
        case SubmissionState.HELD:
            return f"held: {ad.get('HoldReason')}"
        case SubmissionState.REMOVED:
            return f"removed: {ad.get('RemoveReason')}"
        case SubmissionState.RUNNING if ad.get("JobStatus") == _REMOVED:
            return "it is being removed: its jobs are ending"
        case SubmissionState.FAILED:
            return _failure(ad, log)
    return None


def _failure(ad: Ad, log: str) -> str:
    see = f" (see {log})" if log else ""
    how = f"signal {ad.get('ExitSignal')}" if ad.get("ExitBySignal") else f"exit code {ad.get('ExitCode')}"
    failed, total = ad.get("DAG_NodesFailed"), ad.get("DAG_NodesTotal")
    if not failed:
        return f"DAGMan ended with {how} and has run nothing to its end: it could not read or run the DAG{see}"
    futile = ad.get("DAG_NodesFutile")
    after = f"; {futile} could not run because of it" if futile else ""
    return f"{failed} of {total} nodes failed{after}{see}"


def dag_node(ad: Ad) -> DagNode:
    """One job of a DAG, in the queue or in the history."""
    status, name = ad.get("JobStatus"), str(ad.get("DAGNodeName", ""))
    by_signal = bool(ad.get("ExitBySignal"))
    code = ad.get("ExitCode") if status == _COMPLETED and not by_signal else None
    if status == _COMPLETED:
        state = "done" if code == 0 else "failed"
    else:
        state = _NODE_STATES.get(status if isinstance(status, int) else 0, "running")
    host = ad.get("RemoteHost") or ad.get("LastRemoteHost")
    return DagNode(
        name=name,
        process=ad.get("ProcId", 0),
        ccd=ccd_of(name),
        state=state,
        exit_code=code,
        signal=ad.get("ExitSignal") if status == _COMPLETED and by_signal else None,
        hold_reason=ad.get("HoldReason") if status == _HELD else ad.get("RemoveReason"),
        host=None if host is None else str(host).rpartition("@")[2],
    )


def _time(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) and seconds > 0 else None
