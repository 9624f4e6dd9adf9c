"""The sections of daemon.toml: each key with its type, limits and default. What each one means stands in the
shipped daemon.toml, which a test holds against this.

Values only: nothing here looks at a disk. A field marked RESTART takes effect at the next start.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from desgw_daemon.config.kinds import (
    Command,
    DatabaseUrl,
    Fraction,
    FullPath,
    InnerPath,
    LoopbackAddress,
    Name,
    OptionalFullPath,
    OptionalInnerPath,
    Rate,
    Size,
    Span,
    SpanOrZero,
    SpansOfSteps,
    TimeOfDay,
    Word,
    Words,
)
from desgw_daemon.domain.decam import EXPECTED_CCDS

NEEDS_RESTART: Final = "restart"
#: Mark of the keys that are read once, when the daemon starts.
RESTART: Final = Field(json_schema_extra={NEEDS_RESTART: True})


class Section(BaseModel):
    """One section of daemon.toml: values cannot be changed, unknown keys and wrong types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Paths(Section):
    """Where things are. All absolute, but for exposures_list (see `Config.exposures_list`)."""

    state: Annotated[FullPath, RESTART]
    pnfs: Annotated[FullPath, RESTART] = Path("/pnfs/des/persistent/gw")
    workflow: Annotated[FullPath, RESTART] = Path("/data/des80.a/data/desgw/gw_workflow")
    postprocessing: Annotated[FullPath, RESTART] = Path("/data/des80.a/data/desgw/Post-Processing")
    exposures_list: Annotated[InnerPath, RESTART] = Path("exposures.list")


class Poll(Section):
    """The cycle, and how hard /pnfs is asked."""

    interval: Annotated[Span, RESTART] = timedelta(seconds=60)
    calls_at_once: Annotated[int, Field(ge=1, le=64)] = 8
    calls_per_second: Rate = 0.0
    answer_within: Span = timedelta(seconds=20)
    look_deadline: Span = timedelta(seconds=50)
    aside_at_most: Span = timedelta(minutes=10)
    max_stuck: Annotated[int, Field(ge=1, le=20)] = 3
    recheck: SpanOrZero = timedelta(hours=1)


class Queue(Section):
    """How lists of exposures are taken in."""

    inbox_settle: Span = timedelta(seconds=5)


class Dagmaker(Section):
    """How DAGs are made."""

    command: Command = ("./DAGMaker.sh",)
    prefix: Words = ()
    setup: InnerPath = Path("setup_img_proc.sh")
    setup_timeout: Span = timedelta(minutes=2)
    max_at_once: Annotated[int, Field(ge=1, le=50)] = 5
    made_ahead: Annotated[int, Field(ge=1)] = 5
    timeout: Span = timedelta(hours=2)
    rc: InnerPath = Path("dagmaker.rc")
    output: OptionalInnerPath = Path("image_proc_outputs/output.txt")


class Databases(Section):
    """Databases of other people that are asked, and never written."""

    des: DatabaseUrl = ""
    des_schema: str = "MARCELLE"
    exposures: DatabaseUrl = ""
    exposures_schema: str = "exposure"
    timeout: Span = timedelta(seconds=30)
    refresh_every: SpanOrZero = timedelta(minutes=15)


class Credential(Section):
    """What a submission needs to be let in."""

    kind: Literal["none", "token", "proxy"] = "none"
    path: OptionalFullPath = None
    min_left: Span = timedelta(minutes=30)


class Submit(Section):
    """How DAGs are run."""

    engine: Literal["jobsub", "htcondor", "local"] = "jobsub"
    max_in_flight: Annotated[int, Field(ge=1, le=1000)] = 20
    templates: Literal["exclusive", "ignore"] = "exclusive"
    confirm_absent: Span = timedelta(minutes=2)
    timeout: Span = timedelta(minutes=5)
    query_timeout: Span = timedelta(seconds=30)
    max_tries: Annotated[int, Field(ge=1)] = 10
    retry_after: Span = timedelta(minutes=2)
    retry_at_most: Span = timedelta(minutes=30)
    breaker_after: Annotated[int, Field(ge=1)] = 5
    breaker_probe: Span = timedelta(minutes=5)
    held_limit: Span = timedelta(hours=2)
    local_slots: Annotated[int, Field(ge=1, le=256)] = 2


class Htcondor(Section):
    """Plain HTCondor."""

    prefix: Words = ()
    schedd: str = ""
    options: Words = ()


class Jobsub(Section):
    """Fermilab's jobsub."""

    command: Command = ("jobsub_submit_dag",)
    group: Word = "des"
    role: Word = "desgw"
    storage: Words = ("/des/persistent/gw/exp", "/des/persistent/gw/forcephoto")
    options: Words = ()
    query: Literal["condor", "jobsub"] = "condor"
    prefix: Words = ()
    schedds: Words = ()


class Readiness(Section):
    """When a CCD is settled, and when an exposure may go on."""

    min_complete_ccds: Annotated[int, Field(ge=1, le=EXPECTED_CCDS)] = 50
    min_forcefile_fraction: Fraction = 0.5
    settle: Span = timedelta(minutes=5)
    grace_after_dag: Span = timedelta(minutes=30)
    adopted_deadline: Span = timedelta(hours=12)
    dag_deadline: Span = timedelta(days=3)
    zero_size_after: Span = timedelta(minutes=30)
    surplus: Literal["hold", "ignore"] = "hold"


class Postproc(Section):
    """When and how post-processing is run."""

    auto: bool = True
    min_exposures: Annotated[int, Field(ge=1)] = 1
    quiet_for: Span = timedelta(minutes=30)
    first_within: Span = timedelta(hours=1)
    min_interval: Span = timedelta(minutes=30)
    retries: Annotated[int, Field(ge=0)] = 2
    retry_after: Span = timedelta(minutes=10)
    prefix: Words = ()
    python: Word = "python"
    program: InnerPath = Path("run_postproc.py")
    setup: InnerPath = Path("diffimg_setup.sh")
    template: InnerPath = Path("template_postproc.ini")
    update_links: Literal["when-files-changed", "always", "never"] = "when-files-changed"
    update_links_command: Command = ("./update_forcephoto_links.sh",)
    skipto: Literal["evidence", "upstream", "never"] = "evidence"
    missing_folders: Literal["leave-out", "make"] = "leave-out"
    max_skipto: Annotated[int, Field(ge=0, le=7)] = 5
    setup_timeout: Span = timedelta(minutes=30)
    silent_after: Span = timedelta(hours=2)
    silent_after_step: SpansOfSteps = {2: timedelta(hours=8), 5: timedelta(hours=8)}
    host_lock: InnerPath = Path("/tmp/desgw-postproc.lock")


class Rule(Section):
    """What daemon.toml changes of a rule of the catalogue; None leaves it."""

    active: bool = True
    after: SpanOrZero | None = None
    severity: Literal["info", "warning", "critical"] | None = None


class Alerts(Section):
    """When people are told, and how."""

    channels: Mapping[Name, Literal["info", "warning", "critical"]] = {}
    credentials: InnerPath = Path("credentials")
    repeat_after: Span = timedelta(hours=4)
    repeat_at_most: Span = timedelta(days=1)
    max_per_hour: Annotated[int, Field(ge=1)] = 10
    send_within: Span = timedelta(seconds=30)
    give_up_after: Span = timedelta(hours=12)
    report_at: TimeOfDay = None
    heartbeat: str = ""
    stalled_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 5.0
    step_failures: Annotated[int, Field(ge=2)] = 20
    host_failures: Annotated[int, Field(ge=2)] = 10
    leftovers_after: Span = timedelta(hours=2)
    idle_after: Span = timedelta(hours=2)
    min_free: Size = 5 * 1024**3
    clock_jump: Span = timedelta(seconds=30)
    max_restarts: Annotated[int, Field(ge=1)] = 3
    rules: Mapping[str, Rule] = {}


class Metrics(Section):
    """Numbers for Prometheus."""

    listen: Annotated[LoopbackAddress, RESTART] = ""
    textfile: OptionalFullPath = None


class Service(Section):
    """How the daemon runs under systemd."""

    children: Annotated[Literal["auto", "unit", "process"], RESTART] = "auto"


class Backup(Section):
    """Copies of the database."""

    folder: InnerPath = Path("backups")
    keep: Annotated[int, Field(ge=1)] = 14


class Log(Section):
    """What is logged, and where."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    file: Annotated[OptionalInnerPath, RESTART] = Path("desgw-daemon.log")
