"""Whether people would be told: channels, the dead man's switch, numbers, the log. Nothing is sent."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Final

from desgw_daemon.act.address import AddressError, HiddenError, places, read_address
from desgw_daemon.config.model import Config
from desgw_daemon.daemon.doctor.check import Answer, Case, check, fail, ok, warn
from desgw_daemon.daemon.lock import holder, is_held

#: A page on this host that takes longer is not served.
_PATIENCE: Final = timedelta(seconds=5)


@check("channels")
def channels(case: Case) -> Answer:
    """Whether each channel has an address, readable by its owner alone."""
    wanted = case.config.alerts.channels
    if not wanted:
        todo = "name a channel in alerts.channels (docs/alerts.md), or look at the log each hour"
        return warn("alerts.channels is empty: alerts stand in the log and in `alerts list` alone", todo)
    for name in wanted:
        try:
            read_address(name, places(case.config.alert_credentials, case.environment))
        except AddressError as error:
            if isinstance(error, HiddenError) and _is_at_work_elsewhere(case.config):
                todo = f"`desgw-daemon alerts test {name}` has the daemon send a message, and says what came of it"
                return warn(f"the address of {name} is not for this account to read; the daemon may have it", todo)
            what, _, todo = str(error).partition(": ")
            return fail(
                what, todo or "its first line is an Apprise URL (docs/alerts.md), for its owner alone (mode 600)"
            )
    return ok(f"{', '.join(wanted)}: an address is there; `desgw-daemon alerts test` sends a message")


def _is_at_work_elsewhere(config: Config) -> bool:
    """Whether there is a daemon, and it is not the one that asks: that one sees all that it will ever see."""
    return is_held(config.paths.state) and holder(config.paths.state) != os.getppid()


@check("heartbeat")
def heartbeat(case: Case) -> Answer:
    """The dead man's switch, which tells that the daemon is gone."""
    word = case.config.alerts.heartbeat
    if not word:
        todo = "set alerts.heartbeat to a URL of a service that misses it, or have Prometheus watch (docs/metrics.md)"
        return warn("alerts.heartbeat is empty: nobody is told when this host or the daemon is gone", todo)
    if word.startswith(("http://", "https://")):
        return ok(f"{word.split('/')[2]} is called after each cycle; it is not called now")
    path = case.config.paths.state / word
    place = path if path.exists() else path.parent
    if not os.access(place, os.W_OK, effective_ids=True):
        return fail(f"{path} cannot be touched by this account", "mend its folder, or set alerts.heartbeat")
    return ok(f"{path} is touched after each cycle")


def _a_page(_: Config) -> timedelta:
    return 2 * _PATIENCE + timedelta(seconds=5)


@check("metrics", within=_a_page)
def metrics(case: Case) -> Answer:
    """Whether the numbers are where Prometheus looks for them."""
    wanted = case.config.metrics
    if not wanted.listen and wanted.textfile is None:
        return ok("none are wanted (metrics.listen, metrics.textfile)")
    runs = is_held(case.config.paths.state)
    if (path := wanted.textfile) is not None:
        if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
            todo = f"make {path.parent} writable for this account, or set metrics.textfile"
            return fail(f"{path} cannot be replaced: {path.parent} is not there, or not writable", todo)
        if path.suffix != ".prom":
            return warn(f"{path} is not read by node_exporter", "metrics.textfile must end in .prom")
    if wanted.listen:
        ours, problem = _ask(wanted.listen)
        if ours and not runs:
            return warn(f"another daemon shows its numbers on {wanted.listen}", "give each its own metrics.listen")
        if problem and runs:
            todo = f"see `ss -ltnp` for who has the port; the daemon tries again after each cycle; {problem}"
            return fail(f"no numbers of the daemon are on {wanted.listen}", todo)
        if not ours and not runs and problem is None:
            todo = "see `ss -ltnp` for who has it, or choose another metrics.listen"
            return fail(f"{wanted.listen} is taken by another program", todo)
    return ok("the daemon shows its numbers" if runs else "they can be shown once the daemon runs")


def _ask(address: str) -> tuple[bool, str | None]:
    """(whether numbers of ours are there, what is wrong: None when something answers or takes the port)."""
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=_PATIENCE.total_seconds()) as answer:
            if b"desgw_cycles_total" in answer.read(4_000_000):
                return True, None
    except urllib.error.HTTPError:
        return False, "another program answers"
    except OSError as error:
        return False, str(error)
    return False, "another program answers"


@check("log")
def log(case: Case) -> Answer:
    """The file of the log."""
    path = case.config.log_file
    if path is None:
        return ok("no file (log.file); lines go to stderr, and so to the journal")
    place = path if path.exists() else path.parent
    if not os.access(place, os.W_OK, effective_ids=True):
        todo = f"see `ls -ld {place}`; or set log.file"
        return fail(f"{path} cannot be written by this account", todo)
    return ok(f"{path} can be written")
