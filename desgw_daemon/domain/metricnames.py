"""The catalogue of numbers for Prometheus: name, kind, labels, and what each one is.

docs/metrics.md, the dashboard and the alert rules in docs/ are held against this by a test. Names and units follow
Prometheus's conventions: seconds, bytes, `_total` for what only grows, a timestamp instead of an age (whose value would
be as old as the last cycle).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "desgw_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number, or one for each set of labels. resets: a counter that begins at 0 again when the daemon starts."""

    name: str
    kind: Literal["gauge", "counter", "info"]
    help: str
    labels: tuple[str, ...] = ()
    resets: bool = False


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name=PREFIX + name, kind="gauge", help=text, labels=labels)


def _counter(name: str, text: str, *labels: str, resets: bool = False) -> Metric:
    return Metric(name=PREFIX + name, kind="counter", help=text, labels=labels, resets=resets)


_METRICS: Final = (
    Metric(name="desgw_build_info", kind="info", help="Version and database schema", labels=("version", "schema")),
    # Cycles
    _counter("cycles_total", "Cycles that were written down, since the database was made"),
    _gauge("last_cycle_timestamp_seconds", "When the last cycle that was written down began"),
    _gauge("cycle_duration_seconds", "How long the last cycle took"),
    _gauge("poll_interval_seconds", "How long from one cycle to the next, as configured"),
    _gauge("cycle_failed_parts", "Parts of the last cycle that ended with an error nobody has foreseen"),
    _counter("daemon_starts_total", "Starts of the daemon, since the database was made"),
    _gauge("paused", "1 while a person's pause lasts"),
    # What is asked, and what answers
    _counter("pnfs_calls_total", "Calls on /pnfs by kind", "kind", resets=True),
    _counter("queue_calls_total", "Commands that asked the queue", resets=True),
    _gauge("pnfs_look_duration_seconds", "How long the last look at /pnfs took"),
    _gauge("pnfs_oldest_look_timestamp_seconds", "The oldest look of an exposure that is being processed"),
    _gauge("unseen_exposures", "Exposures that the last look could not see"),
    _gauge("source_up", "1 when it answered in the last cycle, else 0", "source"),
    _gauge("source_last_answer_timestamp_seconds", "When it last answered", "source"),
    _gauge("stuck_processes", "Processes that hang in a call on a tree, and were abandoned", "tree"),
    _gauge("credential_expiry_timestamp_seconds", "When the token or proxy ends; none while there is no good one"),
    # Exposures, CCDs, DAGs
    _gauge("exposures", "Exposures of open seasons by state", "season", "state"),
    _gauge("exposures_held", "Exposures of open seasons that a person holds", "season"),
    _gauge("ccds", "CCDs of open seasons' exposures by state", "season", "state"),
    _gauge("dagmakers_running", "DAGMakers that run"),
    _gauge("dagmakers_limit", "dagmaker.max_at_once"),
    _gauge("dags_in_flight", "DAGs that may be in the queue, and count against the cap"),
    _gauge("dags_in_flight_limit", "submit.max_in_flight"),
    _counter("submissions_total", "Times that a DAG was handed to the queue, by what came of it", "outcome"),
    _counter("dags_ended_total", "DAGs that have come to an end, by how", "state"),
    # Post-processing
    _gauge("postproc_running", "Runs of post-processing that are under way", "season"),
    _gauge("postproc_step", "The step that a run which is under way has come to", "season"),
    _gauge("postproc_step_timestamp_seconds", "When it came to that step", "season"),
    _counter("postproc_runs_total", "Runs of post-processing that have ended, by how", "state"),
    # People
    _gauge("alerts", "Alerts that are up, by rule; those on trial are left out", "rule", "severity"),
    _gauge("alerts_acknowledged", "Alerts that are up, and that somebody has acknowledged"),
    _gauge("alerts_pending", "Conditions that hold, and are no alert yet"),
    _gauge("deliveries", "Messages in the outbox by state", "channel", "state"),
    _gauge("deliveries_failing", "Messages that were tried in vain so far, and are tried again", "channel"),
    _gauge("checkup", "Checks of the last `doctor` of the daemon, by outcome", "outcome"),
    _gauge("checkup_timestamp_seconds", "When that was"),
    # The machine
    _gauge("state_free_bytes", "Room on the disk of the state folder"),
    _gauge("database_size_bytes", "Size of the database, with what is not merged into it yet"),
    _gauge("process_resident_memory_bytes", "Memory of the daemon"),
    _gauge("process_virtual_memory_bytes", "Address space of the daemon"),
    _counter("process_cpu_seconds_total", "Processor time of the daemon", resets=True),
    _gauge("process_start_time_seconds", "When the daemon's process began"),
    _gauge("process_open_fds", "Files that the daemon has open"),
    _gauge("process_max_fds", "... and how many it may have"),
)

#: By name, in the order of docs/metrics.md.
METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _METRICS}
#: These come from prometheus-client itself.
OF_THE_PROCESS: Final = f"{PREFIX}process_"
