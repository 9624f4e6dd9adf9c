"""How reasons say times, spans and lists."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from desgw_daemon.decide.words import at, plural, some, span, tally


class TestWords:
    """A reason says moments in UTC, spans in the largest fitting units, and only the first of many names."""

    def test_moments(self) -> None:
        local = datetime(2026, 11, 21, 20, 14, 5, 999, tzinfo=timezone(timedelta(hours=-6)))
        assert at(local) == "2026-11-22T02:14:05Z"
        assert at(None) == "never"

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (0, "0 s"),
            (0.5, "0.5 s"),
            (119, "119 s"),
            (120, "2 min"),
            (5400, "90 min"),
            (7200, "2 h"),
            (7800, "2 h 10 min"),
            (48 * 3600, "2 d"),
            (50 * 3600, "2 d 2 h"),
        ],
    )
    def test_spans(self, seconds: float, words: str) -> None:
        assert span(timedelta(seconds=seconds)) == words

    def test_lists(self) -> None:
        assert some("abcde") == "a, b, c, d, e"
        assert some("abcdefg") == "a, b, c, d, e and 2 more"
        assert some("") == ""

    def test_tallies(self) -> None:
        assert tally(["RUN05_y.FAIL", "RUN18_x.FAIL", "RUN18_x.FAIL"]) == "2 at RUN18_x, 1 at RUN05_y"
        assert tally("aaabbcde") == "3 at a, 2 at b, 1 at c, 2 elsewhere"

    def test_plurals(self) -> None:
        assert (plural(1, "CCD"), plural(0, "CCD"), plural(2, "CCD")) == ("1 CCD", "0 CCDs", "2 CCDs")
