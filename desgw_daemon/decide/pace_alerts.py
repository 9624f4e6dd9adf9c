"""Alerts about what does not go on: exposures of which no CCD comes any more, a night in which nothing happens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.decide.words import at, plural, some, span
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.decam import EXPECTED_CCDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import IN_FLIGHT, ExposureState, SubmissionState

#: States in which an exposure waits to be made or submitted.
_IN_LINE: Final = (ExposureState.QUEUED, ExposureState.MAKING, ExposureState.SUBMITTING)


def pace_alerts(snapshot: Snapshot, policy: Policy, now: datetime) -> Iterator[AlertWanted]:
    """One alert for each nite that has stalled exposures, and one for a night without any news."""
    yield from _stalled(snapshot, policy, now)
    yield from _idle(snapshot, policy, now)


def _stalled(snapshot: Snapshot, policy: Policy, now: datetime) -> Iterator[AlertWanted]:
    """Judged by the last look that saw everything: what cannot be seen has not stalled because of that."""
    paces = {pace.exposure_id: pace for pace in snapshot.facts.paces}
    longest = _longest_waits(snapshot, policy)
    stalled: defaultdict[tuple[int, str | None], list[tuple[Exposure, datetime]]] = defaultdict(list)
    for exposure in snapshot.exposures:
        submission = exposure.own_submission
        if exposure.state is not ExposureState.PROCESSING or exposure.as_of is None:
            continue
        if submission is None or submission.state is not SubmissionState.RUNNING or submission.held_since is not None:
            continue
        pace = paces.get(exposure.id)
        if pace is not None and pace.ended >= EXPECTED_CCDS:
            continue
        night = (exposure.season, exposure.nite)
        news = max(submission.submitted_at or submission.intent_at, pace.newest if pace else exposure.since)
        # A look that finds nothing new is as good as one that does.
        if min(now, exposure.as_of) - news > longest.get(night, policy.first_pace) * policy.alerts.stalled_factor:
            stalled[night].append((exposure, news))
    for (season, nite), found in stalled.items():
        first, news = min(found, key=lambda entry: entry[1])
        known = longest.get((season, nite))
        usual = f"the longest wait of this nite was {span(known)}" if known else "none of this nite has had one yet"
        dag = first.own_submission
        yield AlertWanted(
            key=f"exposure_stalled:{season}:{nite}",
            rule="exposure_stalled",
            season=season,
            nite=nite,
            text=f"no CCD has come to its end of {plural(len(found), 'exposure')} of nite {nite}:"
            f" {some(str(exposure.expnum) for exposure, _ in found)}. The first, {first.expnum}, has had none since"
            f" {at(news)}; {usual}. Look at its jobs in the queue ({dag.job_id if dag else 'no id'}):"
            f" `desgw-daemon status {first.expnum}`; `desgw-daemon queue remove --dag {first.expnum}` ends them",
        )


def _longest_waits(snapshot: Snapshot, policy: Policy) -> dict[tuple[int, str | None], timedelta]:
    """For a CCD, by nite, no less than what counts as quiet anyway."""
    floor = 2 * max(policy.settle, policy.poll_interval)
    longest: dict[tuple[int, str | None], timedelta] = {}
    for pace in snapshot.facts.paces:
        nite = (pace.season, pace.nite)
        longest[nite] = max(longest.get(nite, floor), pace.longest_wait)
    return longest


def _idle(snapshot: Snapshot, policy: Policy, now: datetime) -> Iterator[AlertWanted]:
    """Exposures are in line, and nothing has been made, submitted, seen or ended for long."""
    waiting = [e for e in snapshot.exposures if e.state in _IN_LINE and not e.held and not e.watch_only]
    if not waiting:
        return
    last = max(_news(snapshot))
    if now - last < policy.alerts.idle_after:
        return
    flying = sum(s.state in IN_FLIGHT for e in snapshot.exposures for s in e.submissions)
    yield AlertWanted(
        key="idle_night",
        rule="idle_night",
        text=f"nothing was made, submitted, seen or ended since {at(last)}, with"
        f" {plural(len(waiting), 'exposure')} in line: {some(str(e.expnum) for e in waiting)}"
        f" ({plural(flying, 'DAG')} in flight). `desgw-daemon plan` says what each waits for;"
        f" {waiting[0].expnum}: {waiting[0].reason}",
    )


def _news(snapshot: Snapshot) -> Iterator[datetime]:
    """When something happened."""
    for exposure in snapshot.exposures:
        yield from (exposure.news_at, exposure.since, exposure.queued_at)
        for making in exposure.makings:
            yield from _known(making.intent_at, making.ended_at)
        for submission in exposure.submissions:
            yield from _known(submission.intent_at, submission.submitted_at, submission.ended_at)
    for tried in snapshot.tries:
        yield from _known(tried.started_at, tried.ended_at)
    for run in snapshot.runs:
        yield from _known(run.intent_at, run.started_at, run.step_at, run.ended_at)


def _known(*times: datetime | None) -> Iterator[datetime]:
    return (time for time in times if time is not None)
