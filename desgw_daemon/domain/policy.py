"""The numbers of the rules. wiring fills this from daemon.toml, whose comments explain them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Literal

from desgw_daemon.domain.alertrules import RULES, AlertRule


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """When something is an alert, and how often it is told; see [alerts] of daemon.toml."""

    repeat_after: timedelta = timedelta(hours=4)
    repeat_at_most: timedelta = timedelta(days=1)
    stalled_factor: float = 5.0
    step_failures: int = 20
    host_failures: int = 10
    leftovers_after: timedelta = timedelta(hours=2)
    idle_after: timedelta = timedelta(hours=2)
    #: Bytes.
    min_free: int = 5 * 1024**3
    clock_jump: timedelta = timedelta(seconds=30)
    max_restarts: int = 3
    #: From which severity on each channel is told.
    channels: Mapping[str, str] = field(default_factory=dict)
    max_per_hour: int = 10
    send_within: timedelta = timedelta(seconds=30)
    give_up_after: timedelta = timedelta(hours=12)
    #: When the report of the night is sent (UTC); None: when its last exposure is settled.
    report_at: time | None = None
    #: The catalogue, as daemon.toml has changed it.
    rules: Mapping[str, AlertRule] = field(default_factory=lambda: RULES)
    #: Rules on trial: told to nobody.
    on_trial: frozenset[str] = frozenset()

    def delay(self, rule: str) -> timedelta:
        """After how long its condition is an alert, for conditions that begin when something has begun to wait."""
        return self.rules[rule].after


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Caps, thresholds and times; the defaults are those of the shipped daemon.toml."""

    poll_interval: timedelta = timedelta(seconds=60)
    #: Processes that may hang on each tree.
    max_stuck: int = 3
    #: A folder that hangs is looked at again at growing intervals, up to this.
    aside_at_most: timedelta = timedelta(minutes=10)
    recheck: timedelta = timedelta(hours=1)

    dagmaker_max_at_once: int = 5
    dagmaker_made_ahead: int = 5
    #: A DAGMaker that was lost (a restart of the machine) is run again this many times.
    dagmaker_lost_retries: int = 2

    #: With less time left of the credential nothing is made or submitted.
    credential_min_left: timedelta = timedelta(minutes=30)

    submit_max_in_flight: int = 20
    #: A tag that the engine does not know must be absent in two answers this far apart.
    submit_confirm_absent: timedelta = timedelta(minutes=2)
    submit_templates: Literal["exclusive", "ignore"] = "exclusive"
    #: A submission refused for a cause that passes is tried again so often, at growing intervals.
    submit_max_tries: int = 10
    submit_retry_after: timedelta = timedelta(minutes=2)
    submit_retry_at_most: timedelta = timedelta(minutes=30)
    #: After so many in a row with the same cause only one on trial is submitted, at growing intervals.
    submit_breaker_after: int = 5
    submit_breaker_probe: timedelta = timedelta(minutes=5)
    #: A DAG of which nothing can run for this long gives its place to others.
    submit_held_limit: timedelta = timedelta(hours=2)

    min_complete_ccds: int = 50
    min_forcefile_fraction: float = 0.5
    settle: timedelta = timedelta(minutes=5)
    grace_after_dag: timedelta = timedelta(minutes=30)
    adopted_deadline: timedelta = timedelta(hours=12)
    dag_deadline: timedelta = timedelta(hours=72)
    zero_size_after: timedelta = timedelta(minutes=30)
    surplus: Literal["hold", "ignore"] = "hold"

    #: exposures.list is refreshed at most this often; None: not by the daemon.
    refresh_every: timedelta | None = None

    #: An exposure that could not be looked at for this long is told to people, and a run starts without it.
    unseen_patience: timedelta = timedelta(minutes=30)

    #: The longest wait for a CCD that counts as usual in a nite that has had none yet.
    first_pace: timedelta = timedelta(hours=1)

    postproc_auto: bool = True
    postproc_quiet_for: timedelta = timedelta(minutes=30)
    #: So many must be ready before a season starts because nothing new came.
    postproc_min_exposures: int = 1
    #: A season starts this long after its first exposure became ready, whatever may still come.
    postproc_first_within: timedelta = timedelta(hours=1)
    #: From the start of one run of a season to the start of the next that the daemon starts by itself.
    postproc_min_interval: timedelta = timedelta(minutes=30)
    #: A run that failed is tried again so often, at growing intervals, if it came further than the one before.
    postproc_retries: int = 2
    postproc_retry_after: timedelta = timedelta(minutes=10)
    postproc_missing_folders: Literal["leave-out", "make"] = "leave-out"
    postproc_max_skipto: int = 5
    postproc_skipto: Literal["evidence", "upstream", "never"] = "evidence"
    #: A look at an exposure is fresh enough to start a run with for this long.
    postproc_look_fresh_for: timedelta = timedelta(minutes=10)
    #: A run that comes to no further step for this long raises an alert; it is never killed.
    postproc_silent_after: timedelta = timedelta(hours=2)
    #: ... but for the steps that take hours.
    postproc_silent_after_step: Mapping[int, timedelta] = field(
        default_factory=lambda: {2: timedelta(hours=8), 5: timedelta(hours=8)}
    )

    alerts: AlertPolicy = AlertPolicy()
