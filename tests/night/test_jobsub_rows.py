"""Each row of the table of what jobsub says (docs/jobsub.md) leads to the state that it should, through the program.

The stand-in of jobsub_submit_dag behaves as ordered, each exposure its own way; the queue is one on paper.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.jobsub.standin import Jobsub

from .house import SEASON, House, night_of, planned

SETTINGS = {
    "submit.engine": '"jobsub"',
    "submit.max_in_flight": "30",
    "submit.timeout": '"2 s"',
    "submit.confirm_absent": '"200 ms"',
    "submit.retry_after": '"200 ms"',
    "submit.retry_at_most": '"400 ms"',
    "submit.breaker_after": "100",
    "dagmaker.max_at_once": "30",
    "dagmaker.made_ahead": "30",
    "jobsub.schedds": '["paper.test"]',
}
FIRST = 938524


class Night:
    """A house whose DAGs go through jobsub, with an exposure for each row."""

    def __init__(self, house: House, jobsub: Jobsub, rows: Iterable[str]) -> None:
        self.house = house
        self.jobsub = jobsub
        self.rows = {row: FIRST + number for number, row in enumerate(rows)}

    @property
    def expnums(self) -> list[int]:
        return list(self.rows.values())

    def ticks_until(self, condition: Callable[[], bool], what: str) -> None:
        """Cycles, until it is so."""
        for _ in range(15):
            if condition():
                return
            self.house.tick()
            self.house.until(self._none_is_made, "DAGMaker ends")
        shown = [(row, self.house.exposure(expnum)["state"], self.steps(row)) for row, expnum in self.rows.items()]
        raise AssertionError(f"not within 15 cycles: {what}\n{shown}")

    def _none_is_made(self) -> bool:
        """Whether every DAGMaker that was started has ended: a cycle before that would see nothing new."""
        return all((path.parent / "exit").exists() for path in self.house.state.glob("attempts/**/started"))

    def states(self) -> set[str]:
        return {str(self.house.exposure(expnum)["state"]) for expnum in self.expnums}

    def submission(self, row: str) -> dict[str, Any]:
        """The one that this row's exposure has."""
        (found,) = self.house.rows("SELECT * FROM v_submission WHERE expnum = ?", self.rows[row])
        return found

    def steps(self, row: str) -> list[tuple[str, str]]:
        """The states that its submission went through, and why."""
        query = "SELECT after, why FROM v_history WHERE kind = 'submission' AND expnum = ? ORDER BY id"
        return [(step["after"], step["why"]) for step in self.house.rows(query, self.rows[row])]

    def called(self, row: str) -> int:
        """How often jobsub_submit_dag was run for its exposure."""
        word = f"+DesgwExpnum={self.rows[row]}"
        return sum(word in call["argv"] for call in self.jobsub.calls("jobsub_submit_dag"))

    def taken(self, row: str) -> int:
        """How many DAGs of its exposure HTCondor has got."""
        word = f"+DesgwExpnum={self.rows[row]}"
        return sum(word in call["lines"] for call in self.jobsub.calls("condor"))


def night_in(folder: Path, rows: Iterable[str], settings: Mapping[str, str]) -> Night:
    """A night in a new sandbox. jobsub's programs and the queue's are in PATH."""
    jobsub = Jobsub(folder / "jobsub", schedds=["paper.test"])
    changed = {"jobsub.command": f'["{jobsub.bin}/jobsub_submit_dag"]', **settings}
    named = list(rows)
    scenario = night_of(*(planned(FIRST + number) for number in range(len(named))), dagmaker=50)
    return Night(House(folder / "sandbox", scenario, SETTINGS | changed), jobsub, named)


#: Rows by what must come of them, and the words that people must find.
PERMANENT = {
    "wrong-role": "BEARER_TOKEN_FILE contains a token with the wrong group or role",
    "bad-line": "Parse error in expression",
    "too-many": "Number of submitted jobs would exceed MAX_JOBS_PER_SUBMISSION",
    "too-many-unknown": "KeyError: 'Jobsub_Max_Jobs_Per_Submission'",
    "syntax": "Syntax Error at file x.dag line 7",
    "missing-file": "No such file or directory: '/w/SEdiff.sh'",
}
TRANSIENT = {
    "quota-owner": "MAX_JOBS_PER_OWNER",
    "quota-submitted": "MAX_JOBS_SUBMITTED",
    "collector": "Failed communication with collector",
    "no-schedd": "No schedds satisfying the constraint were found",
}
CREDENTIAL = {"no-token": "htgettoken", "credential-storer": "Failed to process job credential requests"}
NOT_TAKEN = {
    "frozen": "time-out",
    "no-reason": "condor_submit exited with failed status code 1",
    "disk": "No space left on device",
    "never-seen": "The hamster has left its wheel",
}
TAKEN = ("taken-frozen", "taken-never-seen", "taken-crash", "taken-spool")
SAID_SO = ("taken-error", "recorded-frozen", "well")
#: How often each is refused before the cause has gone; more often than max_tries, where nobody's attempt counts.
TIMES = dict.fromkeys(TRANSIENT, 2) | dict.fromkeys(CREDENTIAL, 3) | dict.fromkeys(NOT_TAKEN, 1)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """One night with an exposure for each row, run until nothing moves any more."""
    rows = (*PERMANENT, *TRANSIENT, *CREDENTIAL, *NOT_TAKEN, *TAKEN, *SAID_SO)
    night = night_in(tmp_path_factory.mktemp("rows"), rows, {"submit.max_tries": "3"})
    orders = {row: f"{row}*{TIMES[row]}" if row in TIMES else row for row in rows}
    night.jobsub.order(**{f"submit:{night.rows[row]}": order for row, order in orders.items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{night.jobsub.condor}:{os.environ['PATH']}")
        try:
            night.house.ok("queue", "add", *(str(expnum) for expnum in night.expnums), "--season", str(SEASON))
            wanted = {"attention", "processing"}
            night.ticks_until(lambda: night.states() == wanted, f"all are {wanted}")
            night.house.tick()
            yield night
        finally:
            night.house.close()


class TestEveryRow:
    """One night: each exposure meets its row, and goes its way; none is taken twice."""

    @pytest.mark.parametrize("row", PERMANENT)
    def test_permanent(self, night: Night, row: str) -> None:
        """Parked for a person, with the line that says why; handed over once."""
        submission, exposure = night.submission(row), night.house.exposure(night.rows[row])
        assert (submission["state"], exposure["state"]) == ("rejected", "attention")
        assert PERMANENT[row] in submission["reason"] and PERMANENT[row] in exposure["reason"]
        output = f"dag_submission_{night.rows[row]}.out"
        assert output in exposure["reason"] and PERMANENT[row] in (night.house.sandbox.workflow / output).read_text()
        assert (night.called(row), night.taken(row)) == (1, 0)

    @pytest.mark.parametrize("row", TRANSIENT)
    def test_transient(self, night: Night, row: str) -> None:
        """Tried again by itself until it is taken; the reason is said meanwhile."""
        refused = [why for after, why in night.steps(row) if after == "intent" and "(transient)" in why]
        assert len(refused) == 2 and all(TRANSIENT[row] in why for why in refused)
        assert night.house.exposure(night.rows[row])["state"] == "processing"
        assert (night.called(row), night.taken(row)) == (3, 1)

    @pytest.mark.parametrize("row", CREDENTIAL)
    def test_credential(self, night: Night, row: str) -> None:
        """It waits for a credential, however often that takes: nobody's attempt is used up."""
        refused = [why for after, why in night.steps(row) if after == "intent" and "(credential)" in why]
        assert len(refused) == 3 and all(CREDENTIAL[row] in why for why in refused)
        assert night.house.exposure(night.rows[row])["state"] == "processing"
        assert (night.called(row), night.taken(row), night.submission(row)["attempt"]) == (4, 1, 1)

    @pytest.mark.parametrize("row", NOT_TAKEN)
    def test_in_doubt_and_not_taken(self, night: Night, row: str) -> None:
        """Unknown, until the queue has said twice that it knows nothing; then it is handed over again."""
        steps = night.steps(row)
        unknown = [why for after, why in steps if after == "unknown"]
        assert unknown and NOT_TAKEN[row] in unknown[0], steps
        assert [after for after, why in steps if "twice unknown to the queue" in why] == ["intent"], steps
        assert (night.called(row), night.taken(row)) == (2, 1)

    @pytest.mark.parametrize("row", TAKEN)
    def test_in_doubt_and_taken(self, night: Night, row: str) -> None:
        """Unknown, until the queue knows it; never handed over again."""
        assert "unknown" in [after for after, _ in night.steps(row)]
        assert night.house.exposure(night.rows[row])["state"] == "processing"
        assert (night.called(row), night.taken(row)) == (1, 1)
        assert night.submission(row)["job_id"].endswith(".0@paper.test")

    @pytest.mark.parametrize("row", SAID_SO)
    def test_taken_whatever_else_it_says(self, night: Night, row: str) -> None:
        """The line with the id, or the id that was recorded before it, is enough."""
        assert "unknown" not in [after for after, _ in night.steps(row)]
        assert (night.called(row), night.taken(row)) == (1, 1)
        assert night.submission(row)["job_id"].endswith(".0@paper.test")

    def test_mended(self, night: Night) -> None:
        """What was parked goes on when a person says that the cause has gone: as a new attempt, taken once."""
        night.jobsub.order()
        night.house.ok("queue", "retry", str(FIRST))
        night.ticks_until(lambda: night.house.exposure(FIRST)["state"] == "processing", "it is taken")
        assert (night.called("wrong-role"), night.taken("wrong-role")) == (2, 1)


@pytest.fixture
def make_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Night]]:
    nights: list[Night] = []

    def make(*rows: str, **settings: str) -> Night:
        made = night_in(tmp_path, rows, {name.replace("__", "."): value for name, value in settings.items()})
        monkeypatch.setenv("PATH", f"{made.jobsub.condor}:{os.environ['PATH']}")
        nights.append(made)
        return made

    yield make
    for each in nights:
        each.house.close()


class TestSilence:
    """The queue says nothing: unknown stays unknown, nothing is handed over, and all goes on when it answers."""

    def test_a_night(self, make_night: Callable[..., Night]) -> None:
        night = make_night("taken-crash", "late")
        doubted, late = night.expnums
        night.jobsub.order(**{f"submit:{doubted}": "taken-crash"})
        night.house.ok("queue", "add", str(doubted), "--season", str(SEASON))
        night.ticks_until(lambda: night.called("taken-crash") == 1, "it is handed over")
        (night.jobsub.paper / "silent").touch()
        night.house.ok("queue", "add", str(late), "--season", str(SEASON))
        night.ticks_until(lambda: night.states() == {"submitting"}, "the other is made")
        night.house.tick()
        assert night.submission("taken-crash")["state"] == "unknown"
        (alert,) = night.house.alerts("engine_silent")
        assert "condor_q -name paper.test" in alert["text"] and alert["cleared_at"] is None
        assert (night.called("taken-crash"), night.called("late")) == (1, 0)
        (night.jobsub.paper / "silent").unlink()
        night.ticks_until(lambda: night.states() == {"processing"}, "both go on")
        assert (night.called("taken-crash"), night.called("late")) == (1, 1)
        assert (night.taken("taken-crash"), night.taken("late")) == (1, 1)


class TestConfiguration:
    """What is wrong in daemon.toml parks nobody: it is said, and mended it goes on by itself."""

    def test_a_night(self, make_night: Callable[..., Night]) -> None:
        """No schedds to ask: nothing may be concluded. Then a program that is not there."""
        night = make_night("well", jobsub__schedds="[]", jobsub__command='["/nowhere/jobsub_submit_dag"]')
        night.house.ok("queue", "add", str(FIRST), "--season", str(SEASON))
        night.ticks_until(lambda: night.states() == {"submitting"}, "it is made")
        night.house.tick()
        (alert,) = night.house.alerts("engine_silent")
        assert "[jobsub] schedds is empty" in alert["text"]
        night.house.configure("jobsub.schedds", '["paper.test"]')
        night.ticks_until(lambda: any("cannot start" in why for _, why in night.steps("well")), "it says so")
        assert night.states() == {"submitting"} and night.called("well") == 0
        night.house.configure("jobsub.command", f'["{night.jobsub.bin}/jobsub_submit_dag"]')
        night.ticks_until(lambda: night.states() == {"processing"}, "it is taken")
        assert (night.called("well"), night.taken("well")) == (1, 1)


class TestBrokenDag:
    """jobsub would submit a DAG with a stray line, or an empty one: neither comes so far."""

    def test_rows(self, make_night: Callable[..., Night]) -> None:
        night = make_night("stray", "empty")
        script = night.house.sandbox.workflow / "DAGMaker.sh"
        stray, empty = night.expnums
        spoil = f'[[ $EXPNUM == {stray} ]] && echo stray >>"$outfile"\n[[ $EXPNUM == {empty} ]] && : >"$outfile"\n'
        script.write_text(script.read_text().replace('echo "copying inputs', f'{spoil}echo "copying inputs'))
        night.house.ok("queue", "add", str(stray), str(empty), "--season", str(SEASON))
        night.ticks_until(lambda: night.states() == {"attention"}, "both wait for a person")
        assert "stray" in night.house.exposure(stray)["reason"]
        assert "holds no job" in night.house.exposure(empty)["reason"]
        assert night.jobsub.calls("jobsub_submit_dag") == []
