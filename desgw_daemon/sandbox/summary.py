"""How far a night in the sandbox has come, in numbers, from the stand-ins' own log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from desgw_daemon.sandbox.evidence import program_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Runs of the stand-ins so far. postproc_step: the last one begun; lasted: from the first to the last."""

    dags_made: int
    dags_begun: int
    template_jobs: int
    search_jobs: int
    postproc_runs: int
    postproc_step: int | None
    lasted: timedelta

    def __str__(self) -> str:
        return (
            f"{self.dags_made} runs of DAGMaker, {self.dags_begun} DAGs, {self.search_jobs} search jobs,"
            f" {self.template_jobs} template jobs, {self.postproc_runs} of post-processing,"
            f" in {self.lasted.total_seconds():.0f} s"
        )


def summary(folder: Path) -> Summary:
    """What has ended until now in the sandbox of this folder."""
    runs = program_runs(folder / "logs" / "standins.jsonl")
    ended = [run for run in runs if run.end is not None]
    steps = [event["step"] for run in runs for event in run.events if event["event"] == "step"]
    jobs = [run for run in ended if run.who == "SEdiff.sh"]
    templates = sum("-t" in run.argv for run in jobs)
    return Summary(
        dags_made=sum(run.who == "DAGMaker.sh" for run in ended),
        dags_begun=sum(run.who == "dummyjob.sh" for run in ended),
        template_jobs=templates,
        search_jobs=len(jobs) - templates,
        postproc_runs=sum(run.who == "run_postproc.py" for run in ended),
        postproc_step=steps[-1] if steps else None,
        lasted=timedelta(seconds=max(run.last for run in runs) - runs[0].start) if runs else timedelta(0),
    )
