"""The service in the middle of a night of the sandbox, inside the box."""

from __future__ import annotations

import json
import re
import signal
import textwrap
from typing import Any, Final

from tests.systemdbox import USER, Box

NIGHT: Final = "/srv/night"
CONFIG: Final = f"{NIGHT}/daemon.toml"
SERVICE: Final = "desgw-daemon.service"
#: Two good exposures whose DAGs last as long as what is done meanwhile, and post-processing that stays at step 2
#: until it is let go; behind a prefix that needs namespaces, as a container does. The time limits are short, so that a
#: watchdog of some seconds is not widened.
BUILD: Final = """
    import sys
    from dataclasses import replace
    from datetime import timedelta
    from pathlib import Path
    from desgw_daemon.sandbox.build import build
    from desgw_daemon.sandbox.nights import small_scenario
    from desgw_daemon.sandbox.scenario import Postproc

    plan = small_scenario(2)
    pace = replace(plan.pace, job=timedelta(seconds=float(sys.argv[1])))
    watch = replace(plan.watch, interval=timedelta(seconds=1), query_timeout=timedelta(seconds=1))
    stays = Postproc(stops=(2, "before"))
    made = build(Path("/srv/night"), replace(plan, pace=pace, watch=watch, postproc=stays))
    text = made.config.read_text()
    for section in ("dagmaker", "postproc"):
        text = text.replace(f"[{section}]\\n", f'[{section}]\\nprefix = ["unshare", "-Ur"]\\n')
    made.config.write_text(text.replace("[poll]\\n", '[poll]\\nlook_deadline = "2 s"\\n'))
"""
#: Falls are short and many here. 11 s is what a healthy cycle may take with these time limits.
DROP_IN: Final = "[Unit]\nStartLimitBurst=50\n[Service]\nRestartSec=200ms\nWatchdogSec=11s\n"


class Night:
    """The service at work in a sandbox inside the box."""

    #: Seconds between two cycles.
    interval: Final = 1

    def __init__(self, box: Box, *, job: float) -> None:
        """job: how many seconds one of an exposure's 60 takes; 4 run at once. Each costs more than a cycle does."""
        self.box = box
        self._job = job

    def begin(self) -> None:
        """Build the sandbox, install the service."""
        self.build()
        self.box.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", DROP_IN)
        self.install()

    def build(self) -> None:
        """The sandbox. The journal has nothing of nights before this one, whose exposures have the same numbers."""
        self.box.ok("journalctl", "-q", "--rotate")
        self.box.ok("journalctl", "-q", "--vacuum-size=1")
        self.box.ok("install", "-d", "-o", USER, "-g", USER, NIGHT)
        self.box.write("/tmp/build.py", textwrap.dedent(BUILD))
        self.box.ok("/opt/desgw/venv/bin/python", "/tmp/build.py", str(self._job), user=USER)

    def install(self) -> None:
        """Write the units, for the configuration as it is now."""
        self.box.ok("desgw-daemon", "--config", CONFIG, "install-service")
        self.box.ok("systemctl", "daemon-reload")

    def end(self) -> None:
        """Nothing of it runs any more."""
        self.box.run("systemctl", "stop", SERVICE)
        self.box.run("systemctl", "reset-failed", SERVICE)
        self.box.run("systemctl", "--user", "stop", "desgw-*", user=USER)
        self.box.ok("rm", "-rf", NIGHT, f"/etc/systemd/system/{SERVICE}.d", "/etc/desgw-daemon/credentials")

    def ask(self, *words: str) -> str:
        return self.box.ok("desgw-daemon", "--config", CONFIG, *words, user=USER)

    def systemctl(self, *words: str) -> None:
        self.box.ok("systemctl", *words, SERVICE)

    def configure(self, old: str, new: str) -> None:
        text = self.box.read(CONFIG)
        assert old in text
        self.box.write(CONFIG, text.replace(old, new))

    def configure_line(self, key: str, line: str) -> None:
        """Set a key that stands there once."""
        text, count = re.subn(rf"(?m)^{key} = .*$", line, self.box.read(CONFIG))
        assert count == 1
        self.box.write(CONFIG, text)

    def let_postproc_go(self) -> None:
        """Let post-processing go on from where it stays."""
        plan = json.loads(self.box.read(f"{NIGHT}/scenario.json"))
        self.box.write(f"{NIGHT}/scenario.json", json.dumps(plan | {"postproc": plan["postproc"] | {"stops": None}}))

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

    @property
    def cycle(self) -> int:
        """The number of the last cycle that was written down."""
        found = re.match(r"cycle (\d+) at ", self.status)
        return int(found[1]) if found else 0

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
        """What the database answers."""
        found: list[list[Any]] = json.loads(self._sqlite("ro", query))
        return found

    def change(self, command: str) -> None:
        """Change the database, as people may."""
        self._sqlite("rw", command)

    def _sqlite(self, mode: str, command: str) -> str:
        """Done inside: SQLite follows links by their names, which lead nowhere here."""
        script = (
            "import json, sqlite3, sys; db = sqlite3.connect(f'file:{sys.argv[1]}?mode={sys.argv[2]}', uri=True);"
            "print(json.dumps(db.execute(sys.argv[3]).fetchall())); db.commit()"
        )
        database = f"{NIGHT}/state/desgw.db"
        return self.box.ok("/opt/desgw/venv/bin/python", "-I", "-c", script, database, mode, command, user=USER)

    @property
    def states(self) -> set[str]:
        """Of all exposures."""
        return {str(state) for (state,) in self.rows("SELECT state FROM v_exposure")}

    def state(self, expnum: int) -> str:
        ((state,),) = self.rows(f"SELECT state FROM v_exposure WHERE expnum = {expnum}")
        return str(state)
