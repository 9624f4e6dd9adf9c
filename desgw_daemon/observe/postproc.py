"""What post-processing shows of itself: its ini and its progress.

What cannot be read is not there. The files that its steps leave: postproc_evidence.py.
"""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_STEP: Final = re.compile(rb"^\s*Run STEP (\d+):", re.MULTILINE)
#: How far from its end an output is searched for its last step (bytes), the next only when the one before
#: holds none. A step that prints more than the last is known from earlier looks.
_TAILS: Final = (1 << 16, 1 << 22, 1 << 26)
#: PostProcStatus: entries that are never set, or that stay 0 when a step was skipped: 0 is not "failed".
STATUS_ENTRIES: Final = (
    "environment",
    "initial list",
    "final list",
    "forcephoto",
    "host match",
    "truth table",
    "data files",
    "plots",
    "web page",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IniSettings:
    """The values of an ini that name files."""

    outdir: str
    filename_1: str
    plusname: str
    combined_fits: str
    light_curves: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFile:
    """PostProcStatus{season}.txt of this run: the entries (STATUS_ENTRIES) that are 1, and when it was written."""

    done: tuple[str, ...]
    complete: bool
    at: datetime


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
        light_curves=value("GWmakeDataFiles-real", "outdir_data"),
    )


def read_steps(output: Path) -> int | None:
    """The highest N of the lines `Run STEP N:` near the end of a run's output; None when there is none.

    Raises OSError when the output cannot be read, other than for not being there.
    """
    try:
        with output.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for tail in _TAILS:
                file.seek(max(0, size - tail))
                if found := _STEP.findall(file.read(tail)):
                    return max(int(number) for number in found)
                if tail >= size:
                    break
    except FileNotFoundError:
        return None
    return None


def read_status(folder: Path, season: int, started_at: datetime) -> StatusFile | None:
    """What PostProcStatus says of the run that started then; None when it says nothing of it.

    A run that dies at once leaves the file of the one before, perhaps `complete`: an older file is not
    believed, nor one that is not whole (nine times 0 or 1, then `complete` or `incomplete`).
    """
    try:
        with (folder / f"PostProcStatus{season}.txt").open("rb") as file:
            written = os.fstat(file.fileno()).st_mtime
            *flags, last = file.read(256).split() or [b""]
    except OSError:
        return None
    if written < started_at.timestamp() or len(flags) != len(STATUS_ENTRIES):
        return None
    if not set(flags) <= {b"0", b"1"} or last not in (b"complete", b"incomplete"):
        return None
    return StatusFile(
        done=tuple(name for name, flag in zip(STATUS_ENTRIES, flags, strict=True) if flag == b"1"),
        complete=last == b"complete",
        at=datetime.fromtimestamp(written, UTC),
    )
