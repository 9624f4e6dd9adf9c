"""Which alerts should be up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import CcdState, ExposureState, Ready, RunState, SubmissionState
from tests.decide.build import (
    EXPNUM,
    POLICY,
    SEASON,
    START,
    after,
    exposure,
    finished,
    raised_of,
    ready,
    run,
    snapshot,
    states_of,
    submission,
    submitted,
)


def up(*exposures: Exposure, now: Any = None, **values: Any) -> dict[str, AlertWanted]:
    """The alerts by their keys."""
    alerts = raised_of(snapshot(*exposures, **values), POLICY, now or after(minutes=5))
    assert len({alert.key for alert in alerts}) == len(alerts)
    return {alert.key: alert for alert in alerts}


class TestSilence:
    """What does not answer is told once it has lasted for a cycle, and no longer than it lasts."""

    @pytest.mark.parametrize("what", ["pnfs_silent", "engine_silent", "making_blocked"])
    def test_one_each(self, what: str) -> None:
        silent = {what: (START, "no answer")}
        assert up(now=after(seconds=50), **silent) == {}
        (alert,) = up(now=after(seconds=60), **silent).values()
        assert (alert.key, RULES[alert.rule].severity) == (what, "critical")
        assert "since 2026-11-22T00:00:00Z: no answer" in alert.text
        assert up() == {}


class TestCredential:
    """One that is no good is told while something waits for it; one that soon ends, before that."""

    BAD = (START, "there is no bearer token /tmp/bt")

    def test_bad(self) -> None:
        assert up(exposure(), now=after(seconds=50), credential_bad=self.BAD) == {}
        alert = up(exposure(), now=after(seconds=60), credential_bad=self.BAD)["credential"]
        assert (alert.rule, RULES[alert.rule].severity) == ("credential", "critical")
        assert "since 2026-11-22T00:00:00Z (1 exposure in line): there is no bearer token /tmp/bt" in alert.text

    def test_soon(self) -> None:
        def told(left: int) -> list[str]:
            return list(up(exposure(), credential_until=after(minutes=5 + left)))

        assert (told(45), told(44)) == ([], ["credential_soon"])
        text = up(exposure(), credential_until=after(minutes=45))["credential_soon"].text
        assert "ends at 2026-11-22T00:45:00Z: from 2026-11-22T00:15:00Z on nothing more is made" in text

    @pytest.mark.parametrize("subject", [exposure(held=True), exposure(watch_only=True), submitted()])
    def test_nothing_waits(self, subject: Exposure) -> None:
        assert up(subject, credential_bad=self.BAD) == up(subject, credential_until=after(minutes=6)) == {}


class TestAttention:
    """An exposure that needs a person is an alert of its own, with what to do, until it needs nobody any more."""

    def test_up(self) -> None:
        stuck = finished(states_of(12, CcdState.LOST), state=ExposureState.ATTENTION, reason="47 of 59: queue retry")
        (alert,) = up(stuck).values()
        assert alert.key == "exposure_attention:1"
        assert (alert.season, alert.nite, alert.expnum) == (SEASON, stuck.nite, EXPNUM)
        assert alert.text == (
            f"exposure {EXPNUM} i (season {SEASON}, nite 20261121) needs a person since 2026-11-22T00:00:00Z:"
            " 47 of 59: queue retry"
        )

    @pytest.mark.parametrize("state", sorted(set(ExposureState) - {ExposureState.ATTENTION}))
    def test_in_no_other_state(self, state: ExposureState) -> None:
        assert up(ready(state=state)) == {}


class TestFailedRun:
    """A failed run is one alert, whatever the number of its exposures, up until somebody has acted on all of them."""

    def stuck(self, number: int, **values: Any) -> Exposure:
        return ready(number, **({"state": ExposureState.ATTENTION} | values))

    @pytest.mark.parametrize("state", [RunState.FAILED, RunState.LOST])
    def test_one_alert(self, state: RunState) -> None:
        members = [self.stuck(number) for number in range(1, 9)]
        (alert,) = up(*members, runs=(run(3, state, of=members, reason="it died at step 2"),)).values()
        assert alert.key == f"postproc_failed:{SEASON}:3"
        assert "run 3 of season 2206 with 8 exposures: it died at step 2" in alert.text
        assert f"desgw-daemon postproc run --season {SEASON}" in alert.text

    def test_until_acted_on(self) -> None:
        members = [self.stuck(1), self.stuck(2)]
        failed = (run(3, RunState.FAILED, of=members),)
        assert up(members[0], ready(2), runs=failed)
        assert up(ready(1), ready(2, state=ExposureState.REMOVED), runs=failed) == {}

    def test_a_newer_run_of_others_does_not_hide_it(self) -> None:
        member, other = self.stuck(1), ready(2, state=ExposureState.DONE)
        runs = (run(3, RunState.FAILED, of=[member]), run(4, RunState.DONE, of=[other]))
        assert list(up(member, other, runs=runs)) == [f"postproc_failed:{SEASON}:3", f"postproc_done:{SEASON}:4"]

    def test_a_cause_of_its_own_afterwards(self) -> None:
        member = self.stuck(1, ready=Ready.NO)
        assert list(up(member, runs=(run(3, RunState.FAILED, of=[member]),))) == ["exposure_attention:1"]

    def test_two_runs(self) -> None:
        first, second = self.stuck(1), self.stuck(2)
        runs = (run(3, RunState.FAILED, of=[first]), run(4, RunState.LOST, of=[second]))
        assert len(up(first, second, runs=runs)) == 2


class TestSilentRun:
    """A run that stays at a step for longer than that may take is told; it is never ended."""

    @pytest.mark.parametrize(
        ("values", "silent_at"),
        [
            ({}, after(hours=2)),
            ({"step": 0, "step_at": after(hours=1)}, after(hours=3)),
            ({"step": 2, "step_at": after(hours=1)}, after(hours=9)),
            ({"step": 5, "step_at": after(hours=1)}, after(hours=9)),
            ({"step": 6, "step_at": after(hours=10)}, after(hours=12)),
        ],
    )
    def test_silent(self, values: dict[str, Any], silent_at: Any) -> None:
        live = (run(**values),)
        assert up(runs=live, now=silent_at.replace(second=0) - POLICY.poll_interval) == {}
        (alert,) = up(runs=live, now=silent_at).values()
        assert alert.key == f"postproc_silent:{SEASON}:1"
        assert "never ended by the daemon" in alert.text
        assert f"desgw-daemon postproc stop --season {SEASON}" in alert.text
        assert "None" not in alert.text

    def test_not_when_it_has_ended(self) -> None:
        assert up(runs=(run(state=RunState.DONE),), now=after(days=2)) == {}


class TestUnknownSubmissions:
    """DAGs of unknown outcome are one alert after a while; a silent queue is their cause, and told instead."""

    DOUBT = tuple(
        exposure(
            number,
            state=ExposureState.SUBMITTING,
            submissions=(submission(number, SubmissionState.UNKNOWN, as_of=None, job_id=None),),
        )
        for number in (1, 2)
    )

    def test_one_alert(self) -> None:
        assert up(*self.DOUBT, now=after(minutes=3)) == {}
        (alert,) = up(*self.DOUBT, now=after(minutes=4)).values()
        assert alert.key == "submission_unknown"
        assert f"2 submissions of unknown outcome: {EXPNUM}, {EXPNUM + 1}" in alert.text

    def test_the_queue_is_silent(self) -> None:
        alerts = up(*self.DOUBT, now=after(minutes=9), engine_silent=(START, "no answer"))
        assert list(alerts) == ["engine_silent"]

    def test_of_an_earlier_attempt(self) -> None:
        assert up(replace(self.DOUBT[0], attempt=2), now=after(minutes=9)) == {}


class TestUnseenExposures:
    """Exposures that cannot be looked at are one alert after a while; a silent /pnfs is told instead."""

    HIDDEN = tuple(
        replace(submitted(number), unseen_since=START, unseen_problem="i_05: Input/output error") for number in (1, 2)
    )

    def test_one_alert(self) -> None:
        assert up(*self.HIDDEN, now=after(minutes=29)) == {}
        (alert,) = up(*self.HIDDEN, now=after(minutes=30)).values()
        assert alert.key == "exposures_unseen"
        assert alert.text.startswith(
            f"2 exposures cannot be looked at on /pnfs since 2026-11-22T00:00:00Z or later: {EXPNUM}, {EXPNUM + 1}."
            " The first: i_05: Input/output error"
        )

    def test_pnfs_is_silent(self) -> None:
        alerts = up(*self.HIDDEN, now=after(hours=1), pnfs_silent=(START, "no answer"))
        assert list(alerts) == ["pnfs_silent"]

    def test_what_nobody_looks_at_any_more(self) -> None:
        assert up(replace(self.HIDDEN[0], state=ExposureState.DONE), now=after(hours=1)) == {}


class TestWaitsThatShouldHavePassed:
    """What should pass by itself and does not is told after an hour: one alert for each cause."""

    INTENT = exposure(
        state=ExposureState.SUBMITTING,
        submissions=(submission(state=SubmissionState.INTENT, job_id=None, reason="no valid token"),),
    )

    def test_a_dag_that_is_not_taken(self) -> None:
        assert up(self.INTENT, now=after(minutes=59)) == {}
        (alert,) = up(self.INTENT, now=after(minutes=60)).values()
        assert alert.key == "submission_waits"
        assert f"The first, {EXPNUM}: no valid token. It is tried again" in alert.text

    @pytest.mark.parametrize(
        ("values", "also"),
        [
            ({"engine_silent": (START, "no answer")}, ["engine_silent"]),
            ({"paused": True, "paused_reason": "disk full", "paused_since": START}, ["paused"]),
        ],
    )
    def test_a_dag_that_is_not_taken_for_a_known_cause(self, values: dict[str, Any], also: list[str]) -> None:
        assert list(up(self.INTENT, now=after(hours=2), **values)) == also
        assert up(replace(self.INTENT, held=True), now=after(hours=2)) == {}

    @pytest.mark.parametrize("state", [ExposureState.PROCESSING, ExposureState.ATTENTION, ExposureState.DONE])
    def test_a_dag_that_never_ends(self, state: ExposureState) -> None:
        endless = ready(state=state, ready=Ready.NO, submissions=(submission(),))
        assert "dag_overdue" not in up(endless, now=after(hours=71))
        alert = up(endless, now=after(hours=72))["dag_overdue"]
        assert f"`desgw-daemon queue remove --dag {EXPNUM}` ends one" in alert.text

    def test_data_that_do_not_come(self) -> None:
        waiting = exposure(nite=None, band=None)
        assert up(waiting, now=after(minutes=59)) == {}
        assert list(up(waiting, now=after(minutes=61))) == ["no_data"]
        blocked = up(waiting, now=after(minutes=61), making_blocked=(START, "the workflow folder is away"))
        assert list(blocked) == ["making_blocked"]

    def test_a_pause_that_was_forgotten(self) -> None:
        paused = {"paused": True, "paused_reason": "disk full (by observer)", "paused_since": START}
        assert up(now=after(minutes=59), **paused) == {}
        (alert,) = up(now=after(hours=1), **paused).values()
        assert "paused since 2026-11-22T00:00:00Z: disk full (by observer). `desgw-daemon resume`" in alert.text
