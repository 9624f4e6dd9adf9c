"""What the looker and its worker write to each other arrives as it was meant, whatever names there are."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.domain.facts import (
    CallCounts,
    CcdSeen,
    FoldersSeen,
    ForcefilesSeen,
    LookRequest,
    SeenFail,
    SeenFile,
    Unseen,
)
from desgw_daemon.domain.names import ExposureKey
from desgw_daemon.observe.wire import (
    Done,
    Order,
    RootSeen,
    decode_order,
    decode_report,
    decode_request,
    encode_order,
    encode_report,
    encode_request,
)

NUMBERS = st.integers(0, 2**53)
TEXTS = st.text(max_size=20)
SECONDS = st.floats(0, 4e9)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
ODD = st.lists(TEXTS, max_size=3).map(tuple)
FILES = st.lists(
    st.builds(SeenFile, TEXTS, st.none() | NUMBERS, st.none() | SECONDS),
    max_size=3,
).map(tuple)
FAILS = st.lists(st.builds(SeenFail, TEXTS, NUMBERS, SECONDS, st.none() | TEXTS), max_size=3).map(tuple)
CCDS = st.integers(1, 62)
REPORTS = st.one_of(
    st.builds(Done),
    st.builds(RootSeen, st.none() | TEXTS),
    st.builds(FoldersSeen, NUMBERS, TIMES, st.booleans(), st.frozensets(CCDS), ODD),
    st.builds(ForcefilesSeen, NUMBERS, TIMES, st.booleans(), FILES, ODD),
    st.builds(CcdSeen, NUMBERS, CCDS, TIMES, st.booleans(), FILES, FAILS, ODD),
    st.builds(Unseen, NUMBERS, st.sampled_from(["folders", "forcefiles", "ccd"]), st.none() | CCDS, TEXTS, TIMES),
)
REQUESTS = st.builds(
    LookRequest,
    NUMBERS,
    st.builds(ExposureKey, NUMBERS, TEXTS, NUMBERS, TEXTS),
    st.booleans(),
    st.booleans(),
    st.none() | st.lists(CCDS).map(tuple),
    st.frozensets(TEXTS, max_size=3),
    st.dictionaries(st.tuples(CCDS, TEXTS), st.tuples(NUMBERS, SECONDS), max_size=3),
)


class TestRoundTrip:
    """Each line is one line, and reads as what it was made of."""

    @given(REPORTS, st.builds(CallCounts, NUMBERS, NUMBERS, NUMBERS))
    def test_reports(self, report: object, calls: CallCounts) -> None:
        line = encode_report(report, calls)  # type: ignore[arg-type] # one_of has lost the union
        assert "\n" not in line
        assert decode_report(line.encode("ascii")) == (report, calls)

    @given(REQUESTS)
    def test_requests(self, request: LookRequest) -> None:
        line = encode_request(request)
        assert "\n" not in line
        assert decode_request(line.encode("ascii")) == request

    @given(st.builds(Order, TEXTS, NUMBERS, SECONDS, SECONDS, SECONDS))
    def test_orders(self, order: Order) -> None:
        assert decode_order(encode_order(order)) == order
