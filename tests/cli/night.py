"""One season of a database, brought forward by the store's own functions: what a night leaves, without a night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from desgw_daemon.daemon.alerting import set_alerts
from desgw_daemon.decide.alerts import wanted_alerts
from desgw_daemon.decide.plan import plan
from desgw_daemon.decide.readiness import count_forcefiles
from desgw_daemon.domain.actions import Move, Wait
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Ccd, Exposure, Forcefile
from desgw_daemon.domain.states import ENDED, CcdState, MakingState, RunState, SubmissionState
from desgw_daemon.store.adding import Wish, add
from desgw_daemon.store.circumstances import with_circumstances
from desgw_daemon.store.claims import claim_making, claim_run, claim_submission, set_reason
from desgw_daemon.store.cycle import begin_poll, write_poll
from desgw_daemon.store.journal import move_exposure, move_making, move_run, move_submission
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.looks import record_forcefile_counts, record_look
from desgw_daemon.store.nightfacts import load_night_facts
from desgw_daemon.store.queue import pick
from desgw_daemon.store.runs import record_steps


class Night:
    """Fills the database; `at` is when what is done next happened."""

    def __init__(self, connection: Connection, *, season: int, end: datetime) -> None:
        self.connection = connection
        self.season = season
        self.policy = Policy()
        self.end = end
        self.at = end

    def ago(self, **span: float) -> None:
        """Go to a moment before the end."""
        self.at = self.end - timedelta(**span)

    def exposure(self, expnum: int) -> Exposure:
        """The exposure as it stands."""
        return pick(load_snapshot(self.connection, with_ccds_of=()).exposures, expnum, season=self.season, nite=None)

    def whole(self, expnum: int) -> Exposure:
        """The exposure with its CCDs and forcefiles."""
        found = self.exposure(expnum)
        everything = load_snapshot(self.connection, with_ccds_of=(found.id,)).exposures
        return next(exposure for exposure in everything if exposure.id == found.id)

    def queue(self, expnums: Iterable[int], band: str | None, nite: str | None) -> None:
        """Add exposures, from a list file."""
        wishes = [Wish(expnum=expnum, band=band, nite=nite) for expnum in expnums]
        add(
            self.connection,
            season=self.season,
            wishes=wishes,
            priority=0,
            who="observer",
            at=self.at,
            source=f"{nite or 'late'}.list",
        )

    def make(self, *expnums: int, state: MakingState = MakingState.MADE, why: str = "DONE is fresh") -> None:
        """Run DAGMaker."""
        for expnum in expnums:
            exposure = self.exposure(expnum)
            folder = f"/state/attempts/{exposure.id}_1/make_{{number}}"
            making = claim_making(self.connection, exposure.id, attempt=1, folder_of=folder, at=self.at)
            assert making is not None
            move_making(self.connection, making, MakingState.RUNNING, at=self.at, why="started")
            if state is not MakingState.RUNNING:
                making = replace(making, state=MakingState.RUNNING)
                ended = {"ended_at": self.at + timedelta(minutes=12), "exit_code": 0}
                move_making(self.connection, making, state, at=self.at, why=why, **ended)
        self.plan_for(*expnums)

    def submit(
        self, *expnums: int, state: SubmissionState = SubmissionState.RUNNING, why: str = "its jobs run"
    ) -> None:
        """Make and submit DAGs; `state` is what became of them."""
        self.make(*expnums)
        for expnum in expnums:
            exposure = self.exposure(expnum)
            submission = claim_submission(
                self.connection,
                exposure.id,
                attempt=1,
                tag=f"desgw-{self.season}-{exposure.nite}-{expnum}-a1",
                engine="local",
                dag_path=f"/state/attempts/{exposure.id}_1/desgw_pipeline_{expnum}.dag",
                dag_sha256="0" * 64,
                templates=(),
                exclusive=True,
                at=self.at,
            )
            assert submission is not None
            values: dict[str, object] = {"as_of": self.at}
            if state not in (SubmissionState.REJECTED, SubmissionState.UNKNOWN):
                values |= {"job_id": f"local.{expnum}", "submitted_at": self.at, "nodes_total": 60, "nodes_done": 20}
            if state in ENDED:
                values["ended_at"] = self.at + timedelta(hours=2)
            move_submission(self.connection, submission, state, at=self.at, why=why, values=values)
        self.plan_for(*expnums)

    def look(self, exposure: Exposure, signs: Mapping[int, tuple[CcdState, str | None]], lacking: int = 0) -> None:
        """CCDs as a look shows them; those in no state are complete, with forcefiles, but for `lacking` of them."""
        ccds = []
        for number in SEARCH_CCDS:
            state, step = signs.get(number, (CcdState.COMPLETE, None))
            final = state is not CcdState.PENDING
            failed = state is CcdState.FAILED
            ccds.append(
                Ccd(
                    exposure_id=exposure.id,
                    ccd=number,
                    state=state,
                    step=step if failed else None,
                    fails=(step,) if failed and step else (),
                    job=f"812345{number:02d}.0@jobsub01.example.org" if failed else None,
                    host=f"fnpc{number}.example.org" if failed else None,
                    tarball_size=10_000_000 if final and state is not CcdState.MISSING else None,
                    changed_at=self.at,
                    looks=3,
                    settled_at=self.at if final else None,
                    reason=f"failed at {step}" if failed else step,
                    as_of=self.at,
                )
            )
        complete = [ccd.ccd for ccd in ccds if ccd.state is CcdState.COMPLETE]
        files = [
            Forcefile(
                exposure_id=exposure.id,
                name=f"WS{self.season}_{exposure.expnum}_WS3345-380_tile1_combined_{exposure.band}_{number:02d}+fakeSN_diff.{kind}",
                ccd=number,
                band=exposure.band,
                kind=kind,
                size=4_000_000,
                mtime=self.end.timestamp(),
                first_seen=self.at,
                whole_at=self.at,
                as_of=self.at,
            )
            for number in complete[lacking:]
            for kind in ("fits", "psf")
        ]
        self.record(exposure, replace(exposure, ccds=tuple(ccds), forcefiles=tuple(files)))

    def record(self, before: Exposure, after: Exposure) -> None:
        """Write a look down."""
        at = self.at
        after = replace(after, news_at=at, as_of=at, full_look_at=at, folders_at=at, forcefiles_at=at)
        record_look(self.connection, before, after, at=self.at)
        files = count_forcefiles(after)
        record_forcefile_counts(
            self.connection,
            after,
            expected=files.expected,
            found=files.found,
            missing=files.missing,
            surplus=files.surplus,
        )

    def plan_for(self, *expnums: int) -> None:
        """Carry out the part of the plan that is only written down, for these exposures, or for all."""
        snapshot = with_circumstances(self.connection, load_snapshot(self.connection))
        exposures = {exposure.id: exposure for exposure in snapshot.exposures}
        for action in plan(snapshot, self.policy, self.at):
            if not isinstance(action, Wait | Move) or (expnums and action.expnum not in expnums):
                continue
            exposure = exposures[action.exposure_id]
            if isinstance(action, Wait):
                set_reason(self.connection, exposure, action.reason)
            else:
                columns = {"ready": action.ready.value}
                move_exposure(self.connection, exposure, action.after, at=self.at, why=action.reason, **columns)

    def run(self, number: int, expnums: Iterable[int], *, ended: bool) -> None:
        """A run of post-processing."""
        members = [self.exposure(expnum) for expnum in expnums]
        run = claim_run(
            self.connection,
            season=self.season,
            exposure_ids=[exposure.id for exposure in members],
            bands=["i"],
            fingerprint=f"run{number}",
            skipto=0,
            skipto_reason=f"no earlier run of season {self.season}: from scratch",
            folder_of=f"/state/runs/S{self.season}_{{number}}",
            asked_by=None,
            why=f"{len(members)} exposures in i: every exposure of season {self.season} is settled",
            at=self.at,
        )
        assert run is not None
        move_run(self.connection, run, RunState.RUNNING, at=self.at, why="run_postproc.py runs", started_at=self.at)
        record_steps(self.connection, run, [2], at=self.at + timedelta(minutes=20))
        if ended:
            self.at += timedelta(hours=3)
            run = replace(run, state=RunState.RUNNING)
            why = "run_postproc.py ended with exit code 0"
            move_run(self.connection, run, RunState.DONE, at=self.at, why=why, ended_at=self.at, exit_code=0)
        self.plan_for(*(exposure.expnum for exposure in members))

    def cycles(self, *, minutes: int, problem: str | None = None, until: datetime | None = None) -> None:
        """The rows of the last cycles, one a minute, and the alerts that are up after them."""
        until = until or self.end
        for ago in reversed(range(minutes)):
            begun = until - timedelta(minutes=ago, seconds=5)
            poll = begin_poll(self.connection, at=begun)
            cost = {"exposures": 22, "listings": 214, "stats": 90, "look_seconds": 1.7, "pnfs_problem": problem}
            write_poll(self.connection, poll, {**cost, "ended_at": begun + timedelta(seconds=3), "actions": 44})
        snapshot = with_circumstances(self.connection, load_snapshot(self.connection))
        snapshot = replace(snapshot, facts=load_night_facts(self.connection, at=until))
        set_alerts(self.connection, wanted_alerts(snapshot, self.policy, until), self.policy, at=until)
