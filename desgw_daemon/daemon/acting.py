"""Carrying a plan out, one action at a time. One that fails says so and does not take the others with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from desgw_daemon.act.forgotten import number_of_next
from desgw_daemon.act.output_txt import keep_current
from desgw_daemon.daemon.parts import Part, Parts
from desgw_daemon.daemon.skipto import rows_to_keep, weigh
from desgw_daemon.decide.disagree import changed_disagreements
from desgw_daemon.decide.postproc_members import without
from desgw_daemon.domain.actions import (
    Action,
    LaunchPostproc,
    MakeDag,
    Move,
    Recheck,
    Reconcile,
    RefreshExposures,
    StartPostproc,
    SubmitDag,
    Wait,
    WaitSeason,
)
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import RUN_LIVE, MakingState, RefreshState, RunState
from desgw_daemon.errors import DesgwError, Refused, TreeSilent
from desgw_daemon.store.claims import ask_recheck, claim_run, note_folders_made, set_reason
from desgw_daemon.store.database import writing
from desgw_daemon.store.disagreements import set_disagreements
from desgw_daemon.store.journal import move_exposure
from desgw_daemon.store.runs import forcefiles_of
from desgw_daemon.store.wishes import answer_request
from desgw_daemon.wiring import House


class Actor:
    """Carries out the actions of one tick."""

    def __init__(
        self, *, house: House, environment: Mapping[str, str] | None, clock: Callable[[], datetime], parts: Parts
    ) -> None:
        """environment: what submissions get; None while the set-up script has not run: nothing is made then.

        parts: hears of errors that nobody has foreseen.
        """
        self._house = house
        self._parts = parts
        self._errors: list[str] = []
        self._environment = environment
        self._clock = clock

    def carry_out(self, snapshot: Snapshot, actions: tuple[Action, ...], now: datetime) -> tuple[str, ...]:
        """Do it all; what went wrong, one line each. What is only written down goes first, in one transaction."""
        exposures = {exposure.id: exposure for exposure in snapshot.exposures}
        with writing(self._house.database) as connection:
            for action in actions:
                if isinstance(action, Wait | Move | Recheck):
                    work = partial(_write, connection, exposures[action.exposure_id], action, now)
                    self._parts.record(connection, Part.ACTIONS, str(action), work)
            work = partial(self._disagreements, connection, snapshot, now)
            self._parts.record(connection, Part.ACTIONS, "what the queue and /pnfs disagree on", work)
        cleared = self._clear_away(snapshot)
        for action in actions:
            if isinstance(action, Wait | Move | Recheck | WaitSeason):
                continue
            if not cleared and isinstance(action, StartPostproc | LaunchPostproc):
                continue
            self._try(str(action), partial(self._do, snapshot, exposures, action, now))
        self._tidy(snapshot)
        self._write_output(now)
        return tuple(self._errors)

    def _disagreements(self, connection: Connection, snapshot: Snapshot, now: datetime) -> None:
        set_disagreements(connection, changed_disagreements(snapshot, self._house.policy, now), at=now)

    def _try(self, what: str, work: Callable[[], None]) -> bool:
        """Do one thing, and keep what went wrong. Whether it was done.

        Raises DatabaseError when the database cannot be used: nothing can be written down, so the doing ends.
        """
        try:
            work()
        except TreeSilent as error:
            # A tree that is silent has an alert of its own.
            if not self._house.tree_problems():
                self._errors.append(f"{what}: {error}")
        except (DesgwError, OSError) as error:
            self._errors.append(f"{what}: {error}")
        except Exception as error:  # noqa: BLE001 - one action that fails must not stop a night; it is told
            self._parts.failed(Part.ACTIONS, error, what)
        else:
            return True
        return False

    def _clear_away(self, snapshot: Snapshot) -> bool:
        """Take the ini of each season's last run out of the folder. Before a run begins: its set-up reads them all."""
        newest = {run.season: run for run in sorted(snapshot.runs, key=lambda run: run.number)}
        done = [
            self._try(
                f"tidy up after run {run.number} of season {run.season}",
                partial(self._house.postprocessor.clear_away, run),
            )
            for run in newest.values()
            if run.state not in RUN_LIVE
        ]
        return all(done)

    def _tidy(self, snapshot: Snapshot) -> None:
        """End what has outlived its time-out, and take up a refresh whose start a crash has interrupted."""
        house = self._house
        newest = {run.season: run for run in sorted(snapshot.runs, key=lambda run: run.number)}
        for e in snapshot.exposures:
            if (making := e.making) is not None and making.state is MakingState.RUNNING:
                self._try(f"end an overdue DAGMaker of {e.expnum}", partial(house.dagmaker.end_overdue, making))
        for run in newest.values():
            if run.state is RunState.RUNNING:
                what = f"look after run {run.number} of {run.season}"
                self._try(what, partial(house.postprocessor.end_overdue, run))
        if (refresh := snapshot.refresh) is not None and refresh.state is RefreshState.RUNNING:
            self._try("take up the refresh of exposures.list", partial(house.refresher.launch, refresh))

    def _write_output(self, now: datetime) -> None:
        """Keep output.txt as it should be."""
        house = self._house
        path = house.config.output_txt
        if path is None:
            return

        def write() -> None:
            try:
                keep_current(
                    house.database, path=path, workflow=house.config.paths.workflow, way=house.workflow_door, now=now
                )
            except TreeSilent:
                raise
            except OSError as error:
                raise Refused(f"{path}: {error.strerror or error}. Nothing waits for it") from error

        self._try(f"write {path.name}", write)

    def _do(self, snapshot: Snapshot, exposures: Mapping[int, Exposure], action: Action, now: datetime) -> None:
        house = self._house
        match action:
            case MakeDag() if self._environment is not None:
                house.dagmaker.make(action, exposures[action.exposure_id], now)
            case SubmitDag() if self._environment is not None:
                house.submitter.submit(action, exposures[action.exposure_id], self._environment, now)
            case MakeDag() | SubmitDag():
                # DAGMaker sources the set-up itself: with one that fails, each exposure would end with a person.
                next_ = "made" if isinstance(action, MakeDag) else "submitted"
                with writing(house.database) as connection:
                    reason = f"{action.reason}; it is {next_} as soon as the set-up script has been sourced"
                    set_reason(connection, exposures[action.exposure_id], reason)
            case Reconcile():
                exposure = exposures[action.exposure_id]
                found = house.submitter.reconcile(action, exposure, self._environment, now)
                with writing(house.database) as connection:
                    set_reason(connection, exposure, f"{action.reason}. Last answer: {found}")
            case RefreshExposures():
                house.refresher.start(action, now)
            case StartPostproc():
                self._start_postproc(snapshot, action, now)
            case LaunchPostproc():
                run = next(run for run in snapshot.runs if run.id == action.run_id)
                house.postprocessor.launch(run, now)

    def _start_postproc(self, snapshot: Snapshot, action: StartPostproc, now: datetime) -> None:
        # Before anything is written down: the exposures stay ready, and it starts when the folder is back.
        self._house.postprocessor.check_folder()
        action = self._with_folders(snapshot, action, now)
        ids = set(action.exposure_ids)
        members = [exposure for exposure in snapshot.exposures if exposure.id in ids]
        choice = weigh(
            self._house.config,
            self._house.policy,
            snapshot.runs,
            season=action.season,
            members=members,
            fingerprint=action.fingerprint,
            forced=action.forced_skipto,
            asked_by=action.asked_by,
            way=self._house.postprocessing_door,
        ).choice
        folder_of = str(self._house.config.paths.state / "runs" / f"S{action.season}_{{number}}")
        with writing(self._house.database) as connection:
            number_after = partial(
                number_of_next,
                folder_of,
                expnums=[exposure.expnum for exposure in members],
                forcefiles=lambda: "".join(wanted.line for wanted in forcefiles_of(connection, action.exposure_ids)),
                anew=action.asked_by is not None or action.retry_of is not None,
            )
            run = claim_run(
                connection,
                season=action.season,
                exposure_ids=action.exposure_ids,
                bands=action.bands,
                fingerprint=action.fingerprint,
                skipto=choice.skipto,
                skipto_reason=choice.reason,
                evidence=rows_to_keep(choice),
                folder_of=folder_of,
                number_after=number_after,
                asked_by=action.asked_by,
                why=action.reason,
                at=now,
                left_out=action.left_out,
                retry_of=action.retry_of,
            )
            if action.request_id is not None:
                answer = "not started: its exposures have changed" if run is None else f"run {run.number}"
                answer_request(connection, action.request_id, answer=answer, at=now)
        if run is not None:
            self._house.postprocessor.launch(run, now)

    def _with_folders(self, snapshot: Snapshot, action: StartPostproc, now: datetime) -> StartPostproc:
        """Make the folders that are missing; an exposure of which one cannot be made is left out.

        Raises Refused when nothing new is left: then nothing starts, and the next cycle tries again.
        """
        if not action.make_folders:
            return action
        exposures = {exposure.id: exposure for exposure in snapshot.exposures}
        making = [exposures[number] for number in action.make_folders]
        problems = self._house.folders.make(making, action.make_folders)
        with writing(self._house.database) as connection:
            for exposure in making:
                if exposure.id not in problems:
                    note_folders_made(connection, exposure, action.make_folders[exposure.id], at=now)
        if not problems:
            return action
        why = {number: f"a folder that is missing cannot be made: {problem}" for number, problem in problems.items()}
        left = without(action, exposures, why)
        if left is None:
            raise Refused(next(iter(why.values())))
        return left


def _write(connection: Connection, exposure: Exposure, action: Wait | Move | Recheck, now: datetime) -> None:
    """What an action that is only written down means."""
    match action:
        case Wait():
            set_reason(connection, exposure, action.reason)
        case Move():
            move_exposure(connection, exposure, action.after, at=now, why=action.reason, ready=action.ready.value)
        case Recheck():
            ask_recheck(connection, exposure.id, at=now)
