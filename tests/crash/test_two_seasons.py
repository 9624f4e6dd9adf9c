"""Two seasons share the Post-Processing folder, and the set-up script there reads every ini that lies in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.evidence import program_runs
from desgw_daemon.sandbox.nights import small_scenario
from tests.crash.nights import KILLED, Launcher, clear, points_of, told_by
from tests.race.season import program

_SEASONS = {938524: 2206, 938525: 2208}


def make_night(folder: Path) -> Sandbox:
    """Two seasons, an exposure in each; the set-up script notes which ini files it finds."""
    sandbox = build(folder, small_scenario(2))
    with (sandbox.postprocessing / "diffimg_setup.sh").open("a") as setup:
        setup.write('echo postproc_*.ini >>"$ROOTDIR2/inis"\n')
    for expnum, season in _SEASONS.items():
        program(sandbox, "queue", "add", str(expnum), "--season", str(season))
    return sandbox


@pytest.mark.slow
class TestOneSeasonAfterTheOther:
    """A season's run begins only when the ini of another's has been taken away, wherever the daemon was killed."""

    def test_killed_as_the_second_begins(self, launcher: Launcher, tmp_path: Path) -> None:
        reference = make_night(tmp_path / "reference")
        assert launcher.start(reference, do="cycles", log=str(tmp_path / "points")) == 0, told_by(reference)
        points = enumerate(points_of(tmp_path / "points"), start=1)
        starts = [
            number
            for number, point in points
            if point.kind == "spawn" and any(line.startswith("act.postproc") for line in point.chain)
        ]
        assert len(starts) == 2
        night = make_night(tmp_path / "night")
        assert launcher.start(night, do="cycles", at=starts[1], after=True) == KILLED
        launcher.start(night, do="cycles")
        for sandbox in (reference, night):
            # Step 5 sources it again.
            seen = (sandbox.postprocessing / "inis").read_text().splitlines()
            assert list(dict.fromkeys(seen)) == ["postproc_2206.ini", "postproc_2208.ini"]
            runs = [run for run in program_runs(sandbox.log) if run.who == "run_postproc.py"]
            assert [(run.option("--season"), run.rc) for run in runs] == [("2206", 0), ("2208", 0)]
            assert not list(sandbox.postprocessing.glob("postproc_*.ini")), "the last one is taken away, too"


@pytest.mark.slow
@pytest.mark.soak
class TestTheSeasonOfDagmaker:
    """Stopped while SEASON is written into dagmaker.rc for the second season: made once, with its own season."""

    def test_killed_as_it_is_written(self, launcher: Launcher, tmp_path: Path, long_form: bool) -> None:
        reference = make_night(tmp_path / "reference")
        assert launcher.start(reference, do="cycles", log=str(tmp_path / "points")) == 0, told_by(reference)
        writes = [
            (number, point)
            for number, point in enumerate(points_of(tmp_path / "points"), start=1)
            if point.kind in ("commit", "rename") and any(line.startswith("act.rcfile") for line in point.chain)
        ]
        # Whether a DAGMaker runs is read; then the .bak, the row of the change, and the file.
        assert [point.kind for _, point in writes] == ["commit", "rename", "commit", "rename"]
        cuts = [*((number, False) for number, _ in writes), (writes[-1][0], True)]
        # Between the row of the change and the file; and with both, before its DAGMaker.
        for number, after in cuts if long_form else cuts[-2:]:
            night = make_night(tmp_path / f"{number}-{after}")
            assert launcher.start(night, do="cycles", at=number, after=after) == KILLED
            launcher.start(night, do="cycles")
            made = [run.argv for run in program_runs(night.log) if run.who == "DAGMaker.sh"]
            assert sorted(made) == [("938524",), ("938525",)], told_by(night)
            with closing(sqlite3.connect(f"file:{night.state / 'desgw.db'}?mode=ro", uri=True)) as connection:
                states = connection.execute("SELECT season, expnum, state FROM v_exposure ORDER BY season").fetchall()
                changes = connection.execute('SELECT "key", before, after FROM v_rc_change').fetchall()
            assert states == [(season, expnum, "done") for expnum, season in _SEASONS.items()], told_by(night)
            assert changes == [("SEASON", "2206", "2208")]
            left = sorted(path.name for path in night.workflow.glob("*dagmaker.rc*"))
            assert left == ["dagmaker.rc", "dagmaker.rc.bak"]
            clear(night)
