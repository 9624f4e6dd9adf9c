"""What the ini of a run of post-processing says.

The files that its steps leave: `observe/postproc_evidence.py`. How far it is: `observe/progress.py`.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class IniSettings:
    """The values of an ini that name files."""

    outdir: str
    filename_1: str
    plusname: str
    combined_fits: str
    light_curves: str
    goodfile: str = ""

    @property
    def curves_folder(self) -> str | None:
        """Where step 5 makes the light curves, as run_postproc.py finds it; None when the ini names no such folder."""
        name = self.light_curves
        if name in ("", ".", "..") or "/" in name or not name.isprintable():
            return None
        return str(Path(self.outdir) / "makedatafiles" / name)


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
        goodfile=value("checkoutputs", "goodfile"),
    )
