"""One night of the drill: a sandbox, the daemon at work in it, something that goes wrong in the middle, the end.

It knows no fault. What a fault does to a night is in the modules faults_*; what came of it is judged in verdict.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.sandbox.scenario import Scenario
from tests.delivery.servers import Web, web_server
from tests.disks import ImageDisk, SmallDisk
from tests.jobsub.standin import Jobsub
from tests.night.house import House

from . import condor

#: Of the daemon. A fault of a minute on a real night lasts a second here.
INTERVAL: Final = timedelta(milliseconds=500)
#: From the delays of the catalogue to those of the drill; none is longer than a few polls.
_SCALE: Final = 60
_LONGEST_DELAY: Final = timedelta(seconds=3)
#: ... but those of what is nothing unusual for some seconds, and no fault of the drill.
_FROM_THE_BEGINNING: Final = ("submission_waits", "submission_stuck", "foreign_dag", "no_data")
#: A night that takes longer has gone wrong. On a quiet machine none takes half a minute.
DEADLINE: Final = 120.0
#: An exposure in one of these does not go on by itself.
_OVER: Final = ("done", "attention", "removed")
SCHEDD: Final = "paper.test"


class DrillNight:
    """The night, as a fault has it in its hands.

    queue: "local" is the engine of this machine; "paper" is jobsub's stand-in over a queue on paper, which a fault can
    tell to fail.
    """

    def __init__(self, root: Path, scenario: Scenario, *, settings: Mapping[str, str], queue: str) -> None:
        root.mkdir(parents=True)
        self.jobsub: Jobsub | None = None
        own: dict[str, str] = {
            "poll.interval": f'"{INTERVAL / timedelta(milliseconds=1):.0f} ms"',
            "alerts.rules": _rules(),
            "databases.refresh_every": '"1 s"',
            # The night's one run has all its exposures in it, however long the mending takes.
            "postproc.auto": "false",
        }
        if queue == "paper":
            self.jobsub, more = _paper(root / "grid")
            own |= more
        self.house = House(root / "sandbox", scenario, own | dict(settings), deadline=DEADLINE, cold=True)
        self.house.find_trees_by_links()
        self.scenario = scenario
        self.broken_at: datetime | None = None
        self.healed_at: datetime | None = None
        #: A disk of its own for the state folder, where a fault needs one.
        self.disk: SmallDisk | ImageDisk | None = None
        #: A channel, where a fault is told without the database; what it has taken.
        self.web: Web | None = None
        #: What is to be undone whatever comes, last first: mounts, processes.
        self.undo: list[Callable[[], object]] = []

    @property
    def paper(self) -> Path:
        """The folder of the queue on paper."""
        assert self.jobsub is not None
        return self.jobsub.paper

    @property
    def database(self) -> Path:
        """The file of the database."""
        return self.house.state / "desgw.db"

    def listen(self) -> None:
        """Be a channel to which the daemon sends its alerts from `warning` on."""
        server = web_server()
        self.web = server.__enter__()
        self.undo.append(lambda: server.__exit__(None, None, None))
        folder = self.house.state / "credentials"
        folder.mkdir(exist_ok=True)
        address = folder / "alert-hook"
        address.write_text(f"{self.web.address}\n")
        address.chmod(0o600)
        self.house.configure("alerts.channels", '{ hook = "warning" }')

    def heard(self) -> list[str]:
        """The messages of page-worthy alerts that have come in by the channel, as they were raised."""
        assert self.web is not None
        return [
            f"{message['title']}\n{message['message']}"
            for message in self.web.taken
            if message["title"].startswith(("WARNING: ", "CRITICAL: "))
        ]

    def said(self, words: str) -> int:
        """How many lines on the daemon's terminal have these words."""
        return self.house.terminal().count(words)

    # -- the course of the night ----------------------------------------------------------------

    def begin(self) -> None:
        """The first exposure is queued, and the daemon starts."""
        first = str(self.scenario.exposures[0].expnum)
        self.house.ok("queue", "add", first, "--season", str(self.house.season))
        self.house.start()

    def middle(self) -> None:
        """Wait until the results of a first exposure come in."""
        query = "SELECT 1 FROM v_exposure WHERE ccds_complete >= 5"
        self.house.until(lambda: self.house.rows(query), "the first results")

    def breaks(self) -> None:
        """From now on something is wrong; the other exposures come in at the same time, as a list in the inbox."""
        self.broken_at = datetime.now(UTC)
        inbox = self.house.state / "inbox" / str(self.house.season)
        inbox.mkdir(parents=True, exist_ok=True)
        late = self.scenario.exposures[1:]
        (inbox / "late.list").write_text("".join(f"{exposure.expnum}\n" for exposure in late))

    def away(self, tree: str, *, empty: bool) -> Callable[[], None]:
        """Put nothing, or an empty folder, in the place where the daemon finds a tree; returns what puts it back."""
        nothing = self.house.root / "doors" / "nothing"
        if empty:
            nothing.mkdir(exist_ok=True)
        return self.leads(tree, nothing)

    def leads(self, tree: str, to: Path) -> Callable[[], None]:
        """From now on the daemon finds a tree there; returns what leads it back. Programs at work in the tree go on."""
        self.house.lead(tree, to)
        return lambda: self.house.lead(tree, self.house.root / tree)

    def heals(self) -> None:
        """What was wrong is so no more."""
        self.healed_at = datetime.now(UTC)

    def told(self, rule: str, *, within: float = 12) -> bool:
        """Wait until people have been told of this rule, for so many seconds; whether they have."""
        query = "SELECT 1 FROM v_alert WHERE rule = ? AND times_told > 0"
        return self.waits(lambda: bool(self.house.rows(query, rule)), within)

    def waits(self, condition: Callable[[], bool], within: float) -> bool:
        """Wait for something that may not come."""
        end = time.monotonic() + within
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def ends(self) -> None:
        """Wait until nothing more will happen by itself, and a few cycles more; the daemon is stopped."""
        count = len(self.scenario.exposures)
        self.house.until(lambda: len(self.house.rows("SELECT 1 FROM v_exposure")) == count, "the late list is taken")
        self.house.configure("postproc.auto", "true")
        query = f"SELECT 1 FROM v_exposure WHERE state IN {_OVER}"
        self.house.until(lambda: len(self.house.rows(query)) == count, "every exposure is at its end")
        self.house.cycles(3)
        self.house.stop()

    # -- what is known of it --------------------------------------------------------------------

    def close(self) -> None:
        """End everything that was started, and undo what was done to it."""
        if self.jobsub is not None:
            for path in self.paper.glob("*.taken"):
                path.with_suffix(".rm").write_text("the end of the drill")
        self.house.close()
        for undo in reversed(self.undo):
            undo()

    def alerts(self) -> list[dict[str, Any]]:
        """Rows of the table, in their order: the views have whole seconds only."""
        return self.house.rows("SELECT * FROM alert ORDER BY id")

    def polls(self, since: datetime, until: str) -> int:
        """How many cycles began after `since` and not after `until` (as the database has it)."""
        query = "SELECT count(*) AS n FROM poll WHERE started_at > ? AND started_at <= ?"
        (row,) = self.house.rows(query, f"{since:%Y-%m-%d %H:%M:%S.%f}", until)
        return int(row["n"])


def _rules() -> str:
    """The delays of all rules, compressed: an inline table of daemon.toml."""
    spans = {
        name: rule.after / _SCALE if name in _FROM_THE_BEGINNING else min(rule.after / _SCALE, _LONGEST_DELAY)
        for name, rule in RULES.items()
        if rule.after and name != "poll_overrun"
    }
    words = (f'{name} = {{ after = "{span / timedelta(milliseconds=1):.0f} ms" }}' for name, span in spans.items())
    # A cycle of half a second overruns on a machine that is busy: that is told of the machine, not of the fault.
    return "{ " + ", ".join([*words, "poll_overrun = { active = false }"]) + " }"


def _paper(folder: Path) -> tuple[Jobsub, dict[str, str]]:
    """jobsub's stand-in over a queue on paper that runs its DAGs, and what daemon.toml must say to use it."""
    jobsub = Jobsub(folder, schedds=[SCHEDD])
    for path in jobsub.condor.iterdir():
        path.write_text(path.read_text().replace("tests/jobsub/paper_queue.py", "tests/drill/condor.py"))
    assert Path(condor.__file__).name in (jobsub.condor / "condor_q").read_text()
    settings = {
        "submit.engine": '"jobsub"',
        "submit.query_timeout": '"1 s"',
        "submit.timeout": '"2 s"',
        "submit.breaker_probe": '"2 s"',
        "submit.retry_after": '"1 s"',
        "submit.retry_at_most": '"2 s"',
        "jobsub.command": json.dumps([str(jobsub.bin / "jobsub_submit_dag")]),
        "jobsub.schedds": json.dumps(jobsub.schedds),
        # condor_q and condor_history are found there.
        "jobsub.prefix": json.dumps(["env", f"PATH={jobsub.condor}:/usr/bin:/bin"]),
    }
    return jobsub, settings
