"""daemon.toml as a whole: its sections, what follows from several keys, and what contradicts itself.

Values only: nothing here looks at a disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from desgw_daemon.config.sections import (
    NEEDS_RESTART,
    Alerts,
    Backup,
    Credential,
    Dagmaker,
    Databases,
    Htcondor,
    Jobsub,
    Log,
    Metrics,
    Paths,
    Poll,
    Postproc,
    Queue,
    Readiness,
    Section,
    Service,
    Submit,
)
from desgw_daemon.domain.alertrules import RULES

#: Name of the database in the state folder.
DATABASE: Final = "desgw.db"


class Config(Section):
    """Everything that daemon.toml says, with the defaults filled in."""

    paths: Paths
    poll: Poll = Poll()
    queue: Queue = Queue()
    dagmaker: Dagmaker = Dagmaker()
    databases: Databases = Databases()
    credential: Credential = Credential()
    submit: Submit = Submit()
    htcondor: Htcondor = Htcondor()
    jobsub: Jobsub = Jobsub()
    readiness: Readiness = Readiness()
    postproc: Postproc = Postproc()
    alerts: Alerts = Alerts()
    metrics: Metrics = Metrics()
    service: Service = Service()
    backup: Backup = Backup()
    log: Log = Log()

    @property
    def exposures_list(self) -> Path:
        """The list of all exposures of the camera."""
        return self.paths.workflow / self.paths.exposures_list

    @property
    def dagmaker_setup(self) -> Path:
        """The script to source before DAGMaker and before each submission."""
        return self.paths.workflow / self.dagmaker.setup

    @property
    def dagmaker_rc(self) -> Path:
        """The parameters that DAGMaker sources."""
        return self.paths.workflow / self.dagmaker.rc

    @property
    def output_txt(self) -> Path | None:
        """What image processing hands on to people, None when it is not to be written."""
        return None if self.dagmaker.output is None else self.paths.workflow / self.dagmaker.output

    @property
    def postproc_program(self) -> Path:
        """run_postproc.py."""
        return self.paths.postprocessing / self.postproc.program

    @property
    def postproc_setup(self) -> Path:
        """The script to source before run_postproc.py."""
        return self.paths.postprocessing / self.postproc.setup

    @property
    def postproc_template(self) -> Path:
        """The template of the ini files."""
        return self.paths.postprocessing / self.postproc.template

    @property
    def postproc_host_lock(self) -> Path:
        """What a run of post-processing holds, so that there is one on this host."""
        return self.paths.state / self.postproc.host_lock

    @property
    def database(self) -> Path:
        """The SQLite file with everything that the daemon knows."""
        return self.paths.state / DATABASE

    @property
    def alert_credentials(self) -> Path:
        """Where the addresses of channels are, when systemd does not hand them over."""
        return self.paths.state / self.alerts.credentials

    @property
    def backups(self) -> Path:
        """Where copies of the database are kept."""
        return self.paths.state / self.backup.folder

    @property
    def log_file(self) -> Path | None:
        """The log of JSON lines, None when there is to be none."""
        return None if self.log.file is None else self.paths.state / self.log.file


def keys() -> tuple[str, ...]:
    """Every `section.key`, in the order of daemon.toml."""
    return tuple(f"{section}.{key}" for section, fields in _sections() for key in fields.model_fields)


def section_keys(section: str) -> tuple[str, ...]:
    """The keys of one section; none for a section that does not exist."""
    return next((tuple(fields.model_fields) for name, fields in _sections() if name == section), ())


def field_of(key: str) -> Any:
    """pydantic's description of `section.key`. Raises KeyError."""
    section, name = key.split(".")
    return dict(_sections())[section].model_fields[name]


def needs_restart(key: str) -> bool:
    """Whether a new value of `section.key` takes effect at the next start only."""
    extra = field_of(key).json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(NEEDS_RESTART))


def value_of(config: Config, key: str) -> Any:
    """The value of `section.key`."""
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def contradictions(config: Config) -> Iterator[tuple[str, str]]:
    """(key, words) for values that are right one by one and cannot stand together.

    By name only: no path is looked at, since a mount may hang.
    """
    for name in config.alerts.rules:
        if name not in RULES:
            yield f"alerts.rules.{name}", f"there is no rule {name!r} (docs/runbook.md has them all)"
    paths = {key: _plain(value_of(config, f"paths.{key}")) for key in ("state", "pnfs", "workflow", "postprocessing")}
    seen: dict[Path, str] = {}
    for key, path in paths.items():
        if path in seen:
            yield f"paths.{key}", f"is the same folder as paths.{seen[path]}; each needs its own"
        seen.setdefault(path, key)
    if paths["pnfs"] in paths["state"].parents:
        yield "paths.state", f"lies inside paths.pnfs ({paths['pnfs']}); choose a folder on a local disk"
        return  # the log's place follows from it
    if config.log_file is not None and len(seen) == len(paths):
        log = _plain(config.log_file)
        if paths["pnfs"] in log.parents:
            yield "log.file", f"lies inside paths.pnfs ({paths['pnfs']}); choose a file on a local disk"
        if log in paths.values() or log.name.startswith(DATABASE):
            yield "log.file", f"is taken ({log}); choose another name for the log"


def _plain(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _sections() -> Iterator[tuple[str, type[Section]]]:
    for name, field in Config.model_fields.items():
        annotation = field.annotation
        assert isinstance(annotation, type) and issubclass(annotation, Section)
        yield name, annotation
