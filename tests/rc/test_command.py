"""`rc show|set|unset`, through the program, on a sandbox's dagmaker.rc."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.badinput.privileges import bound_by_permissions
from tests.badinput.test_state import fill, small_disk
from tests.night.house import PROGRAM, House

from .bash import read_by_bash


def rc_of(house: House) -> Path:
    return house.sandbox.workflow / "dagmaker.rc"


def shown(house: House, *words: str) -> dict[str, dict[str, Any]]:
    """What `rc show --json` says of each key."""
    return {key["key"]: key for key in json.loads(house.ok("rc", "show", "--json", *words))["keys"]}


class TestSet:
    """Keys are set in their places, all others as they were; the old file is kept, and the change written down."""

    def test_several(self, house: House) -> None:
        rc = rc_of(house)
        rc.chmod(0o640)
        before = rc.read_bytes()
        value = "--memory=3GB --x='a b' $(touch run) `touch run` \"q\" !"
        said = house.ok("rc", "set", f"JOBSUB_OPTS={value}", "MIN_NITE=20200101", "WRITEDB=on")
        assert "WRITEDB: off -> on" in said and "MIN_NITE: not set -> 20200101" in said
        old, new = before.splitlines(keepends=True), rc.read_bytes().splitlines(keepends=True)
        changed = [(was, now) for was, now in zip(old, new, strict=True) if was != now]
        assert [was for was, _ in changed][0::2] == [b"WRITEDB=off\n", b"#MIN_NITE=20130601\n"], "the last of the two"
        assert rc.with_name("dagmaker.rc.bak").read_bytes() == before
        assert rc.stat().st_mode & 0o777 == 0o640
        assert sorted(path.name for path in rc.parent.glob("*dagmaker.rc*")) == ["dagmaker.rc", "dagmaker.rc.bak"]
        (read,) = read_by_bash(house.root / "bash", [rc.read_bytes()], ["JOBSUB_OPTS", "JOBSUB_TEMP_OPTS", "MIN_NITE"])
        assert read["JOBSUB_OPTS"].decode() == value and read["MIN_NITE"] == b"20200101"
        assert read["JOBSUB_TEMP_OPTS"].decode().startswith(f"{value} --timeout=6h"), "it goes on following"
        rows = house.rows("SELECT who, path, key, before, after, why FROM v_rc_change ORDER BY id")
        assert [(row["key"], row["before"], row["after"]) for row in rows if row["key"] != "JOBSUB_OPTS"] == [
            ("WRITEDB", "off", "on"),
            ("MIN_NITE", None, "20200101"),
        ]
        assert {row["path"] for row in rows} == {str(rc)} and {row["why"] for row in rows} == {"rc set"}
        assert all(row["who"] for row in rows)

    def test_nothing_to_change(self, house: House) -> None:
        before = rc_of(house).stat()
        assert "nothing to change" in house.ok("rc", "set", "WRITEDB=off")
        assert rc_of(house).stat().st_mtime_ns == before.st_mtime_ns and rc_of(house).stat().st_ino == before.st_ino
        assert house.rows("SELECT * FROM v_rc_change") == []

    def test_notes(self, house: House) -> None:
        said = house.ok("rc", "set", "RM_MYTEMP=true", "JOBSUB_OPTS_SE=x", "RESOURCES=OFFSITE", "TEFF_CUT_u=0.5")
        for key in ("RM_MYTEMP", "JOBSUB_OPTS_SE", "RESOURCES", "TEFF_CUT_u"):
            assert f"note: {key} is without effect today" in said
        assert "SEASON is set by the daemon before each DAGMaker" in house.ok("rc", "set", "SEASON=2208")
        said = house.ok("rc", "set", "JOBSUB_TEMP_OPTS=$JOBSUB_OPTS -x")
        assert (
            "its $ is text, not a reference (`rc set --refer` keeps" in said and "does not follow it any more" in said
        )
        assert shown(house)["JOBSUB_TEMP_OPTS"]["value"] == "$JOBSUB_OPTS -x"

    def test_a_reference_that_is_asked_for(self, house: House) -> None:
        said = house.ok("rc", "set", "--refer", "JOBSUB_TEMP_OPTS=$JOBSUB_OPTS --timeout=8h $HOME")
        assert "JOBSUB_TEMP_OPTS refers to JOBSUB_OPTS, and follows it" in said
        house.ok("rc", "set", "JOBSUB_OPTS=-a -b")
        assert shown(house)["JOBSUB_TEMP_OPTS"]["value"] == "-a -b --timeout=8h $HOME"

    def test_a_link_stays_one(self, house: House) -> None:
        rc, real = rc_of(house), house.root / "shared.rc"
        rc.rename(real)
        rc.symlink_to(real)
        house.ok("rc", "set", "WRITEDB=on")
        assert rc.is_symlink() and b"WRITEDB=on" in real.read_bytes()

    def test_two_at_once(self, house: House) -> None:
        """None of them is lost."""
        house.ok("rc", "set", "RNUM=5")  # makes the database
        wanted = {"PNUM": "8", "WRITEDB": "on", "TEFF_CUT_i": "0.7", "SEARCH_OPTS": "-x"}
        running = [
            subprocess.Popen(
                [*PROGRAM, "rc", "set", f"{key}={value}"],
                cwd=house.root,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            for key, value in wanted.items()
        ]
        for process in running:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
        now = shown(house)
        assert {key: now[key]["value"] for key in wanted} == wanted
        assert len(house.rows("SELECT 1 FROM v_rc_change WHERE \"key\" <> 'RNUM'")) == len(wanted)


class TestUnset:
    """A key that is taken away is commented out, and can be set again in its place."""

    def test_and_back(self, house: House) -> None:
        before = rc_of(house).read_bytes()
        said = house.ok("rc", "unset", "JOBSUB_OPTS", "MAX_NITE")
        assert "JOBSUB_TEMP_OPTS refers to JOBSUB_OPTS, which is empty now" in said and "MAX_NITE was not set" in said
        now = shown(house)["JOBSUB_OPTS"]
        assert (now["set"], now["note"]) == (False, "commented out")
        house.ok("rc", "set", "JOBSUB_OPTS=--memory=2000MB --disk=95GB --cpu=1 --expected-lifetime=12h")
        assert rc_of(house).read_bytes() == before

    def test_the_season_stays(self, house: House) -> None:
        assert "SEASON cannot be taken away" in house.refused("rc", "unset", "SEASON", code=2)


class TestWrongUse:
    """A key that DAGMaker does not know, or a value that a key does not take: exit 2, and nothing is changed."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["set", "JOBSUBS_OPTS=x"], "DAGMaker knows no key 'JOBSUBS_OPTS'; did you mean JOBSUB_OPTS"),
            (["set", "season=2206"], "DAGMaker knows no key 'season'"),
            (["unset", "TEFF_CUT_G"], "did you mean TEFF_CUT_"),
            (["set", "WRITEDB"], "`desgw-daemon rc unset WRITEDB` takes it away"),
            (["set", "WRITEDB=yes"], "WRITEDB takes on or off, not 'yes'"),
            (["set", "RNUM=0"], "RNUM takes a whole number from 1 to 99, not '0'"),
            (["set", "SEASON=5000"], "SEASON takes a season from 11"),
            (["set", "SEASON=02206"], "SEASON takes a season"),
            (["set", "MIN_NITE=20200230"], "MIN_NITE takes a nite, written YYYYMMDD"),
            (["set", "TEFF_CUT_i=1e-1"], "TEFF_CUT_i takes a number from 0 to 10"),
            (["set", "DIFFIMG_EUPS_VERSION=gw8;id"], "takes one word"),
            (["set", "IGNORECALIB=True"], "takes true or false"),
            (["set", "WRITEDB=on", "WRITEDB=off"], "WRITEDB is given twice"),
            (["set", "WRITEDB=on", "MIN_NITE=20200301", "MAX_NITE=20200201"], "is after MAX_NITE 20200201"),
            (["show", "--season", "2206"], "name it with --exposure"),
        ],
    )
    def test_refused(self, house: House, words: list[str], said: str) -> None:
        before = rc_of(house).read_bytes()
        assert said in house.refused("rc", *words, code=2)
        assert rc_of(house).read_bytes() == before


class TestOddFiles:
    """What stands where dagmaker.rc should be: one line, exit 1, and it stays as it is."""

    @pytest.mark.parametrize("odd", ["missing", "folder", "fifo", "long", "nul", "backup", "block"])
    def test_said(self, house: House, odd: str) -> None:
        rc = rc_of(house)
        said = {
            "missing": "cannot be read: No such file or directory",
            "folder": "cannot be read: Is a directory",
            "fifo": "cannot be read: Not a regular file",
            "long": "is longer than 1000000 bytes",
            "nul": "it holds a NUL byte",
            "backup": "cannot be changed: Is a directory",
            "block": "WRITEDB: lines 59 to 61 is more than an assignment",
        }[odd]
        if odd == "backup":
            rc.with_name("dagmaker.rc.bak").mkdir()
        elif odd == "block":
            rc.write_text(rc.read_text() + "if true; then\n  WRITEDB=off\nfi\n")
        elif odd in ("long", "nul"):
            rc.write_bytes(b"# x\n" * 300_000 if odd == "long" else b"WRITEDB=off\n\0")
        else:
            rc.unlink()
        if odd == "folder":
            rc.mkdir()
        if odd == "fifo":
            os.mkfifo(rc)
        before = rc.read_bytes() if rc.is_file() else None
        line = house.refused("rc", "set", "WRITEDB=on", code=1)
        assert said in line and str(rc) in line
        assert (rc.read_bytes() if rc.is_file() else None) == before
        assert [path for path in rc.parent.iterdir() if path.name.endswith(".new")] == []
        assert house.rows("SELECT * FROM v_rc_change") == []
        if odd not in ("backup", "block"):
            house.refused("rc", "show", code=1)

    def test_read_only(self, house: House) -> None:
        """For this account: the file, or its folder."""
        rc = rc_of(house)
        before = rc.read_bytes()
        house.ok("rc", "set", "RNUM=4")
        for path, mode, said in ((rc, 0o444, "is read-only"), (rc.parent, 0o555, "cannot be written to")):
            was = path.stat().st_mode & 0o7777
            path.chmod(mode)
            try:
                done = subprocess.run(
                    [*bound_by_permissions(), *PROGRAM, "rc", "set", "WRITEDB=on"],
                    cwd=house.root,
                    capture_output=True,
                    text=True,
                    check=False,
                )
            finally:
                path.chmod(was)
            assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr
            assert rc.read_bytes() == before

    def test_a_full_disk(self, house: House) -> None:
        workflow, kept = house.sandbox.workflow, house.root / "kept"
        shutil.copytree(workflow, kept)
        with small_disk(workflow):
            shutil.copy(kept / "dagmaker.rc", workflow)
            fill(workflow / "fill")
            before = rc_of(house).read_bytes()
            line = house.refused("rc", "set", f"JOBSUB_OPTS={'x' * 9000}", code=1)
            assert "No space left on device" in line and "it is as it was" in line
            assert rc_of(house).read_bytes() == before
            assert sorted(path.name for path in workflow.iterdir()) == ["dagmaker.rc", "fill"]
        assert house.rows("SELECT * FROM v_rc_change") == []


class TestShow:
    """What stands there, as bash reads it, with what is to be known of each key."""

    def test_keys(self, house: House) -> None:
        keys = shown(house)
        assert keys["JOBSUB_TEMP_OPTS"]["refers_to"] == ["JOBSUB_OPTS"]
        assert keys["JOBSUB_TEMP_OPTS"]["value"].startswith("--memory=2000MB")
        assert [name for name, key in keys.items() if key["without_effect"]] == [
            "RM_MYTEMP",
            "JOBSUB_OPTS_SE",
            "RESOURCES",
            "TEFF_CUT_u",
        ]
        assert (keys["MIN_NITE"]["set"], keys["MIN_NITE"]["value"], keys["MIN_NITE"]["line"]) == (False, None, 48)
        text = house.ok("rc", "show")
        assert text.startswith(f"{rc_of(house)}\n") and "without effect today" in text
        assert not (house.state / "desgw.db").exists(), "it needs no database"

    def test_what_cannot_be_told(self, house: House) -> None:
        rc_of(house).write_text("SEASON=$(date +%s)\nWRITEDB=maybe\nOWN=1\nif true; then\n PNUM=1\nfi\n")
        keys = shown(house)
        assert keys["SEASON"]["value"] is None and keys["SEASON"]["raw"] == "$(date +%s)"
        assert "WRITEDB takes on or off, not 'maybe'" in keys["WRITEDB"]["note"]
        assert keys["OWN"]["known"] is False
        assert "lines 4 to 6: more than an assignment" in house.ok("rc", "show")
