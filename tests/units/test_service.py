"""The daemon as a service of a real systemd: start, reload, crash, hang, upgrade, stop, in the middle of a night."""

from __future__ import annotations

import json
import re
import signal

import pytest

from tests.systemdbox import USER, Box
from tests.units.servicenight import DROP_IN, NIGHT, SERVICE, Night

pytestmark = pytest.mark.slow


class TestANight:
    """Whatever is done to the service in the middle of a night, the night ends as planned."""

    def test_start_reload_kill_hang_upgrade_stop(self, quick_night: Night) -> None:
        night, box = quick_night, quick_night.box
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
        older = box.read(init)
        box.write(init, re.sub(r'__version__ = ".*"', '__version__ = "99.0"', older))
        night.systemctl("start")
        assert "99.0" in box.ok("desgw-daemon", "--version")
        box.write(init, older)
        assert night.children()[unit] == keeper
        night.let_postproc_go()
        box.until("all is done", lambda: night.states == {"done"})
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
