"""A daemon with a wrong habit fails the demo, with a line that says what it did."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from desgw_daemon.cli.demo import run_night
from desgw_daemon.errors import Refused
from tests.forms import LONG_FORM

from . import saboteur
from .nights import HOPELESS, PARTLY, Heard, processes_in, short_night


def wrong(folder: Path, habit: str) -> list[str]:
    """The lines of the verdict on a night of this saboteur that do not hold."""
    program = (sys.executable, saboteur.__file__, habit)
    night = run_night(folder, short_night(), show=Heard(), program=program)
    assert not night.verdict.ok
    assert not processes_in(folder)
    return [line.text for line in night.verdict.lines if not line.ok]


#: Each wants a demo of its own.
every = pytest.mark.skipif(not LONG_FORM, reason="in make soak: the short form has a second submission, the worst")


@pytest.mark.slow
@pytest.mark.soak
class TestSabotage:
    """Each of the three sabotages makes the demo fail."""

    def test_second_submission(self, tmp_path: Path) -> None:
        lines = wrong(tmp_path / "night", "second_submission")
        for expnum in (PARTLY, HOPELESS):
            assert any(line.startswith(f"{expnum}: submitted more than once: ") for line in lines), lines
            assert f"{expnum}: its search jobs ran in 2 DAGs" in lines
        assert "4 DAGs were begun (their first job ran), not 2" in lines

    @every
    def test_ignored_fail(self, tmp_path: Path) -> None:
        lines = wrong(tmp_path / "night", "ignored_fail")
        assert f"{HOPELESS}: the daemon counts 0 CCDs failed, on disk 13 are" in lines
        assert f"{HOPELESS} was given to it, and should not go on" in lines
        assert any(
            line.startswith(f"{HOPELESS} is done (ready: partial), and should be attention (ready: no)")
            for line in lines
        ), lines

    @every
    def test_skipto_6(self, tmp_path: Path) -> None:
        lines = wrong(tmp_path / "night", "skipto_6")
        assert "it was given --SKIPTO 6: nothing was there yet that could be skipped" in lines
        assert any(line.startswith("it ended with status ") for line in lines), lines
        assert any(line.startswith(f"{PARTLY} did not get through without a person: ") for line in lines), lines


class TestDeadDaemon:
    """A daemon that ends by itself ends the demo, with its last words."""

    def test_ends_at_once(self, tmp_path: Path) -> None:
        program = (sys.executable, saboteur.__file__, "dies_at_once")
        with pytest.raises(Refused, match=r"ended by itself with status 3: the disk is on fire \(see .*daemon\.out\)"):
            run_night(tmp_path / "night", short_night(), show=Heard(), program=program)
