"""Whatever lies in the folder, the computed SKIPTO makes no run die for an input, and leaves no exposure out.

The stand-in itself is started at what was chosen: its exit code and its log are the judge.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .folder import BOTH, FEWER, SEASON, Folder, Outcome

FORCEPHOTO: Final = f"forcephoto/output/dp{SEASON}/20261122_0200_DESY{SEASON}"
#: The files of the table, in the order in which a run writes them.
PLACES: Final = {
    "filename_1": "outputs/masterlist/MasterExposureList_prelim.fits",
    "expniteband_df": "outputs/masterlist/expniteband_df.csv",
    "step0_expnums": "outputs/checkoutputs/step0_expnums.txt",
    "step0_blacklist": "outputs/checkoutputs/step0_a_blacklist.txt",
    "forcephoto": f"{FORCEPHOTO}/all_FORCEPHOTO.LOG",
    "hostmatchstatus": "hostmatchstatus.txt",
    "truthplus": f"outputs/truthtable{SEASON}/truthplus.tab",
    "combined_fits": "outputs/makedatafiles/datafiles_combined.fits",
    "mastertableinfo": "outputs/mastertableinfo.npy",
}
#: Nothing in these says of which exposures they are: one of others is known by its time alone.
NAMELESS: Final = ("forcephoto", "hostmatchstatus")
#: When the run of the exposures in question began; it wrote a file a minute.
BEGAN: Final = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
Contents = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """What is wrong with a file. share: how much of a cut one is left."""

    how: str
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Whose files lie in the folder, for whom a run is to start, and the own runs that the daemon knows of."""

    whose: tuple[int, ...] = BOTH
    expnums: tuple[int, ...] = BOTH
    spoilt: Mapping[str, Spoilt]
    past: tuple[Outcome, ...] = ()


#: What a file can be.
KINDS: Final = ("missing", "empty", "cut", "others", "old", "new", "old of others", "by a second run")
OWN: Final = Outcome(
    expnums=BOTH,
    skipto=0,
    rc=None,
    step=7,
    began=BEGAN - timedelta(minutes=1),
    ended=BEGAN + timedelta(minutes=20),
    final=frozenset(),
    made_of=frozenset(),
    words="",
)
#: Mostly the later ones: nothing comes of a folder whose first files are spoilt.
_SPOILT: Final = (*PLACES, *list(PLACES)[4:], *list(PLACES)[4:], *list(PLACES)[4:])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Mostly whole files of a run of both exposures."""
    spoilt: dict[str, Spoilt] = {}
    for _ in range(draw(st.sampled_from([1, 0, 2, 3]))):
        how, share = draw(st.sampled_from(KINDS)), draw(st.sampled_from([0.5, 0.99, 0.1, 0.9, 0.75]))
        spoilt[draw(st.sampled_from(_SPOILT))] = Spoilt(how=how, share=share)
    mostly_both = st.sampled_from([BOTH] * 7 + [FEWER])
    past: tuple[Outcome, ...] = ()
    if draw(st.booleans()):
        first = replace(
            OWN,
            expnums=draw(mostly_both),
            skipto=draw(st.sampled_from([0, 0, 0, 0, 0, 2, 3, 4, 5])),
            step=draw(st.sampled_from([7, 5, 4, 3, 2, 7, 1, 0, None])),
        )
        past = (first,)
        if draw(st.booleans()):
            second = replace(first, began=BEGAN + timedelta(hours=1), ended=BEGAN + timedelta(hours=2))
            skipto = draw(st.sampled_from([5, 4, 3, 2, 0]))
            past = (first, replace(second, skipto=skipto, step=draw(st.sampled_from([5, 4, 3, 2, 1, 0, None]))))
    return Case(whose=draw(mostly_both), expnums=draw(mostly_both), spoilt=spoilt, past=past)


def lay_out(folder: Folder, case: Case, left: Mapping[tuple[int, ...], Contents]) -> None:
    """Put the files of a case into the folder."""
    mine, others = left[case.whose], left[FEWER if case.whose == BOTH else BOTH]
    shutil.rmtree((folder.place / FORCEPHOTO).parent, ignore_errors=True)
    for number, (role, place) in enumerate(PLACES.items()):
        path = folder.place / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        spoilt = case.spoilt.get(role, Spoilt(how="whole"))
        data, at = mine[role], BEGAN + timedelta(minutes=number)
        match spoilt.how:
            case "missing":
                continue
            case "empty":
                data = b""
            case "cut":
                data = data[: int(spoilt.share * len(data))]
            case "others":
                data = others[role]
                # Older than all that is of these exposures: else nobody could know.
                at -= timedelta(hours=2) if role in NAMELESS else timedelta()
            case "old":
                at -= timedelta(hours=1)
            case "new":
                at += timedelta(hours=5)
            case "old of others":
                data, at = others[role], at - timedelta(hours=2)
            case "by a second run":
                at += timedelta(hours=1)
        path.write_bytes(data)
        os.utime(path, (at.timestamp(), at.timestamp()))


def contents(folder: Folder, expnums: tuple[int, ...]) -> Contents:
    """What a whole run of these exposures leaves."""
    shutil.rmtree(folder.place / "forcephoto" / "output", ignore_errors=True)
    assert folder.run(expnums).went_well
    (log,) = folder.place.glob("forcephoto/output/*/*/*.LOG")
    places = {role: folder.place / place for role, place in PLACES.items()} | {"forcephoto": log}
    return {role: path.read_bytes() for role, path in places.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("skipto") / "sandbox")


@pytest.fixture(scope="module")
def left(folder: Folder) -> Mapping[tuple[int, ...], Contents]:
    """The files of whole runs."""
    return {expnums: contents(folder, expnums) for expnums in (FEWER, BOTH)}


def started(folder: Folder, case: Case, left: Mapping[tuple[int, ...], Contents]) -> int:
    """Start a run where it is to start, unless that is from scratch; it must go well."""
    lay_out(folder, case, left)
    choice = folder.choose(case.expnums, case.past)
    assert [row.skipto for row in choice.rows if row.possible] == list(range(1, choice.skipto + 1))
    if choice.skipto:
        outcome = folder.run(case.expnums, choice.skipto)
        assert outcome.went_well, f"{choice}\n{outcome}"
    return choice.skipto


@pytest.mark.slow
class TestOneSpoiltFile:
    """One file of a whole run is missing, empty, cut off, stale or of others: never a start that reads it."""

    #: The highest start that does not need the file.
    BELOW: Final = dict(zip(PLACES, [0, 0, 0, 0, 2, 3, 4, 5, 5], strict=True))

    @pytest.mark.parametrize("role", PLACES)
    @pytest.mark.parametrize("past", [(), (OWN,)], ids=["adopted", "own"])
    def test_each_kind(
        self, folder: Folder, left: Mapping[tuple[int, ...], Contents], role: str, past: tuple[Outcome, ...]
    ) -> None:
        highest = self.BELOW[role]
        for how in KINDS:
            case = Case(spoilt={role: Spoilt(how=how, share=0.75)}, past=past)
            if role == "step0_blacklist" and how in ("empty", "cut", "others"):
                # It is empty anyway.
                assert started(folder, case, left) == 5
            elif not past and (how in ("new", "by a second run") or (role, how) == ("filename_1", "old")):
                # Without a run of ours, and with nothing after it that is older, or before it that is newer, nothing
                # tells it from a whole one.
                assert started(folder, case, left) <= 5
            elif (role, how) in (("combined_fits", "others"), ("mastertableinfo", "others")):
                assert started(folder, case, left) == 5
            else:
                assert started(folder, case, left) == highest, how

    @pytest.mark.parametrize("past", [(), (OWN,)], ids=["adopted", "own"])
    def test_none(self, folder: Folder, left: Mapping[tuple[int, ...], Contents], past: tuple[Outcome, ...]) -> None:
        assert started(folder, Case(spoilt={}, past=past), left) == 5

    def test_all_of_others(self, folder: Folder, left: Mapping[tuple[int, ...], Contents]) -> None:
        assert started(folder, Case(spoilt={}, whose=FEWER), left) == 0
        assert started(folder, Case(spoilt={}, expnums=FEWER), left) == 0


@pytest.mark.slow
@pytest.mark.soak
class TestAnyFiles:
    """For any set of files present, stale, cut off or of other exposures, with or without own runs."""

    def test_goes_well(
        self,
        folder: Folder,
        left: Mapping[tuple[int, ...], Contents],
        long_form: bool,
        counted: Callable[[str], None],
    ) -> None:
        chosen: Counter[int] = Counter()

        def check(case: Case) -> None:
            chosen[started(folder, case, left)] += 1

        tried = settings(
            max_examples=1000 if long_form else 80,
            deadline=None,
            derandomize=not long_form,
            suppress_health_check=list(HealthCheck),
            database=None,
        )(given(cases())(check))
        tried()
        counted(f"folders laid out: {chosen.total()}; started at: {dict(sorted(chosen.items()))}")
        assert chosen.keys() >= {0, 2, 3, 4, 5}, "too few of them came so far"
