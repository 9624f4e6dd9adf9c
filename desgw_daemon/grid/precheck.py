"""What the queue says before anything is handed to it: a DAG that is there already is not submitted again."""

from __future__ import annotations

from collections.abc import Sequence

from desgw_daemon.grid.engine import Accepted, NoAnswer, Rejected, SubmitRequest


def kept_back(found: Sequence[tuple[str, str]] | NoAnswer, request: SubmitRequest) -> Accepted | Rejected | None:
    """Why not to submit: it is there already, or another's DAG of this exposure is, or nobody can tell.

    found: (tag, job id) of the DAGs in the queue that carry the tag, or are of the exposure.
    """
    if isinstance(found, NoAnswer):
        return Rejected("transient", f"not handed over: the queue gives no answer: {found.reason}", "no_answer")
    for tag, job_id in found:
        if tag == request.tag:
            return Accepted(job_id)
    if found:
        tag, job_id = found[0]
        why = f"not handed over: a DAG of exposure {request.expnum} is in the queue as {job_id} ({tag})"
        return Rejected("transient", why, "another_dag")
    return None
