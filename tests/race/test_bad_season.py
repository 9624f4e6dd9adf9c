"""A season with one bad exposure of each kind: all others reach post-processing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.evidence import program_runs
from desgw_daemon.sandbox.moves import NEVER_ENDS, SE_FAILS, STRAY_FORCEFILES, fails_at
from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import OlderNite, PlannedExposure, Scenario
from tests.crash.nights import told_by
from tests.race.season import program, rows, running, states, until

_NITE: Final = "20200304"
_OLDER: Final = "20200229"


def _exposure(expnum: int, **habits: object) -> PlannedExposure:
    return replace(PlannedExposure(expnum=expnum, nite=_NITE, band="i"), **habits)  # type: ignore[arg-type]  # by name


#: A job that leaves no sign is known to have ended only when its DAG has.
_NO_SIGN: Final = {9: SE_FAILS}
_HANGS: Final = {9: NEVER_ENDS}
GOOD: Final = (
    _exposure(938500),
    _exposure(938501, ccds=_NO_SIGN),
    _exposure(938502, older=(OlderNite(nite=_OLDER),)),
    # The queue forgets its DAG.
    _exposure(938503, ccds=_HANGS),
    _exposure(938504),
)
NO_TEMPLATES, NO_BAND, NOT_LISTED, WRONG_BAND, ALL_FAILED, NEVER, SURPLUS, HELD, UNKNOWN = range(938510, 938519)
BAD: Final = (
    _exposure(NO_TEMPLATES, making="no-templates"),
    _exposure(NO_BAND, known=False),
    _exposure(NOT_LISTED, known=False),
    _exposure(WRONG_BAND),
    _exposure(ALL_FAILED, default=fails_at(18)),
    _exposure(NEVER, ccds=_HANGS),
    _exposure(SURPLUS, ccds={11: STRAY_FORCEFILES}),
    _exposure(HELD),
    # The queue cannot answer for its DAG.
    _exposure(UNKNOWN, ccds=_HANGS),
)


def scenario() -> Scenario:
    small = small_scenario(1)
    watch = replace(small.watch, quiet_for=timedelta(seconds=5), max_in_flight=5)
    return replace(small, exposures=(*GOOD, *BAD), watch=watch)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    made = build(tmp_path / "sandbox", scenario())
    yield made
    (made.root / ".sandbox" / "never").unlink()  # lets the job end that never does


#: An older nite of it is on /pnfs.
SEASON: Final = ("--season", "2206", "--reuse", "2206")


def fill_queue(sandbox: Sandbox) -> None:
    """Everything as people do it: good ones and bad ones, one of each kind."""
    bad = [e.expnum for e in BAD if e.expnum not in (NO_BAND, WRONG_BAND)]
    program(sandbox, "queue", "add", *(str(n) for n in (*bad, *(e.expnum for e in GOOD))), *SEASON)
    program(sandbox, "queue", "hold", str(HELD), "--reason", "clouds")
    lists = {
        # Its band and nite are said, though exposures.list does not have it: DAGMaker would look in vain.
        "no_band.list": f"{NO_BAND} i {_NITE}\n",
        # The same number under a second nite.
        "two_nites.list": f"{GOOD[2].expnum} i {_OLDER}\n",
    }
    for name, text in lists.items():
        (sandbox.root / name).write_text(text)
        program(sandbox, "queue", "add", str(sandbox.root / name), "--season", "2206")
    wrong = sandbox.root / "wrong_band.list"
    wrong.write_text(f"{WRONG_BAND} g\n")
    refusal = program(sandbox, "queue", "add", str(wrong), "--season", "2206", code=2)
    assert str(WRONG_BAND) in refusal


def spoil_the_queue(sandbox: Sandbox) -> None:
    """As soon as they are submitted, one DAG is forgotten by the engine, and another's record cannot be read."""
    for expnum in (GOOD[3].expnum, UNKNOWN):
        until(sandbox, partial(_submitted, sandbox, expnum))
        (tag,) = _submitted(sandbox, expnum)[0]
        keeper = sandbox.state / "local" / tag / "keeper"
        if expnum == UNKNOWN:
            (keeper / "started").rename(keeper / "started.was")
            (keeper / "started").mkdir()
        else:
            keeper.rename(keeper.with_name("keeper.was"))


def _submitted(sandbox: Sandbox, expnum: int) -> list[tuple[str]]:
    return rows(
        sandbox,
        "SELECT s.tag FROM submission s JOIN exposure e ON e.id = s.exposure_id"
        " WHERE e.expnum = ? AND s.submitted_at IS NOT NULL",
        expnum,
    )


@pytest.mark.slow
class TestOneBadExposureOfEachKind:
    """Whatever is wrong with some exposures of a season, all others are post-processed, and none of the bad ones is."""

    def test_all_others_go_on(self, sandbox: Sandbox) -> None:
        fill_queue(sandbox)
        good = {exposure.expnum for exposure in GOOD}

        def good_ones_are_done() -> bool:
            done = rows(sandbox, "SELECT expnum FROM exposure WHERE state = 'done'")
            return good <= {expnum for (expnum,) in done}

        with running(sandbox):
            spoil_the_queue(sandbox)
            until(sandbox, good_ones_are_done)
        listed: set[int] = set()
        for run in program_runs(sandbox.log):
            if run.who == "run_postproc.py":
                listed |= next(set(event["list"]) for event in run.events if event["event"] == "ini")
        assert listed == good, told_by(sandbox)
        bad = {expnum: state for expnum, state in states(sandbox).items() if expnum not in good}
        assert bad == {
            NO_TEMPLATES: "attention",
            NO_BAND: "queued",
            NOT_LISTED: "queued",
            ALL_FAILED: "attention",
            NEVER: "processing",
            SURPLUS: "attention",
            HELD: "queued",
            UNKNOWN: "processing",
        }
