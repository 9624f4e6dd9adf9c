"""`demo`: a whole night on a sandbox, with the real daemon, under three minutes."""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.errors import Refused

if TYPE_CHECKING:
    from desgw_daemon.cli.demo_night import Night
    from desgw_daemon.cli.demo_table import Show
    from desgw_daemon.sandbox.build import Sandbox
    from desgw_daemon.sandbox.scenario import Scenario

_FOLDER: Final = "demo-sandbox"
#: States of an exposure to which nothing more happens by itself.
_OVER: Final = ("done", "attention", "removed")


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "demo",
        help="a whole night on a sandbox, in two minutes",
        description="Build a small observatory (a /pnfs, stand-ins for DAGMaker, the grid jobs and post-processing),\n"
        "and let the real daemon go through a night of 12 exposures in it, hours compressed to seconds. The\n"
        "daemon is killed in the middle and goes on. At the end an independent check says whether all was\n"
        "done as planned; the exit code is 0 only then. Ctrl-C ends everything.",
    )
    parser.add_argument(
        "--folder",
        metavar="DIR",
        type=Path,
        default=Path(_FOLDER),
        help=f"where; a sandbox that is there is deleted and made anew (default ./{_FOLDER})",
    )

    parser.add_argument(
        "--engine",
        choices=("local", "htcondor"),
        default="local",
        help="what runs the DAGs: this machine (default), or the HTCondor pool whose commands are on PATH; its\n"
        "machines must see the folder",
    )
    by_hand = parser.add_mutually_exclusive_group()
    by_hand.add_argument(
        "--prepare", action="store_true", help="only make the sandbox: the night is yours (docs/from-an-alert.md)"
    )
    by_hand.add_argument("--check", action="store_true", help="only check a night that you went through by hand")


def run(args: argparse.Namespace) -> int:
    """Show a night; 0 when the judge found everything in order."""
    if args.check:
        return _check(args.folder)
    scenario = _scenario(args.engine)
    return _prepare(args.folder, scenario) if args.prepare else _night(args.folder, scenario)


def _scenario(engine: str) -> Scenario:
    """The demo's night on this engine. Raises Refused when there is none here."""
    from desgw_daemon.sandbox.nights import demo_scenario, on_pool

    scenario = demo_scenario()
    if engine == "local":
        return scenario
    from desgw_daemon.cli.demo_pool import season_for_pool

    return on_pool(scenario, season=season_for_pool(scenario.season))


def _prepare(folder: Path, scenario: Scenario) -> int:
    """Make the sandbox, and say how to begin in it."""
    from desgw_daemon.sandbox.build import build

    if (folder / "state" / "desgw.db").exists():
        raise Refused(f"{folder} holds a night that was begun: remove the folder, or give another --folder")
    _make_room(folder)
    sandbox = build(folder, scenario)
    print(f"A sandbox with a night of {len(scenario.exposures)} exposures is in {sandbox.root}. Nothing runs yet.")
    print("The way from an alert to its queue, as on a real night (docs/from-an-alert.md):\n")
    program, root = _program(), _short(sandbox.root)
    lists = shlex.join(_short(path) for path in sandbox.lists)
    for line, what in (
        (f"export DESGW_DAEMON_CONFIG={shlex.quote(str(sandbox.config))}", "no command needs --config then"),
        (f"{program} start-event", f"season {sandbox.season}; exposures: {lists}"),
        (f"{program} run > daemon.out 2>&1 &", "the daemon; two minutes"),
        (f"{program} status", "how far it is"),
        (f"{program} demo --check --folder {shlex.quote(root)}", "when every exposure is done, or waits for a person"),
    ):
        print(f"  {line}\n      {what}")
    return 0


def _check(folder: Path) -> int:
    """What the independent check says of a night that went by without us. Raises Refused for no sandbox."""
    import json
    import subprocess

    from desgw_daemon.cli.demo_night import PROGRAM
    from desgw_daemon.decide.words import some
    from desgw_daemon.sandbox.build import is_sandbox
    from desgw_daemon.sandbox.judge import judge

    if not is_sandbox(folder):
        raise Refused(f"{folder} is no sandbox; `demo --prepare --folder {shlex.quote(str(folder))}` makes one")
    words = (*PROGRAM, "--config", str((folder / "daemon.toml").resolve()), "status", "--json")
    said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if said.returncode:
        raise Refused(f"the night cannot be checked: {said.stderr.strip()}")
    under_way = [e["expnum"] for e in json.loads(said.stdout)["exposures"] if e["state"] not in _OVER]
    if under_way:
        print(
            f"{len(under_way)} exposures are still under way ({some(map(str, under_way))}): check when they have ended"
        )
        return 1
    verdict = judge(folder.resolve(), said.stdout)
    for line in verdict.lines:
        print(line)
    return 0 if verdict.ok else 1


def _night(folder: Path, scenario: Scenario) -> int:
    from desgw_daemon.cli.demo_table import Caps, shown
    from desgw_daemon.sandbox.scenario import SEARCH_CCDS

    jobs = sum(len(SEARCH_CCDS) for exposure in scenario.exposures if exposure.submitted)
    caps = Caps(
        season=scenario.season,
        in_flight=scenario.watch.max_in_flight,
        making=scenario.watch.dagmaker_max_at_once,
        ccds=jobs,
    )
    print(f"A night of {len(scenario.exposures)} exposures in {folder}; hours are seconds. Ctrl-C ends it.")
    try:
        with _signals_are_ctrl_c(), shown(caps) as show:
            night = run_night(folder, scenario, show=show)
    except KeyboardInterrupt:
        print("stopped: the daemon and all that it had started are ended", file=sys.stderr)
        raise
    _tell(night, scenario)
    return 0 if night.verdict.ok else 1


def run_night(folder: Path, scenario: Scenario, *, show: Show, program: Sequence[str] | None = None) -> Night:
    """Make this folder a sandbox, let the night of the scenario go by in it, and judge it.

    program: the words that start desgw-daemon, if not this very one. Nothing of the night runs any more when
    this returns or raises. Raises Refused for a folder that is in use or is no sandbox, and for a night that
    does not come to its end.
    """
    from desgw_daemon.cli.demo_night import PROGRAM, carry_through
    from desgw_daemon.sandbox.build import MARKER, build

    _make_room(folder)
    sandbox = build(folder, scenario)
    with _in_use(sandbox.root / MARKER):
        return carry_through(sandbox, scenario, show=show, program=program or PROGRAM)


def _make_room(folder: Path) -> None:
    """Delete a sandbox of an earlier demo. Raises Refused for anything else, and while something works in it."""
    from desgw_daemon.cli.demo_pool import end_dags
    from desgw_daemon.cli.demo_processes import end_children
    from desgw_daemon.daemon.lock import is_held
    from desgw_daemon.sandbox.build import MARKER, is_sandbox

    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not is_sandbox(folder):
        raise Refused(f"{folder} is there and is no sandbox of desgw-daemon: it is left alone; give another --folder")
    with _in_use(folder / MARKER):
        if is_held(folder / "state"):
            raise Refused(f"a daemon works in the sandbox {folder}: stop it first, or give another --folder")
        # Jobs of an earlier night would write into the new one.
        end_children(folder / "state")
        end_dags(folder / "daemon.toml")
        shutil.rmtree(folder)


@contextmanager
def _in_use(marker: Path) -> Iterator[None]:
    """Keep other demos out of this sandbox, by a lock that ends with us. Raises Refused when one is in it."""
    with marker.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"another demo runs in {marker.parents[1]}; give this one a --folder of its own") from None
        yield


@contextmanager
def _signals_are_ctrl_c() -> Iterator[None]:
    """A closed terminal or a `kill` ends the demo as Ctrl-C does: with everything that it has started.

    The first one counts. A second, on the way to the clean-up, would leave jobs running.
    """
    # `nohup` has SIGHUP ignored: it stays so.
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]

    def leave(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [signal.signal(number, leave) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _tell(night: Night, scenario: Scenario) -> None:
    """What the check has found, and what to try now."""
    from rich.console import Console
    from rich.text import Text

    from desgw_daemon.cli.demo_table import hanging
    from desgw_daemon.sandbox.summary import summary

    terminal = sys.stdout.isatty()
    console = Console(highlight=False, markup=False, soft_wrap=not terminal)
    root = night.sandbox.root
    console.print(f"\n{summary(root)}")
    console.print("An independent check, which reads only the disk and the log of the pipeline's programs:")
    for line in night.verdict.lines:
        if terminal:
            console.print(hanging(str(line)[:2], Text(line.text, style="green" if line.ok else "bold red")))
        else:
            print(line)
    if not night.verdict.ok:
        console.print(
            f"\nThe demo has FAILED. What it left is in {root}; the daemon's log is state/desgw-daemon.log there."
        )
        return
    console.print(f"\nThe sandbox is in {root} until the next demo. Try in it:")
    for command, what in commands_to_try(night.sandbox, scenario):
        print(f"  {command}\n      {what}")
    print(f"After `export DESGW_DAEMON_CONFIG={shlex.quote(str(night.sandbox.config))}` no --config is needed.")


def commands_to_try(sandbox: Sandbox, scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Commands for the shell, each with what it shows."""
    left = next(e.expnum for e in scenario.exposures if e.end == "attention" and e.submitted)
    unmade = next(e.expnum for e in scenario.exposures if e.end == "attention" and not e.submitted)
    partly = next(e.expnum for e in scenario.exposures if e.ready == "partial")
    for words, what in (
        ("status", "the night, exposure by exposure"),
        (f"status {partly}", "its 62 CCDs, and the forcephoto files that are missing"),
        (f"explain {left}", "why it is left for a person, and what to do"),
        (f"explain {unmade}", "the same of one that was never submitted"),
        (f"history {left}", "all that happened to it"),
        ("plan", "what the daemon would do now"),
        ("postproc status", "the run of post-processing"),
        (f"skipto --season {sandbox.season}", "at which step the next one would start, with the evidence"),
    ):
        yield f"{_program()} --config {shlex.quote(_short(sandbox.config))} {words}", what
    if shutil.which("sqlite3"):
        query = "SELECT expnum, ccd, state, step FROM v_failures WHERE expnum = " + str(left)
        database = _short(sandbox.state / "desgw.db")
        yield (
            f"sqlite3 {shlex.quote(f'file:{database}?immutable=1')} {shlex.quote(query)}",
            "its failures from the database itself",
        )


def _program() -> str:
    """How this program is started, from where we are."""
    started = Path(sys.argv[0])
    if started.name != "desgw-daemon":
        return f"{shlex.quote(_short(Path(sys.executable)))} -m desgw_daemon"
    found = shutil.which("desgw-daemon")
    if found is not None and Path(found).samefile(started):
        return "desgw-daemon"
    return shlex.quote(_short(started))


def _short(path: Path) -> str:
    """The path as seen from here, where that is shorter."""
    return min(str(path.absolute()), os.path.relpath(path), key=len)
