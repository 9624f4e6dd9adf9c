"""Asking HTCondor: condor_q and condor_history of every schedd that may have a DAG of ours, and orders to them.

The command line is HTCondor's stable interface (facts of the grid). An answer counts only with exit code 0 and JSON, or
nothing, on stdout; anything else is no answer. The queue is asked before the history: a job enters the history before
it leaves the queue, so that it cannot be missed between the two.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from desgw_daemon.children.capture import Finished, run_captured
from desgw_daemon.grid.condor_ads import (
    ATTRIBUTES,
    DAGMAN_UNIVERSE,
    EXPNUM,
    TAG,
    Ad,
    dag_node,
    dag_status,
    held_for,
    in_order,
    is_dag,
    is_over,
    is_spooling,
    job_id,
    never_arrived,
    other_dag,
)
from desgw_daemon.grid.engine import (
    Absent,
    Answered,
    Asked,
    DagStatus,
    FindOutcome,
    Found,
    NoAnswer,
    Nodes,
    NodesOutcome,
    OrderOutcome,
    OtherDag,
    StatusOutcome,
)

#: A DAG whose files are still not copied after this long never will be.
SPOOL_GRACE: Final = timedelta(minutes=10)
#: Another daemon's DAG under one of our tags is of the same night: its history is read back so far.
LATELY: Final = timedelta(days=2)
_ENDED: Final = "CompletionDate =!= undefined && CompletionDate > 0"
#: A word of this length at most in a reason: condor's errors go on for lines.
_MOST_WORDS: Final = 200
_IS_DAG: Final = f"JobUniverse == {DAGMAN_UNIVERSE}"


@dataclass(frozen=True, slots=True)
class _Told:
    """What the schedds say: (schedd, ad) pairs; silent: those that gave no answer, and why."""

    ads: list[tuple[str, Ad]]
    silent: Mapping[str, str]

    @property
    def problem(self) -> str | None:
        return "; ".join(self.silent.values()) or None


class CondorQueue:
    """The queues of some schedds.

    schedds: their names; one "" is this machine's own. prefix: words in front of each command. timeout: for one
    command, after which its schedd has given no answer.
    """

    def __init__(self, *, schedds: Sequence[str], prefix: Sequence[str], timeout: timedelta) -> None:
        self._schedds = tuple(schedds)
        self._prefix = tuple(prefix)
        self._timeout = timeout

    def status(self, tags: Collection[str], log_of: Mapping[str, str]) -> StatusOutcome:
        """Where these DAGs are, and what else of ours lives in the queues: one condor_q of each schedd, and one
        condor_history where something has left the queue.

        log_of: where DAGMan says more, by tag.
        """
        told = self._ask("condor_q", f"{TAG} =!= undefined && ({_IS_DAG} || JobStatus == 5)", self._schedds)
        calls = len(self._schedds)
        dags: dict[str, DagStatus] = {}
        others: list[OtherDag] = []
        held: dict[str, list[Ad]] = defaultdict(list)
        for _, ad in told.ads:
            if not is_dag(ad):
                held[str(ad.get(TAG))].append(ad)
        for schedd, ad in in_order(each for each in told.ads if is_dag(each[1])):
            tag = str(ad.get(TAG))
            if tag in tags and tag not in dags and not is_spooling(ad):
                dags[tag] = dag_status(ad, schedd, in_queue=True, held_jobs=held[tag], log=log_of.get(tag, ""))
            elif not is_over(ad) and not (tag in tags and is_spooling(ad)):
                others.append(other_dag(ad, schedd))
        silent = dict(told.silent)
        if missing := [tag for tag in tags if tag not in dags]:
            places = [schedd for schedd in self._schedds if schedd not in silent]
            wanted = " || ".join(f'{TAG} == "{tag}"' for tag in missing)
            past = self._ask("condor_history", f"{_IS_DAG} && ({wanted})", places, limit=2 * len(missing))
            calls += len(places)
            silent |= past.silent
            for schedd, ad in in_order(past.ads):
                tag = str(ad.get(TAG))
                if not never_arrived(ad):
                    dags.setdefault(tag, dag_status(ad, schedd, in_queue=False, log=log_of.get(tag, "")))
        problem = "; ".join(silent.values()) or None
        if problem is not None and len(silent) == len(self._schedds):
            return NoAnswer(problem)
        unasked = {tag: problem for tag in missing if tag not in dags} if problem is not None else {}
        return Answered(dags, unasked=unasked, problem=problem, others=tuple(others), calls=calls)

    def find(self, tag: str) -> FindOutcome:
        """The DAGs with this tag, in every queue and every history."""
        wanted = f'{_IS_DAG} && {TAG} == "{tag}"'
        queued = self._ask("condor_q", wanted, self._schedds)
        past = self._ask("condor_history", wanted, self._schedds)
        ads = [each for each in (*queued.ads, *past.ads) if not never_arrived(each[1])]
        # A job may enter the history between the two questions.
        ids = list(dict.fromkeys(job_id(ad, schedd) for schedd, ad in in_order(ads) if not is_spooling(ad)))
        if ids:
            return Found(tuple(ids))
        if problem := queued.problem or past.problem:
            return NoAnswer(problem)
        if half := [each for each in ads if is_spooling(each[1])]:
            return self._half_copied(tag, *half[0])
        return Absent()

    def _half_copied(self, tag: str, schedd: str, ad: Ad) -> NoAnswer:
        """Neither there nor absent, until its time is up; then it is removed, and asked for again."""
        name = job_id(ad, schedd)
        since = held_for(ad, datetime.now(UTC))
        if since < SPOOL_GRACE:
            return NoAnswer(f"the files of {name} are being copied to the schedd for {int(since.total_seconds())} s")
        self._order("condor_rm", f'{TAG} == "{tag}" && HoldReasonCode == 16', schedd)
        return NoAnswer(f"{name} was cut off while its files were copied: it is being removed, and asked for again")

    def alive(self, tag: str, expnum: int) -> Sequence[tuple[str, str]] | NoAnswer:
        """(tag, job id) of DAGs in the queues that carry the tag, or are of the exposure and not at their end; oldest
        first. When there is none: those with the tag that have left the queue lately, which are another daemon's.

        A history that does not answer keeps nothing back: what we have submitted ourselves stands in our own database,
        and to read all of a busy schedd's takes minutes.
        """
        told = self._ask("condor_q", f'{_IS_DAG} && ({TAG} == "{tag}" || {EXPNUM} == {expnum})', self._schedds)
        if told.problem is not None:
            return NoAnswer(told.problem)
        for schedd, ad in told.ads:
            if ad.get(TAG) == tag and is_spooling(ad):
                return self._half_copied(tag, schedd, ad)
        found = [each for each in told.ads if each[1].get(TAG) == tag or not is_over(each[1])]
        if not found:
            past = self._ask(
                "condor_history", f'{_IS_DAG} && {TAG} == "{tag}"', self._schedds, since=_ended_before(LATELY)
            )
            found = [each for each in past.ads if not never_arrived(each[1])]
        return [(str(ad.get(TAG)), job_id(ad, schedd)) for schedd, ad in in_order(found)]

    def nodes(self, tag: str) -> NodesOutcome:
        """The jobs of a DAG that has ended. Its history is read back to the time when it was submitted."""
        mine = f'{_IS_DAG} && {TAG} == "{tag}"'
        # One that was submitted from afar stays in the queue after its end.
        queued = self._ask("condor_q", mine, self._schedds)
        ended = queued if queued.ads else self._ask("condor_history", mine, self._schedds, limit=1)
        if not ended.ads:
            problem = queued.problem or ended.problem
            return Absent() if problem is None else NoAnswer(problem)
        schedd, ad = ended.ads[0]
        since = f"{_ENDED} && CompletionDate < {ad.get('QDate', 0)}"
        jobs = f'JobUniverse != {DAGMAN_UNIVERSE} && {TAG} == "{tag}"'
        past = self._ask("condor_history", jobs, [schedd], since=since)
        left = self._ask("condor_q", jobs, [schedd])
        if problem := past.problem or left.problem:
            return NoAnswer(problem)
        nodes = [dag_node(each) for _, each in (*left.ads, *past.ads)]
        by_name = {(node.name, node.process): node for node in nodes}
        return Nodes(tuple(by_name[key] for key in sorted(by_name)))

    def order(self, command: Literal["condor_hold", "condor_release", "condor_rm"], tag: str) -> OrderOutcome:
        """Give an order for the DAG of this tag, wherever it is; its jobs follow DAGMan."""
        wanted = f'{_IS_DAG} && {TAG} == "{tag}" && JobStatus != 4'
        told = self._ask("condor_q", wanted, self._schedds)
        for schedd in {schedd for schedd, _ in told.ads}:
            done = self._order(command, wanted, schedd)
            if done.rc != 0:
                return NoAnswer(_words(command, schedd, done))
        if told.ads:
            return Asked()
        if told.problem is not None:
            return NoAnswer(told.problem)
        # Ended already: harmless.
        match self.find(tag):
            case Found():
                return Asked()
            case answer:
                return answer

    def _order(self, command: str, constraint: str, schedd: str) -> Finished:
        return self._run([command, *_at(schedd), "-constraint", constraint])

    def _ask(
        self,
        command: str,
        constraint: str,
        schedds: Sequence[str],
        *,
        limit: int | None = None,
        since: str | None = None,
    ) -> _Told:
        """All of them at the same time: each may take its time-out."""
        words = ["-json", "-attributes", ATTRIBUTES, "-constraint", constraint]
        # By itself condor_q shows the jobs of one's own account.
        words += ["-allusers"] if command == "condor_q" else []
        words += [] if limit is None else ["-limit", str(limit)]
        words += [] if since is None else ["-since", since]
        if not schedds:
            return _Told([], {})
        with ThreadPoolExecutor(len(schedds)) as pool:
            answers = pool.map(lambda schedd: self._run([command, *_at(schedd), *words]), schedds)
            ads: list[tuple[str, Ad]] = []
            silent: dict[str, str] = {}
            for schedd, done in zip(schedds, answers, strict=True):
                found = _read(done)
                if found is None:
                    silent[schedd] = _words(command, schedd, done)
                else:
                    ads += [(schedd, ad) for ad in found]
        return _Told(ads, silent)

    def _run(self, words: Sequence[str]) -> Finished:
        return run_captured([*self._prefix, *words], cwd=Path("/"), env=os.environ, timeout=self._timeout, apart=True)


def _ended_before(span: timedelta) -> str:
    """Where to stop reading a history backwards."""
    return f"{_ENDED} && CompletionDate < {int((datetime.now(UTC) - span).timestamp())}"


def _at(schedd: str) -> list[str]:
    return ["-name", schedd] if schedd else []


def _read(done: Finished) -> list[Ad] | None:
    """The ads of a successful answer; condor_q says nothing at all when there are none. None: no answer."""
    if done.rc != 0 or done.timed_out:
        return None
    if not done.output.strip():
        return []
    try:
        ads: Any = json.loads(done.output)
    except ValueError:
        return None
    return ads if isinstance(ads, list) and all(isinstance(ad, dict) for ad in ads) else None


def _words(command: str, schedd: str, done: Finished) -> str:
    """Why a command gave no answer, on one line."""
    name = f"{command} -name {schedd}" if schedd else command
    if done.timed_out:
        return f"{name} did not answer in time"
    said = " ".join(done.errors.decode(errors="replace").split()) or " ".join(done.text.split())
    if len(said) > _MOST_WORDS:
        said = said[:_MOST_WORDS] + "..."
    return f"{name}: exit code {done.rc}: {said or 'it said nothing'}"
