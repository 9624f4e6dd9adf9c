"""Alerts about a night as a whole: hosts, steps, lost CCDs, leftovers, what stalls, what needs a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.decide.alerts import wanted_alerts
from desgw_daemon.decide.attention_alerts import why_in_attention
from desgw_daemon.decide.failure_alerts import failure_alerts
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.names import NOOVERLAPS
from desgw_daemon.domain.nightfacts import Failures, Leftover, NightFacts, Pace
from desgw_daemon.domain.snapshot import NO_TEMPLATE, Exposure
from desgw_daemon.domain.states import CcdState, ExposureState, MakingState, RunState, SubmissionState
from tests.decide.build import (
    EXPNUM,
    NITE,
    POLICY,
    SEASON,
    START,
    after,
    exposure,
    making,
    raised_of,
    ready,
    run,
    snapshot,
    submission,
    submitted,
)

STEP = "RUN18_combined+expose_hotpants.FAIL"


def up(*exposures: Exposure, now: datetime | None = None, **values: Any) -> dict[str, AlertWanted]:
    """The alerts by their keys; names of NightFacts are its values."""
    facts = {name: values.pop(name) for name in ("failures", "complete", "paces", "leftovers") if name in values}
    whole = replace(snapshot(*exposures, **values), facts=NightFacts(**facts))
    alerts = raised_of(whole, POLICY, now or after(hours=1))
    assert len({alert.key for alert in alerts}) == len(alerts)
    return {alert.key: alert for alert in alerts}


def failed(count: int, number: int = 1, **values: Any) -> Failures:
    """So many CCDs of the exposure of that number."""
    known: dict[str, Any] = {
        "exposure_id": number,
        "season": SEASON,
        "nite": NITE,
        "expnum": EXPNUM + number - 1,
        "over": False,
        "state": CcdState.FAILED,
        "step": STEP,
        "host": f"fnpc{number}.fnal.gov",
        "newest": START,
    }
    return Failures(count=count, **(known | values))


def spread(hosts: int, each: int, **values: Any) -> tuple[Failures, ...]:
    """So many failures on each of so many hosts, an exposure a host."""
    return tuple(failed(each, number, **values) for number in range(1, hosts + 1))


class TestHostFailures:
    """CCDs that fail or are lost on one host are one alert, with their number, whatever they failed at."""

    def test_many(self) -> None:
        failures = (
            failed(7, 1, host="slot1_3@bad.gov"),
            failed(4, 2, host="slot2@bad.gov", state=CcdState.LOST, step=None),
        )
        (alert,) = up(failures=failures).values()
        assert (alert.key, alert.rule) == ("host_failures:bad.gov", "host_failures")
        assert "11 CCDs of 2 exposures: 1200201, 1200202 failed or were lost on the host bad.gov" in alert.text
        assert "7 at RUN18_combined+expose_hotpants, 4 at no step" in alert.text

    def test_few(self) -> None:
        assert up(failures=spread(3, 5)) == {}

    def test_it_swallows_the_step(self) -> None:
        """37 CCDs on one host at one step are one cause."""
        assert list(up(failures=(failed(37),))) == ["host_failures:fnpc1.fnal.gov"]
        assert list(up(failures=(failed(37), failed(5, 2)))) == ["host_failures:fnpc1.fnal.gov"]

    def test_it_swallows_what_it_has_lost(self) -> None:
        lost: dict[str, Any] = {"state": CcdState.LOST, "step": None}
        assert list(up(failures=(failed(12, **lost),))) == ["host_failures:fnpc1.fnal.gov"]
        assert len(up(failures=(failed(12, **lost), failed(2, 2, **lost)))) == 2

    def test_no_more_come(self) -> None:
        assert up(failures=(failed(30),), now=after(hours=5.9))
        assert up(failures=(failed(30),), now=after(hours=6)) == {}


class TestStepFailures:
    """CCDs of a nite that fail at one step on many hosts are one alert, and none for each host."""

    def test_many(self) -> None:
        (alert,) = up(failures=spread(5, 12)).values()
        assert (alert.key, alert.rule) == (
            f"step_failures:{SEASON}:{NITE}:RUN18_combined+expose_hotpants",
            "step_failures",
        )
        assert f"60 CCDs of nite {NITE} failed at RUN18_combined+expose_hotpants (5 exposures: " in alert.text

    def test_few(self) -> None:
        assert up(failures=spread(9, 2)) == {}
        assert next(iter(up(failures=spread(10, 2)))).startswith("step_failures")

    def test_hosts_that_nobody_knows(self) -> None:
        assert next(iter(up(failures=(failed(25, host=None),)))).startswith("step_failures")

    def test_each_step_and_nite(self) -> None:
        other = spread(5, 4, step="RUN05_expose.FAIL")
        assert len(up(failures=(*spread(5, 4), *other, *spread(5, 4, nite="20261122")))) == 3

    def test_no_overlap_is_no_failure(self) -> None:
        assert up(failures=spread(9, 9, step=NOOVERLAPS)) == {}


FAILURES = st.lists(
    st.builds(
        failed,
        st.integers(1, 59),
        st.integers(1, 6),
        host=st.sampled_from(["a.gov", "slot1@a.gov", "b.gov", None]),
        step=st.sampled_from([STEP, "RUN05_expose.FAIL", NOOVERLAPS, None]),
        state=st.sampled_from([CcdState.FAILED, CcdState.LOST]),
        nite=st.sampled_from([NITE, "20261122"]),
        over=st.booleans(),
    ),
    max_size=12,
)


class TestEachCcdOnce:
    """Whatever fails, no CCD is in two alerts."""

    @given(FAILURES)
    def test_any_night(self, failures: list[Failures]) -> None:
        whole = replace(snapshot(), facts=NightFacts(failures=tuple(failures)))
        found = failure_alerts(whole, POLICY, after(hours=1))
        assert len({alert.key for alert in found.alerts}) == len(found.alerts)
        told = sum(int(alert.text.split()[0]) for alert in found.alerts)
        assert told == sum(found.ccds.values())
        for number, count in found.ccds.items():
            assert count <= sum(failure.count for failure in failures if failure.exposure_id == number)


class TestCcdsLost:
    """What a nite has lost is one alert, until its exposures are done, tried again or removed."""

    LOST = (failed(2, 1, state=CcdState.LOST, step=None, host=None), failed(1, 2, state=CcdState.LOST, step=None))

    def test_up(self) -> None:
        (alert,) = up(failures=self.LOST).values()
        assert (alert.key, alert.rule) == (f"ccds_lost:{SEASON}:{NITE}", "ccds_lost")
        assert f"3 CCDs of nite {NITE} left no sign (2 exposures: 1200201, 1200202)" in alert.text

    def test_days_later(self) -> None:
        assert up(failures=self.LOST, now=after(days=3))

    def test_over(self) -> None:
        assert up(failures=tuple(replace(failure, over=True) for failure in self.LOST)) == {}

    def test_those_that_need_a_person(self) -> None:
        """They are in this alert, and in no other."""
        stuck = exposure(state=ExposureState.ATTENTION)
        (alert,) = up(stuck, failures=(replace(self.LOST[0], count=12),), complete={1: 47}).values()
        assert alert.rule == "ccds_lost"
        assert "Too few are complete of 1 exposure, for a person to decide (1200201)" in alert.text

    def test_it_is_not_all(self) -> None:
        """With other troubles besides it needs a person for these, too."""
        stuck = exposure(state=ExposureState.ATTENTION)
        assert len(up(stuck, failures=(replace(self.LOST[0], count=2),), complete={1: 40})) == 2


class TestExposureAttention:
    """Exposures that need a person are one alert for each reason; those of another alert are in that one."""

    def broken(self, number: int, reason: str, **values: Any) -> Exposure:
        made = (making(number, MakingState.FAILED, reason=reason),)
        return exposure(number, state=ExposureState.ATTENTION, makings=made, reason=f"DAGMaker: {reason}", **values)

    def test_one_a_reason(self) -> None:
        many = [self.broken(number, f"exit code 1 after {number} s") for number in range(1, 61)]
        alerts = up(*many, self.broken(61, "it left no DAG"))
        assert set(alerts) == {
            "exposure_attention:dagmaker:exit-code-1-after-s",
            "exposure_attention:dagmaker:it-left-no-dag",
        }
        text = alerts["exposure_attention:dagmaker:exit-code-1-after-s"].text
        assert text.startswith(
            "60 exposures need a person since 2026-11-22T00:00:00Z, all for the same cause: 1200201,"
        )

    def test_exit_codes_tell_causes_apart(self) -> None:
        assert len(up(self.broken(1, "exit code 1"), self.broken(2, "exit code 2"), self.broken(3, "exit code 2"))) == 2

    def test_one_exposure(self) -> None:
        (alert,) = up(self.broken(1, "it left no DAG")).values()
        assert (alert.season, alert.nite, alert.expnum) == (SEASON, NITE, EXPNUM)
        assert alert.text.startswith("exposure 1200201 i (season 2206, nite 20261121) needs a person since")

    def test_too_few_ccds(self) -> None:
        stuck = [exposure(n, state=ExposureState.ATTENTION, reason="40 of 59") for n in (1, 2)]
        (alert,) = up(*stuck, complete={1: 40, 2: 41}).values()
        assert alert.key == f"exposure_attention:ccds:{SEASON}:{NITE}" and alert.expnum is None

    def test_in_the_alert_of_a_host(self) -> None:
        stuck = exposure(state=ExposureState.ATTENTION, reason="40 of 59")
        (alert,) = up(stuck, complete={1: 40}, failures=(failed(19),)).values()
        assert alert.rule == "host_failures" and "for a person to decide (1200201)" in alert.text

    def test_an_old_attempt_is_not_the_cause(self) -> None:
        stuck = exposure(attempt=2, state=ExposureState.ATTENTION, makings=(making(),), reason="x")
        assert why_in_attention(snapshot(stuck), stuck, POLICY) == "other"


class TestNoTemplates:
    """Exposures without templates are one alert a nite, and no other."""

    def test_one(self) -> None:
        reason = f"{NO_TEMPLATE}: difference imaging would fail"
        stuck = [
            exposure(n, state=ExposureState.ATTENTION, makings=(making(n, MakingState.FAILED, reason=reason),))
            for n in range(1, 7)
        ]
        (alert,) = up(*stuck).values()
        assert (alert.rule, alert.key) == ("no_templates", f"no_templates:{SEASON}:{NITE}")
        assert "no template for 6 exposures" in alert.text and "1200205 and 1 more" in alert.text


class TestSubmissionRejected:
    """Refused DAGs are one alert a cause, and no other."""

    def test_one(self) -> None:
        stuck = [
            exposure(
                n,
                state=ExposureState.ATTENTION,
                makings=(making(n),),
                submissions=(submission(n, SubmissionState.REJECTED, job_id=None),),
                reason="its DAG was refused: bad group",
            )
            for n in (1, 2, 3)
        ]
        (alert,) = up(*stuck).values()
        assert (alert.rule, alert.key) == ("submission_rejected", "submission_rejected:refused")
        assert "3 DAGs refused since" in alert.text and "bad group" in alert.text


def leftover(kind: Any, number: int = 1, **values: Any) -> Leftover:
    known: dict[str, Any] = {
        "exposure_id": number,
        "season": SEASON,
        "nite": NITE,
        "expnum": EXPNUM + number - 1,
        "count": 2,
        "since": START,
        "example": "a.fits",
    }
    return Leftover(kind=kind, **(known | values))


class TestSurplusFiles:
    """Surplus files are told when they stay; at once when an exposure waits for them, in this alert alone."""

    def test_when_they_stay(self) -> None:
        found = (leftover("surplus"),)
        assert up(ready(), leftovers=found, now=after(hours=1.9)) == {}
        (alert,) = up(ready(), leftovers=found, now=after(hours=2)).values()
        assert alert.key == f"surplus_files:{SEASON}" and "2 surplus forcephoto files of 1 exposure" in alert.text

    def test_an_exposure_waits(self) -> None:
        stuck = ready(state=ExposureState.ATTENTION, forcefiles_surplus=("a.fits",), ready="no")
        (alert,) = up(stuck, leftovers=(leftover("surplus"),), complete={1: 59}, now=after(minutes=1)).values()
        assert alert.rule == "surplus_files" and "Waiting for that: 1 exposure (1200201)" in alert.text


class TestZeroSizeFiles:
    """Files of size 0 are told when they stay, once for a season."""

    def test_when_they_stay(self) -> None:
        found = (leftover("forcefile"), leftover("tarball", 2))
        assert up(leftovers=found, now=after(hours=1.9)) == {}
        (alert,) = up(leftovers=found, now=after(hours=2)).values()
        assert alert.key == f"zero_size_files:{SEASON}" and "4 files of 2 exposures (1200201, 1200202)" in alert.text

    def test_an_exposure_waits(self) -> None:
        """Then at once, and in this alert alone."""
        stuck = [exposure(1, state=ExposureState.ATTENTION), exposure(2, state=ExposureState.ATTENTION)]
        lacking = replace(stuck[1], forcefiles_expected=118, forcefiles_found=20)
        found = (leftover("tarball", count=12), leftover("forcefile", 2, count=98))
        (alert,) = up(stuck[0], lacking, leftovers=found, complete={1: 47, 2: 59}, now=after(minutes=1)).values()
        assert alert.rule == "zero_size_files" and "Waiting for that: 2 exposures (1200201, 1200202)" in alert.text


def pace(number: int, **values: Any) -> Pace:
    known: dict[str, Any] = {
        "exposure_id": number,
        "season": SEASON,
        "nite": NITE,
        "submitted_at": START,
        "first": START + timedelta(minutes=30),
        "newest": START + timedelta(minutes=40),
        "longest": timedelta(minutes=4),
        "ended": 20,
    }
    return Pace(**(known | values))


class TestExposureStalled:
    """A running DAG without a new CCD for five times the longest wait of its nite has stalled."""

    def seen(self, number: int, minutes: float, **values: Any) -> Exposure:
        return submitted(number, as_of=after(minutes=minutes), **values)

    def test_factor(self) -> None:
        paces = (pace(1), pace(2))
        assert up(self.seen(1, 190), paces=paces, now=after(hours=9)) == {}
        (alert,) = up(self.seen(1, 191), self.seen(2, 191), paces=paces, now=after(hours=9)).values()
        assert alert.key == f"exposure_stalled:{SEASON}:{NITE}"
        assert "2 exposures of nite 20261121: 1200201, 1200202" in alert.text and "was 30 min" in alert.text

    def test_the_first_ccd(self) -> None:
        """Where nobody knows yet how long it takes it has five hours."""
        assert up(self.seen(1, 300), now=after(hours=9)) == {}
        assert up(self.seen(1, 301), now=after(hours=9))

    def test_quick_nites(self) -> None:
        """A few minutes are no time, however quick the others were."""
        quick = pace(1, first=START, newest=START, longest=timedelta(seconds=1))
        assert up(self.seen(1, 50), paces=(quick,), now=after(hours=9)) == {}
        assert up(self.seen(1, 51), paces=(quick,), now=after(hours=9))

    @pytest.mark.parametrize(
        "subject",
        [
            submitted(1, SubmissionState.QUEUED, as_of=after(days=1)),
            submitted(1, SubmissionState.UNKNOWN, as_of=after(days=1)),
            submitted(1, SubmissionState.DONE, as_of=after(days=1)),
            submitted(1, as_of=None),
            submitted(1, as_of=after(days=1), submissions=(submission(held_since=START),)),
            submitted(1, as_of=after(days=1), submissions=()),
        ],
    )
    def test_others(self, subject: Exposure) -> None:
        alerts = up(subject, paces=(pace(1),), now=after(days=1))
        assert not any(key.startswith("exposure_stalled") for key in alerts)

    def test_all_of_them_have_ended(self) -> None:
        assert up(self.seen(1, 1000), paces=(pace(1, ended=59),), now=after(days=1)) == {}

    def test_the_mount_is_down(self) -> None:
        """It is no news then, and does not end either."""
        alerts = up(self.seen(1, 191), paces=(pace(1),), now=after(hours=4), pnfs_silent=(after(hours=3), "hangs"))
        assert list(alerts) == ["pnfs_silent"]
        assert up(self.seen(1, 100), paces=(pace(1),), now=after(hours=4)) == {}


class TestIdleNight:
    """Nothing has happened for hours although exposures are in line."""

    def test_up(self) -> None:
        waiting = exposure(reason="nobody knows")
        assert up(waiting, now=after(hours=1.9)) == {}
        whole = snapshot(waiting)
        (alert,) = wanted_alerts(whole, POLICY, after(hours=2, seconds=1))
        assert alert.rule == "idle_night" and RULES["idle_night"].severity == "critical"
        assert "since 2026-11-22T00:00:01Z" in alert.text and "1 exposure in line: 1200201" in alert.text

    @pytest.mark.parametrize(
        "subject",
        [exposure(held=True), exposure(watch_only=True), submitted(), ready(), exposure(news_at=after(hours=5))],
    )
    def test_nothing_waits_or_something_happens(self, subject: Exposure) -> None:
        alerts = wanted_alerts(snapshot(subject), POLICY, after(hours=6))
        assert not any(alert.rule == "idle_night" for alert in alerts)

    def test_its_delay(self) -> None:
        """A daemon that starts in the morning after finds an old queue, and begins with it."""
        assert RULES["idle_night"].after >= timedelta(minutes=10)


class TestPostprocDone:
    """The newest run of a season that ended well is told as good news, for some hours."""

    def test_up(self) -> None:
        runs = (run(1, RunState.DONE, ended_at=START), run(2, RunState.DONE, ended_at=after(hours=1), reason="exit 0"))
        (alert,) = up(runs=runs, now=after(hours=2)).values()
        assert alert.key == f"postproc_done:{SEASON}:2" and RULES[alert.rule].severity == "info"
        assert "has ended well at 2026-11-22T01:00:00Z: exit 0" in alert.text
        assert up(runs=runs, now=after(hours=7)) == {}

    def test_a_newer_one_goes_on(self) -> None:
        assert up(runs=(run(1, RunState.DONE, ended_at=START), run(2, started_at=START))) == {}


class TestCatalogue:
    """No rule is its own cause, not by others either: two that mute each other would both be told to nobody."""

    def test_no_circles(self) -> None:
        def below(name: str, seen: tuple[str, ...]) -> None:
            assert name not in seen, (*seen, name)
            for cause in RULES[name].muted_by:
                below(cause, (*seen, name))

        for name in RULES:
            below(name, ())
