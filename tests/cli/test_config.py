"""`config check` and `config show`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from desgw_daemon.cli.main import main
from desgw_daemon.config.model import keys
from tests.config.bad_files import BAD_FILES, Bad, whole

from .program import program

REAL = ("key misspelt", "text for a number", "syntax", "state folder away", "fraction NaN", "no state")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a state folder and all three trees, and a right configuration of them."""
    for name in ("state", "pnfs", "workflow", "post"):
        (tmp_path / name).mkdir()
    (tmp_path / "daemon.toml").write_text(
        '[paths]\nstate = "state"\npnfs = "pnfs"\nworkflow = "workflow"\npostprocessing = "post"\n'
        '[jobsub]\nschedds = ["jobsub01.example"]\n'
    )
    return tmp_path


class TestCheckRefuses:
    """A wrong file is exit code 2 and exactly one line on stderr, with the key and the remedy."""

    @pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.name)
    def test_line(self, bad: Bad, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "daemon.toml").write_text(whole(bad))
        assert main(["--config", f"{folder}/daemon.toml", "config", "check"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert bad.key in err
        assert bad.remedy in err

    @pytest.mark.parametrize("bad", [bad for bad in BAD_FILES if bad.name in REAL], ids=lambda bad: bad.name)
    @pytest.mark.parametrize("command", ["check", "show"])
    def test_real_program(self, bad: Bad, command: str, folder: Path) -> None:
        (folder / "daemon.toml").write_text(whole(bad))
        done = program("config", command, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert bad.key in done.stderr
        assert bad.remedy in done.stderr

    def test_mkdir_command_helps(self, folder: Path) -> None:
        (folder / "daemon.toml").write_text('[paths]\nstate = "it\'s/new"\n')
        line = program("config", "check", cwd=folder).stderr
        subprocess.run(["sh", "-c", line.split("make it: ")[1]], check=True)
        assert program("config", "check", cwd=folder).returncode == 0
        assert (folder / "it's/new").stat().st_mode & 0o7777 == 0o2775


class TestSeveralProblems:
    """`config check` lists every problem, a line each; other commands say the first and how many more."""

    TEXT = '[paths]\nstate = "state"\n[poll]\ninterval = 0\ncalls_at_once = 0\nx = 1\n'

    def test_check(self, folder: Path) -> None:
        (folder / "daemon.toml").write_text(self.TEXT)
        done = program("config", "check", cwd=folder)
        first, *rest = done.stderr.splitlines()
        assert done.returncode == 2
        assert first == f"desgw-daemon: 3 problems in {folder}/daemon.toml:"
        assert [line.split(": ")[1].split()[0] for line in rest] == ["poll.interval", "poll.calls_at_once", "poll.x"]

    def test_show(self, folder: Path) -> None:
        (folder / "daemon.toml").write_text(self.TEXT)
        done = program("config", "show", cwd=folder)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"(and 2 more: desgw-daemon --config {folder}/daemon.toml config check)" in done.stderr

    def test_json(self, folder: Path) -> None:
        (folder / "daemon.toml").write_text(self.TEXT)
        done = program("config", "check", "--json", cwd=folder)
        told = json.loads(done.stdout)
        assert (done.returncode, told["right"], len(told["problems"])) == (2, False, 3)


class TestCheckAccepts:
    """A right file is exit code 0; a folder of the pipeline that is away is a note, never an error."""

    def test_all_there(self, folder: Path) -> None:
        done = program("config", "check", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{folder}/daemon.toml is right: 5 keys set, {len(keys()) - 5} left at their default.\n"

    def test_tree_away(self, folder: Path) -> None:
        (folder / "pnfs").rmdir()
        (folder / "post").rmdir()
        (folder / "post").touch()
        done = program("config", "check", "--json", cwd=folder)
        told = json.loads(done.stdout)
        assert (done.returncode, told["right"]) == (0, True)
        assert told["notes"] == [
            f"paths.pnfs: {folder}/pnfs is not there now, or may not be seen; until that changes, "
            "everything in it is unknown",
            f"paths.postprocessing: {folder}/post is no folder; until that changes, everything in it is unknown",
        ]

    def test_nobody_to_ask(self, folder: Path) -> None:
        """Without the names of the schedds no absence can be proven: nothing would ever be submitted."""
        text = (folder / "daemon.toml").read_text().replace('["jobsub01.example"]', "[]")
        (folder / "daemon.toml").write_text(text)
        done = program("config", "check", cwd=folder)
        assert done.returncode == 0
        assert "note: jobsub.schedds is empty: nothing is submitted until" in done.stdout
        (folder / "daemon.toml").write_text(text.replace("schedds = []", 'query = "jobsub"'))
        assert "note:" not in program("config", "check", cwd=folder).stdout

    def test_tree_that_hangs(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "stat").write_text('#!/bin/sh\ncase "$*" in *pnfs) exec sleep 60;; esac\necho directory\n')
        (tmp_path / "stat").chmod(0o755)
        begin = time.monotonic()
        done = program("config", "check", cwd=folder, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert done.returncode == 0
        assert f"note: paths.pnfs: {folder}/pnfs gives no answer" in done.stdout
        assert done.stdout.count("note:") == 1
        assert time.monotonic() - begin < 30


class TestWhichFile:
    """--config, else $DESGW_DAEMON_CONFIG, else ./daemon.toml, and the answer says which it was."""

    def test_order(self, folder: Path) -> None:
        for name in ("flag", "env"):
            (folder / name).mkdir()
            (folder / name / "daemon.toml").write_text('[paths]\nstate = "../state"\n')
        env = {"DESGW_DAEMON_CONFIG": str(folder / "env/daemon.toml")}

        def taken(*words: str, **settings: str) -> str:
            told = json.loads(program(*words, "config", "show", "--json", cwd=folder, env=settings).stdout)
            return str(told["file"])

        assert taken() == f"{folder}/daemon.toml"
        assert taken(**env) == f"{folder}/env/daemon.toml"
        assert taken("--config", "flag/daemon.toml", **env) == f"{folder}/flag/daemon.toml"


class TestShow:
    """Every value is shown as the file would have it, with its line or the word default."""

    def test_table(self, folder: Path) -> None:
        with (folder / "daemon.toml").open("a") as file:
            file.write('[poll]\ninterval = 90\n[dagmaker]\nprefix = ["a", "b"]\n[log]\nfile = ""\n')
        done = program("config", "show", cwd=folder)
        rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in done.stdout.splitlines()}
        assert list(rows) == ["KEY", *keys()]
        origin = f"{folder}/daemon.toml"
        assert rows["paths.state"].split() == [f'"{folder}/state"', "line", "2", "of", origin]
        assert rows["poll.interval"].split() == ['"90', 's"', "line", "9", "of", origin]
        assert rows["dagmaker.prefix"].split() == ['["a",', '"b"]', "line", "11", "of", origin]
        assert rows["log.file"].split() == ['""', "line", "13", "of", origin]
        assert rows["postproc.auto"].split() == ["true", "default"]
        assert rows["readiness.min_forcefile_fraction"].split() == ["0.5", "default"]

    def test_shown_values_are_right_toml(self, folder: Path) -> None:
        shown = program("config", "show", cwd=folder).stdout.splitlines()
        from_column = shown[0].index("FROM")
        lines = [line[:from_column].split(maxsplit=1) for line in shown[1:]]
        (folder / "again.toml").write_text("\n".join(f"{key} = {value}" for key, value in lines))
        first, again = (
            json.loads(program("--config", name, "config", "show", "--json", cwd=folder).stdout)["values"]
            for name in ("daemon.toml", "again.toml")
        )
        assert {key: told["value"] for key, told in first.items()} == {
            key: told["value"] for key, told in again.items()
        }

    def test_json(self, folder: Path) -> None:
        told = json.loads(program("config", "show", "--json", cwd=folder).stdout)
        assert list(told["values"]) == list(keys())
        assert told["values"]["poll.interval"] == {"value": 60.0, "from": "default", "restart": True}
        assert told["values"]["paths.pnfs"]["value"] == f"{folder}/pnfs"
