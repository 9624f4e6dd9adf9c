"""The script that prepares a run, run by real bash on a small tree: locks, environment, links, what is put aside."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from desgw_daemon.act.startscript import NOTES, SKIPTO, STAGE, Start, script_of

SEASON: Final = 2206
NITE: Final = "20200304"
#: As the real one: the last ini of the folder wins, and SEASON is not even exported.
SETUP: Final = """\
export ROOTDIR={pnfs} ROOTDIR2=$PWD
for ini in $(ls postproc_*.ini); do
    SEASON=${{ini#postproc_}}; SEASON=${{SEASON%.ini}}
    export TOPDIR_SNFORCEPHOTO_IMAGES=$ROOTDIR2/forcephoto/images/dp$SEASON
    export TOPDIR_SNFORCEPHOTO_OUTPUT=$ROOTDIR2/forcephoto/output/dp$SEASON
done
export TOPDIR_TEMPLATES=$ROOTDIR/WSTemplates "MORE=two
lines"
"""
#: Says how it was called and what it holds, and is in no hurry where it is told to wait.
PROGRAM: Final = """\
import fcntl, json, os, sys, time
names = [name for name in os.environ if name.startswith(("SEASON", "ROOTDIR", "TOPDIR_"))]
open("seen", "w").write(json.dumps({"argv": sys.argv[1:], "env": {name: os.environ[name] for name in names}}))
while os.path.exists("wait"):
    time.sleep(0.02)
"""
LINKS: Final = """\
#!/bin/bash
echo "$*" >> called
top=$TOPDIR_SNFORCEPHOTO_IMAGES
for nite in $(ls $ROOTDIR/forcephoto/images/dp$SEASON); do
    [ -z "$2" ] || [ "$2" = "$nite" ] || continue
    mkdir -p $top/$nite
    for exp in $(ls $ROOTDIR/forcephoto/images/dp$SEASON/$nite); do
        from=$ROOTDIR/forcephoto/images/dp$SEASON/$nite/$exp
        ln -sf $from/*.fits $from/*.psf $top/$nite/
    done
done
"""


class Place:
    """A Post-Processing folder, a tree of forcephoto files, and the folder of run 3."""

    def __init__(self, root: Path) -> None:
        self.pnfs, self.folder, self.run = root / "pnfs", root / "Post-Processing", root / "S2206_3"
        for path in (self.pnfs, self.folder, self.run):
            path.mkdir()
        (self.folder / "setup.sh").write_text(SETUP.format(pnfs=self.pnfs))
        (self.folder / "program.py").write_text(PROGRAM)
        self.links(LINKS)
        (self.folder / "postproc_2206.ini").write_text("[general]\n")
        (self.run / "forcefiles").write_text("")
        self.host_lock = root / "host.lock"

    def links(self, text: str) -> None:
        """What makes the links."""
        path = self.folder / "links.sh"
        path.write_text(text)
        path.chmod(0o755)

    @property
    def linked(self) -> Path:
        """Where the links of the nite belong."""
        return self.folder / "forcephoto" / "images" / f"dp{SEASON}" / NITE

    def forcefiles(self, expnum: int, count: int = 4) -> list[str]:
        """Files of an exposure on /pnfs that the database knows, too."""
        place = self.pnfs / "forcephoto" / "images" / f"dp{SEASON}" / NITE / str(expnum)
        place.mkdir(parents=True)
        names = [
            f"WS2206_{expnum}_F_tile1_combined_i_{ccd:02d}+fakeSN_diff.{k}"
            for ccd in range(1, count // 2 + 1)
            for k in ("fits", "psf")
        ]
        for name in names:
            (place / name).write_text("force")
        with (self.run / "forcefiles").open("a") as known:
            known.writelines(f"{NITE}\t{expnum}\t{name}\n" for name in names)
        return names

    def readable_table(self) -> None:
        """The table that a start above 0 reads beforehand, and a reader that gets through it."""
        table = self.folder / "out" / "masterlist" / "list.fits"
        table.parent.mkdir(parents=True)
        table.write_text("a,b\n1,2\n")
        (self.folder / "pandas.py").write_text("def read_csv(path):\n    return open(path).read()\n")
        (self.folder / "setup.sh").write_text(f"{SETUP.format(pnfs=self.pnfs)}export PYTHONPATH=$PWD\n")

    def command(self, **values: Any) -> list[str]:
        """The command line of a start."""
        known: dict[str, Any] = {
            "number": 3,
            "season": SEASON,
            "skipto": 0,
            "run": self.run,
            "folder": self.folder,
            "folder_lock": self.folder / ".lock",
            "host_lock": self.host_lock,
            "setup": self.folder / "setup.sh",
            "python": sys.executable,
            "program": self.folder / "program.py",
            "outdir": "./out",
            "output": "run.out",
            "table": "out/masterlist/list.fits",
            "goodfile": "out/checkoutputs/goodchecked.list",
            "light_curves": "out/makedatafiles/LightCurvesReal",
            "links": ["./links.sh"],
            "update": "first",
            "linked_fraction": 0.5,
            "links_timeout": timedelta(seconds=20),
            "own_environment": False,
        }
        (self.run / "start.sh").write_text(script_of(Start(**(known | values))))
        return ["bash", "-c", f"source {self.run}/start.sh"]

    def start(self, **values: Any) -> subprocess.CompletedProcess[str]:
        """Start it, and wait for its end."""
        return subprocess.run(self.command(**values), capture_output=True, text=True, check=False, timeout=60)

    @property
    def seen_file(self) -> Path:
        """Where the program says what it has seen."""
        return self.folder / "seen"

    @property
    def seen(self) -> dict[str, Any]:
        """What the program has seen."""
        found: dict[str, Any] = json.loads(self.seen_file.read_text())
        return found

    @property
    def started(self) -> bool:
        return self.seen_file.exists()

    @property
    def notes(self) -> list[str]:
        path = self.run / NOTES
        return path.read_text().splitlines() if path.exists() else []

    def called(self) -> list[str]:
        """The arguments of each call of the script that makes the links."""
        path = self.folder / "called"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class TestItBecomesTheProgram:
    """The program gets outdir, season and SKIPTO; the run's folder says where it is and what it began with."""

    @pytest.mark.parametrize(("skipto", "words"), [(0, []), (4, ["--SKIPTO", "4"])])
    def test_arguments(self, place: Place, skipto: int, words: list[str]) -> None:
        place.readable_table()
        done = place.start(skipto=skipto)
        assert done.returncode == 0, done
        assert place.seen["argv"] == [*words, "--outputdir", "./out", "--season", "2206"]
        assert [(place.run / name).read_text() for name in (STAGE, SKIPTO)] == ["program\n", f"{skipto}\n"]
        assert (place.folder / "postproc_run.out").readlink() == Path("run.out")

    def test_from_scratch_when_the_table_cannot_be_read(self, place: Place) -> None:
        assert place.start(skipto=4).returncode == 0
        assert "--SKIPTO" not in place.seen["argv"]
        assert (place.run / SKIPTO).read_text() == "0\n"


class TestEnvironment:
    """SEASON and the trees are those of this season, whichever ini files lie in the folder."""

    @pytest.mark.parametrize("other", [None, "postproc_1999.ini", "postproc_9999.ini"])
    def test_of_this_season(self, place: Place, other: str | None) -> None:
        if other:
            (place.folder / other).write_text("[general]\n")
        assert place.start().returncode == 0
        here = place.folder
        assert place.seen["env"] == {
            "SEASON": "2206",
            "ROOTDIR": str(place.pnfs),
            "ROOTDIR2": str(here),
            "TOPDIR_SNFORCEPHOTO_IMAGES": f"{here}/forcephoto/images/dp2206",
            "TOPDIR_SNFORCEPHOTO_OUTPUT": f"{here}/forcephoto/output/dp2206",
            "TOPDIR_TEMPLATES": f"{place.pnfs}/WSTemplates",
        }
        told = [note for note in place.notes if "of season 9999" in note]
        assert len(told) == (2 if other == "postproc_9999.ini" else 0)

    def test_what_step_5_sources(self, place: Place) -> None:
        (place.folder / "postproc_9999.ini").write_text("[general]\n")
        assert place.start(own_environment=True).returncode == 0
        path = place.run / "environment.sh"
        assert path.stat().st_mode & 0o777 == 0o600, "an environment may hold what is nobody's business"
        script = f'cd /; source {path}; echo "$SEASON $TOPDIR_SNFORCEPHOTO_IMAGES $PWD"; echo "$MORE"'
        for shell in (["bash", "-c"], ["bash", "--posix", "-c"]):
            said = subprocess.run([*shell, script], env={}, capture_output=True, text=True, check=True).stdout
            assert said == f"2206 {place.folder}/forcephoto/images/dp2206 /\ntwo\nlines\n"

    def test_a_set_up_that_sets_nothing(self, place: Place) -> None:
        (place.folder / "setup.sh").write_text("return 1\n")
        done = place.start()
        assert (done.returncode, place.started) == (1, False)
        assert "setup.sh set no ROOTDIR or no TOPDIR_SNFORCEPHOTO_IMAGES" in done.stdout


class TestLock:
    """One run in the folder, and one on the host: the run holds both locks until its end, and no start gets by them."""

    def test_until_its_end(self, place: Place) -> None:
        wait = place.folder / "wait"
        wait.touch()
        with subprocess.Popen(place.command()) as first:
            while not place.started:
                assert first.poll() is None
            second = Place.__new__(Place)
            second.__dict__ |= place.__dict__ | {"run": place.run.with_name("S2208_1")}
            second.run.mkdir()
            (second.run / "forcefiles").write_text("")
            for held, free in (("folder_lock", "host_lock"), ("host_lock", "folder_lock")):
                refused = second.start(number=1, **{free: place.run / "other.lock"})
                assert refused.returncode == 1, held
                assert f"is held by run 3 of season 2206, process {first.pid} on " in refused.stdout
                assert (second.run / STAGE).read_text() == "lock\n"
            wait.unlink()
            assert first.wait(30) == 0
        assert second.start(number=1).returncode == 0

    def test_of_somebody_who_only_looks(self, place: Place) -> None:
        with (place.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            with subprocess.Popen(place.command()) as started:
                while not (place.run / STAGE).exists():
                    assert started.poll() is None
                fcntl.flock(file, fcntl.LOCK_UN)
                assert started.wait(30) == 0

    def test_one_that_can_only_be_read(self, place: Place) -> None:
        """As another account's in a folder of all; a folder cannot be written to by root either."""
        place.host_lock.mkdir()
        assert place.start().returncode == 0
        fd = os.open(place.host_lock, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        place.seen_file.unlink()
        with subprocess.Popen(place.command(), stdout=subprocess.PIPE, text=True) as second:
            said, _ = second.communicate(timeout=60)
        os.close(fd)
        assert (second.returncode, place.started) == (1, False) and "host.lock is held by" in said

    def test_a_link_of_somebody(self, place: Place) -> None:
        mine = place.folder / "mine"
        mine.write_text("precious")
        place.host_lock.symlink_to(mine)
        done = place.start()
        assert (done.returncode, mine.read_text()) == (1, "precious")
        assert "host.lock is a link: take it away" in done.stdout


class TestLinks:
    """Every forcephoto file that is known must have its link before the program begins."""

    def test_all_linked(self, place: Place) -> None:
        names = place.forcefiles(938524)
        assert place.start(links=["./links.sh", "-n", NITE]).returncode == 0
        assert sorted(path.name for path in place.linked.iterdir()) == sorted(names)
        assert (place.called(), place.notes) == ([f"-n {NITE}"], [])
        assert (place.run / "linked").exists()

    def test_not_made_again_when_all_are_there(self, place: Place) -> None:
        place.forcefiles(938524)
        assert place.start().returncode == 0
        (place.run / "linked").unlink()
        assert place.start(update="if-missing").returncode == 0
        assert len(place.called()) == 1
        assert not (place.run / "linked").exists()

    def test_made_again_when_one_is_missing(self, place: Place) -> None:
        names = place.forcefiles(938524)
        assert place.start().returncode == 0
        (place.linked / names[1]).unlink()
        assert place.start(update="if-missing").returncode == 0
        assert len(place.called()) == 2
        assert (place.linked / names[1]).exists() and place.notes == []

    @pytest.mark.parametrize("script", ["#!/bin/bash\nexit 0\n", LINKS.replace("dp$SEASON", "dp4711")])
    def test_a_script_that_links_nothing_and_says_nothing(self, place: Place, script: str) -> None:
        place.forcefiles(938524)
        place.links(script)
        done = place.start()
        assert (done.returncode, place.started) == (1, False)
        assert "938524 (0 of 4)" in done.stdout and str(place.linked.parent) in done.stdout
        assert len((place.run / "links.missing").read_text().splitlines()) == 4
        assert not (place.run / "linked").exists()

    def test_one_exposure_without_links(self, place: Place) -> None:
        place.forcefiles(938524)
        place.forcefiles(938525)
        place.links(LINKS + "rm $top/20200304/*_938525_*.fits\n")
        done = place.start()
        assert (done.returncode, place.started) == (1, False)
        assert "938525 (2 of 4)" in done.stdout and "938524" not in done.stdout

    def test_a_few_missing_are_told(self, place: Place) -> None:
        names = place.forcefiles(938524)
        place.links(LINKS + f"rm $top/20200304/{names[0]}\n")
        assert place.start().returncode == 0
        (note,) = place.notes
        assert "single forcephoto files are not linked" in note and "938524 (3 of 4)" in note
        assert (place.run / "links.missing").read_text() == f"{NITE}/938524/{names[0]}\n"

    def test_a_link_to_another_place_is_none(self, place: Place) -> None:
        names = place.forcefiles(938524)
        place.links(LINKS + f"ln -sf /elsewhere/{names[0]} $top/20200304/\n")
        assert place.start().returncode == 0
        assert "938524 (3 of 4)" in place.notes[0]

    def test_never(self, place: Place) -> None:
        place.forcefiles(938524)
        assert place.start(update="never").returncode == 0
        assert place.called() == []
        assert "938524 (0 of 4)" in place.notes[0]

    def test_a_script_that_fails(self, place: Place) -> None:
        place.links("#!/bin/bash\necho the tree is locked\nexit 7\n")
        done = place.start()
        assert (done.returncode, place.started) == (1, False)
        assert "the tree is locked\n./links.sh ended with 7\n" in done.stdout

    def test_links_that_lead_nowhere_go(self, place: Place) -> None:
        place.forcefiles(938524)
        (place.pnfs / "forcephoto" / "images" / "dp2206" / NITE / "938777").mkdir()  # leaves *.fits and *.psf
        gone = "WS2206_938524_F_tile1_combined_i_59+fakeSN_diff.fits"
        others = "WS2206_938600_F_tile1_combined_i_59+fakeSN_diff.fits"
        place.linked.mkdir(parents=True)
        for name in (gone, others):
            (place.linked / name).symlink_to(place.pnfs / "gone" / name)
        assert place.start().returncode == 0
        left = {path.name for path in place.linked.iterdir()}
        assert left.isdisjoint({gone, "*.fits", "*.psf"})
        assert others in left, "an exposure that is not in the run is nobody's business"
        assert place.notes == [f"links below {place.linked.parent} that led nowhere were taken away: 3"]


class TestOldGoodList:
    """A start from scratch looks at every exposure: an old list of those that need no look is put aside."""

    @pytest.mark.parametrize("scratch", [True, False])
    def test_put_aside(self, place: Place, scratch: bool) -> None:
        good = place.folder / "out" / "checkoutputs" / "goodchecked.list"
        good.parent.mkdir(parents=True)
        good.write_text("938524\n")
        place.readable_table()
        assert place.start(skipto=0 if scratch else 3).returncode == 0
        aside = good.with_name("goodchecked.list.before_run_3")
        assert (good.exists(), aside.exists()) == (not scratch, scratch)
        assert [str(Path("out/checkoutputs/goodchecked.list.before_run_3")) in note for note in place.notes] == (
            [True] if scratch else []
        )


class TestOldLightCurves:
    """Step 5 waits until there are as many light curves as candidates: old ones are put aside wherever it runs."""

    @pytest.fixture
    def curves(self, place: Place) -> Path:
        folder = place.folder / "out" / "makedatafiles" / "LightCurvesReal"
        folder.mkdir(parents=True)
        folder.chmod(0o2775)
        (folder / "des_real_00000001.dat").write_text("SNID: 1\n")
        place.readable_table()
        return folder

    @pytest.mark.parametrize("skipto", [0, 1, 5])
    def test_put_aside(self, place: Place, curves: Path, skipto: int) -> None:
        assert place.start(skipto=skipto).returncode == 0
        aside = curves.with_name("LightCurvesReal.before_run_3")
        assert [path.name for path in aside.iterdir()] == ["des_real_00000001.dat"]
        assert (list(curves.iterdir()), curves.stat().st_mode & 0o7777) == ([], 0o2775)
        (note,) = place.notes
        assert note.startswith("old light curves (out/makedatafiles/LightCurvesReal) were put aside")
        assert note.endswith("they are in out/makedatafiles/LightCurvesReal.before_run_3 now")

    @pytest.mark.parametrize("skipto", [6, 7])
    def test_not_where_step_5_is_skipped(self, place: Place, curves: Path, skipto: int) -> None:
        assert place.start(skipto=skipto).returncode == 0
        assert len(list(curves.iterdir())) == 1 and place.notes == []

    def test_a_start_that_turns_out_to_be_from_scratch(self, place: Place, curves: Path) -> None:
        (place.folder / "pandas.py").write_text("def read_csv(path):\n    raise ValueError(path)\n")
        assert place.start(skipto=6).returncode == 0
        assert list(curves.iterdir()) == []

    def test_none_there(self, place: Place, curves: Path) -> None:
        (curves / "des_real_00000001.dat").rename(curves / "notes.txt")
        assert place.start().returncode == 0
        assert [path.name for path in curves.iterdir()] == ["notes.txt"] and place.notes == []

    def test_where_somebody_has_put_them_elsewhere(self, place: Place, curves: Path) -> None:
        elsewhere = curves.rename(place.folder / "large_disk")
        curves.symlink_to(elsewhere)
        assert place.start().returncode == 0
        assert curves.is_symlink() and len(list(elsewhere.iterdir())) == 1
        (note,) = place.notes
        assert "step 5 does not wait for new ones" in note

    def test_one_that_cannot_be_renamed_stops_nothing(self, place: Place, curves: Path) -> None:
        aside = curves.with_name("LightCurvesReal.before_run_3")
        (aside / "of_somebody").mkdir(parents=True)
        assert place.start().returncode == 0
        assert len(list(curves.iterdir())) == 1 and "cannot be renamed" in place.notes[0]

    def test_an_ini_that_names_no_folder_of_theirs(self, place: Place, curves: Path) -> None:
        assert place.start(light_curves=None).returncode == 0
        assert len(list(curves.iterdir())) == 1 and place.notes == []
