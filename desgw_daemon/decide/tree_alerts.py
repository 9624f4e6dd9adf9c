"""Alerts of gw_workflow and Post-Processing, when they do not answer, and of processes that hang on a tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from desgw_daemon.decide.words import at, some
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.facts import Stuck
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Snapshot


def tree_alerts(snapshot: Snapshot, policy: Policy) -> Iterator[AlertWanted]:
    """What is silent, and where no more processes are started."""
    if snapshot.workflow_silent:
        since, why = snapshot.workflow_silent
        yield AlertWanted(
            key="workflow_silent",
            rule="workflow_silent",
            text=f"gw_workflow cannot be used since {at(since)}: {why}. No DAG is made or submitted. The queue, /pnfs"
            " and post-processing go on; the rest goes on by itself when it answers. If it lasts, tell those who run"
            " the disk server",
            since=since,
        )
    if snapshot.postprocessing_silent:
        since, why = snapshot.postprocessing_silent
        yield AlertWanted(
            key="postprocessing_silent",
            rule="postprocessing_silent",
            text=f"Post-Processing cannot be used since {at(since)}: {why}. No run is started, and none that goes on is"
            " taken for dead. Making, submitting and watching go on; the rest goes on by itself when it answers. If it"
            " lasts, tell those who run the disk server",
            since=since,
        )
    by_tree: dict[str, list[Stuck]] = defaultdict(list)
    for each in snapshot.stuck:
        by_tree[each.tree].append(each)
    for tree, stuck in sorted(by_tree.items()):
        if len(stuck) < policy.max_stuck:
            continue
        since = min(each.since for each in stuck)
        yield AlertWanted(
            key=f"processes_stuck:{tree}",
            rule="processes_stuck",
            text=f"{len(stuck)} processes hang on {tree} since {at(since)} or later and cannot be ended (pid"
            f" {some(str(each.pid) for each in stuck)}): no other is started until one of them ends. They end when"
            " the mount answers; else a restart of the machine frees them. Nothing is lost by it",
            since=since,
        )
