"""The independent check of a night in the sandbox: was every decision as planned, and nothing done twice?

It reads the disk, the stand-ins' own log, and the daemon's public face (`status --json`), never its
database or code.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from desgw_daemon.sandbox import judge_postproc
from desgw_daemon.sandbox.evidence import OnDisk, ProgramRun, most_at_once, program_runs, read_dag, recount
from desgw_daemon.sandbox.scenario import SEARCH_CCDS
from desgw_daemon.sandbox.verdict import Line, Verdict, lines_of

#: What an exposure of `status --json` has at least.
_KEYS: Final = frozenset(
    ("expnum", "nite", "band", "season", "state", "held", "reason", "ready", "ccds", "forcefiles", "as_of")
)
_CCD_KEYS: Final = ("expected", "complete", "failed", "pending", "missing", "broken", "lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is judged: the plan, what was done, what is on disk, and what the daemon says."""

    folder: Path
    plan: dict[str, Any]
    runs: list[ProgramRun]
    disk: dict[int, OnDisk]
    said: list[dict[str, Any]]

    def pairs(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each planned exposure with what the daemon says of it (as far as it says anything)."""
        said = {entry["expnum"]: entry for entry in self.said}
        return ((e, said[e["expnum"]]) for e in self.plan["exposures"] if e["expnum"] in said)

    def searches(self, expnum: int) -> list[ProgramRun]:
        """The search jobs of an exposure."""
        return [
            run
            for run in self.runs
            if run.who == "SEdiff.sh" and run.option("-E") == str(expnum) and "-t" not in run.argv
        ]

    def span(self, expnum: int) -> tuple[float, float] | None:
        """From the first to the last sign of life of an exposure's DAG."""
        jobs = self.searches(expnum)
        jobs += [run for run in self.runs if run.who == "RUNMON.sh" and run.option("-E") == str(expnum)]
        jobs += [run for run in self.runs if run.parent in {job.parent for job in jobs} - {None}]
        return (min(job.start for job in jobs), max(job.last for job in jobs)) if jobs else None


def judge(folder: Path, status: str) -> Verdict:
    """Judge the night in this sandbox; status is what `status --json` printed when it was over.

    A status that cannot be read is a line of the verdict, not an exception.
    """
    plan = json.loads((folder / "scenario.json").read_text())
    try:
        said = _exposures(status)
    except ValueError as problem:
        return Verdict((Line(False, f"the daemon's status cannot be read: {problem}"),))
    season = plan["season"]
    disk = {
        e["expnum"]: recount(folder / "pnfs", season=season, nite=e["nite"], expnum=e["expnum"], band=e["band"])
        for e in plan["exposures"]
        if e["fates"]
    }
    runs = program_runs(folder / "logs" / "standins.jsonl")
    case = Case(folder=folder, plan=plan, runs=runs, disk=disk, said=said)
    every, going = plan["exposures"], [e for e in plan["exposures"] if e["end"] == "done"]
    partly = sum(e["ready"] == "partial" for e in going)
    jobs = len(disk) * len(SEARCH_CCDS)
    return Verdict(
        (
            *lines_of(f"the daemon knows all {len(every)} exposures, each once", _known(case)),
            *lines_of(
                f"every decision as planned: {len(going)} of {len(every)} exposures went on"
                f" ({partly} of them partly ready), {len(every) - len(going)} are left for a person",
                _decisions(case),
            ),
            *lines_of("every CCD counted as it is on disk", _ccds(case)),
            *lines_of("every forcephoto file counted as it is on disk, those that lack named", _files(case)),
            *lines_of(f"{len(disk)} DAGs made well, none twice at once", _making(case)),
            *lines_of(f"each DAG submitted once: {jobs} search jobs, each ran once", _once(case)),
            *lines_of(f"never more than {plan['watch']['max_in_flight']} DAGs in flight", _cap(case)),
            *judge_postproc.check(folder, plan, runs, disk),
            *lines_of("human interventions needed: 0", _interventions(case)),
        )
    )


def _exposures(status: str) -> list[dict[str, Any]]:
    """The exposures of a `status --json`, alone or under the key `exposures`."""
    data = json.loads(status)
    entries = data.get("exposures") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise ValueError("no list of exposures in it")
    for entry in entries:
        lacking = sorted(_KEYS - set(entry)) or [k for k in _CCD_KEYS if k not in entry["ccds"]]
        if lacking:
            raise ValueError(f"exposure {entry.get('expnum')} lacks {', '.join(lacking)}")
    return entries


def _known(case: Case) -> Iterator[str]:
    planned = {(e["expnum"], e["nite"], case.plan["season"]) for e in case.plan["exposures"]}
    said = Counter((entry["expnum"], entry["nite"], entry["season"]) for entry in case.said)
    for expnum, nite, season in sorted(planned - set(said)):
        yield f"the daemon does not know {expnum} of nite {nite}, season {season}"
    for key, times in said.items():
        if key not in planned:
            yield f"the daemon has an exposure that nobody gave it: {key[0]}, nite {key[1]}, season {key[2]}"
        elif times > 1:
            yield f"the daemon has {key[0]} {times} times"


def _decisions(case: Case) -> Iterator[str]:
    for planned, said in case.pairs():
        expnum = planned["expnum"]
        if (said["state"], said["ready"]) != (planned["end"], planned["ready"]):
            yield (
                f"{expnum} is {said['state']} (ready: {said['ready']}), and should be {planned['end']}"
                f" (ready: {planned['ready']}); its reason: {said['reason']}"
            )
        disk = case.disk.get(expnum)
        if disk is not None and disk.ready != planned["ready"]:
            yield f"{expnum} is ready: {disk.ready} by what is on disk, and {planned['ready']} was planned"


def _ccds(case: Case) -> Iterator[str]:
    for planned, said in case.pairs():
        expnum, disk, counts = planned["expnum"], case.disk.get(planned["expnum"]), said["ccds"]
        if counts["expected"] != len(SEARCH_CCDS):
            yield f"{expnum}: {counts['expected']} CCDs expected, not {len(SEARCH_CCDS)}"
        if disk is None:
            if counts["complete"] or counts["failed"]:
                yield f"{expnum}: never submitted, and the daemon counts results: {counts}"
            continue
        for name, number in (disk.counts | {"pending": 0}).items():
            if counts[name] != number:
                yield f"{expnum}: the daemon counts {counts[name]} CCDs {name}, on disk {number} are"
        for name in disk.counts:
            wanted = {int(ccd) for ccd, fate in planned["fates"].items() if fate == name}
            if wanted != getattr(disk, name):
                yield f"{expnum}: CCDs {name} on disk are not those of the plan: its jobs did not all run"


def _files(case: Case) -> Iterator[str]:
    for planned, said in case.pairs():
        expnum, disk = planned["expnum"], case.disk.get(planned["expnum"])
        if disk is None:
            continue
        files = said["forcefiles"]
        for name, number in (("expected", 2 * len(disk.complete)), ("found", len(disk.found))):
            if files[name] != number:
                yield f"{expnum}: the daemon has {files[name]} forcefiles {name}, the disk {number}"
        for name, pairs in (("missing", disk.lacking), ("surplus", disk.surplus)):
            named = {int(ccd) for text in files[name] for ccd in re.findall(r"_(\d\d)(?!\d)", text)}
            wanted = {ccd for ccd, _ in pairs}
            # Surplus files of failed CCDs are to be ignored: they may be named, and need not.
            ignored = disk.failed if name == "surplus" else frozenset()
            if named | ignored != wanted | ignored:
                yield f"{expnum}: forcefiles {name}: the daemon names CCDs {sorted(named)}, not {sorted(wanted)}"


def _making(case: Case) -> Iterator[str]:
    makings = [run for run in case.runs if run.who == "DAGMaker.sh"]
    for planned in case.plan["exposures"]:
        expnum = planned["expnum"]
        own = [run for run in makings if run.argv == (str(expnum),)]
        if not own:
            yield f"{expnum}: DAGMaker never ran"
        if most_at_once((run.start, run.last) for run in own) > 1:
            yield f"{expnum}: two DAGMakers at once"
        span = case.span(expnum)
        if span is not None and any(run.start < span[1] and span[0] < run.last for run in own):
            yield f"{expnum}: a DAGMaker ran while its DAG was in flight"
        if not planned["fates"]:
            continue
        workflow = case.folder / "gw_workflow"
        dag = read_dag(
            workflow / f"desgw_pipeline_{expnum}.dag",
            expnum=expnum,
            nite=planned["nite"],
            season=case.plan["season"],
        )
        if dag is None or dag.odd or sorted(dag.searched) != list(SEARCH_CCDS) or not dag.serial:
            yield f"{expnum}: its DAG is not whole: {dag}"
    cap = case.plan["watch"]["dagmaker_max_at_once"]
    most = most_at_once((run.start, run.last) for run in makings)
    if most > cap:
        yield f"{most} DAGMakers ran at once, at most {cap} may"


def _once(case: Case) -> Iterator[str]:
    for planned in case.plan["exposures"]:
        expnum = planned["expnum"]
        times = Counter(int(run.option("-c") or 0) for run in case.searches(expnum))
        wanted = SEARCH_CCDS if planned["fates"] else ()
        often = [ccd for ccd, count in times.items() if count > 1]
        if often:
            yield f"{expnum}: submitted more than once: {len(often)} of its search jobs ran again"
        if len(parents := {run.parent for run in case.searches(expnum)}) > 1:
            yield f"{expnum}: its search jobs ran in {len(parents)} DAGs"
        never = [ccd for ccd in wanted if ccd not in times]
        if never:
            yield f"{expnum}: {len(never)} of its {len(wanted)} search jobs never ran"
        if times and not wanted:
            yield f"{expnum}: submitted, though its DAG is not fit for it"
        if any(run.end is None for run in case.searches(expnum)):
            yield f"{expnum}: some of its search jobs were killed or still run"
    firsts = sum(run.who == "dummyjob.sh" for run in case.runs)
    if firsts != len(case.disk):
        yield f"{firsts} DAGs were begun (their first job ran), not {len(case.disk)}"


def _cap(case: Case) -> Iterator[str]:
    spans = [span for e in case.plan["exposures"] if (span := case.span(e["expnum"])) is not None]
    most, cap = most_at_once(spans), case.plan["watch"]["max_in_flight"]
    if most > cap:
        yield f"{most} DAGs were in flight at once, at most {cap} may be"


def _interventions(case: Case) -> Iterator[str]:
    for planned, said in case.pairs():
        if said["held"]:
            yield f"{planned['expnum']} is held: a person must release it"
        elif said["state"] != "done" and planned["end"] == "done":
            yield f"{planned['expnum']} did not get through without a person: {said['reason']}"
