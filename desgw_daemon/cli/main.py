"""The program: puts the parser together, runs one command, and turns failures into one line and an exit code.

Exit codes: 0 done, 1 the answer is no or the work failed, 2 wrong use or wrong configuration, 130 Ctrl-C.
"""

from __future__ import annotations

import importlib
import io
import os
import select
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from desgw_daemon import __version__
from desgw_daemon.cli import COMMANDS
from desgw_daemon.cli.parser import Parser
from desgw_daemon.errors import DesgwError, one_line

PROG: Final = "desgw-daemon"
#: Set to 1, a failure that is a mistake of ours shows its traceback.
DEBUG: Final = "DESGW_DAEMON_DEBUG"
INTERRUPTED: Final = 130
#: What a shell says of a program whose reader went away (128 + SIGPIPE), as in `| head`.
PIPE_CLOSED: Final = 141


def build_parser(command: str | None = None) -> Parser:
    """The parser of all commands, or of the module of this one alone; `args.run` is the function to call."""
    parser = Parser(
        prog=PROG,
        description="Runs the image processing and post-processing of DES-GW through the night, by itself.",
        epilog=f"`{PROG} COMMAND --help` tells more.\n"
        "Configuration: --config, else $DESGW_DAEMON_CONFIG, else ./daemon.toml,\n"
        "else /etc/desgw-daemon/daemon.toml.\n"
        "Exit codes: 0 done, 1 the answer is no or the work failed, 2 wrong use or wrong configuration.",
    )
    parser.add_argument("--config", metavar="FILE", help="the daemon.toml to use")
    parser.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    sub = parser.add_subparsers(metavar="COMMAND", dest="command", title="commands")
    for name, described in COMMANDS.items():
        if command is not None and command not in described:
            continue
        module = importlib.import_module(f"desgw_daemon.cli.{name}")
        before = set(sub.choices)
        module.add(sub)
        for added in set(sub.choices) - before:
            if sub.choices[added].get_default("run") is None:
                sub.choices[added].set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Unexpected exceptions are left to `say_unexpected`."""
    _never_fail_on_odd_characters()
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        # Here, so that a reader that went away or a full disk is noticed while we can still say so.
        print(end="", flush=True)
    except DesgwError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        return PIPE_CLOSED
    return code


def _run(argv: Sequence[str]) -> int:
    parser = build_parser(_command_of(argv))
    args = parser.parse(argv)
    if args.command is None:
        parser.error("no command was given")
    code: int = args.run(args)
    return code


def _command_of(argv: Sequence[str]) -> str | None:
    """The command, where it is plain which one it is: its module is the only one that is imported then."""
    words = iter(argv)
    for word in words:
        if word == "--config":
            next(words, None)
        elif not word.startswith("--config="):
            return word if any(word in described for described in COMMANDS.values()) else None
    return None


def say_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """sys.excepthook: one line for a failure that nobody has foreseen. The exit code is 1."""
    if os.environ.get(DEBUG) == "1":
        sys.__excepthook__(kind, error, trace)
        return
    if isinstance(error, OSError):
        words = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    else:
        words = f"{kind.__name__}: {error}"
    print(one_line(f"{PROG}: unexpected: {words} ({DEBUG}=1 shows where)"), file=sys.stderr)


def _never_fail_on_odd_characters() -> None:
    """A file name that is not UTF-8, or a terminal that is not, is shown with escapes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _reader_is_gone() -> bool:
    """Whether it is our own output that nobody reads any more. What is left of it then goes to nowhere, or
    Python would complain when it ends.
    """
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in output.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
