"""`install-service --user`: the daemon in the systemd of an account that is not root."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.systemdbox import USER, Box
from tests.units.inbox import WebInBox
from tests.units.servicenight import DROP_IN, NIGHT, SERVICE, Night

pytestmark = pytest.mark.slow

UNITS = f"/home/{USER}/.config/systemd/user"


class OwnNight(Night):
    """Everything is done by the account itself."""

    def install(self) -> None:
        said = self.ask("install-service", "--user")
        assert f"written: {UNITS}/{SERVICE}" in said and "systemctl --user enable --now" in said
        self.box.ok("install", "-d", "-o", USER, "-g", USER, f"{UNITS}/{SERVICE}.d")
        self.box.write(f"{UNITS}/{SERVICE}.d/test.conf", DROP_IN)
        self.box.ok("systemctl", "--user", "daemon-reload", user=USER)

    def end(self) -> None:
        self.box.run("systemctl", "--user", "stop", SERVICE, "desgw-*", user=USER)
        self.box.ok("rm", "-rf", NIGHT, UNITS)

    def systemctl(self, *words: str) -> None:
        self.box.ok("systemctl", "--user", *words, SERVICE, user=USER)

    def show(self, name: str) -> str:
        return self.box.show(SERVICE, name, user=USER)


@pytest.fixture
def night(box: Box) -> Iterator[OwnNight]:
    night = OwnNight(box, job=60)
    night.build()
    yield night
    night.end()


class TestWithoutRoot:
    """The same service, in the account's own systemd: addresses, children, falls, the night's end."""

    def test_a_life(self, night: OwnNight, web: WebInBox) -> None:
        box = night.box
        box.ok("install", "-d", "-m", "700", "-o", USER, "-g", USER, f"{NIGHT}/state/credentials")
        box.write(f"{NIGHT}/state/credentials/alert-hook", web.apprise + "\n")
        box.ok("chown", USER, f"{NIGHT}/state/credentials/alert-hook")
        box.ok("chmod", "600", f"{NIGHT}/state/credentials/alert-hook")
        night.configure("[alerts]\n", '[alerts]\nchannels = { hook = "warning" }\n')
        night.install()
        units = [f"{UNITS}/{name}" for name in box.ok("ls", UNITS).split() if not name.endswith(".d")]
        verified = box.ok("systemd-analyze", "--user", "verify", "--recursive-errors=yes", *units, user=USER)
        assert len(units) == 6 and verified == ""
        night.systemctl("start")
        assert re.match(r"cycle \d+ at \d\d:\d\d:\d\dZ: nothing to do", night.show("StatusText"))
        assert "hook" in box.ok("ls", f"/run/user/5001/credentials/{SERVICE}", user=USER)

        night.ask("queue", "add", f"{NIGHT}/lists/night_i.list", "--season", "2206", "--reuse", "2206")
        children = night.until_child("-keeper-")
        before = night.show("MainPID")
        box.ok("kill", "-9", before)
        box.until(
            "another daemon is ready",
            lambda: night.show("MainPID") not in ("0", before) and night.show("ActiveState") == "active",
        )
        box.ok("kill", "-0", *children.values())
        box.until("it goes on", lambda: night.state(938524) == "processing")
        assert night.ask("alerts", "test").endswith("hook: OK\n") and web.titles == ["Test of the alerts"]
        box.ok("systemctl", "--user", "start", "desgw-daemon-night-stop.target", user=USER)
        box.until("the daemon rests", lambda: night.show("ActiveState") == "inactive")
        assert night.show("Result") == "success"
