"""The queue and what it takes to be let in. Nothing is handed over: one question is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from desgw_daemon.config.model import Config
from desgw_daemon.daemon.doctor.check import Answer, Case, check, fail, ok, warn
from desgw_daemon.daemon.doctor.programs import captured
from desgw_daemon.domain.times import age, utc
from desgw_daemon.grid.engine import NoAnswer
from desgw_daemon.observe.credential import Problem, credential_file, look_at
from desgw_daemon.wiring import engine_of

#: A night at Cerro Tololo, with what comes after it.
_A_NIGHT: Final = timedelta(hours=12)
#: No DAG of ours is ever called so.
_NOBODY: Final = "desgw-doctor-asks"


@check("credential")
def credential(case: Case) -> Answer:
    """The token or proxy of submissions."""
    wanted, engine = case.config.credential, case.config.submit.engine
    if wanted.kind == "none":
        if engine == "jobsub":
            text = 'credential.kind is "none": nobody is told before submissions are refused for want of one'
            return warn(text, 'set credential.kind to "token" or "proxy"')
        return ok(f'none is looked at (credential.kind is "none", the engine is "{engine}")')
    environment = captured(case.config.paths.state) or case.environment
    found = look_at(wanted.kind, credential_file(wanted.kind, wanted.path, environment), case.now, wanted.min_left)
    if isinstance(found, Problem):
        what, _, todo = found.words.rpartition(": ")
        return fail(what or found.words, todo)
    left = found.until - case.now
    if left < _A_NIGHT:
        text = f"{found.path} ends at {utc(found.until)}, in {age(left)}: before the night is over"
        return warn(text, "renew it, unless a service does that")
    return ok(f"{found.path} holds until {utc(found.until)}")


def _as_long_as_queries(config: Config) -> timedelta:
    return 4 * config.submit.query_timeout * max(1, len(config.jobsub.schedds)) + timedelta(seconds=10)


@check("queue", within=_as_long_as_queries)
def queue(case: Case) -> Answer:
    """Whether the queue answers a question."""
    config = case.config
    answer = engine_of(config, config.submit.engine).status((_NOBODY,))
    todo = {
        "local": f"look at {config.paths.state}/local",
        "htcondor": "run `condor_q` by hand; tell those who run the schedd",
        "jobsub": "run `condor_q` or `jobsub_q` by hand; tell those who run the schedds",
    }[config.submit.engine]
    if isinstance(answer, NoAnswer):
        return fail(f"{config.submit.engine} gives no answer: {answer.reason}", todo)
    if answer.problem:
        return fail(f"{config.submit.engine} answers in part only: {answer.problem}", todo)
    return ok(f"{config.submit.engine} answers")


@check("schedds")
def schedds(case: Case) -> Answer:
    """Whether the daemon knows where to look for its DAGs."""
    config = case.config
    if config.submit.engine == "jobsub" and config.jobsub.query == "condor" and not config.jobsub.schedds:
        text = "jobsub.schedds is empty: nothing is submitted, since nobody could find it again"
        return fail(text, "name every schedd that jobsub may choose (`condor_status -schedd`), or query with jobsub_q")
    if config.submit.engine == "jobsub" and config.jobsub.query == "condor":
        return ok(f"{len(config.jobsub.schedds)} named: {', '.join(config.jobsub.schedds)}")
    return ok("none need be named")
