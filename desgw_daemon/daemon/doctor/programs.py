"""The pipeline's own programs and files, the set-up script, and what of the system they need."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.act.environment import child_environment, in_bash
from desgw_daemon.children import ChildStatus, ensure_started, look, run_children
from desgw_daemon.config.model import Config
from desgw_daemon.daemon.doctor.check import Answer, Case, check, fail, named, ok, warn
from desgw_daemon.observe.text import last_lines, plain_text

#: How often it is looked whether the set-up script has ended.
_LOOK_AGAIN: Final = timedelta(seconds=0.1)
_OWN: Final = "copy it from the group's repository, or correct daemon.toml"


@check("dagmaker")
def dagmaker(case: Case) -> Answer:
    """DAGMaker.sh, its set-up script and its parameters."""
    config, folder = case.config, case.config.paths.workflow
    program = Path(config.dagmaker.command[0])
    if "/" in config.dagmaker.command[0] and (problem := _file(case, folder / program, folder, run=True)):
        return problem
    for path in (config.dagmaker_setup, config.dagmaker_rc):
        if problem := _file(case, path, folder):
            return problem
    if not case.trees.look(config.dagmaker_rc).writable:
        text = f"{config.dagmaker_rc} cannot be written by this account: `rc set` and `start-event` cannot change it"
        return warn(text, f"ask its owner; see `ls -l {config.dagmaker_rc}`")
    return ok(f"{program}, {config.dagmaker.setup} and {config.dagmaker.rc} are there")


@check("postproc_files")
def postproc_files(case: Case) -> Answer:
    """run_postproc.py, its set-up script, the template of its ini files, the script of the links."""
    config, folder = case.config, case.config.paths.postprocessing
    for path in (config.postproc_program, config.postproc_setup, config.postproc_template):
        if problem := _file(case, path, folder):
            return problem
    links = config.postproc.update_links_command[0]
    wanted = config.postproc.update_links != "never" and "/" in links
    if wanted and (problem := _file(case, folder / links, folder, run=True)):
        return problem
    return ok(f"{config.postproc.program}, {config.postproc.setup}, {config.postproc.template} and {links} are there")


def _file(case: Case, path: Path, folder: Path, *, run: bool = False) -> Answer | None:
    """Why this is no file that can be used."""
    seen, name = case.trees.look(path), named(path, folder)
    if seen.silent or seen.problem:
        return fail(f"{path} cannot be seen: {seen.problem}", "see what the check of its folder says")
    if seen.kind is None:
        return fail(f"{name} is not in {folder}", _OWN)
    if seen.kind != "file":
        return fail(f"{path} is no file", _OWN)
    if not seen.readable:
        return fail(f"{path} cannot be read by this account", f"ask its owner; see `ls -l {path}`")
    if run and not seen.executable:
        return fail(f"{path} is not executable", f"chmod +x {path}")
    if not seen.size:
        return fail(f"{path} is empty", _OWN)
    return None


def _setup_within(config: Config) -> timedelta:
    return config.dagmaker.setup_timeout + timedelta(seconds=20)


@check("setup", within=_setup_within, slow=True)
def setup(case: Case) -> Answer:
    """The set-up script of image processing, sourced by bash as before each DAGMaker."""
    config = case.config
    script = config.dagmaker_setup
    # A folder that hangs would take us along: it is bash that goes there, and bash that can be left behind.
    if case.trees.look(script).kind != "file":
        return fail(f"{script} cannot be sourced: it cannot be seen", "see what `dagmaker` says")
    where, what = shlex.quote(str(config.paths.workflow)), shlex.quote(str(script))
    argv = in_bash(config.dagmaker.prefix, f"cd {where} && source {what}")
    todo = f"source it by hand in {config.paths.workflow} to see why"
    try:
        status, said = _as_a_child(config, argv)
    except OSError as error:
        return fail(f"{script} cannot be sourced: {error}", f"see `ls -ld {config.paths.state}` and what `linger` says")
    if status.timed_out:
        return fail(f"{script} took longer than dagmaker.setup_timeout: {said}", todo)
    if not status.succeeded:
        return fail(f"{script} {status.words}: {said}", todo)
    return ok(f"{script} can be sourced")


def _as_a_child(config: Config, argv: Sequence[str]) -> tuple[ChildStatus, str]:
    """How a command ends where DAGMakers run (a container may not be allowed where we are), and its last words.

    Raises OSError when it cannot be started.
    """
    run_children(config.service.children)
    folder = Path(tempfile.mkdtemp(prefix=".doctor-", dir=config.paths.state))
    output = folder / "output"
    try:
        ensure_started(
            folder,
            argv,
            cwd=config.paths.state,
            env=child_environment(),
            output=output,
            timeout=config.dagmaker.setup_timeout,
        )
        # Not for ever: the check has a deadline, and the child its time-out.
        while (status := look(folder)).state == "running":
            time.sleep(_LOOK_AGAIN.total_seconds())
        said = plain_text(output.read_bytes()) if output.exists() else ""
        return status, " / ".join(last_lines(said, 2)) or "it said nothing"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@check("programs")
def programs(case: Case) -> Answer:
    """What is called by name: bash, the container, the commands of the queue."""
    config = case.config
    known = captured(config.paths.state)
    path = known.get("PATH") or case.environment.get("PATH")
    lacking = [word for word in _wanted(config) if shutil.which(word, path=path) is None]
    if not lacking:
        return ok(f"{', '.join(_wanted(config))} are found")
    text = f"not found: {', '.join(lacking)}"
    if config.submit.engine == "jobsub" and not known and set(lacking).isdisjoint(_first(config)):
        return warn(f"{text}; the set-up script may bring them: it has not been sourced by the daemon yet", "start it")
    return fail(text, "install them, or have the set-up script put them on PATH; prefix and command are in daemon.toml")


def _first(config: Config) -> tuple[str, ...]:
    """What is called before any set-up."""
    prefixes = (config.dagmaker.prefix, config.postproc.prefix, config.htcondor.prefix, config.jobsub.prefix)
    return ("bash", *(prefix[0] for prefix in prefixes if prefix))


def _wanted(config: Config) -> tuple[str, ...]:
    """Without what is inside a container: only its program could tell."""
    words = list(_first(config))
    engine = config.submit.engine
    if engine == "htcondor" and not config.htcondor.prefix:
        words += ["condor_q", "condor_history", "condor_submit_dag", "condor_rm"]
    if engine == "jobsub" and not config.jobsub.prefix:
        words += [config.jobsub.command[0], "condor_q" if config.jobsub.query == "condor" else "jobsub_q"]
    if not config.postproc.prefix and "/" in config.postproc.python:
        words.append(config.postproc.python)
    return tuple(dict.fromkeys(words))


def captured(state: Path) -> dict[str, str]:
    """The environment that the daemon has captured last from the set-up script; empty when there is none."""
    files = sorted(state.glob("setup/*/environment"), key=lambda path: path.stat().st_mtime)
    try:
        data = files[-1].read_bytes() if files else b""
    except OSError:
        return {}
    pairs = (entry.decode(errors="surrogateescape").partition("=") for entry in data.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


@check("host_lock")
def host_lock(case: Case) -> Answer:
    """The file that a run of post-processing holds, one on this host."""
    path = case.config.postproc_host_lock
    place = path if path.exists() else path.parent
    if not place.exists() and place.is_relative_to(case.config.paths.state):
        return ok(f"{path} can be held; the daemon makes its folder")
    if not place.exists():
        return fail(f"{path} cannot be made: its folder is not there", f"mkdir {place}, or set postproc.host_lock")
    if path.exists() and not path.is_file():
        return fail(f"{path} is no file", "take it away, or set postproc.host_lock")
    if not os.access(place, os.W_OK, effective_ids=True):
        todo = f"see `ls -l {path}`: it may belong to somebody who ran post-processing before; chmod g+w, or chmod 666"
        return fail(f"{path} cannot be written by this account: no run of post-processing can start", todo)
    return ok(f"{path} can be held")
