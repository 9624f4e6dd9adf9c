"""Reading an output.txt: what it says, or in words why it says nothing. Never fails."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from desgw_daemon.domain.output_txt import NoOutput, Output, parse_output
from desgw_daemon.observe.plainfile import open_plain

#: Far above any real one (bytes): 3,600 exposures are 36 kB.
_MAX_BYTES: Final = 2_000_000


def read_output(path: Path) -> Output | NoOutput:
    """What stands in the file."""
    try:
        with open_plain(path) as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        return NoOutput(problems=(f"it cannot be read: {error.strerror or error}",))
    if len(data) > _MAX_BYTES:
        return NoOutput(problems=(f"it is longer than {_MAX_BYTES} bytes",))
    return parse_output(data.decode("utf-8-sig", "backslashreplace"))
