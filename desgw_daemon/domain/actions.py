"""What a plan consists of. Each action carries its reason in words; waiting is an action too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from desgw_daemon.domain.states import ExposureState, Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to do for this exposure now, and why; what comes next.

    waits_for: the exposures whose DAGs must end first, by number, where it waits for single ones.
    """

    exposure_id: int
    expnum: int
    reason: str
    waits_for: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"wait {self.expnum}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Change the state of an exposure (and what is shown of its readiness)."""

    exposure_id: int
    expnum: int
    before: ExposureState
    after: ExposureState
    ready: Ready
    reason: str

    def __str__(self) -> str:
        return f"move {self.expnum} {self.before} -> {self.after}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDag:
    """Run DAGMaker for an exposure."""

    exposure_id: int
    expnum: int
    attempt: int
    reason: str

    def __str__(self) -> str:
        return f"make {self.expnum}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitDag:
    """Submit the DAG that DAGMaker has made."""

    exposure_id: int
    expnum: int
    attempt: int
    reason: str

    def __str__(self) -> str:
        return f"submit {self.expnum}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Ask the engine what became of a submission whose outcome is not known, and act on the answer."""

    exposure_id: int
    expnum: int
    submission_id: int
    reason: str

    def __str__(self) -> str:
        return f"reconcile {self.expnum}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """Look once more at every CCD and forcefile of an exposure in the next tick."""

    exposure_id: int
    expnum: int
    reason: str

    def __str__(self) -> str:
        return f"recheck {self.expnum}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshExposures:
    """Have exposures.list written anew."""

    reason: str

    def __str__(self) -> str:
        return f"refresh exposures.list: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPostproc:
    """Start post-processing of a season with these exposures. SKIPTO is computed just before the start.

    left_out: what was ready and does not go in, with its reason, by exposure id. make_folders: the CCDs whose empty
    folder is to be made before the start, by exposure id. retry_of: id of the failed run that is tried again.
    """

    season: int
    exposure_ids: tuple[int, ...]
    expnums: tuple[int, ...]
    bands: tuple[str, ...]
    fingerprint: str
    request_id: int | None
    asked_by: str | None
    forced_skipto: int | None
    reason: str
    left_out: Mapping[int, str] = field(default_factory=dict)
    make_folders: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    retry_of: int | None = None

    def __str__(self) -> str:
        return f"postproc {self.season}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPostproc:
    """Take up the start of a run that is written down and was not carried out to its end."""

    run_id: int
    season: int
    number: int
    reason: str

    def __str__(self) -> str:
        return f"launch {self.season} run {self.number}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitSeason:
    """Post-processing of a season does not start now, and why."""

    season: int
    reason: str

    def __str__(self) -> str:
        return f"wait season {self.season}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertWanted:
    """An alert that should be up now. key tells one root cause from another; text says what to do.

    rule: a name of the catalogue, which says how grave it is. since: when the cause began, where that is known; else it
    is when this was first wanted.
    """

    key: str
    rule: str
    text: str
    since: datetime | None = None
    season: int | None = None
    nite: str | None = None
    expnum: int | None = None


Action = (
    Wait
    | Move
    | MakeDag
    | SubmitDag
    | Reconcile
    | Recheck
    | RefreshExposures
    | StartPostproc
    | LaunchPostproc
    | WaitSeason
)
