"""The process that asks one source for its seasons: the order on standard input, findings on standard output.

It is a process so that it can be abandoned: a mount or a driver may hang for ever. Each finding is a line of JSON as
soon as it is made: {"used": [numbers], "in": where}, {"problem": words}, {"done": true} when nothing was left out.
The address of a database comes with the order, never on the command line, where everybody could read it.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from desgw_daemon.errors import DesgwError
from desgw_daemon.observe.mount import Mount
from desgw_daemon.observe.text import plain_name

#: The tables of the DES database that have a SEASON.
TABLES: Final = (
    "SNAUTOSCAN",
    "SNAUTOSCAN_SAVE",
    "SNCAND",
    "SNFAKEIMG",
    "SNFAKEMATCH",
    "SNFORCE",
    "SNOBS",
    "SNOBSINFO",
    "SNOBS_SAVE",
    "SNSCAN",
)
#: Where every season with a forcephoto file has a folder, below the /pnfs root.
IMAGES: Final = "forcephoto/images"
_SEASON_FOLDER: Final = re.compile(r"dp(\d{1,9})", re.ASCII)


def main() -> None:
    """Carry out the order. Nobody who is gone is written to: the exit code says nothing."""
    order = json.loads(sys.stdin.buffer.read())
    # Should whoever asked die and this process hang, nobody would be left to kill it.
    signal.alarm(math.ceil(order["timeout"]) + 60)
    if order["source"] == "pnfs":
        _ask_pnfs(order["root"])
    else:
        _ask_des(order["address"], order["schema"], timedelta(seconds=order["timeout"]))
    # Not through the end of the drivers' threads, which may hang as well.
    os._exit(0)


def _say(**finding: Any) -> None:
    sys.stdout.write(json.dumps(finding) + "\n")
    sys.stdout.flush()


def _ask_pnfs(root: str) -> None:
    """The dpN folders. Whatever bears such a name counts, a link or a file, too."""
    folder = f"{root}/{IMAGES}"
    try:
        entries = Mount(calls_per_second=0).listing(folder)
    except OSError as error:
        _say(problem=f"{plain_name(folder)} cannot be listed: {error.strerror or error}")
        return
    matches = (_SEASON_FOLDER.fullmatch(entry.name) for entry in entries)
    _say(**{"used": sorted({int(match[1]) for match in matches if match}), "in": plain_name(folder)})
    _say(done=True)


def _ask_des(address: str, schema: str, timeout: timedelta) -> None:
    """The distinct SEASON of each table. One that cannot be read does not keep the others back."""
    from sqlalchemy import column, select, table

    from desgw_daemon.observe.databases import NoAnswer, Reader, address_of

    try:
        reader = Reader(address_of(address, home=Path.home()), timeout=timeout)
    except (DesgwError, RuntimeError) as problem:  # RuntimeError: no home
        _say(problem=str(problem))
        return
    unread: list[str] = []
    why = ""
    # Capitals are what these databases show of a name that was not quoted when it was made, and it is not quoted here.
    owner = schema.lower() if schema.isupper() else schema
    for index, name in enumerate(TABLES):
        asked = table(name.lower(), column("season"), schema=owner or None)
        try:
            rows = reader.rows(select(asked.c.season).distinct())
        except NoAnswer as problem:
            why = why or str(problem)
            if problem.lost:
                unread += TABLES[index:]
                break
            unread.append(name)
            continue
        _say(**{"used": sorted({found for (value,) in rows if (found := _season(value)) is not None}), "in": name})
    if unread:
        left_out = f"all {len(TABLES)} tables" if len(unread) == len(TABLES) else ", ".join(unread)
        _say(problem=f"cannot read {left_out}: {why}")
    else:
        _say(done=True)
    # Last of all: it may hang, and what was found has been said.
    reader.close()


def _season(value: object) -> int | None:
    """A SEASON as a number. What is no whole number is no season."""
    try:
        number = Decimal(str(value).strip())
    except ArithmeticError:
        return None
    return int(number) if number.is_finite() and number == number.to_integral_value() else None


if __name__ == "__main__":
    main()
