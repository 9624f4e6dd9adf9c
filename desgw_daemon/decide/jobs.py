"""What the queue knew of the job of a CCD, in words: for one that has left no sign on /pnfs.

Must not judge: a CCD is what its files say, whatever became of its job.
"""

from __future__ import annotations

from typing import Final

from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ENDED
from desgw_daemon.domain.submissions import DagNode

#: The queue may still say more: a reason that ends so is not the last word.
NOT_SAID: Final = "the queue has not said yet what became of its job"


def job_of(exposure: Exposure, ccd: int) -> DagNode | None:
    """The job of a CCD, as the queue remembers it."""
    return next((node for node in exposure.nodes if node.ccd == ccd), None)


def ended_well(node: DagNode) -> bool:
    """Whether the queue says that a job came to a good end."""
    return node.state == "done" and not node.exit_code and node.signal is None


def job_words(exposure: Exposure, ccd: int) -> str | None:
    """What became of the job of a CCD; None while its DAG has not ended, or is not ours."""
    submission = exposure.own_submission
    if submission is None or submission.state not in ENDED:
        return None
    node = job_of(exposure, ccd)
    if node is not None:
        return _words(node)
    return NOT_SAID if submission.nodes_at is None else "nothing is known of its job"


def _words(node: DagNode) -> str:
    where = f" on {node.host}" if node.host else ""
    why = f": {node.hold_reason}" if node.hold_reason else ""
    if node.signal is not None:
        return f"its job was ended by signal {node.signal}{where}{why}"
    if ended_well(node):
        return f"its job ended with exit code 0{where} (one that fails in its SE part does so, too)"
    if node.exit_code is not None:
        return f"its job ended with exit code {node.exit_code}{where}{why}"
    match node.state:
        case "held":
            return f"its job is held{where}{why}"
        case "waiting":
            return f"the queue says that its job never ran{why}"
        case "running":
            return f"the queue says that its job still runs{where}{why}"
        case "removed":
            return f"its job was removed{f' while it ran{where}' if where else ' before it ran'}{why}"
    return f"the queue says that its job is {node.state}{where}{why}"
