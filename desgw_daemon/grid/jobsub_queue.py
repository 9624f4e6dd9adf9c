"""Asking jobsub_q, where condor_q is not allowed.

It shows an empty queue when a schedd is off, and returns 0 whatever came of it: what it shows is true, and its silence
proves nothing. So nothing is ever absent here. What has ended is shown for as long as the schedd keeps it (ten days),
what was removed is not.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from desgw_daemon.children.capture import run_captured
from desgw_daemon.grid.condor_ads import (
    ATTRIBUTES,
    DAGMAN_UNIVERSE,
    EXPNUM,
    TAG,
    Ad,
    dag_status,
    held_for,
    in_order,
    is_dag,
    is_over,
    is_spooling,
    job_id,
    other_dag,
)
from desgw_daemon.grid.condor_queue import SPOOL_GRACE
from desgw_daemon.grid.engine import (
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

_IS_DAG: Final = f"JobUniverse == {DAGMAN_UNIVERSE}"
#: SCHEDD#163.0#1774567890
_GLOBAL_ID: Final = re.compile(r"(?P<schedd>[^#]+)#\d+\.\d+")
_MOST_WORDS: Final = 200


class JobsubQueue:
    """The queues of all schedds that jobsub knows, as jobsub_q shows them.

    command: jobsub_submit_dag as it is called; jobsub_q and the others lie beside it. group, role: as there.
    timeout: for one command.
    """

    def __init__(self, *, command: Sequence[str], group: str, role: str, timeout: timedelta) -> None:
        self._command = tuple(command)
        self._who = ("-G", group, "--role", role)
        self._timeout = timeout

    def status(self, tags: Collection[str], log_of: Mapping[str, str]) -> StatusOutcome:
        """The DAGs that it shows. One that it does not show may be anywhere."""
        ads = self._ask(f"{TAG} =!= undefined && ({_IS_DAG} || JobStatus == 5)")
        if isinstance(ads, NoAnswer):
            return ads
        dags: dict[str, DagStatus] = {}
        others: list[OtherDag] = []
        held: dict[str, list[Ad]] = defaultdict(list)
        for _, ad in ads:
            if not is_dag(ad):
                held[str(ad.get(TAG))].append(ad)
        for schedd, ad in in_order(each for each in ads if is_dag(each[1])):
            tag = str(ad.get(TAG))
            if tag not in tags:
                others += [] if is_over(ad) else [other_dag(ad, schedd)]
            elif tag not in dags and not is_spooling(ad):
                dags[tag] = dag_status(ad, schedd, in_queue=True, held_jobs=held[tag], log=log_of.get(tag, ""))
        return Answered(dags, others=tuple(others), calls=1)

    def find(self, tag: str) -> FindOutcome:
        """What it shows of a tag. That it shows none is no answer."""
        ads = self._ask(f'{_IS_DAG} && {TAG} == "{tag}"')
        if isinstance(ads, NoAnswer):
            return ads
        ids = [job_id(ad, schedd) for schedd, ad in in_order(ads) if not is_spooling(ad)]
        if ids:
            return Found(tuple(ids))
        for schedd, ad in ads:
            name = job_id(ad, schedd)
            since = held_for(ad, datetime.now(UTC))
            if since < SPOOL_GRACE:
                return NoAnswer(f"the files of {name} are being copied to the schedd for {since.total_seconds():.0f} s")
            self._run("jobsub_rm", name)
            return NoAnswer(f"{name} was cut off while its files were copied: it is being removed, and asked for again")
        return NoAnswer("jobsub_q does not show it, which proves nothing: it shows an empty queue when a schedd is off")

    def alive(self, tag: str, expnum: int) -> Sequence[tuple[str, str]] | NoAnswer:
        """(tag, job id) of DAGs that it shows with the tag, or of the exposure and not at their end; oldest first."""
        ads = self._ask(f'{_IS_DAG} && ({TAG} == "{tag}" || {EXPNUM} == {expnum})')
        if isinstance(ads, NoAnswer):
            return ads
        mine = [each for each in ads if each[1].get(TAG) == tag]
        if any(is_spooling(ad) for _, ad in mine):
            return NoAnswer(f"the files of {job_id(mine[0][1], mine[0][0])} are being copied to the schedd")
        return [
            (str(ad.get(TAG)), job_id(ad, schedd))
            for schedd, ad in in_order(ads)
            if ad.get(TAG) == tag or not is_over(ad)
        ]

    def nodes(self, tag: str) -> NodesOutcome:
        """Nothing: jobs that have ended are in the history, which jobsub does not let be asked for a tag."""
        return Nodes(())

    def order(self, command: Literal["condor_hold", "condor_release", "condor_rm"], tag: str) -> OrderOutcome:
        """Hand an order over for each DAG of the tag that it shows. What came of it a later status tells."""
        ads = self._ask(f'{_IS_DAG} && {TAG} == "{tag}"')
        if isinstance(ads, NoAnswer):
            return ads
        if not ads:
            return NoAnswer("jobsub_q does not show it: it has been removed, or its schedd is off")
        if ids := [job_id(ad, schedd) for schedd, ad in ads if not is_over(ad)]:
            self._run(command.replace("condor_", "jobsub_"), *ids)
        return Asked()

    def _ask(self, constraint: str) -> list[tuple[str, Ad]] | NoAnswer:
        """(schedd, ad) of the jobs that it shows."""
        words = ["-allusers", "-json", "-attributes", f"{ATTRIBUTES},GlobalJobId", "--constraint", constraint]
        done = self._run("jobsub_q", *words)
        if isinstance(done, NoAnswer):
            return done
        ads = decoded(done)
        if ads is None:
            return NoAnswer(f"jobsub_q: this is no answer: {_short(done)}")
        return [(found["schedd"], ad) for ad in ads if (found := _GLOBAL_ID.match(str(ad.get("GlobalJobId"))))]

    def _run(self, program: str, *words: str) -> str | NoAnswer:
        """What a program says; its exit code says nothing when it is 0."""
        argv = [*beside(self._command, program), *self._who, *words]
        done = run_captured(argv, cwd=Path("/"), env=os.environ, timeout=self._timeout, apart=True)
        if done.timed_out:
            return NoAnswer(f"{program} did not answer in time")
        if done.rc != 0:
            said = done.errors.decode(errors="replace") or done.text
            return NoAnswer(f"{program}: exit code {done.rc}: {_short(said) or 'it said nothing'}")
        return done.text


def beside(command: Sequence[str], program: str) -> list[str]:
    """How another of jobsub's programs is called, given how jobsub_submit_dag is."""
    words = list(command)
    for number, word in enumerate(words):
        folder, slash, name = word.rpartition("/")
        if name.startswith("jobsub"):
            return [*words[:number], f"{folder}{slash}{program}"]
    return [program]


def decoded(text: str) -> list[Ad] | None:
    """The ads in what jobsub_q says: words first, then an array for each schedd, one after another. None: no answer."""
    start = re.search(r"^\s*\[", text, re.MULTILINE)
    ads: list[Ad] = []
    rest = text[start.start() :].strip() if start else ""
    decoder = json.JSONDecoder()
    while rest:
        try:
            array, end = decoder.raw_decode(rest)
        except ValueError:
            return None
        found: Any = array
        if not isinstance(found, list) or not all(isinstance(ad, dict) for ad in found):
            return None
        ads += found
        rest = rest[end:].strip()
    return ads


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _MOST_WORDS else words[:_MOST_WORDS] + "..."
