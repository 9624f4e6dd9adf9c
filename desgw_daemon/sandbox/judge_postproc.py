"""The judge's part on post-processing: was it run once, from scratch, with the right list and ini?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from desgw_daemon.sandbox.evidence import OnDisk, ProgramRun, read_ini
from desgw_daemon.sandbox.verdict import Line, lines_of

#: What a finished run leaves in PostProcStatusS.txt.
_FINISHED: Final = "1 \n0 \n1 \n0 \n1 \n1 \n1 \n0 \n1 \ncomplete"
#: Keys of [general] that may be set; every other line of the template must be left as it is.
_SETTABLE: Final = frozenset(("season", "exposures_listfile", "bands", "ligoid", "triggerid", "propid", "triggermjd"))


def check(
    folder: Path, plan: Mapping[str, Any], runs: list[ProgramRun], disk: Mapping[int, OnDisk]
) -> tuple[Line, ...]:
    """The lines of the verdict on post-processing."""
    own = [run for run in runs if run.who == "run_postproc.py"]
    going = [e for e in plan["exposures"] if e["end"] == "done"]
    wanted = 1 if going else 0
    season = plan["season"]
    lines = lines_of(
        f"post-processing of season {season} run {'once' if wanted else 'never, as planned'}",
        [f"post-processing ran {len(own)} times, not {wanted}"] if len(own) != wanted else [],
    )
    for run in own:
        lines += lines_of("... from scratch, with the right arguments and environment", _call(run, plan))
        lines += lines_of(f"... with the right list of {len(going)} exposures", _listed(run, going))
        lines += lines_of("... with the right ini, the template's other lines left alone", _ini(folder, run, plan))
        lines += lines_of("... after the last job, all forcephoto files linked", _inputs(run, runs, going, disk))
        if _meant_to_finish(plan):
            lines += lines_of("... and it came to its end", _end(folder, run, season))
    complaints = [event["text"] for run in own for event in run.events if event["event"] == "error"]
    return lines + lines_of("no program of the pipeline complained", complaints)


def _meant_to_finish(plan: Mapping[str, Any]) -> bool:
    orders = plan["postproc"]
    ends_early = orders["dies"] is not None or orders["dies_at_once"] or orders["waits"]
    return not ends_early and orders["candidates"] >= 8 and not orders["none_passes"]


def _event(run: ProgramRun, name: str) -> dict[str, Any]:
    return next((event for event in run.events if event["event"] == name), {})


def _ini_of(run: ProgramRun) -> dict[str, list[str]]:
    return read_ini(_event(run, "ini").get("text", ""))


def _call(run: ProgramRun, plan: Mapping[str, Any]) -> Iterator[str]:
    season = str(plan["season"])
    if "--SKIPTO" in run.argv:
        yield f"it was given --SKIPTO {run.option('--SKIPTO')}: nothing was there yet that could be skipped"
    if run.option("--season") != season:
        yield f"it was given --season {run.option('--season')}, not {season}"
    if (outdir := _ini_of(run).get("general.outdir", [""])[-1]) != run.option("--outputdir"):
        yield f"it was given --outputdir {run.option('--outputdir')}, and the ini says {outdir}"
    known = {"--SKIPTO", run.option("--SKIPTO"), "--season", season, "--outputdir", run.option("--outputdir")}
    if strange := [word for word in run.argv if word not in known]:
        yield f"it was given strange arguments: {' '.join(strange)}"
    if run.env.get("SEASON") != season:
        yield f"SEASON was {run.env.get('SEASON')} in its environment, not {season}"


def _listed(run: ProgramRun, going: list[dict[str, Any]]) -> Iterator[str]:
    listed = _event(run, "ini").get("list", [])
    wanted = {e["expnum"] for e in going}
    for expnum in sorted(set(listed) - wanted):
        yield f"{expnum} was given to it, and should not go on"
    for expnum in sorted(wanted - set(listed)):
        yield f"{expnum} was not given to it, and should go on"
    if len(set(listed)) != len(listed):
        yield "its list names an exposure twice"


def _ini(folder: Path, run: ProgramRun, plan: Mapping[str, Any]) -> Iterator[str]:
    season, going = plan["season"], [e for e in plan["exposures"] if e["end"] == "done"]
    text = _event(run, "ini").get("text", "")
    values = read_ini(text)
    for key, given in values.items():
        if len(given) > 1:
            yield f"{key} comes {len(given)} times in the ini"
    if (found := values.get("general.season", [""])[-1]) != str(season):
        yield f"the ini says season {found}, not {season}"
    bands, wanted = values.get("general.bands", [""])[-1], sorted({e["band"] for e in going})
    if sorted(bands.split(",")) != wanted:
        yield f"the ini says bands {bands!r}, not {','.join(wanted)!r}"
    name = Path(values.get("general.exposures_listfile", [""])[-1]).name
    if not re.fullmatch(rf"complete_exposures_S{season}_\d{{8}}_\d\d-\d\d.*\.list", name):
        yield f"the ini names the list {name!r}"
    template = (folder / "Post-Processing" / "template_postproc.ini").read_text()
    before, after = _fixed(template), _fixed(text)
    if before != after:
        changed = next((b for b, a in zip(before, after, strict=False) if b != a), "lines were added or lost")
        yield f"the ini differs from its template where it should not: {changed!r}"


def _fixed(text: str) -> list[str]:
    """The lines of an ini, without the values that may be set; what follows ` ;` stays."""
    lines = []
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() in _SETTABLE:
            comment = re.search(r"\s;.*", value)
            line = f"{key.strip()}={comment[0].strip() if comment else ''}"
        lines.append(line.rstrip())
    return lines


def _inputs(
    run: ProgramRun, runs: list[ProgramRun], going: list[dict[str, Any]], disk: Mapping[int, OnDisk]
) -> Iterator[str]:
    numbers = {str(e["expnum"]) for e in going}
    late = {job.option("-E") for job in runs if job.who == "SEdiff.sh" and job.last > run.start}
    for expnum in sorted(late & numbers, key=str):
        yield f"it began while jobs of {expnum} still ran"
    linked = _event(run, "forcephoto").get("linked")
    if linked is None:
        return
    for expnum in sorted(numbers):
        there = sum(kind == "fits" for _, kind in disk[int(expnum)].found)
        if linked.get(expnum, 0) < there:
            yield f"only {linked.get(expnum, 0)} of {there} images of {expnum} were linked for forcephoto"


def _end(folder: Path, run: ProgramRun, season: int) -> Iterator[str]:
    if run.rc != 0:
        yield f"it ended with status {run.rc}" if run.end is not None else "it was killed or still runs"
    status = folder / "Post-Processing" / f"PostProcStatus{season}.txt"
    text = status.read_text() if status.exists() else "nothing"
    if text != _FINISHED:
        yield f"PostProcStatus{season}.txt says {' '.join(text.split())}"
