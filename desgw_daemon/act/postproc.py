"""Starting run_postproc.py: list, ini, environment, and a process that outlives the daemon.

The preparation (set-up, links, the trial read) may take long and happens inside that process, in bash
(`act/startscript.py`); what it finds is left in files of the run's folder.
"""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import Engine

from desgw_daemon.act.environment import child_environment, in_bash
from desgw_daemon.act.inifile import fill_template, has_key
from desgw_daemon.act.iniplace import IniPlace, ini_name, write_whole
from desgw_daemon.act.listname import list_name_for
from desgw_daemon.act.runnotes import notes_of, unknown_event
from desgw_daemon.act.startscript import ENVIRONMENT, FORCEFILES, LINKED, NOTES, STAGE, STAGES, Start, script_of
from desgw_daemon.children import ensure_started, look, stop
from desgw_daemon.domain.event import Event
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.states import RunState
from desgw_daemon.errors import Refused
from desgw_daemon.observe.door import Way
from desgw_daemon.observe.folderlock import FOLDER_LOCK, by_hand, holder
from desgw_daemon.observe.plainfile import NotAFileError, beginning
from desgw_daemon.observe.postproc import ini_settings
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.journal import move_run
from desgw_daemon.store.load_runs import load_runs
from desgw_daemon.store.runs import forcefiles_of, stop_words
from desgw_daemon.store.seasons import event_of

#: In a run's folder: what the preparation says.
PREPARED: Final = "prepare.out"
#: A comment may be in any encoding: its bytes stay as they are.
_BYTES: Final = ("utf-8", "surrogateescape")
#: The real one has 5 kB.
_MOST_TEMPLATE: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocSettings:
    """What daemon.toml says of post-processing; paths are full."""

    folder: Path
    host_lock: Path
    program: Path
    setup: Path
    template: Path
    python: str
    prefix: Sequence[str]
    update_links: Literal["when-files-changed", "always", "never"]
    links_command: Sequence[str]
    linked_fraction: float
    setup_timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the database says for a start: the event, the files that must be linked, the season's earlier runs.

    forcefiles: a line for each; nites: of them.
    """

    event: Event
    forcefiles: bytes
    nites: frozenset[str]
    earlier: tuple[PostprocRun, ...]


class Postprocessor:
    """Prepares and starts the runs that are written down. What became of one is read in a later tick."""

    def __init__(
        self, *, database: Engine, settings: PostprocSettings, way: Way, clock: Callable[[], datetime]
    ) -> None:
        """way: to the Post-Processing folder."""
        self._database = database
        self._settings = settings
        self._way = way
        self._clock = clock

    def launch(self, run: PostprocRun, now: datetime) -> str:
        """Start a run whose intent is written down; a second call for the same run changes nothing.

        A run that cannot be prepared (no template, a value that cannot be written) is failed with that reason.
        Raises Refused when the folder is away or in use, OSError when it does not answer: the intent stays, and the
        next tick tries again.
        """
        folder = Path(run.folder)
        known = self._known(run)
        if look(folder).state == "absent":
            if run.stopped_by is not None:
                return self._fail(run, f"{stop_words(run)}, before it had begun", now)
            self.check_folder()
            try:
                self._prepare(run, folder, known)
            except Refused as problem:
                return self._fail(run, f"not started: {problem}", now)
            ensure_started(
                folder,
                in_bash(self._settings.prefix, f"source {shlex.quote(str(folder / 'start.sh'))}"),
                cwd=self._settings.folder,
                env=child_environment(),
                output=folder / PREPARED,
                timeout=None,
            )
        why = f"started with {len(run.expnums)} exposures at SKIPTO {run.skipto}"
        if unknown := unknown_event(known.event, run.season):
            why += f"; {unknown}"
        listed = next((path.name for path in folder.glob("complete_exposures_S*.list")), None)
        with writing(self._database) as connection:
            started = look(folder).started_at or now
            move_run(connection, run, RunState.RUNNING, at=now, why=why, started_at=started, list_name=listed)
        return why

    def check_folder(self) -> None:
        """Raises Refused while the Post-Processing folder is away or in use: that is no fault of a run."""
        settings = self._settings
        if not self._way.ask(Path.is_dir, settings.folder):
            raise Refused(f"{settings.folder} is away: post-processing starts when it is there again")
        for lock, what in ((settings.folder / FOLDER_LOCK, settings.folder), (settings.host_lock, "this host")):
            if (who := self._way.ask(holder, lock)) is not None:
                raise Refused(
                    f"{what} is in use for post-processing by {who}: nothing is started until that has ended"
                    f" (`fuser {lock}` names its processes)"
                )
        if (pid := self._way.ask(by_hand, settings.folder, settings.program.name)) is not None:
            raise Refused(
                f"process {pid} runs {settings.program.name} in {settings.folder}, started by hand: nothing is started"
                " until it has ended"
            )

    def end_overdue(self, run: PostprocRun) -> None:
        """End a run that hangs in its preparation, or whose end a person has ordered. Raises OSError.

        By how long it runs: a clock that is set forward ends nothing.

        run_postproc.py itself is never ended otherwise.
        """
        folder = Path(run.folder)
        if (age := look(folder).age) is None:
            return
        if run.stopped_by is not None:
            # Whoever ordered it may have been cut off, or have no right to do it.
            stop(folder)
            return
        # The set-up, the links and the trial read may each take their time.
        if age < 3 * self._settings.setup_timeout:
            return
        stage = folder / STAGE
        if not (stage.exists() and stage.read_text().strip() == STAGES[-1]):
            stop(folder)

    def clear_away(self, run: PostprocRun) -> None:
        """Take our copy of the ini out of the Post-Processing folder when its run has ended.

        The set-up reads every postproc_*.ini there; ours is kept in the run's folder. One that somebody has changed
        stays; one that was put aside for ours comes back.
        """
        try:
            ours = (Path(run.folder) / ini_name(run.season)).read_bytes()
        except FileNotFoundError:
            return
        self._way.change(self._place(run).take_away, ours)

    def _place(self, run: PostprocRun) -> IniPlace:
        return IniPlace(folder=self._settings.folder, season=run.season)

    def _known(self, run: PostprocRun) -> _Known:
        lines, nites = io.BytesIO(), set[str]()
        with reading(self._database) as connection:
            for wanted in forcefiles_of(connection, run.exposures):
                lines.write(wanted.line.encode())
                nites.add(wanted.nite)
            return _Known(
                event=event_of(connection, run.season),
                forcefiles=lines.getvalue(),
                nites=frozenset(nites),
                earlier=tuple(
                    other for other in load_runs(connection) if other.season == run.season and other.number < run.number
                ),
            )

    def _fail(self, run: PostprocRun, why: str, now: datetime) -> str:
        with writing(self._database) as connection:
            move_run(connection, run, RunState.FAILED, at=now, why=why, ended_at=now)
        return why

    def _prepare(self, run: PostprocRun, folder: Path, known: _Known) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        settings, place = self._settings, self._place(run)
        expnums = sorted(set(run.expnums))
        # Bare numbers only: a comment or a blank empties the whole list for run_postproc.py.
        listing = "".join(f"{expnum}\n" for expnum in expnums).encode()
        list_name = self._way.ask(list_name_for, settings.folder, run.season, run.number, run.intent_at, listing)
        template = self._template()
        others = self._way.ask(place.others)
        own = self._own_environment(template, folder) if others else None
        ini = fill_template(
            template,
            {
                "season": str(run.season),
                "exposures_listfile": list_name,
                "bands": ",".join(run.bands),
                **known.event.for_ini(),
                **({} if own is None else {"env_setup_file": str(own)}),
            },
        )
        values = ini_settings(ini)
        outdir = values.outdir
        if not outdir or not outdir.isprintable() or any(character.isspace() for character in outdir):
            raise Refused(f"{settings.template}: outdir = {outdir[:100]!r}: it must be there, and hold no blanks")
        data = ini.encode(*_BYTES)
        ours = [copy.read_bytes() for other in (*known.earlier, run) if (copy := _copy_of(other)).is_file()]
        for name, text in ((list_name, listing), (ini_name(run.season), data)):
            write_whole(folder / name, text)
        self._way.change(write_whole, settings.folder / list_name, listing)
        aside = self._way.change(place.put, data, ours)
        write_whole(folder / FORCEFILES, known.forcefiles)
        write_whole(
            folder / NOTES,
            "".join(f"{note}\n" for note in notes_of(run.season, known.event, others, own, aside)).encode(),
        )
        start = Start(
            number=run.number,
            season=run.season,
            skipto=run.skipto,
            run=folder,
            folder=settings.folder,
            folder_lock=settings.folder / FOLDER_LOCK,
            host_lock=settings.host_lock,
            setup=settings.setup,
            python=settings.python,
            program=settings.program,
            outdir=outdir,
            output=output_name(run.season, run.number),
            table=str(Path(outdir) / "masterlist" / values.filename_1),
            goodfile=str(Path(outdir) / "checkoutputs" / (values.goodfile or "goodchecked.list")),
            light_curves=values.curves_folder,
            links=self._links_command(known),
            update=self._update(run, known),
            linked_fraction=settings.linked_fraction,
            links_timeout=settings.setup_timeout,
            own_environment=own is not None,
        )
        write_whole(folder / "start.sh", script_of(start).encode(*_BYTES))

    def _own_environment(self, template: str, folder: Path) -> Path | None:
        """The file that step 5 is to source instead of the set-up; None when the template has no place for it."""
        path = folder / ENVIRONMENT
        fits = not any(character.isspace() or character in ";#%" for character in str(path))
        return path if fits and has_key(template, "env_setup_file") else None

    def _links_command(self, known: _Known) -> list[str]:
        """With the nite when all exposures are of one: a season may have hundreds of nites, each listed on /pnfs."""
        return [*self._settings.links_command, *(("-n", *known.nites) if len(known.nites) == 1 else ())]

    def _update(self, run: PostprocRun, known: _Known) -> Literal["first", "if-missing", "never"]:
        """Whether the links are made: not again for the same files as in the last run that made them."""
        match self._settings.update_links:
            case "never":
                return "never"
            case "always":
                return "first"
        linked = [other for other in known.earlier if (Path(other.folder) / LINKED).exists()]
        last = max(linked, key=lambda other: other.number, default=None)
        return "if-missing" if last is not None and last.files_fingerprint == run.files_fingerprint else "first"

    def _template(self) -> str:
        """The template's text. Raises Refused when it is none, OSError when the disk does not answer."""
        path = self._settings.template
        try:
            data = self._way.ask(beginning, path, _MOST_TEMPLATE)
        except (FileNotFoundError, NotAFileError, PermissionError) as error:
            raise Refused(f"{path} cannot be read: {error.strerror}") from error
        if len(data) > _MOST_TEMPLATE:
            raise Refused(f"{path} is longer than {_MOST_TEMPLATE} bytes: it is no template")
        return data.decode(*_BYTES)


def output_name(season: int, number: int) -> str:
    """Name of the output of a run, in the Post-Processing folder; postproc_run.out is a link to the newest."""
    return f"postproc_run_{season}_{number}.out"


def _copy_of(run: PostprocRun) -> Path:
    return Path(run.folder) / ini_name(run.season)
