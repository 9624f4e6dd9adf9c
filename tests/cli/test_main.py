"""The frame of the program: wrong use, interruptions, closed pipes, mistakes of ours."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from desgw_daemon import __version__
from desgw_daemon.cli import COMMANDS
from desgw_daemon.cli.main import main
from desgw_daemon.cli.parser import Parser

from .program import PROGRAM, program

RIGHT = '[paths]\nstate = "."\n'


class TestWrongUse:
    """Wrong use is exit code 2 and one line that names what is wrong and where help is."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "no command was given (see desgw-daemon --help)"),
            (("confg",), "there is no command 'confg'; did you mean config?"),
            (("xyzzy",), "there is no command 'xyzzy'; there is "),
            (("config",), "are required: check|show (see desgw-daemon config --help)"),
            (("config", "chek"), "there is no command 'chek'; did you mean check? (see desgw-daemon config --help)"),
            (("config", "check", "--jsn"), "there is no option --jsn; did you mean --json?"),
            (("config", "check", "--js"), "there is no option --js; did you mean --json?"),
            (("config", "check", "--json=5"), "ignored explicit argument '5'"),
            (("config", "check", "a", "b"), "too much was given: a b"),
            (("config", "check", "--config", "x"), "--config stands before the command: desgw-daemon --config"),
            (("--config",), "argument --config: expected one argument"),
            (("--config", "", "config", "check"), "--config: the file name is empty"),
            (("conf\nig",), "there is no command 'conf\\nig'"),
        ],
    )
    def test_line(self, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("desgw-daemon: ")
        assert said in err

    def test_real_program(self, tmp_path: Path) -> None:
        done = program("confg", cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


class TestHelp:
    """Help and version are printed quickly: nothing slow is imported for them."""

    def test_version(self, tmp_path: Path) -> None:
        done = program("--version", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"desgw-daemon {__version__}\n")

    @pytest.mark.parametrize("words", [("--help",), ("config", "--help"), ("config", "show", "--help")])
    def test_help(self, words: tuple[str, ...], tmp_path: Path) -> None:
        done = program(*words, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: desgw-daemon")

    def test_imports(self) -> None:
        heavy = {"pydantic", "sqlmodel", "sqlalchemy", "alembic", "structlog", "rich", "watchdog", "apscheduler"}
        code = (
            "import sys, desgw_daemon.__main__; from desgw_daemon.cli.main import build_parser; build_parser(); "
            f"sys.exit(str({heavy} & set(sys.modules) or ''))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stderr.strip() == ""


class TestOneModuleForACommand:
    """To run a command, only its own module is imported; the table that says which is true."""

    @pytest.mark.parametrize("name", COMMANDS)
    def test_table(self, name: str) -> None:
        sub = Parser(prog="x").add_subparsers()
        importlib.import_module(f"desgw_daemon.cli.{name}").add(sub)
        assert tuple(sub.choices) == COMMANDS[name]

    @pytest.mark.parametrize("words", [("status",), ("--config", "queue", "status"), ("--config=x", "status")])
    def test_others_are_left_alone(self, words: tuple[str, ...], tmp_path: Path) -> None:
        code = (
            "import sys; from desgw_daemon.cli.main import main; "
            f"main({list(words)!r}); print([n for n in sys.modules if n.startswith('desgw_daemon.cli.')])"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
        imported = done.stdout.splitlines()[-1]
        assert "desgw_daemon.cli.status'" in imported
        assert "desgw_daemon.cli.queue'" not in imported and "desgw_daemon.cli.season'" not in imported

    def test_a_command_that_does_not_exist_is_held_against_all(self, tmp_path: Path) -> None:
        done = program("seasn", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "") and "did you mean season?" in done.stderr


class TestOutputThatNobodyReads:
    """A reader that goes away ends the program without a word."""

    def test_closed_pipe(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").write_text(RIGHT)
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*PROGRAM, "config", "show"], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, "")

    def test_no_output_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").write_text(RIGHT)
        shell = ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, "config", "show"]
        done = subprocess.run(shell, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def test_full_disk(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").write_text(RIGHT)
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*PROGRAM, "config", "show"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "No space left on device" in done.stderr


class TestInterruption:
    """Ctrl-C ends the program with 130 and without a word."""

    def test_interrupt(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").write_text(RIGHT)
        waiting = tmp_path / "waiting"
        # `config check` asks `stat` whether the folders of the pipeline are there: this one never answers.
        (tmp_path / "stat").write_text(f"#!/bin/sh\ntouch {waiting}\nexec sleep 60\n")
        (tmp_path / "stat").chmod(0o755)
        child = subprocess.Popen(
            [*PROGRAM, "config", "check"],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with child:
            while not waiting.exists():
                assert child.poll() is None, child.communicate()
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
        assert (child.returncode, out, err) == (130, "", "")


class TestMistakesOfOurs:
    """A failure that nobody has foreseen is one line and exit code 1; the traceback is there on demand."""

    CODE = (
        "import sys; from desgw_daemon.cli import config; from desgw_daemon.__main__ import main; "
        "sys.argv[1:] = ['config', 'check']; del config.ConfigError; main()"
    )

    def run(self, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        """The program with a name missing in one of its modules, and a file that needs it."""
        (cwd / "daemon.toml").write_text("[paths\n")
        return subprocess.run(
            [sys.executable, "-c", self.CODE],
            cwd=cwd,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_one_line(self, tmp_path: Path) -> None:
        done = self.run(tmp_path)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("desgw-daemon: unexpected: NameError: ")
        assert "DESGW_DAEMON_DEBUG=1 shows where" in done.stderr

    def test_traceback(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, DESGW_DAEMON_DEBUG="1")
        assert done.returncode == 1
        assert "Traceback" in done.stderr
