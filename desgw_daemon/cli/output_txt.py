"""`output show|write`: the made exposures of a nite, as output.txt has them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli.opening import changing, looking, open_config, season_number, utc_now
from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from desgw_daemon.store.output_txt import Made


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    output = sub.add_parser("output", help="output.txt: the made exposures with their bands, nite and season")
    what = output.add_subparsers(metavar="show|write", dest="what", required=True)
    showing = what.add_parser(
        "show",
        help="what it says, or would say",
        description="Show the made exposures of a nite as output.txt has them: of the nite that was made last, or of\n"
        "the one that is named. From the database alone.",
    )
    showing.add_argument("--season", metavar="N")
    showing.add_argument("--nite", metavar="YYYYMMDD")
    showing.add_argument("--json", action="store_true")
    showing.set_defaults(run=_show)
    writes = what.add_parser(
        "write",
        help="write it now",
        description="Write the made exposures of a nite. The daemon keeps its own file (dagmaker.output) up to date:\n"
        "one of another nite stays there until something more is made.",
    )
    writes.add_argument("file", nargs="?", metavar="FILE", help="default: dagmaker.output")
    writes.add_argument("--season", metavar="N")
    writes.add_argument("--nite", metavar="YYYYMMDD")
    writes.set_defaults(run=_write)


def run(args: argparse.Namespace) -> int:
    """Never called: each command has a function of its own."""
    raise NotImplementedError(args.command)


def _made(connection: Connection, args: argparse.Namespace) -> Made:
    """What the command line asks for. Raises UsageError, Refused when nothing of it is made."""
    from desgw_daemon.domain.names import is_nite
    from desgw_daemon.store.output_txt import made

    if args.nite is not None and not is_nite(args.nite):
        raise UsageError(f"--nite {args.nite!r}: a nite is a day written YYYYMMDD, such as 20261121")
    season = None if args.season is None else season_number(args.season)
    found = made(connection, season=season, nite=args.nite)
    if found is None:
        where = (f" in season {season}" if season else "") + (f" of nite {args.nite}" if args.nite else "")
        raise Refused(f"no exposure{where} has its DAG made; `desgw-daemon status` shows how far each is")
    return found


def _show(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json, utc
    from desgw_daemon.store.output_txt import last_written

    loaded = open_config(args)
    with looking(loaded) as connection:
        found, last = _made(connection, args), last_written(connection)
    path = loaded.config.output_txt
    is_there = last is not None and (last.path, last.text) == (str(path), found.text)
    if args.json:
        print_json(
            {
                "season": found.season,
                "nite": found.nite,
                "exposures": [{"expnum": expnum, "band": band} for expnum, band in found.exposures],
                "text": found.text,
                "path": path,
                "written_at": last.written_at if last is not None and is_there else None,
            }
        )
        return 0
    print(found.text, end="")
    if not os.isatty(1):  # a pipe gets what the file gets
        return 0
    if last is not None and is_there:
        print(f"(written to {path} at {utc(last.written_at)})")
    elif path is None:
        print("(not written: dagmaker.output names no file)")
    else:
        print(f"(not in {path}; `desgw-daemon output write --season {found.season} --nite {found.nite}` writes it)")
    return 0


def _write(args: argparse.Namespace) -> int:
    from desgw_daemon.act.outputfile import write_own, write_text
    from desgw_daemon.decide.words import plural
    from desgw_daemon.store.output_txt import made, record_written

    loaded = open_config(args)
    own = loaded.config.output_txt
    path = Path(args.file).absolute() if args.file else own
    if path is None:
        raise UsageError("dagmaker.output names no file: name one")
    with looking(loaded) as connection:
        found, newest = _made(connection, args), made(connection)
    try:
        if path == own:
            write_own(path, found.text, loaded.config.paths.workflow)
        else:
            write_text(path, found.text)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror or error}") from None
    # One of another nite is written once; the daemon goes by what it has written itself.
    if path == own and found == newest:
        with changing(loaded) as connection:
            record_written(connection, found, str(path), at=utc_now())
    print(f"{path}: {plural(len(found.exposures), 'exposure')} of season {found.season}, nite {found.nite}")
    return 0
