"""The daemon as a service of a real systemd: start, reload, crash, hang, upgrade, stop, in the middle of a night."""

from __future__ import annotations

import json
import re
import signal
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.systemdbox import UID, USER, Box, box

__all__ = ["box"]

pytestmark = pytest.mark.slow

NIGHT: Final = "/srv/night"
CONFIG: Final = f"{NIGHT}/daemon.toml"
SERVICE: Final = "desgw-daemon.service"
#: Two good exposures whose DAGs last long enough for what is done meanwhile, and post-processing that stays at step 2
#: until it is let go; behind a prefix that needs namespaces, as a container does. The time limits are short, so that a
#: watchdog of some seconds is not widened.
BUILD: Final = """
    from dataclasses import replace
    from datetime import timedelta
    from pathlib import Path
    from desgw_daemon.sandbox.build import build
    from desgw_daemon.sandbox.scenario import Postproc, small_scenario

    plan = small_scenario(2)
    pace = replace(plan.pace, job=timedelta(milliseconds=700))
    watch = replace(plan.watch, query_timeout=timedelta(seconds=1))
    stays = Postproc(stops=(2, "before"))
    made = build(Path("/srv/night"), replace(plan, pace=pace, watch=watch, postproc=stays))
    text = made.config.read_text()
    for section in ("dagmaker", "postproc"):
        text = text.replace(f"[{section}]\\n", f'[{section}]\\nprefix = ["unshare", "-Ur"]\\n')
    made.config.write_text(text.replace("[poll]\\n", '[poll]\\nlook_deadline = "2 s"\\n'))
"""
#: Falls are short and many here. 8.6 s is what a healthy cycle may take with these time limits.
DROP_IN: Final = "[Unit]\nStartLimitBurst=50\n[Service]\nRestartSec=200ms\nWatchdogSec=9s\n"


class Night:
    """The service at work in a sandbox inside the box."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def begin(self) -> None:
        """Build the sandbox, install the service."""
        self.box.ok("install", "-d", "-o", USER, "-g", USER, NIGHT)
        self.box.write("/tmp/build.py", textwrap.dedent(BUILD))
        self.box.ok("/opt/desgw/venv/bin/python", "/tmp/build.py", user=USER)
        self.box.ok("desgw-daemon", "--config", CONFIG, "install-service")
        self.box.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", DROP_IN)
        self.box.ok("systemctl", "daemon-reload")

    def end(self) -> None:
        """Nothing of it runs any more."""
        self.box.run("systemctl", "stop", SERVICE)
        self.box.run("systemctl", "reset-failed", SERVICE)
        self.box.run("systemctl", "--user", "stop", "desgw-*", user=USER)
        self.box.ok("rm", "-rf", NIGHT, "/etc/systemd/system/desgw-daemon.service.d")

    def ask(self, *words: str) -> str:
        return self.box.ok("desgw-daemon", "--config", CONFIG, *words, user=USER)

    def systemctl(self, *words: str) -> None:
        self.box.ok("systemctl", *words, SERVICE)

    def configure(self, old: str, new: str) -> None:
        text = self.box.read(CONFIG)
        assert old in text
        self.box.write(CONFIG, text.replace(old, new))

    @property
    def main(self) -> int:
        """The daemon's pid inside; 0: it does not run."""
        return int(self.box.show(SERVICE, "MainPID"))

    @property
    def restarts(self) -> int:
        return int(self.box.show(SERVICE, "NRestarts"))

    @property
    def status(self) -> str:
        return self.box.show(SERVICE, "StatusText")

    def kill(self, number: signal.Signals) -> None:
        self.box.ok("kill", f"-{number.value}", str(self.main))

    def until_again(self, before: int) -> None:
        """Until another daemon is ready."""
        self.box.until(
            "another daemon is ready",
            lambda: self.main not in (0, before) and self.box.show(SERVICE, "ActiveState") == "active",
        )

    def children(self) -> dict[str, str]:
        """The units in which something runs: name -> the keeper's pid inside."""
        listed = self.box.ok(
            "systemctl", "--user", "list-units", "--plain", "--no-legend", "desgw-*.service", user=USER
        )
        units = [line.split()[0] for line in listed.splitlines() if " running " in line]
        return {unit: self.box.show(unit, "MainPID", user=USER) for unit in units}

    def until_child(self, name: str) -> dict[str, str]:
        """Until something runs in a unit of this name; those units."""
        found: dict[str, str] = {}

        def runs() -> bool:
            found.update({unit: pid for unit, pid in self.children().items() if name in unit})
            return bool(found)

        self.box.until(f"a unit {name} runs", runs)
        return found

    def rows(self, query: str) -> list[list[Any]]:
        """Asked inside: SQLite follows links by their names, which lead nowhere here."""
        script = (
            "import json, sqlite3, sys; db = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True);"
            "print(json.dumps(db.execute(sys.argv[2]).fetchall()))"
        )
        said = self.box.ok("/opt/desgw/venv/bin/python", "-c", script, f"{NIGHT}/state/desgw.db", query, user=USER)
        found: list[list[Any]] = json.loads(said)
        return found

    def state(self, expnum: int) -> str:
        ((state,),) = self.rows(f"SELECT state FROM v_exposure WHERE expnum = {expnum}")
        return str(state)


@pytest.fixture
def night(box: Box) -> Iterator[Night]:
    night = Night(box)
    night.begin()
    yield night
    night.end()


class TestANight:
    """Whatever is done to the service in the middle of a night, the night ends as planned."""

    def test_start_reload_kill_hang_upgrade_stop(self, night: Night) -> None:
        box = night.box
        night.systemctl("start")
        assert re.match(r"cycle \d+ at \d\d:\d\d:\d\dZ: nothing to do", night.status), "ready after the first cycle"
        for path in ("night_i.list", "night_z.list"):
            night.ask("queue", "add", f"{NIGHT}/lists/{path}", "--season", "2206", "--reuse", "2206")

        # Reload, while DAGMakers run.
        night.configure("retries = 0", "retries = 1")
        night.systemctl("reload")
        box.until("the change is taken", lambda: "postproc.retries: 0 -> 1" in box.journal("EVENT=config_taken"))

        # A crash, while a DAG is in flight.
        before = night.main
        dags = night.until_child("-keeper-")
        box.ok("kill", "-9", str(before))
        box.ok("kill", "-0", *dags.values())  # the DAGs live on, under the same keepers
        night.until_again(before)
        assert night.restarts == 1

        # A hang.
        before = night.main
        night.kill(signal.SIGSTOP)
        night.until_again(before)
        assert night.restarts == 2 and "Watchdog timeout" in box.journal()
        assert "Current thread" in box.journal(), "it says where each thread was"

        # An upgrade, while post-processing runs.
        (unit,), before = night.until_child("-runs-"), night.main
        keeper = night.children()[unit]
        night.systemctl("stop")
        assert night.main == 0 and night.children()[unit] == keeper, "post-processing lives on"
        init = "/opt/desgw/desgw_daemon/__init__.py"
        box.write(init, re.sub(r'__version__ = ".*"', '__version__ = "99.0"', box.read(init)))
        night.systemctl("start")
        assert "99.0" in box.ok("desgw-daemon", "--version")
        assert night.children()[unit] == keeper
        plan = json.loads(box.read(f"{NIGHT}/scenario.json"))
        box.write(f"{NIGHT}/scenario.json", json.dumps(plan | {"postproc": plan["postproc"] | {"stops": None}}))

        box.until("all is done", lambda: {night.state(938524), night.state(938525)} == {"done"})
        box.until("post-processing has ended", lambda: not night.children())
        night.systemctl("stop")
        assert box.show(SERVICE, "Result") == "success"
        verdict = box.run("desgw-daemon", "demo", "--folder", NIGHT, "--check", user=USER)
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr
        assert night.rows("SELECT count(*) FROM v_postproc") == [[1]], "one run, found again"

        # What the journal has of it: priorities, and fields for each exposure, nite and season.
        said = [json.loads(line) for line in box.journal("-o", "json", "EXPNUM=938524").splitlines()]
        assert {(line["NITE"], line["SEASON"]) for line in said} == {("20200304", "2206")}
        assert {line["EVENT"] for line in said} >= {"exposure_moved", "dagmaker_started", "dag_submitted", "dag_ended"}
        assert all(line["MESSAGE"].startswith("938524 ") for line in said)
        notes = [json.loads(line) for line in box.journal("-o", "json", "-p", "warning").splitlines()]
        assert {line["PRIORITY"] for line in notes} <= {"4", "3"} and notes
        logs = [json.loads(line) for line in box.ok("desgw-daemon", "logs", "938524", "--json").splitlines()]
        assert [line["text"] for line in logs] == [line["MESSAGE"].removeprefix("938524 ") for line in said]
        file = night.ask("logs", "938524", "--file", "--json").splitlines()
        assert [json.loads(line)["text"] for line in file] == [line["text"] for line in logs]


class TestTheSandbox:
    """The service is in its sandbox, and only what needs namespaces is outside."""

    def test_namespaces_are_for_units_alone(self, night: Night) -> None:
        """With the children inside the sandbox the same night cannot begin: DAGMaker's container fails."""
        night.configure("[submit]", '[service]\nchildren = "process"\n\n[submit]')
        night.systemctl("start")
        night.ask("queue", "add", f"{NIGHT}/lists/night_i.list", "--season", "2206", "--reuse", "2206")
        night.box.until(
            "it says what is wrong", lambda: "Operation not permitted" in str(night.rows("SELECT text FROM v_alert"))
        )
        assert night.state(938524) == "queued" and not night.children()

    def test_without_the_accounts_systemd(self, night: Night) -> None:
        """Nothing is started, nowhere, and one alert says why; it goes on by itself when it is there again."""
        box = night.box
        night.systemctl("start")
        box.ok("systemctl", "stop", f"user@{UID}.service")
        try:
            for path in ("night_i.list", "night_z.list"):
                night.ask("queue", "add", f"{NIGHT}/lists/{path}", "--season", "2206", "--reuse", "2206")
            box.until("an alert is up", lambda: bool(night.rows("SELECT 1 FROM v_alert WHERE cleared_at IS NULL")))
            ((rule, text),) = night.rows("SELECT rule, text FROM v_alert")
            assert rule == "making_blocked" and f"loginctl enable-linger {USER}" in text
            assert night.rows("SELECT count(*) FROM v_dagmaker") == [[0]]
        finally:
            box.ok("systemctl", "start", f"user@{UID}.service")
        box.until("it goes on", lambda: night.state(938524) != "queued")


class TestFalls:
    """A fall is started again, five times; what a start cannot mend is not."""

    def test_a_wrong_configuration_stays_down(self, night: Night) -> None:
        night.configure("[poll]", "[polll]")
        assert night.box.run("systemctl", "start", SERVICE).returncode == 1
        assert night.box.show(SERVICE, "ExecMainStatus") == "2" and night.restarts == 0
        assert night.box.show(SERVICE, "ActiveState") == "failed"
        assert "polll" in night.box.journal("-n", "5")

    def test_start_limit(self, night: Night) -> None:
        night.box.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", DROP_IN.replace("=50", "=3"))
        night.box.ok("systemctl", "daemon-reload")
        night.systemctl("start")

        def is_down() -> bool:
            if pid := night.main:
                night.box.run("kill", "-9", str(pid))
            return night.box.show(SERVICE, "ActiveState") == "failed"

        night.box.until("it stays down", is_down)
        assert "Start request repeated too quickly" in night.box.journal()


class TestTimers:
    """The backup and the night's end are units of their own."""

    def test_backup_and_night(self, night: Night) -> None:
        box = night.box
        night.systemctl("start")
        for _ in range(2):
            done = box.run("systemctl", "start", "desgw-daemon-backup.service")
            assert done.returncode == 0, box.journal("-u", "desgw-daemon-backup")
        assert len(box.ok("ls", f"{NIGHT}/state/backups").split()) == 2
        box.ok("systemctl", "start", "desgw-daemon-night-stop.target")
        box.until("the daemon rests", lambda: box.show(SERVICE, "ActiveState") == "inactive")
        assert box.show(SERVICE, "Result") == "success"
        night.systemctl("start")
        assert box.show("desgw-daemon-night-stop.target", "ActiveState") == "inactive"
        box.ok("systemctl", "enable", "--now", "desgw-daemon-night-start.timer", "desgw-daemon-night-stop.timer")
        assert box.ok("systemctl", "list-timers", "--no-legend", "desgw-*").count("UTC") >= 2
        box.ok("systemctl", "disable", "--now", "desgw-daemon-night-start.timer", "desgw-daemon-night-stop.timer")


class TestChildrenInUnits:
    """What holds of children beside the daemon holds of those in units: the same tests, inside."""

    def test_keeping(self, box: Box) -> None:
        """Without the one that kills starters at random: its starters know nothing of units, and it takes long."""
        command = (
            "cd /opt/checkout && PYTHONDONTWRITEBYTECODE=1 /opt/desgw/venv/bin/python -m pytest -q -p no:cacheprovider"
            " -p tests.units.inunits -k 'not starter_killed_at_any_moment' tests/children/test_keeping.py"
        )
        done = box.run("bash", "-c", command, user=USER)
        assert done.returncode == 0, done.stdout
        assert re.search(r"\b2\d passed", done.stdout)
