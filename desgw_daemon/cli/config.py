"""`config check` and `config show`: what daemon.toml says, and what is wrong with it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.errors import ConfigError

if TYPE_CHECKING:
    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.config.model import Config

#: A mount that has not answered by then is not going to answer soon.
_PATIENCE: Final = timedelta(seconds=3)


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "config",
        help="check and show the configuration",
        description="Check or show the configuration (daemon.toml).",
    )
    what = parser.add_subparsers(metavar="check|show", dest="what", required=True)
    check = what.add_parser(
        "check",
        help="say everything that is wrong with it",
        description="Read daemon.toml and say everything that is wrong with it, a line each (exit code 2).\n"
        "A folder of the pipeline that is away now is only noted.",
    )
    check.add_argument("--json", action="store_true", help="print JSON, for programs")
    show = what.add_parser(
        "show",
        help="every value, and where it comes from",
        description="Print every value of daemon.toml and where it comes from: its line, or the default.",
    )
    show.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Carry out `config check` or `config show`. Raises ConfigError."""
    from desgw_daemon.config.loading import load
    from desgw_daemon.config.locate import find_config

    path = find_config(args.config)
    if args.what == "show":
        return _show(load(path), as_json=args.json)
    try:
        loaded = load(path)
    except ConfigError as error:
        return refuse(path, error, as_json=args.json)
    return _accept(loaded, as_json=args.json)


def refuse(path: Path, error: ConfigError, *, as_json: bool) -> int:
    """Say what is wrong with the file. Raises ConfigError where that is one line."""
    if as_json:
        _print_json({"file": path, "right": False, "problems": error.problems, "notes": []})
    if len(error.problems) == 1:
        raise error
    print(f"desgw-daemon: {len(error.problems)} problems in {path}:", file=sys.stderr)
    for problem in error.problems:
        print(problem, file=sys.stderr)
    return error.exit_code


def _accept(loaded: Loaded, *, as_json: bool) -> int:
    from desgw_daemon.config.loading import DEFAULT

    notes = list(_notes(loaded.config))
    if as_json:
        _print_json({"file": loaded.source, "right": True, "problems": [], "notes": notes})
        return 0
    defaults = sum(origin == DEFAULT for origin in loaded.origins.values())
    print(f"{loaded.source} is right: {len(loaded.origins) - defaults} keys set, {defaults} left at their default.")
    for note in notes:
        print(f"note: {note}")
    return 0


def _show(loaded: Loaded, *, as_json: bool) -> int:
    from desgw_daemon.cli.output import print_table
    from desgw_daemon.config.model import needs_restart, value_of
    from desgw_daemon.config.secrets import to_show

    values = {key: to_show(value_of(loaded.config, key)) for key in loaded.origins}
    if as_json:
        described = {
            key: {"value": value, "from": loaded.origins[key], "restart": needs_restart(key)}
            for key, value in values.items()
        }
        _print_json({"file": loaded.source, "values": described})
        return 0
    rows = [(key, _as_toml(value), loaded.origins[key]) for key, value in values.items()]
    print_table(("KEY", "VALUE", "FROM"), rows)
    return 0


def _notes(config: Config) -> Iterator[str]:
    """What is no mistake in the file, and yet good to know."""
    state = config.paths.state
    if not os.access(state, os.W_OK | os.X_OK):
        yield f"paths.state: you may not write in {state}; the daemon's account must"
    if config.postproc.skipto == "upstream":
        yield (
            'postproc.skipto = "upstream" is UNSAFE: runs start at steps at which they die, or leave out exposures that'
            ' became ready later. It is for comparison; "evidence" is what a night needs'
        )
    trees = {"pnfs": config.paths.pnfs, "workflow": config.paths.workflow}
    trees["postprocessing"] = config.paths.postprocessing
    yield from _away(trees)
    jobsub = config.jobsub
    if config.submit.engine == "jobsub" and jobsub.query == "condor" and not jobsub.schedds:
        yield (
            "jobsub.schedds is empty: nothing is submitted until every schedd that jobsub may choose is named there, or"
            ' jobsub.query is "jobsub"'
        )


def _away(trees: dict[str, Path]) -> Iterator[str]:
    """Which of these folders cannot be seen now. Asked by programs of their own, since a hanging mount
    blocks whoever asks, for ever; such a program is left behind.
    """
    asked = [
        (
            f"paths.{key}",
            path,
            subprocess.Popen(
                ["stat", "--dereference", "--format=%F", path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            ),
        )
        for key, path in trees.items()
    ]
    end = time.monotonic() + _PATIENCE.total_seconds()
    try:
        for key, path, child in asked:
            problem = _answer(child, end)
            if problem is not None:
                yield f"{key}: {path} {problem}; until that changes, everything in it is unknown"
    finally:
        for _, _, child in asked:
            child.kill()


def _answer(child: subprocess.Popen[str], end: float) -> str | None:
    """What is wrong with the folder that the program was asked about; None when it is there."""
    try:
        child.wait(timeout=max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        return "gives no answer"
    said = child.stdout.read().strip() if child.stdout else ""
    if said == "directory":
        return None
    return "is no folder" if said else "is not there now, or may not be seen"


def _as_toml(value: object) -> str:
    """The value as the file would have it."""
    from desgw_daemon.config.spans import format_span

    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return f'"{format_span(value)}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{word}"' for word in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_as_toml(of)}" for key, of in value.items()) + " }"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    return f'"{value if value is not None else ""}"'


def _print_json(value: object) -> None:
    from desgw_daemon.cli.output import print_json

    print_json(value)
