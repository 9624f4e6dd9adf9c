"""The blacklist of post-processing: exposures of which run_postproc.py dies when they are in its list.

Must not conclude anything; what cannot be read is unknown, and not an empty list.
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Final

from desgw_daemon.observe.plainfile import open_plain

#: A template has 5 kB, and a blacklist of every exposure of the camera 10 MB.
_MOST: Final = 20_000_000
_NUMBER: Final = re.compile(rb"(?<![\w.])\d{6,7}(?![\w.])")


def read_blacklist(postprocessing: Path, template: Path) -> frozenset[int] | None:
    """The numbers that the file named by the template's [masterlist] blacklist holds; None when nobody knows.

    run_postproc.py asks for it in `indir`, and then reads it in the folder in which it runs.
    """
    try:
        parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=False)
        with open_plain(template) as file:
            parser.read_string(file.read(_MOST).decode("utf-8", "replace"))
        name = parser.get("masterlist", "blacklist", fallback="").strip()
        if not name:
            return frozenset()
        (postprocessing / parser.get("general", "indir", fallback="").strip() / name).stat()
        with open_plain(postprocessing / name) as file:
            return frozenset(int(number) for number in _NUMBER.findall(file.read(_MOST)))
    except FileNotFoundError as error:
        # Without a template no run starts at all.
        return None if error.filename == str(template) else frozenset()
    except (OSError, configparser.Error, ValueError):  # ValueError: a name with a NUL
        return None
