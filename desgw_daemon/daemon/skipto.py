"""The SKIPTO of a season's next run: what is written down of its runs, and what lies in the Post-Processing folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from desgw_daemon.config.model import Config
from desgw_daemon.decide.evidence import NextRun
from desgw_daemon.decide.skipto import SkiptoChoice, as_upstream, by_evidence, choose_skipto
from desgw_daemon.domain.facts import PostprocEvidence
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.observe.door import DIRECT, Way
from desgw_daemon.observe.postproc_evidence import read_evidence

#: Tables and folders of a whole season may take so many times as long as other questions.
_MANY_FILES: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The choice, what it rests on, and what the older automation would have chosen, with why."""

    choice: SkiptoChoice
    evidence: PostprocEvidence
    upstream: tuple[int, str]


def weigh(
    config: Config,
    policy: Policy,
    runs: Sequence[PostprocRun],
    *,
    season: int,
    members: Sequence[Exposure],
    fingerprint: str,
    forced: int | None = None,
    asked_by: str | None = None,
    way: Way = DIRECT,
) -> Weighed:
    """At which step a run of these exposures is to start: computed, or forced by a person.

    What is forced is taken as it is; what the evidence says is written down all the same. way: to Post-Processing.
    """
    coming = NextRun(
        season=season,
        fingerprint=fingerprint,
        exposures=tuple((e.expnum, e.nite or "", e.band or "") for e in members),
        results_at=_results_at(members),
    )
    read = partial(
        read_evidence,
        config.paths.postprocessing,
        [run.folder for run in sorted(runs, key=lambda run: run.number) if run.season == season],
        season,
        template=config.postproc_template,
        pnfs=config.paths.pnfs,
    )
    evidence = way.ask(read, patience=_MANY_FILES)
    if forced is None:
        choice = choose_skipto(runs, coming, evidence, policy)
    else:
        computed = by_evidence(runs, coming, evidence, policy)
        said = f"asked for by {asked_by}, whatever the evidence says: SKIPTO {computed.skipto} ({computed.reason})"
        choice = SkiptoChoice(skipto=forced, reason=said, rows=computed.rows)
    return Weighed(choice=choice, evidence=evidence, upstream=as_upstream(evidence))


def rows_to_keep(choice: SkiptoChoice) -> list[dict[str, Any]]:
    """The rows as they are kept with the run, and printed for programs."""
    return [{**asdict(row), "files": list(row.files)} for row in choice.rows]


def _results_at(members: Sequence[Exposure]) -> datetime | None:
    """When the newest forcephoto file was written, as far as these are known here."""
    newest = max((file.mtime for exposure in members for file in exposure.forcefiles), default=None)
    return None if newest is None else datetime.fromtimestamp(newest, UTC)
