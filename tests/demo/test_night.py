"""A short night by the demo's own function: the real daemon, killed in the middle, judged at the end."""

from __future__ import annotations

import json
import subprocess

import pytest

from desgw_daemon.cli.demo import commands_to_try, run_night
from desgw_daemon.cli.demo_night import Night, what_is_missing
from desgw_daemon.cli.demo_seen import Line, Progress, Run

from .nights import HOPELESS, NO_TEMPLATES, PARTLY, Heard, processes_in, short_night


@pytest.fixture(scope="module")
def heard() -> Heard:
    """What was told of the night."""
    return Heard()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, heard: Heard) -> Night:
    """A night that went well. Not to be changed."""
    return run_night(tmp_path_factory.mktemp("demo") / "my sandbox", short_night(), show=heard)


@pytest.mark.slow
class TestGoodNight:
    """A night goes from the lists to its verdict without a person, although the daemon is killed in the middle."""

    def test_verdict(self, night: Night) -> None:
        assert night.verdict.ok, str(night.verdict)
        lines = [line.text for line in night.verdict.lines]
        assert lines[-1] == "human interventions needed: 0"
        assert any("was killed with -9, with" in line and "went on when it was started again" in line for line in lines)

    def test_both_ways_into_the_queue(self, night: Night) -> None:
        assert len(night.sandbox.lists) == 2
        taken = [path.name for path in (night.sandbox.state / "inbox").glob("*/taken/*")]
        assert len(taken) == 1 and taken[0].endswith("night_z.list")

    def test_it_was_shown(self, night: Night, heard: Heard) -> None:
        assert sum(text.startswith("*** ") for text in heard.said) == 2, heard.said
        assert {(PARTLY, "done"), (PARTLY, "processing"), (HOPELESS, "attention"), (NO_TEMPLATES, "attention")} <= (
            heard.states
        )
        assert heard.most_in_flight == 2

    def test_nothing_is_left_running(self, night: Night) -> None:
        assert not processes_in(night.sandbox.root)

    def test_each_log_line_about_an_exposure_names_it(self, night: Night) -> None:
        lines = [json.loads(line) for line in (night.sandbox.state / "desgw-daemon.log").read_text().splitlines()]
        about = [line for line in lines if line["event"].startswith(("dag", "ccd_", "exposure_"))]
        assert len({line["event"] for line in about}) >= 6
        for line in about:
            assert line.get("expnum") in (PARTLY, HOPELESS, NO_TEMPLATES), line
            assert (line.get("season"), line.get("nite")) == (2206, "20200304"), line

    def test_the_commands_to_try_run(self, night: Night) -> None:
        commands = [command for command, _ in commands_to_try(night.sandbox, short_night())]
        assert len(commands) >= 8
        assert all("my sandbox" in command and "'" in command for command in commands)
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr) == (0, ""), command
            assert done.stdout.strip(), command


class TestMissing:
    """A night that does not end says what it waits for."""

    def test_each_thing_is_named(self) -> None:
        def line(expnum: int, state: str) -> Line:
            return Line(
                expnum=expnum,
                nite="20200304",
                band="i",
                state=state,
                partly=False,
                complete=58,
                bad=0,
                pending=1,
                forcefiles=116,
                reason="waits for 1 CCD",
            )

        progress = Progress(
            lines=(line(PARTLY, "processing"), line(HOPELESS, "attention")),
            in_flight=1,
            making=0,
            run=Run(number=1, state="running", step=2),
        )
        words = what_is_missing(progress, short_night())
        assert f"{PARTLY} is processing: waits for 1 CCD" in words
        assert str(HOPELESS) not in words
        assert f"{NO_TEMPLATES} was never queued" in words
        assert "post-processing run 1 is running" in words
        assert "database of the daemon" in what_is_missing(None, short_night())
