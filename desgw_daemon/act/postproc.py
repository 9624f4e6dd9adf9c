"""Starting run_postproc.py: list, ini, environment, and a process that outlives the daemon.

The preparation (set-up, links, the trial read) may take long and happens inside that process, in bash; what it finds is
left in files of the run's folder.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from desgw_daemon.act.environment import child_environment, in_bash
from desgw_daemon.act.inifile import fill_template
from desgw_daemon.children import ensure_started, look, stop
from desgw_daemon.domain.event import Event
from desgw_daemon.domain.snapshot import PostprocRun
from desgw_daemon.domain.states import RUN_STAGES, RunState
from desgw_daemon.errors import Refused
from desgw_daemon.observe.plainfile import NotAFileError, open_plain
from desgw_daemon.observe.postproc import ini_settings
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.journal import move_run
from desgw_daemon.store.seasons import event_of

#: Names of the files in a run's folder.
STAGE: Final = "stage"
SKIPTO: Final = "skipto"
PREPARED: Final = "prepare.out"
#: A comment may be in any encoding: its bytes stay as they are.
_BYTES: Final = ("utf-8", "surrogateescape")
#: The real one has 5 kB.
_MOST_TEMPLATE: Final = 1_000_000
#: Stages that the script writes down, in order.
STAGES: Final = RUN_STAGES

_SCRIPT: Final = """\
#!/bin/bash
# Post-processing run {number} of season {season}: written by desgw-daemon, started by it once.
desgw_run={run}
desgw_say() {{ printf '%s\\n' "$2" > "$desgw_run/$1.part" && mv "$desgw_run/$1.part" "$desgw_run/$1"; }}
cd {postprocessing} || exit 1
desgw_say stage setup
source {setup}
# The set-up goes through every postproc_*.ini of the folder and leaves the last season set.
export SEASON={season}
export PYTHONUNBUFFERED=1
if [ -z "$ROOTDIR" ] || [ -z "$TOPDIR_SNFORCEPHOTO_IMAGES" ]; then
    echo "{setup_name} set no ROOTDIR or no TOPDIR_SNFORCEPHOTO_IMAGES"
    exit 1
fi
{links}{trial}desgw_say stage program
ln -sfn {output} postproc_run.out.{season} && mv -T postproc_run.out.{season} postproc_run.out
exec {python} {program} ${{desgw_skipto:+--SKIPTO "$desgw_skipto"}} --outputdir {outdir} --season {season} \\
    > {output} 2>&1
"""
_LINKS: Final = """\
desgw_say stage links
timeout {seconds} {command} || {{ echo "{name} ended with $?"; exit 1; }}
"""
_TRIAL: Final = """\
desgw_say stage trial
desgw_skipto={skipto}
# A start above 0 reads a FITS file with a CSV reader, and may die of its bytes: tried beforehand.
if [ -n "$desgw_skipto" ] &&
    ! {python} -c 'import sys, pandas; pandas.read_csv(sys.argv[1])' {table} > "$desgw_run/trial.out" 2>&1; then
    echo "{table_name} cannot be read as run_postproc.py reads it (see trial.out): from scratch"
    desgw_skipto=
fi
desgw_say skipto "${{desgw_skipto:-0}}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocSettings:
    """What daemon.toml says of post-processing; paths are full."""

    folder: Path
    program: Path
    setup: Path
    template: Path
    python: str
    prefix: Sequence[str]
    update_links: Sequence[str] | None
    setup_timeout: timedelta


class Postprocessor:
    """Prepares and starts the runs that are written down. What became of one is read in a later tick."""

    def __init__(self, *, database: Engine, settings: PostprocSettings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    def launch(self, run: PostprocRun, now: datetime) -> str:
        """Start a run whose intent is written down; a second call for the same run changes nothing.

        A run that cannot be prepared (no template, a value that cannot be written) is failed with that reason.
        Raises Refused when the folder is away, OSError when it does not answer: the intent stays, and the next tick
        tries again.
        """
        folder = Path(run.folder)
        with reading(self._database) as connection:
            event = event_of(connection, run.season)
        if look(folder).state == "absent":
            self.check_folder()
            try:
                self._prepare(run, folder, event)
            except Refused as problem:
                why = f"not started: {problem}"
                with writing(self._database) as connection:
                    move_run(connection, run, RunState.FAILED, at=now, why=why, ended_at=now)
                return why
            ensure_started(
                folder,
                in_bash(self._settings.prefix, f"source {shlex.quote(str(folder / 'start.sh'))}"),
                cwd=self._settings.folder,
                env=child_environment(),
                output=folder / PREPARED,
                timeout=None,
            )
        why = f"started with {len(run.expnums)} exposures at SKIPTO {run.skipto}"
        if unknown := event.unknown():
            why += (
                f"; {', '.join(unknown)} are the template's, since nobody said for which event season {run.season} is"
                f" (`desgw-daemon season event {run.season}` does)"
            )
        with writing(self._database) as connection:
            move_run(connection, run, RunState.RUNNING, at=now, why=why, started_at=look(folder).started_at or now)
        return why

    def check_folder(self) -> None:
        """Raises Refused while the Post-Processing folder is away: that is no fault of a run."""
        if not self._settings.folder.is_dir():
            raise Refused(f"{self._settings.folder} is away: post-processing starts when it is there again")

    def end_overdue(self, run: PostprocRun, now: datetime) -> None:
        """End a run that hangs in its preparation. run_postproc.py itself is never ended. Raises OSError."""
        folder = Path(run.folder)
        # The set-up, the links and the trial read may each take their time.
        if run.started_at is None or now - run.started_at < 3 * self._settings.setup_timeout:
            return
        stage = folder / STAGE
        if look(folder).state == "running" and not (stage.exists() and stage.read_text().strip() == STAGES[-1]):
            stop(folder)

    def clear_away(self, run: PostprocRun) -> None:
        """Take our copy of the ini out of the Post-Processing folder when its run has ended.

        The set-up reads every postproc_*.ini there; ours is kept in the run's folder. One that somebody has changed
        stays.
        """
        name = ini_name(run.season)
        mine, theirs = Path(run.folder) / name, self._settings.folder / name
        try:
            if mine.read_bytes() == theirs.read_bytes():
                theirs.unlink()
        except FileNotFoundError:
            return

    def _prepare(self, run: PostprocRun, folder: Path, event: Event) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        expnums = sorted(set(run.expnums))
        # Bare numbers only: a comment or a blank empties the whole list for run_postproc.py.
        listing = "".join(f"{expnum}\n" for expnum in expnums).encode()
        list_name = self._list_name(run, listing)
        settings = self._settings
        ini = fill_template(
            self._template(),
            {
                "season": str(run.season),
                "exposures_listfile": list_name,
                "bands": ",".join(run.bands),
                **event.for_ini(),
            },
        )
        values = ini_settings(ini)
        outdir = values.outdir
        if not outdir or not outdir.isprintable() or any(character.isspace() for character in outdir):
            raise Refused(f"{settings.template}: outdir = {outdir[:100]!r}: it must be there, and hold no blanks")
        for name, data in ((list_name, listing), (ini_name(run.season), ini.encode(*_BYTES))):
            write_whole(folder / name, data)
            write_whole(settings.folder / name, data)
        table = Path(outdir) / "masterlist" / values.filename_1
        write_whole(folder / "start.sh", self._script(run, folder, outdir, table).encode(*_BYTES))

    def _template(self) -> str:
        """The template's text. Raises Refused when it is none, OSError when the disk does not answer."""
        path = self._settings.template
        try:
            with open_plain(path) as file:
                data = file.read(_MOST_TEMPLATE + 1)
        except (FileNotFoundError, NotAFileError, PermissionError) as error:
            raise Refused(f"{path} cannot be read: {error.strerror}") from error
        if len(data) > _MOST_TEMPLATE:
            raise Refused(f"{path} is longer than {_MOST_TEMPLATE} bytes: it is no template")
        return data.decode(*_BYTES)

    def _list_name(self, run: PostprocRun, listing: bytes) -> str:
        """``complete_exposures_S{season}_{YYYYMMDD_HH-MM}.list``; with the run's number if that name is taken."""
        stem = f"complete_exposures_S{run.season}_{run.intent_at:%Y%m%d_%H-%M}"
        there = self._settings.folder / f"{stem}.list"
        if there.exists() and there.read_bytes() != listing:
            return f"{stem}_run{run.number}.list"
        return f"{stem}.list"

    def _script(self, run: PostprocRun, folder: Path, outdir: str, table: Path) -> str:
        settings = self._settings
        quoted = {
            "run": str(folder),
            "postprocessing": str(settings.folder),
            "setup": str(settings.setup),
            "python": settings.python,
            "program": str(settings.program),
            "outdir": outdir,
            "output": output_name(run.season, run.number),
        }
        words = {name: shlex.quote(value) for name, value in quoted.items()}
        links = ""
        if settings.update_links is not None:
            links = _LINKS.format(
                seconds=round(settings.setup_timeout.total_seconds()) or 1,
                command=shlex.join(settings.update_links),
                name=_for_echo(settings.update_links[0]),
            )
        trial = _TRIAL.format(
            skipto=run.skipto or "",
            python=words["python"],
            table=shlex.quote(str(table)),
            table_name=_for_echo(str(table)),
        )
        return _SCRIPT.format(
            **words,
            number=run.number,
            season=run.season,
            setup_name=_for_echo(settings.setup.name),
            links=links,
            trial=trial,
        )


def ini_name(season: int) -> str:
    """Name of a season's ini file; run_postproc.py makes it up from --season."""
    return f"postproc_{season}.ini"


def output_name(season: int, number: int) -> str:
    """Name of the output of a run, in the Post-Processing folder; postproc_run.out is a link to the newest."""
    return f"postproc_run_{season}_{number}.out"


def write_whole(path: Path, data: bytes) -> None:
    """A file that appears whole or not at all, and stays after a power cut."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _for_echo(text: str) -> str:
    """A name that is safe between double quotes in bash; it is only shown to people."""
    return "".join(c if c.isalnum() or c in "./_-+" else "?" for c in text)
