"""What is written down, as values: the only thing that decide looks at.

Times are aware UTC datetimes. Ids are the database's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from desgw_daemon.domain.checkup import Checkup
from desgw_daemon.domain.facts import Stuck
from desgw_daemon.domain.messages import Undelivered
from desgw_daemon.domain.names import ExposureKey
from desgw_daemon.domain.nightfacts import NightFacts
from desgw_daemon.domain.runs import PostprocRequest, PostprocRun, Refresh
from desgw_daemon.domain.states import (
    CcdState,
    ExposureState,
    Ready,
)
from desgw_daemon.domain.submissions import DagNode, ForeignDag, Making, Submission, SubmitTry
from desgw_daemon.domain.vitals import Vitals

#: What is wrong with a DAG that was made without any template, in a making's reason.
NO_TEMPLATE: Final = "there is no template exposure for it"
#: Reason of a CCD without a folder; it begins so, whatever follows.
NO_FOLDER: Final = "it has no folder on /pnfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ccd:
    """One CCD of one exposure: its state, the signs it rests on, and when they were seen.

    fails: the FAIL files that count, lowest step first. stale: those that an older attempt left.
    tarball_size: bytes; None without a tarball of its own.
    pair_at: when its non-empty .fits and .psf forcefiles had both been seen for the first time; None for a pair that
    is older than its tarball.
    changed_at: when its signs last changed, as seen by us. looks: looks in a row with the same signs.
    settled_at: since when there is nothing more to wait for; None while there is.
    as_of: the last time its folder was really seen.
    """

    exposure_id: int
    ccd: int
    state: CcdState = CcdState.PENDING
    step: str | None = None
    fails: tuple[str, ...] = ()
    fail_stats: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    job: str | None = None
    host: str | None = None
    tarball_size: int | None = None
    tarball_mtime: float | None = None
    foreign: tuple[str, ...] = ()
    pair_at: datetime | None = None
    changed_at: datetime | None = None
    looks: int = 0
    settled_at: datetime | None = None
    reason: str | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forcefile:
    """One file of an exposure's forcephoto folder; size in bytes, mtime in seconds since the epoch.

    ccd, band and kind are None when the name does not tell them.
    """

    exposure_id: int
    name: str
    ccd: int | None
    band: str | None
    kind: str | None
    size: int
    mtime: float
    first_seen: datetime
    #: When it was first seen with bytes in it.
    whole_at: datetime | None
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One exposure of the queue, with what is known of its CCDs and forcefiles.

    nite and band are None while exposures.list does not know the exposure and nobody has said them.
    since: when its state last changed. news_at: when anything about it last changed.
    folders_at: last look at its dpSEASON folder that found it; forcefiles_at: last one at its forcephoto
    folder;
    full_look_at: end of the last look at every CCD and forcefile; as_of: last look at all that was asked for.
    """

    id: int
    season: int
    expnum: int
    nite: str | None
    band: str | None
    state: ExposureState
    reason: str
    since: datetime
    queued_at: datetime
    held: bool = False
    hold_reason: str | None = None
    watch_only: bool = False
    priority: int = 0
    attempt: int = 1
    ready: Ready = Ready.NO
    news_at: datetime
    folders_at: datetime | None = None
    forcefiles_at: datetime | None = None
    full_look_at: datetime | None = None
    recheck_asked_at: datetime | None = None
    as_of: datetime | None = None
    unseen_since: datetime | None = None
    unseen_problem: str | None = None
    #: The last look at it, when that one hung.
    hung_at: datetime | None = None
    #: Since when exposures.list, which could be read, is known to have no line for it.
    unlisted_since: datetime | None = None
    #: Since when the blacklist of post-processing names it.
    blacklisted_since: datetime | None = None
    #: In what the queue and /pnfs do not say the same, and since when.
    disagreement: str | None = None
    disagreement_since: datetime | None = None
    forcefiles_expected: int = 0
    forcefiles_found: int = 0
    forcefiles_missing: tuple[str, ...] = ()
    forcefiles_surplus: tuple[str, ...] = ()
    ccds: tuple[Ccd, ...] = ()
    forcefiles: tuple[Forcefile, ...] = ()
    makings: tuple[Making, ...] = ()
    submissions: tuple[Submission, ...] = ()
    #: The jobs of the present attempt's DAG, once it has ended; loaded with the CCDs.
    nodes: tuple[DagNode, ...] = ()

    @property
    def key(self) -> ExposureKey | None:
        """Its place on /pnfs, once nite and band are known."""
        if self.nite is None or self.band is None:
            return None
        return ExposureKey(season=self.season, nite=self.nite, expnum=self.expnum, band=self.band)

    @property
    def label(self) -> str:
        """The exposure as people call it."""
        return f"{self.expnum} {self.band or '?'} (season {self.season}, nite {self.nite or 'unknown'})"

    @property
    def submission(self) -> Submission | None:
        """The newest attempt, if one was made."""
        return self.submissions[-1] if self.submissions else None

    @property
    def own_submission(self) -> Submission | None:
        """The submission of the present attempt; None when it has none (yet), or somebody else submitted it."""
        submission = self.submission
        return submission if submission is not None and submission.attempt == self.attempt else None

    @property
    def making(self) -> Making | None:
        """The newest run of DAGMaker, if there was one."""
        return self.makings[-1] if self.makings else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that a plan is computed from."""

    exposures: tuple[Exposure, ...] = ()
    runs: tuple[PostprocRun, ...] = ()
    paused: bool = False
    paused_reason: str | None = None
    paused_since: datetime | None = None
    #: Seasons for which a person asked for post-processing, with the wish's id and forced SKIPTO.
    postproc_requests: Mapping[int, PostprocRequest] = field(default_factory=dict)
    #: Since when, and why, nothing can be made (the set-up script fails, the workflow folder is away).
    making_blocked: tuple[datetime, str] | None = None
    #: Since when, and why, /pnfs has not answered.
    pnfs_silent: tuple[datetime, str] | None = None
    #: Since when, and why, gw_workflow and Post-Processing have not answered, or are away.
    workflow_silent: tuple[datetime, str] | None = None
    postprocessing_silent: tuple[datetime, str] | None = None
    #: Processes that hang on a tree, oldest first.
    stuck: tuple[Stuck, ...] = ()
    #: Since when, and why, the engine has not answered.
    engine_silent: tuple[datetime, str] | None = None
    #: The newest submissions to the engine, and all those of DAGs that are not queued yet; oldest first.
    tries: tuple[SubmitTry, ...] = ()
    #: DAGs of others that live in the queue.
    foreign_dags: tuple[ForeignDag, ...] = ()
    #: The refresh of exposures.list that is under way, or else the newest one; the newest that ended well, and the
    #: newest that did not.
    refresh: Refresh | None = None
    refreshed: Refresh | None = None
    refresh_failed: Refresh | None = None
    #: Since when, and why, nothing may be made or submitted with the credential.
    credential_bad: tuple[datetime, str] | None = None
    #: Until when a good one holds, as seen in this cycle; None when none was looked at.
    credential_until: datetime | None = None
    #: Channels that do not deliver messages to people.
    undelivered: tuple[Undelivered, ...] = ()
    #: What `doctor` found missing when the daemon last had itself looked at.
    checkup: Checkup | None = None
    #: The daemon's own condition.
    vitals: Vitals = field(default_factory=Vitals)
    #: For alerts; loaded for these alone.
    facts: NightFacts = field(default_factory=NightFacts)
