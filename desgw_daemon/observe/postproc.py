"""What post-processing leaves: its ini, and the files of its steps. Its progress: `observe/progress.py`.

Must not conclude a SKIPTO: it gives sizes and times. What cannot be read is not there.
"""

from __future__ import annotations

import configparser
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from desgw_daemon.domain.facts import EvidenceFile

#: The list of a run's exposures is short; more than this (bytes) is something else.
_MOST_LIST: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IniSettings:
    """The values of an ini that name files."""

    outdir: str
    filename_1: str
    plusname: str
    combined_fits: str
    goodfile: str = ""


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
        goodfile=value("checkoutputs", "goodfile"),
    )


def read_evidence(postprocessing: Path, run_folders: Sequence[str], season: int) -> dict[str, EvidenceFile]:
    """The files that a start above 0 would read, by role; those that are not there are left out.

    run_folders: where the season's runs keep their ini, oldest first; the newest counts. One that is no ini
    leaves no evidence.
    """
    inis = [path for folder in run_folders if (path := Path(folder) / f"postproc_{season}.ini").is_file()]
    try:
        settings = ini_settings(inis[-1].read_text("utf-8", "replace")) if inis else None
    except (OSError, configparser.Error):
        settings = None
    if settings is None:
        return {}
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
    expnums = None
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        if role == "step0_expnums":
            with path.open("rb") as file:
                expnums = tuple(int(number) for number in re.findall(rb"\b\d{6,7}\b", file.read(_MOST_LIST)))
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return None
    return EvidenceFile(path=str(path), size=status.st_size, mtime=status.st_mtime, expnums=expnums)
