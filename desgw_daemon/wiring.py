"""From a configuration to the objects that work: the one place that knows both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine as Database

from desgw_daemon.act.dagmaker import DagMaker
from desgw_daemon.act.environment import SetupCapture
from desgw_daemon.act.folders import FolderMaker
from desgw_daemon.act.postproc import Postprocessor, PostprocSettings
from desgw_daemon.act.rcfile import Parameters
from desgw_daemon.act.refresh import Refresher
from desgw_daemon.act.send import Outgoing
from desgw_daemon.act.submit import Submitter
from desgw_daemon.children import run_children
from desgw_daemon.config.model import Config
from desgw_daemon.config.policies import policy_of
from desgw_daemon.domain.policy import Policy
from desgw_daemon.grid.engine import Engine
from desgw_daemon.grid.local import LocalEngine
from desgw_daemon.observe.abandoned import Abandoned
from desgw_daemon.observe.credential import VARIABLE
from desgw_daemon.observe.door import DIRECT, Door, Way
from desgw_daemon.observe.exposures_list import ExposuresList
from desgw_daemon.observe.looker import Looker


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Everything that a tick works with. A changed configuration makes a new one; `kept` ones are handed over."""

    config: Config
    policy: Policy
    database: Database
    abandoned: Abandoned
    workflow_door: Door
    postprocessing_door: Door
    looker: Looker
    exposures_list: ExposuresList
    setup: SetupCapture
    engines: Engines
    parameters: Parameters
    dagmaker: DagMaker
    submitter: Submitter
    postprocessor: Postprocessor
    folders: FolderMaker
    refresher: Refresher
    outgoing: Outgoing

    def begin_cycle(self) -> None:
        """The doors ask their trees anew."""
        self.workflow_door.begin()
        self.postprocessing_door.begin()

    def tree_problems(self) -> dict[str, str]:
        """By column of `poll`: which trees are silent or away in this cycle, and why."""
        doors = {"workflow_problem": self.workflow_door, "postprocessing_problem": self.postprocessing_door}
        return {column: door.problem for column, door in doors.items() if door.problem is not None}

    def way_to(self, path: Path) -> Way:
        """How to come to a file that may be anywhere."""
        paths = self.config.paths
        if path.is_relative_to(paths.postprocessing):
            return self.postprocessing_door
        return self.workflow_door if path.is_relative_to(paths.workflow) else DIRECT

    @property
    def inbox(self) -> Path:
        """Where people drop list files."""
        return self.config.paths.state / "inbox"


def engine_of(config: Config, name: str) -> Engine:
    """The engine of this name: a DAG in flight stays with the one that took it, whatever daemon.toml says since.

    Raises ValueError for a name that no engine has.
    """
    if name == "local":
        return LocalEngine(root=config.paths.state / "local", slots=config.submit.local_slots)
    if name == "htcondor":
        from desgw_daemon.grid.htcondor import HtcondorEngine

        return HtcondorEngine(
            root=config.paths.state / "htcondor",
            schedd=config.htcondor.schedd,
            prefix=config.htcondor.prefix,
            options=config.htcondor.options,
            timeout=config.submit.timeout,
            query_timeout=config.submit.query_timeout,
        )
    if name == "jobsub":
        from desgw_daemon.grid.jobsub import JobsubEngine

        return JobsubEngine(
            root=config.paths.state / "jobsub",
            command=config.jobsub.command,
            group=config.jobsub.group,
            role=config.jobsub.role,
            storage=config.jobsub.storage,
            options=config.jobsub.options,
            query=config.jobsub.query,
            prefix=config.jobsub.prefix,
            schedds=config.jobsub.schedds,
            timeout=config.submit.timeout,
            query_timeout=config.submit.query_timeout,
        )
    raise ValueError(f"there is no engine {name!r}")


class Engines:
    """The engines by name, each made when it is first wanted. `current` takes new DAGs."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._made: dict[str, Engine] = {}

    def __getitem__(self, name: str) -> Engine:
        """The engine of this name. Raises ValueError for a name that no engine has."""
        if name not in self._made:
            self._made[name] = engine_of(self._config, name)
        return self._made[name]

    @property
    def current(self) -> Engine:
        """What takes new DAGs."""
        return self[self._config.submit.engine]


def parameters_of(config: Config, way: Way = DIRECT) -> Parameters:
    """dagmaker.rc, with the lock that the commands and the daemon share."""
    return Parameters(path=config.dagmaker_rc, locks=config.paths.state / "locks", way=way)


def _door(config: Config, abandoned: Abandoned, before: Door | None, tree: str, root: Path) -> Door:
    """The one before, as it is: it knows what hangs. Its numbers are the new ones."""
    poll = config.poll
    if before is None:
        return Door(
            tree=tree, root=root, abandoned=abandoned, answer_within=poll.answer_within, max_stuck=poll.max_stuck
        )
    before.answer_within, before.max_stuck = poll.answer_within, poll.max_stuck
    return before


def postproc_settings(config: Config) -> PostprocSettings:
    """How a run of post-processing is prepared and started."""
    return PostprocSettings(
        folder=config.paths.postprocessing,
        host_lock=config.postproc_host_lock,
        program=config.postproc_program,
        setup=config.postproc_setup,
        template=config.postproc_template,
        python=config.postproc.python,
        prefix=config.postproc.prefix,
        update_links=config.postproc.update_links,
        links_command=config.postproc.update_links_command,
        # An exposure goes on with more than this of its files, and so do their links.
        linked_fraction=config.readiness.min_forcefile_fraction,
        setup_timeout=config.postproc.setup_timeout,
    )


def credential_variable(config: Config) -> dict[str, str]:
    """Where the credential is, for programs, if daemon.toml says it."""
    kind, path = config.credential.kind, config.credential.path
    return {} if kind == "none" or path is None else {VARIABLE[kind]: str(path)}


def build(
    config: Config, database: Database, clock: Callable[[], datetime], *, source: Path, before: House | None = None
) -> House:
    """The objects for this configuration.

    source: the file that it was read from.
    before: the house of the configuration before it. What remembers something worth keeping (abandoned workers, the
    index of exposures.list, the captured environment) is taken over where its own settings are the same.
    """
    paths = config.paths
    abandoned = before.abandoned if before else Abandoned()
    same_setup = before is not None and (before.config.paths, before.config.dagmaker) == (paths, config.dagmaker)
    # The paths need a restart, so the looker and the list stay the same for ever.
    run_children(config.service.children)
    engines = Engines(config)
    workflow = _door(config, abandoned, before.workflow_door if before else None, "workflow", paths.workflow)
    postprocessing = _door(
        config, abandoned, before.postprocessing_door if before else None, "postprocessing", paths.postprocessing
    )
    parameters = parameters_of(config, workflow)
    return House(
        config=config,
        policy=policy_of(config),
        database=database,
        abandoned=abandoned,
        workflow_door=workflow,
        postprocessing_door=postprocessing,
        looker=before.looker if before else Looker(root=paths.pnfs, abandoned=abandoned),
        exposures_list=before.exposures_list if before else ExposuresList(config.exposures_list, way=workflow),
        setup=before.setup
        if before and same_setup
        else SetupCapture(
            folder=paths.state / "setup",
            setup=config.dagmaker_setup,
            workdir=paths.workflow,
            way=workflow,
            prefix=config.dagmaker.prefix,
            timeout=config.dagmaker.setup_timeout,
        ),
        engines=engines,
        parameters=parameters,
        dagmaker=DagMaker(
            database=database,
            workflow=paths.workflow,
            way=workflow,
            setup=config.dagmaker_setup,
            command=config.dagmaker.command,
            prefix=config.dagmaker.prefix,
            timeout=config.dagmaker.timeout,
            attempts=paths.state / "attempts",
            parameters=parameters,
            environment=credential_variable(config),
        ),
        submitter=Submitter(
            database=database,
            engine=engines.current,
            engine_named=engines.__getitem__,
            workflow=paths.workflow,
            way=workflow,
            confirm_absent=config.submit.confirm_absent,
            exclusive=config.submit.templates == "exclusive",
            max_tries=config.submit.max_tries,
            clock=clock,
        ),
        folders=before.folders if before else FolderMaker(root=paths.pnfs),
        postprocessor=Postprocessor(
            database=database, settings=postproc_settings(config), way=postprocessing, clock=clock
        ),
        refresher=Refresher(database=database, config_file=source.absolute(), state=paths.state),
        outgoing=Outgoing(
            root=paths.state / "outbox", credentials=config.alert_credentials, within=config.alerts.send_within
        ),
    )
