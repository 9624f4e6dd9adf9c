"""The files that a start of post-processing above 0 would read, or that prove a step done: where, and whole or not.

Must not conclude a SKIPTO (decide/skipto.py does). What cannot be read is not there. Nothing on /pnfs is touched, even
if the ini says that its outdir is there: a call on that mount may hang for ever.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from desgw_daemon.domain.facts import EvidenceFile, PostprocEvidence, SeasonTrace
from desgw_daemon.observe import wholeness
from desgw_daemon.observe.plainfile import open_plain
from desgw_daemon.observe.postproc import IniSettings, ini_settings
from desgw_daemon.observe.wholeness import Content

#: A real ini has 5 kB.
_MOST_INI: Final = 1_000_000
#: Entries of a folder that are looked at: nights of candidates have some ten thousand light curves.
_MOST_ENTRIES: Final = 200_000
#: The end of a log, with its exit code (bytes).
_TAIL: Final = 4096
_SEASON_TIME: Final = re.compile(r"seasonTime(\d{1,9})\.txt")


def read_evidence(
    postprocessing: Path,
    run_folders: Sequence[str],
    season: int,
    *,
    template: Path | None = None,
    pnfs: Path | None = None,
) -> PostprocEvidence:
    """What a start above 0 of this season would find.

    run_folders: where the season's own runs keep their ini, oldest first. The newest ini says where the files are:
    that of a run, else the one that an older automation left in the Post-Processing folder, else the template, which
    is what the next run will be made from. pnfs: the tree that is never touched.
    """
    name = f"postproc_{season}.ini"
    places = [*(Path(folder) / name for folder in reversed(run_folders)), postprocessing / name]
    left = next(((path, found) for path in places if (found := _settings(path)) is not None), None)
    next_one = None if template is None else _settings(template)
    if left is None and next_one is None:
        return PostprocEvidence(problem=f"no {name} says where its files are")
    path, settings = left or (template or places[0], next_one)
    assert settings is not None
    if next_one is not None and next_one != settings:
        changed = _difference(settings, next_one)
        return PostprocEvidence(
            ini=str(path), problem=f"{path} has {changed} in the template the next run is made from"
        )
    out = Path(os.path.normpath(postprocessing / settings.outdir))
    if any(_is_below(place, pnfs) for place in (out, _linked(out))):
        return PostprocEvidence(
            ini=str(path), problem=f"{path} has its outdir on /pnfs ({out}), which is not looked at"
        )
    looks: dict[str, tuple[Path, Callable[[BinaryIO], Content]]] = {
        "expniteband_df": (out / "masterlist" / "expniteband_df.csv", wholeness.exposure_table),
        "filename_1": (out / "masterlist" / settings.filename_1, wholeness.fits_table),
        "step0_expnums": (out / "checkoutputs" / "step0_expnums.txt", wholeness.number_list),
        "step0_blacklist": (out / "checkoutputs" / "step0_a_blacklist.txt", wholeness.number_list),
        "hostmatchstatus": (postprocessing / "hostmatchstatus.txt", wholeness.status_word),
        "truthplus": (out / f"truthtable{season}" / settings.plusname, wholeness.truth_table),
        "combined_fits": (out / "makedatafiles" / settings.combined_fits, wholeness.fits_table),
        "mastertableinfo": (out / "mastertableinfo.npy", wholeness.numpy_file),
    }
    seen = {role: _look(place, look) for role, (place, look) in looks.items()}
    seen["forcephoto"] = _forcephoto(postprocessing / "forcephoto" / "output" / f"dp{season}")
    seen["light_curves"] = _light_curves(out / "makedatafiles" / settings.light_curves)
    files = {role: file for role, file in seen.items() if file is not None}
    return PostprocEvidence(files=files, ini=str(path), others=_others(postprocessing, season))


def _settings(path: Path) -> IniSettings | None:
    try:
        with open_plain(path) as file:
            return ini_settings(file.read(_MOST_INI).decode("utf-8", "replace"))
    except (OSError, ValueError, configparser.Error):
        return None


def _difference(before: IniSettings, after: IniSettings) -> str:
    """``outdir = a, which is b``, of the first value that differs."""
    for name in IniSettings.__slots__:
        if (old := getattr(before, name)) != (new := getattr(after, name)):
            return f"{name} = {old[:100]!r}, which is {new[:100]!r}"
    raise AssertionError("they are the same")


def _is_below(path: Path, tree: Path | None) -> bool:
    trees = [Path("/pnfs")] if tree is None else [Path("/pnfs"), tree]
    return any(path == top or top in path.parents for top in trees)


def _linked(path: Path) -> Path:
    """Where a link leads; the path itself when it is none."""
    try:
        return Path(os.path.normpath(path.parent / path.readlink()))
    except (OSError, ValueError):
        return path


def _look(path: Path, look: Callable[[BinaryIO], Content]) -> EvidenceFile | None:
    try:
        with open_plain(path) as file:
            status = os.fstat(file.fileno())
            content = look(file)
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None
    return EvidenceFile(
        path=str(path),
        size=status.st_size,
        mtime=status.st_mtime,
        flaw=content.flaw,
        expnums=content.expnums,
        entries=content.entries,
        rows=content.rows,
    )


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, _MOST_ENTRIES)]
    except (OSError, ValueError):
        return []


def _forcephoto(folder: Path) -> EvidenceFile | None:
    """The newest run of forcePhoto: every log of it must end with exit code 0, which run_postproc.py never looks at."""
    newest = max(_names(folder), default=None)
    if newest is None:
        return None
    last, flaw, logs, size = 0.0, None, 0, 0
    for name in sorted(_names(folder / newest)):
        if not name.endswith("_FORCEPHOTO.LOG"):
            continue
        try:
            with open_plain(folder / newest / name) as file:
                status = os.fstat(file.fileno())
                file.seek(max(0, status.st_size - _TAIL))
                words = file.read(_TAIL).split()
        except OSError:
            return None
        logs, size, last = logs + 1, size + status.st_size, max(last, status.st_mtime)
        if not words or words[-1] != b"0":
            flaw = f"has a {name} that does not end with exit code 0"
    if not logs:
        return None
    return EvidenceFile(path=str(folder / newest), size=size, mtime=last, flaw=flaw)


def _light_curves(folder: Path) -> EvidenceFile | None:
    """The folder of the light curves, with their number for its size."""
    count = sum(name.endswith(".dat") for name in _names(folder))
    try:
        return EvidenceFile(path=str(folder), size=count, mtime=folder.stat().st_mtime) if count else None
    except OSError:
        return None


def _others(postprocessing: Path, season: int) -> tuple[SeasonTrace, ...]:
    """Runs of other seasons in the same folder, by the two files that each run keeps up to date."""
    traces = []
    for name in sorted(_names(postprocessing)):
        number = _SEASON_TIME.fullmatch(name)
        if number is None or int(number[1]) == season:
            continue
        try:
            began = (postprocessing / name).stat().st_mtime
        except OSError:
            continue
        try:
            last = (postprocessing / f"PostProcStatus{number[1]}.txt").stat().st_mtime
        except OSError:
            last = began
        traces.append(SeasonTrace(int(number[1]), began, max(began, last)))
    return tuple(traces)
