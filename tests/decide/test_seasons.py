"""Season numbers, and what the sources' answers come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.domain.seasons import Answer, Known, Source, Standing, allowed, judge, number_answer

ANSWERS = st.lists(st.builds(Answer, st.sampled_from(Source), st.sampled_from(Standing), st.just("words")))


class TestNumbers:
    """1-10, 5000 and 6000 are never taken, 11-99 only for testing."""

    @pytest.mark.parametrize(
        ("season", "usual", "testing"),
        [
            *((1, False, False), (10, False, False), (11, False, True), (99, False, True), (100, True, True)),
            *((4999, True, True), (5000, False, False), (6000, False, False), (999_999, True, True)),
        ],
    )
    def test_each(self, season: int, usual: bool, testing: bool) -> None:
        for allows, free in ((False, usual), (True, testing)):
            standing = number_answer(season, testing=allows).standing
            assert standing is (Standing.FREE if free else Standing.USED)
            assert (season in allowed(season, season, testing=allows)) == free

    def test_range(self) -> None:
        assert list(allowed(4999, 5001, testing=False)) == [4999, 5001]
        assert list(allowed(1, 100, testing=True)) == list(range(11, 101))


class TestKnown:
    """A source that has not come to its end knows what it has found, and of the rest nothing."""

    def test_found_counts_before_the_problem(self) -> None:
        known = Known(used={2206: "SNOBS"}, free="nowhere", problem="cut")
        assert known.about(Source.DES, 2206) == Answer(Source.DES, Standing.USED, "SNOBS")
        assert known.about(Source.DES, 2207) == Answer(Source.DES, Standing.UNKNOWN, "cut")

    def test_free_only_without_a_problem(self) -> None:
        assert Known(free="nowhere").about(Source.DES, 1) == Answer(Source.DES, Standing.FREE, "nowhere")


class TestVerdict:
    """Free is what every source calls free, or what a person goes on without."""

    @given(ANSWERS, st.sets(st.sampled_from(Source)))
    def test_free(self, answers: list[Answer], accepted: set[Source]) -> None:
        verdict = judge(answers, accepted=accepted)
        let_through = [a for a in answers if a.standing is Standing.UNKNOWN and a.source in accepted]
        assert verdict.free == all(a.standing is Standing.FREE or a in let_through for a in answers)
        assert verdict.accepted == tuple(a.source for a in let_through)

    @given(ANSWERS)
    def test_used_is_never_let_through(self, answers: list[Answer]) -> None:
        used = Answer(Source.DES, Standing.USED, "SNOBS")
        assert not judge([*answers, used], accepted=set(Source)).free
