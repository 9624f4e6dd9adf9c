"""Time spans as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.config.spans import LONGEST, SHORTEST, format_span, parse_span


class TestParse:
    """A span is a number with a unit, or a number of seconds."""

    @pytest.mark.parametrize(
        ("value", "span"),
        [
            ("300 ms", timedelta(milliseconds=300)),
            ("90 s", timedelta(seconds=90)),
            ("5 min", timedelta(minutes=5)),
            ("5min", timedelta(minutes=5)),
            ("1.5 h", timedelta(minutes=90)),
            ("3 d", timedelta(days=3)),
            (90, timedelta(seconds=90)),
            (0.3, timedelta(milliseconds=300)),
        ],
    )
    def test_value(self, value: object, span: timedelta) -> None:
        assert parse_span(value) == span

    @pytest.mark.parametrize("value", [0, 0.0, "0 s", "0 d"])
    def test_zero_only_where_it_has_a_meaning(self, value: object) -> None:
        assert parse_span(value, zero=True) == timedelta(0)
        with pytest.raises(ValueError, match="1 ms or longer"):
            parse_span(value)

    @pytest.mark.parametrize("value", ["", "s", "five min", "5 mins", "5  s", "5 s ", "5 S", "٥ s", "1e3 s", None, [5]])
    def test_refused(self, value: object) -> None:
        with pytest.raises(ValueError, match='write "300 ms"'):
            parse_span(value)


class TestFormat:
    """A span is written so that it is read as the same span."""

    @given(st.timedeltas(min_value=SHORTEST, max_value=LONGEST))
    def test_there_and_back(self, span: timedelta) -> None:
        assert abs(parse_span(format_span(span)) - span) <= timedelta(microseconds=1)

    @given(st.integers(min_value=1, max_value=10**8).map(lambda ms: timedelta(milliseconds=ms)))
    def test_exact_in_milliseconds(self, span: timedelta) -> None:
        assert parse_span(format_span(span)) == span

    def test_largest_unit(self) -> None:
        spans = [timedelta(seconds=60), timedelta(seconds=90), timedelta(hours=72), timedelta(0)]
        assert [format_span(span) for span in spans] == ["1 min", "90 s", "3 d", "0 s"]
