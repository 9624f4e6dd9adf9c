"""What post-processing shows of itself: its ini, its progress, and the files that its steps leave."""

from __future__ import annotations

import configparser
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from desgw_daemon.domain.facts import EvidenceFile

_STEP: Final = re.compile(rb"^\s*Run STEP (\d):", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class IniSettings:
    """The values of an ini that name files."""

    outdir: str
    filename_1: str
    plusname: str
    combined_fits: str


def ini_settings(text: str) -> IniSettings:
    """Read an ini by Python 2's rules: keys lower-cased, a ``;`` after a blank begins a comment.

    Raises configparser.Error for a text that is no ini.
    """
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=False)
    parser.read_string(text)

    def value(section: str, key: str) -> str:
        return parser.get(section, key, fallback="").strip()

    return IniSettings(
        outdir=value("general", "outdir"),
        filename_1=value("masterlist", "filename_1"),
        plusname=value("truthtable", "plusname"),
        combined_fits=value("GWmakeDataFiles-real", "combined_fits"),
    )


def read_steps(output: Path) -> int | None:
    """The highest N of the lines `Run STEP N:` in a run's output; None before the first."""
    try:
        found = [int(number) for number in _STEP.findall(output.read_bytes())]
    except FileNotFoundError:
        return None
    return max(found, default=None)


def read_evidence(postprocessing: Path, run_folders: Sequence[str], season: int) -> dict[str, EvidenceFile]:
    """The files that a start above 0 would read, by role; those that are not there are left out.

    run_folders: where the season's runs keep their ini, oldest first; the newest counts.
    """
    inis = [path for folder in run_folders if (path := Path(folder) / f"postproc_{season}.ini").is_file()]
    if not inis:
        return {}
    settings = ini_settings(inis[-1].read_text())
    out = postprocessing / settings.outdir
    places = {
        "expniteband_df": out / "masterlist" / "expniteband_df.csv",
        "filename_1": out / "masterlist" / settings.filename_1,
        "step0_expnums": out / "checkoutputs" / "step0_expnums.txt",
        "step0_blacklist": out / "checkoutputs" / "step0_a_blacklist.txt",
        "hostmatchstatus": postprocessing / "hostmatchstatus.txt",
        "truthplus": out / f"truthtable{season}" / settings.plusname,
        "mastertableinfo": out / "mastertableinfo.npy",
        "combined_fits": out / "makedatafiles" / settings.combined_fits,
    }
    return {role: file for role, place in places.items() if (file := _evidence(role, place)) is not None}


def _evidence(role: str, path: Path) -> EvidenceFile | None:
    try:
        stat = path.stat()
        expnums = None
        if role == "step0_expnums":
            expnums = tuple(int(number) for number in re.findall(r"\b\d{6,7}\b", path.read_text(errors="replace")))
    except OSError:
        return None
    return EvidenceFile(path=str(path), size=stat.st_size, mtime=stat.st_mtime, expnums=expnums)
