"""What is known of a DAG, in words: where it is, its jobs, since when and why it is held, how often it was tried."""

from __future__ import annotations

from typing import Final

from desgw_daemon.cli.screen import Screen
from desgw_daemon.report.statustypes import SubmissionStatus

#: The jobs of a DAG by what they do, in the order of their way.
_JOBS: Final = ("waiting", "running", "done", "failed", "held")
_ENDED: Final = ("done", "failed", "removed", "rejected", "lost")


def is_under_way(dag: SubmissionStatus | None) -> bool:
    """Whether jobs of it may run, as far as is known."""
    return dag is not None and dag["nodes_total"] is not None and dag["state"] not in _ENDED


def is_stuck(dag: SubmissionStatus | None) -> bool:
    """Whether nothing of it can run because it, or all that is left of it, is held."""
    return dag is not None and dag["held_since"] is not None and dag["state"] not in _ENDED


def jobs_cell(dag: SubmissionStatus | None) -> str:
    """Its jobs as a table shows them, ``35/3/20/1/2``; - where they are not known."""
    if dag is None or dag["nodes_total"] is None:
        return "-"
    return "/".join("?" if (number := _jobs(dag)[name]) is None else str(number) for name in _JOBS)


def jobs_words(dag: SubmissionStatus) -> str | None:
    """``60 jobs: 35 waiting, 3 running, 20 done, 2 held``; None where they are not known."""
    total = dag["nodes_total"]
    if total is None:
        return None
    known = {name: number for name, number in _jobs(dag).items() if number is not None}
    parts = [f"{number} {name}" for name, number in known.items() if number]
    rest = total - sum(known.values())
    if dag["state"] in ("failed", "removed") and rest > 0:
        parts.append(f"{rest} not run")
    return f"{total} jobs: {', '.join(parts) or 'none has begun'}"


def held_words(dag: SubmissionStatus, screen: Screen) -> str | None:
    """Since when and why it is held, or some of its jobs are; None where none is."""
    why = dag["hold_reason"] or "the queue does not say why"
    if is_stuck(dag) and dag["held_since"] is not None:
        since = f"since {screen.when(dag['held_since'])} ({screen.ago(dag['held_since'])})"
        what = "held" if dag["state"] == "held" else "all that is left of it is held"
        return f"{what} {since}: {why}"
    if dag["nodes_held"] and dag["state"] not in _ENDED:
        return f"{dag['nodes_held']} of its jobs held: {why}"
    return None


def tries_words(dag: SubmissionStatus) -> str | None:
    """How often it was handed to the engine, and what came of the last time; None when that went well at once."""
    if not dag["tries"] or (dag["tries"] == 1 and dag["last_outcome"] == "accepted"):
        return None
    times = "once" if dag["tries"] == 1 else f"{dag['tries']} times"
    if dag["last_outcome"] is None:
        return f"handed over {times}; nobody knows yet what came of the last"
    if dag["last_outcome"] == "accepted":
        return f"handed over {times}, the last time accepted"
    cause = f" ({dag['last_cause']})" if dag["last_cause"] else ""
    return f"handed over {times}, the last: {dag['last_outcome']}{cause}: {dag['last_text'] or 'without a word'}"


def submission_lines(dag: SubmissionStatus, screen: Screen, *, first: str) -> list[str]:
    """Everything, a few lines below each other. first: what stands before the first of them."""
    began = f"submitted {screen.when(dag['submitted_at'])}" if dag["submitted_at"] else None
    decided = f"decided {screen.when(dag['intent_at'])}"
    words = [dag["state"], f"ended {screen.when(dag['ended_at'])}" if dag["ended_at"] else began or decided]
    words.append(f"job {dag['job_id']} ({dag['engine']})" if dag["job_id"] else f"no job id yet ({dag['engine']})")
    if dag["as_of"] and not dag["ended_at"]:
        words.append(f"as of {screen.when(dag['as_of'])}")
    reason = f": {dag['reason']}" if dag["reason"] else ""
    held, tried = held_words(dag, screen), tries_words(dag)
    if tried is not None and dag["last_text"] and dag["last_text"] in reason:
        tried = tried.replace(f": {dag['last_text']}", "")
    more = [part for part in (jobs_words(dag), held, tried) if part]
    blank = " " * len(first)
    parts = [(first, ", ".join(words) + reason), *((blank, part) for part in more)]
    return [screen.wrapped(screen.said(text), first=start, indent=len(first) + 2) for start, text in parts]


def _jobs(dag: SubmissionStatus) -> dict[str, int | None]:
    return {
        "waiting": dag["nodes_waiting"],
        "running": dag["nodes_running"],
        "done": dag["nodes_done"],
        "failed": dag["nodes_failed"],
        "held": dag["nodes_held"],
    }
