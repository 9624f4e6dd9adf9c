"""What is left out of a run of post-processing, by name and with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desgw_daemon.decide.alerts import wanted_alerts
from desgw_daemon.decide.postproc_members import without
from desgw_daemon.domain.actions import Move, StartPostproc, Wait
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import CcdState, ExposureState, Ready, RunState
from tests.decide.build import (
    EXPNUM,
    NITE,
    POLICY,
    SEASON,
    START,
    after,
    fits,
    psf,
    ready,
    request,
    run,
    settled_ccds,
    snapshot,
    states_of,
)
from tests.decide.seasons import NOW, done, of_exposure, season, started, waits

MAKE = replace(POLICY, postproc_missing_folders="make")


def lacking(number: int = 2, **values: Any) -> Exposure:
    """Ready, though CCD 5 has no folder."""
    return ready(number, **({"ccds": settled_ccds({5: CcdState.MISSING})} | values))


class TestMissingFolders:
    """An exposure with a CCD whose folder is missing is left out, or its folder is made, as daemon.toml says."""

    WHY = f"1 folder missing in exp/{NITE}/{EXPNUM + 1}/dp{SEASON} (i_05), and run_postproc.py dies of that: make it"

    def without_files(self, number: int = 2) -> Exposure:
        """The missing CCD has no forcephoto files either."""
        subject = lacking(number)
        return replace(subject, forcefiles=tuple(f for f in subject.forcefiles if f.name not in (fits(5), psf(5))))

    def test_left_out(self) -> None:
        start = started(ready(1), self.without_files())
        assert start.exposure_ids == (1,)
        assert start.left_out[2].startswith(self.WHY)
        assert 'postproc.missing_folders = "make"' in start.left_out[2]
        assert start.reason.endswith("; 1 left out")

    def test_its_own_reason_says_so(self) -> None:
        action = of_exposure(self.without_files())
        assert isinstance(action, Wait)
        assert f"It is left out of post-processing: {self.WHY}" in action.reason

    def test_nothing_starts_for_it_alone(self) -> None:
        reason = waits(self.without_files(), done(1))
        assert reason.startswith("no exposure waits for it: 1 done, 1 ready. 1 ready exposure left out")
        assert self.WHY in reason

    def test_not_even_asked_for(self) -> None:
        reason = waits(self.without_files(), postproc_requests=request())
        assert self.WHY in reason

    def test_an_alert_says_so(self) -> None:
        (alert,) = wanted_alerts(snapshot(ready(1), self.without_files()), POLICY, NOW)
        assert (alert.key, RULES[alert.rule].severity) == (f"postproc_left_out:{SEASON}", "warning")
        assert self.WHY in alert.text
        assert wanted_alerts(snapshot(ready(1), self.without_files()), MAKE, NOW) == ()

    def test_made(self) -> None:
        start = started(ready(1), self.without_files(), policy=MAKE)
        assert start.exposure_ids == (1, 2)
        assert start.make_folders == {2: (5,)}
        assert start.left_out == {}

    def test_of_one_that_was_done_as_its_last_look_shows(self) -> None:
        asked = {"recheck_asked_at": after(minutes=1), "ccds": settled_ccds({5: CcdState.MISSING})}
        shown = done(2, full_look_at=after(minutes=2), **asked)
        assert started(ready(1), shown).exposure_ids == (1,)
        old = done(2, full_look_at=after(hours=-3), **asked)
        assert not any(isinstance(action, StartPostproc) for action in season(ready(1), old))


class TestBlacklist:
    """An exposure that the blacklist names is left out: run_postproc.py would die of it."""

    LISTED = ready(2, blacklisted_since=START)

    @pytest.mark.parametrize("listed", [LISTED, done(2, blacklisted_since=START)], ids=["ready", "done"])
    def test_left_out(self, listed: Exposure) -> None:
        start = started(ready(1), listed)
        assert start.exposure_ids == (1,)
        assert start.left_out[2].startswith("the blacklist of post-processing names it since 2026-11-22T00:00:00Z")

    def test_its_own_reason_says_so(self) -> None:
        action = of_exposure(self.LISTED)
        assert "It is left out of post-processing: the blacklist" in action.reason

    def test_it_is_a_person_s_wish_and_no_alert(self) -> None:
        assert wanted_alerts(snapshot(self.LISTED), POLICY, NOW) == ()

    def test_nothing_starts_for_it_alone(self) -> None:
        assert "the blacklist" in waits(self.LISTED)


class TestHeld:
    """One that is held is left out, and the run says so."""

    def test_left_out(self) -> None:
        start = started(ready(1), ready(2, held=True))
        assert start.left_out == {2: f"it is held: `desgw-daemon queue release {EXPNUM + 1}` lets it in"}


class TestNoLongerHolds:
    """What the last look has shown to be no longer good is left out, with what it lacks."""

    def test_ready_ones_leave_by_themselves_and_are_told(self) -> None:
        asked = after(minutes=4)
        subject = ready(2, ccds=settled_ccds(states_of(12, CcdState.FAILED)), recheck_asked_at=asked)
        action = of_exposure(subject)
        assert isinstance(action, Move) and action.after is ExposureState.ATTENTION
        start = started(ready(1), subject)
        assert start.exposure_ids == (1,)
        assert start.left_out[2].startswith("it no longer holds at the last look: 47 of 59 CCDs complete")

    def test_only_when_it_was_for_this_run(self) -> None:
        subject = ready(
            2,
            state=ExposureState.ATTENTION,
            ready=Ready.NO,
            reason="12 failed",
            recheck_asked_at=START,
            ccds=settled_ccds(states_of(12, CcdState.FAILED)),
        )
        last = (run(1, RunState.DONE, intent_at=after(minutes=1), started_at=after(minutes=-40)),)
        assert started(ready(1), subject).left_out == {2: "it no longer holds at the last look: 12 failed"}
        assert started(ready(1), subject, runs=last).left_out == {}

    def looked_at(self, **ccds: Any) -> Exposure:
        base = ready(2)
        asked = {"recheck_asked_at": after(minutes=1), "full_look_at": after(minutes=2)}
        return done(2, forcefiles=base.forcefiles, **({"ccds": base.ccds} | asked | ccds))

    def test_done_ones_stay_done_and_are_told(self) -> None:
        subject = self.looked_at(ccds=settled_ccds(states_of(12, CcdState.LOST)))
        start = started(ready(1), subject)
        assert start.exposure_ids == (1,)
        assert start.left_out[2].startswith("it no longer holds: 47 of 59 CCDs complete, 12 lost")

    def test_done_ones_that_hold_go_in(self) -> None:
        assert started(ready(1), self.looked_at()).exposure_ids == (1, 2)

    def test_something_new_does_not_take_the_rest_away(self) -> None:
        """One CCD of a done exposure is being done again: the other 58 are good."""
        pending = self.looked_at(ccds=settled_ccds({5: CcdState.PENDING}))
        pending = replace(pending, forcefiles=tuple(f for f in pending.forcefiles if f.ccd != 5))
        assert started(ready(1), pending).exposure_ids == (1, 2)


class TestLeftOutAtTheStart:
    """What falls away just before the start makes the run smaller; without anything new in it there is none."""

    def smaller(self, *exposures: Exposure, **more: Any) -> StartPostproc | None:
        start = started(*exposures, policy=MAKE, **more)
        return without(start, {e.id: e for e in exposures}, {2: "its folder cannot be made: EIO"})

    def test_smaller(self) -> None:
        left = self.smaller(ready(1), ready(2))
        assert left is not None
        assert (left.exposure_ids, left.expnums, left.bands) == ((1,), (EXPNUM,), ("i",))
        assert left.fingerprint == started(ready(1)).fingerprint
        assert left.left_out == {2: "its folder cannot be made: EIO"}
        assert left.reason.endswith(f"; without {EXPNUM + 1}")

    def test_nothing_new(self) -> None:
        assert self.smaller(done(1), ready(2)) is None
        assert self.smaller(ready(2)) is None

    def test_nothing_new_though_asked_for(self) -> None:
        left = self.smaller(done(1), ready(2), postproc_requests=request())
        assert left is not None and left.exposure_ids == (1,)
