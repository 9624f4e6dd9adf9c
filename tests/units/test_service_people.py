"""The service and the people whom it tells: addresses that are root's, a heartbeat, a person who is not its account."""

from __future__ import annotations

import time

import pytest

from tests.systemdbox import UID, USER
from tests.units.inbox import WebInBox
from tests.units.servicenight import CONFIG, NIGHT, SERVICE, Night

pytestmark = pytest.mark.slow

CREDENTIALS = "/etc/desgw-daemon/credentials"
#: Of the group, and not the service's account.
OBSERVER = "observer"


class TestAddressesAreRoots:
    """What LoadCredential hands to the service reaches people, and no other account reads it."""

    def test_an_alert_and_a_test(self, night: Night, web: WebInBox) -> None:
        """The alert is that the account's systemd is not there: no unit can be started, for what is told neither."""
        box = night.box
        box.ok("install", "-d", "-m", "700", CREDENTIALS)
        box.write(f"{CREDENTIALS}/alert-hook", web.apprise + "\n")
        box.ok("chmod", "600", f"{CREDENTIALS}/alert-hook")
        night.configure("[alerts]\n", f'[alerts]\nchannels = {{ hook = "warning" }}\ncredentials = "{CREDENTIALS}"\n')
        night.install()
        box.ok("chmod", "-R", "g+rwXs", f"{NIGHT}/state")
        if box.run("id", OBSERVER).returncode:
            box.ok("useradd", "-G", USER, OBSERVER)
        night.systemctl("start")
        box.ok("systemctl", "stop", f"user@{UID}.service")
        try:
            night.ask("queue", "add", f"{NIGHT}/lists/night_i.list", "--season", "2206", "--reuse", "2206")
            box.until("the alert has arrived", lambda: "CRITICAL: making blocked" in web.titles)
            assert night.rows("SELECT count(*) FROM v_dagmaker") == [[0]], "nothing is started elsewhere instead"
        finally:
            box.ok("systemctl", "start", f"user@{UID}.service")
        box.until("it goes on", lambda: night.state(938524) != "queued")
        box.until("that it is over has arrived", lambda: "OVER: making blocked" in web.titles)
        assert f"loginctl enable-linger {USER}" in web.taken[0]["message"]

        for account in (USER, OBSERVER):
            assert box.run("cat", f"{CREDENTIALS}/alert-hook", user=account).returncode != 0
        said = box.run("desgw-daemon", "--config", CONFIG, "alerts", "test", user=OBSERVER)
        assert said.returncode == 0 and said.stdout.endswith("hook: OK\n"), said.stdout + said.stderr
        assert "for the daemon alone" in said.stdout
        assert web.taken[-1]["message"].startswith(f"{OBSERVER} tries at")
        assert web.titles.count("Test of the alerts") == 1
        night.systemctl("stop")
        assert "s3cret" not in box.journal()


class TestTheHeartbeat:
    """It beats after each cycle that was written down and after no other; one that hangs holds nothing up."""

    def test_a_file_then_a_hanging_url(self, night: Night, web: WebInBox) -> None:
        box, beat = night.box, f"{NIGHT}/state/beat"
        night.configure("[alerts]\n", '[alerts]\nheartbeat = "beat"\n')
        night.systemctl("start")

        def beaten() -> str:
            return box.run("stat", "-c", "%y", beat).stdout

        box.until("it beats", lambda: beaten() != "")
        first = beaten()
        box.until("it beats again", lambda: beaten() != first)

        night.change("ALTER TABLE poll RENAME TO away")
        box.until("cycles cannot be written down", lambda: "failed" in night.status)
        last = beaten()
        time.sleep(5 * night.interval)  # some cycles more: that nothing comes of them takes its time to see
        assert "failed" in night.status and beaten() == last
        night.change("ALTER TABLE away RENAME TO poll")
        box.until("it beats again", lambda: beaten() != last)

        web.hang(True)
        night.configure('heartbeat = "beat"', f'heartbeat = "{web.url}"')
        box.until("the URL is fetched, and hangs", lambda: web.hanging > 0)
        before = night.cycle
        box.until("cycles go on", lambda: night.cycle >= before + 5)
        assert web.hanging == 1, "never two at once"
        begun = time.monotonic()
        night.systemctl("stop")
        assert time.monotonic() - begun < 8, "nor does it hold up the end"
        assert box.show(SERVICE, "Result") == "success" and night.main == 0
