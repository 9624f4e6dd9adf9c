"""A database for the queries of docs/database.md: two small nites of season 2206, told by the store's own functions.

1400001, 1400002   nite 20261120, both ready; the last two of 1400002's forcefiles are missing
1400101            nite 20261121, ready after four hours; in runs 1 and 2
1400102            ready after three hours, partly: three forcefiles are missing; in runs 1 and 2
1400103            14 CCDs failed on one host: it needs a person
1400104            takes twice as long as the others, and still runs
1400105            its first DAGMaker failed; tried again by hand, it is made and runs
1400106            held by hand
1400107            exposures.list does not know it yet
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from desgw_daemon.daemon.alerting import set_alerts
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Ccd, Exposure, Forcefile
from desgw_daemon.domain.states import CcdState, ExposureState, MakingState, RunState, SubmissionState
from desgw_daemon.domain.submissions import Submission
from desgw_daemon.store import adding, queue
from desgw_daemon.store.claims import claim_making, claim_run, claim_submission
from desgw_daemon.store.cycle import begin_poll, write_poll
from desgw_daemon.store.database import create_or_check, writing
from desgw_daemon.store.journal import move_exposure, move_making, move_run, move_submission
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.looks import record_forcefile_counts, record_look
from desgw_daemon.store.runs import record_steps
from desgw_daemon.store.submissions import submission_of
from desgw_daemon.store.wishes import answer_request, ask_postproc, pause

SEASON: Final = 2206
BEFORE, NITE = "20261120", "20261121"
BAD_HOST: Final = "fnpc17131.fnal.gov"
OTHER_HOST: Final = "fnpc20004.fnal.gov"
STEP_A, STEP_B = "RUN18_search.FAIL", "RUN03_headfix.FAIL"
MIDNIGHT: Final = datetime(2026, 11, 22, tzinfo=UTC)

Fails = Mapping[int, tuple[str, str]]


def clock(hours: float, minutes: float = 0) -> datetime:
    """A time of the second nite: hours after 2026-11-22 00:00 UTC."""
    return MIDNIGHT + timedelta(hours=hours, minutes=minutes)


def fill(path: Path) -> None:
    """Make the database."""
    engine = create_or_check(path)
    with writing(engine) as connection:
        _tell(Story(connection))
    engine.dispose()


def _tell(story: Story) -> None:
    for expnum, lacking in ((1400001, ()), (1400002, (60, 62))):
        story.queue(expnum, "i", BEFORE, clock(-25))
        story.make(expnum, clock(-24.9))
        story.submit(expnum, clock(-24.5))
        story.look(expnum, clock(-22), fails={7: (STEP_A, OTHER_HOST)}, lacking=lacking)
        story.ready(expnum, clock(-22))
    for number, expnum in enumerate(range(1400101, 1400107)):
        story.queue(expnum, "i" if number < 2 else "r", NITE, clock(0, number))
    story.queue(1400107, None, None, clock(0, 10))
    for expnum in (1400101, 1400102, 1400103, 1400104):
        story.make(expnum, clock(0, 20))
        story.submit(expnum, clock(0, 40))
    story.look(1400101, clock(4), fails={9: (STEP_B, OTHER_HOST)})
    story.ready(1400101, clock(4))
    story.look(1400102, clock(3), lacking=(5, 12, 30))
    story.ready(1400102, clock(3))
    # Jobs end at once on a host that is broken: the "black hole" of a batch system.
    story.look(1400103, clock(2, 30), fails=dict.fromkeys(SEARCH_CCDS[:14], (STEP_A, BAD_HOST)))
    few = "45 of 59 CCDs complete, 14 failed (14 at RUN18_search); 50 complete ones are needed"
    story.move(1400103, ExposureState.ATTENTION, clock(2, 31), few)
    story.look(1400104, clock(8), fails={20: (STEP_A, BAD_HOST)}, pending=SEARCH_CCDS[20:])
    story.make(1400105, clock(0, 25), problem="there is no template exposure for it: difference imaging would fail")
    story.again(1400105, clock(2, 15))
    story.make(1400105, clock(2, 20))
    story.submit(1400105, clock(2, 40))
    story.hold(1400106, clock(0, 30), why="its field is not wanted")
    story.runs((1400101, 1400102), clock(5))
    story.cycles()


class Story:
    """Brings exposures forward, one step at a call."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def queue(self, expnum: int, band: str | None, nite: str | None, at: datetime) -> None:
        """Add one from a list."""
        wish = adding.Wish(expnum=expnum, band=band, nite=nite)
        adding.add(
            self._connection, season=SEASON, wishes=[wish], priority=0, who="observer", at=at, source="tonight.list"
        )

    def make(self, expnum: int, at: datetime, *, problem: str | None = None) -> None:
        """Run DAGMaker for 12 minutes."""
        exposure = self.whole(expnum)
        making = claim_making(
            self._connection, exposure.id, attempt=exposure.attempt, folder_of="attempts/{number}", at=at
        )
        assert making is not None
        move_making(self._connection, making, MakingState.RUNNING, at=at, why="DAGMaker runs")
        ended = at + timedelta(minutes=12)
        after = MakingState.MADE if problem is None else MakingState.FAILED
        making = replace(making, state=MakingState.RUNNING)
        why = problem or "DONE is fresh, and the DAG is of this exposure and season"
        move_making(
            self._connection, making, after, at=ended, why=why, ended_at=ended, exit_code=0, dag_sha256="0" * 64
        )
        if problem is None:
            self.move(expnum, ExposureState.SUBMITTING, ended, "its DAG is made and checked; it is submitted next")
        else:
            self.move(expnum, ExposureState.ATTENTION, ended, f"DAGMaker: {problem}. It was not submitted")

    def submit(self, expnum: int, at: datetime) -> None:
        """Submit its DAG, whose jobs run from then on."""
        exposure = self.whole(expnum)
        tag = f"dp{SEASON}_{exposure.nite}_{expnum}_a{exposure.attempt}"
        submission = claim_submission(
            self._connection,
            exposure.id,
            attempt=exposure.attempt,
            tag=tag,
            engine="local",
            dag_path=f"desgw_pipeline_{expnum}.dag",
            dag_sha256="0" * 64,
            templates=(),
            exclusive=True,
            at=at,
        )
        assert submission is not None
        job_id = f"{expnum % 1000}.0@local"
        self._follow(submission, SubmissionState.SUBMITTING, at, "handed to local")
        self._follow(submission, SubmissionState.QUEUED, at, f"accepted as {job_id}", job_id=job_id, submitted_at=at)
        self._follow(submission, SubmissionState.RUNNING, at, "its jobs run", nodes_total=60, nodes_done=0, as_of=at)
        self.move(expnum, ExposureState.PROCESSING, at, f"its DAG was submitted as {job_id}")

    def look(
        self,
        expnum: int,
        at: datetime,
        *,
        fails: Fails | None = None,
        pending: Collection[int] = (),
        lacking: Collection[int] = (),
    ) -> None:
        """See its CCDs: failed ones, those to come; all others are complete, and those in `lacking` have no .psf."""
        before = self.whole(expnum)
        ccds = tuple(_ccd(before.id, number, at, fails or {}, pending) for number in SEARCH_CCDS)
        complete = [ccd.ccd for ccd in ccds if ccd.state is CcdState.COMPLETE]
        files = tuple(
            _forcefile(before, number, kind, at)
            for number in complete
            for kind in ("fits", "psf")
            if kind == "fits" or number not in lacking
        )
        after = replace(before, ccds=ccds, forcefiles=files, news_at=at, as_of=at, folders_at=at, forcefiles_at=at)
        record_look(self._connection, before, after, at=at)
        record_forcefile_counts(
            self._connection,
            after,
            expected=2 * len(complete),
            found=len(files),
            missing=[f"{before.band}_{number:02d} .psf" for number in lacking],
            surplus=(),
        )

    def ready(self, expnum: int, at: datetime) -> None:
        """Its CCDs are settled."""
        exposure = self.whole(expnum)
        how = "partial" if exposure.forcefiles_missing else "full"
        complete = sum(ccd.state is CcdState.COMPLETE for ccd in exposure.ccds)
        move_exposure(
            self._connection,
            exposure,
            ExposureState.READY,
            at=at,
            why=f"{complete} of 59 CCDs complete",
            ready=how,
        )

    def move(self, expnum: int, after: ExposureState, at: datetime, why: str) -> None:
        """Change its state."""
        move_exposure(self._connection, self.whole(expnum), after, at=at, why=why)

    def again(self, expnum: int, at: datetime) -> None:
        """`queue retry`."""
        queue.retry(self._connection, self.whole(expnum), who="observer", at=at)

    def hold(self, expnum: int, at: datetime, *, why: str) -> None:
        """`queue hold`."""
        queue.hold(self._connection, self.whole(expnum), who="observer", why=why, at=at)

    def runs(self, expnums: Collection[int], at: datetime) -> None:
        """Two runs of post-processing: one fails at step 4, the next, asked for by hand, goes on from there."""
        said = ask_postproc(self._connection, season=SEASON, skipto=None, who="observer", at=at)
        assert said
        self._run(expnums, at, skipto=0, reached=4, why="from scratch")
        for expnum in expnums:
            self.move(expnum, ExposureState.ATTENTION, at + timedelta(hours=1), "post-processing run 1 failed")
        self._run(
            expnums, at + timedelta(hours=2), skipto=4, reached=7, why="run 1 of the same exposures reached step 4"
        )
        for expnum in expnums:
            self.move(expnum, ExposureState.DONE, at + timedelta(hours=3), "post-processing run 2 ended well")

    def _run(self, expnums: Collection[int], at: datetime, *, skipto: int, reached: int, why: str) -> None:
        members = [self.whole(expnum) for expnum in expnums]
        run = claim_run(
            self._connection,
            season=SEASON,
            exposure_ids=[exposure.id for exposure in members],
            bands=["i"],
            fingerprint="0123456789abcdef",
            skipto=skipto,
            skipto_reason=why,
            folder_of="runs/S2206_{number}",
            asked_by="observer",
            why="asked for",
            at=at,
        )
        assert run is not None
        answer_request(self._connection, run.number, answer=f"run {run.number}", at=at)
        move_run(self._connection, run, RunState.RUNNING, at=at, why="started", started_at=at)
        run = replace(run, state=RunState.RUNNING)
        for step in range(skipto, reached + 1):
            record_steps(self._connection, run, [step], at=at + timedelta(minutes=5 * step))
            run = replace(run, step=step)
        ended = at + timedelta(hours=1)
        after, code = (RunState.DONE, 0) if reached == 7 else (RunState.FAILED, 1)
        why = f"run_postproc.py ended with exit code {code}"
        move_run(self._connection, run, after, at=ended, why=why, ended_at=ended, exit_code=code)

    def cycles(self) -> None:
        """A cycle every ten minutes; /pnfs is silent from 02:20 to 02:40; the alerts of the night; a pause."""
        silent = AlertWanted(
            key="pnfs_silent", rule="pnfs_silent", text="/pnfs cannot be seen since 02:20", since=clock(2, 19)
        )
        needs = AlertWanted(
            key="exposure_attention:5",
            rule="exposure_attention",
            text="exposure 1400103 r needs a person: 45 of 59 CCDs complete",
            season=SEASON,
            nite=NITE,
            expnum=1400103,
        )
        for number in range(6 * 8 + 1):
            at = clock(0, 10 * number)
            away = clock(2, 20) <= at < clock(2, 40)
            poll = begin_poll(self._connection, at=at)
            write_poll(
                self._connection,
                poll,
                {
                    "exposures": 6,
                    "listings": 0 if away else 366 if number == 0 else 60 - number,
                    "stats": 0 if away else 118,
                    "reads": 0 if away else 2,
                    "look_seconds": 1.25,
                    "unseen": 6 if away else 0,
                    "pnfs_problem": "/pnfs/des/persistent/gw did not answer within 300 s" if away else None,
                    "ended_at": at + timedelta(seconds=2),
                    "actions": 9,
                },
            )
            up = ([silent] if away else []) + ([needs] if at >= clock(2, 31) else [])
            set_alerts(self._connection, up, Policy(), at=at)
        pause(self._connection, who="observer", why="disk of gw_workflow is nearly full", at=clock(7, 50))

    def whole(self, expnum: int) -> Exposure:
        """The exposure as it stands, with its CCDs and forcefiles."""
        known = load_snapshot(self._connection, with_ccds_of=()).exposures
        found = next(exposure for exposure in known if exposure.expnum == expnum)
        everything = load_snapshot(self._connection, with_ccds_of=(found.id,)).exposures
        return next(exposure for exposure in everything if exposure.id == found.id)

    def _follow(self, submission: Submission, after: SubmissionState, at: datetime, why: str, **values: object) -> None:
        now = submission_of(self._connection, submission.id)
        move_submission(self._connection, now, after, at=at, why=why, values=values)


def _ccd(exposure_id: int, number: int, at: datetime, fails: Fails, pending: Collection[int]) -> Ccd:
    seen = Ccd(exposure_id=exposure_id, ccd=number, changed_at=at, looks=2, as_of=at)
    if number in fails:
        step, host = fails[number]
        return replace(
            seen,
            state=CcdState.FAILED,
            step=step,
            fails=(step,),
            fail_stats={step: (120, at.timestamp())},
            job=f"8123456.{number}@jobsub01.fnal.gov",
            host=host,
            settled_at=at,
            reason=f"failed at {step}",
        )
    if number in pending:
        return seen
    return replace(
        seen,
        state=CcdState.COMPLETE,
        tarball_size=150_000_000,
        tarball_mtime=at.timestamp(),
        pair_at=at,
        settled_at=at,
    )


def _forcefile(exposure: Exposure, number: int, kind: str, at: datetime) -> Forcefile:
    field = f"WS{SEASON}_{exposure.expnum}_WS3345-380_tile1_combined_{exposure.band}_{number:02d}"
    return Forcefile(
        exposure_id=exposure.id,
        name=f"{field}+fakeSN_diff.{kind}",
        ccd=number,
        band=exposure.band,
        kind=kind,
        size=4_000_000,
        mtime=at.timestamp(),
        first_seen=at,
        whole_at=at,
        as_of=at,
    )
