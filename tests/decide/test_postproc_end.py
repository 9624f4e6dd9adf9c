"""What a run has come to: a result, or a failure; one is never taken for the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.decide.postproc_end import judge_end
from desgw_daemon.domain.states import RunResult, RunState

TRACEBACK = 'Traceback (most recent call last):\n  File "postproc.py", line 9, in makedatafiles\n'


def end(**values: Any) -> tuple[RunState, RunResult | None, str]:
    code = values.get("exit_code", 0)
    known: dict[str, Any] = {
        "ended": f"ended with exit code {code}",
        "exit_code": 0,
        "step": 7,
        "complete": True,
        "last_step": "Run STEP 7: Make htmls/webpage\n",
    }
    judged = judge_end(**(known | values))
    return judged.state, judged.result, judged.reason


class TestComplete:
    """Exit 0 and a status file of this run that says `complete`."""

    def test_candidates(self) -> None:
        assert end() == (
            RunState.DONE,
            RunResult.CANDIDATES,
            "run_postproc.py ended with exit code 0: it is complete",
        )

    @pytest.mark.parametrize(("complete", "words"), [(False, "says `incomplete`"), (None, "says nothing of this run")])
    def test_exit_0_alone_is_a_failure(self, complete: bool | None, words: str) -> None:
        state, result, reason = end(complete=complete)
        assert (state, result) == (RunState.FAILED, None)
        assert reason.startswith("run_postproc.py ended with exit code 0 at step 7, but its PostProcStatus file")
        assert words in reason

    def test_a_status_file_does_not_mend_an_exit_code(self) -> None:
        assert end(exit_code=1)[:2] == (RunState.FAILED, None)


class TestNoCandidates:
    """The three ways of none are results, told in words."""

    @pytest.mark.parametrize(
        ("words", "result"),
        [
            ("0 candidates: nothing to do\n", RunResult.NO_CANDIDATES),
            ("No candidates found.\n", RunResult.NO_CANDIDATES),
            (TRACEBACK + "IndexError: index 0 is out of bounds for axis 0 with size 0\n", RunResult.NO_CANDIDATES),
            (TRACEBACK + "IndexError: list index out of range\n", RunResult.NO_CANDIDATES),
            ("7 candidates: nothing to do\n", RunResult.FEW_CANDIDATES),
            (TRACEBACK + "ValueError: min() arg is an empty sequence\n", RunResult.FEW_CANDIDATES),
        ],
    )
    def test_at_step_5(self, words: str, result: RunResult) -> None:
        said = {"exit_code": 1, "complete": False, "last_step": "Run STEP 5: Make datafiles\n" + words}
        state, found, reason = end(step=5, **said)
        assert (state, found) == (RunState.DONE, result)
        assert "ended with exit code 1 at step 5: there are" in reason and "a result, not a failure" in reason
        # The same words elsewhere, or another end, are none.
        assert end(step=4, **said)[1] is None
        assert end(step=5, **(said | {"exit_code": None}))[1] is None
        assert end(step=5, **(said | {"exit_code": 2}))[1] is None

    @pytest.mark.parametrize("words", ["", "10 candidates: 2 of 8 parts done\n", TRACEBACK + "OSError: no space\n"])
    def test_another_death_at_step_5(self, words: str) -> None:
        last = "Run STEP 5: Make datafiles\n" + words
        assert end(exit_code=1, step=5, complete=False, last_step=last)[:2] == (RunState.FAILED, None)

    def test_none_passes(self) -> None:
        last = "Run STEP 6: Make plots\nStep 6 failed due to empty candidate dfs. Ending PostProc.\n"
        state, result, reason = end(step=6, complete=False, last_step=last)
        assert (state, result) == (RunState.DONE, RunResult.NONE_PASSES)
        assert "none passes the cuts" in reason
        assert end(step=6, complete=False, last_step="Run STEP 6: Make plots\n")[:2] == (RunState.FAILED, None)


class TestAnything:
    """A result only with exit 0 or 1, and every end has a reason."""

    @given(
        st.one_of(st.none(), st.integers(0, 255)),
        st.one_of(st.none(), st.integers(0, 7)),
        st.one_of(st.none(), st.booleans()),
        st.text(max_size=60),
    )
    def test_ends(self, code: int | None, step: int | None, complete: bool | None, words: str) -> None:
        state, result, reason = end(exit_code=code, step=step, complete=complete, last_step=words)
        assert (state is RunState.DONE) == (result is not None)
        assert result is None or code == 0 or (code == 1 and step == 5)
        assert reason.startswith("run_postproc.py ended")
