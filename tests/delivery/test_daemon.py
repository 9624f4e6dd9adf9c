"""The real daemon and real servers: what arrives, and how often, whatever is killed."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.servers import Mail, Web, mail_server, web_server
from tests.night.house import House, night_of, planned


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[Mail]:
    with mail_server() as server:
        yield server


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Paused: that is an alert, which is over when it is resumed."""
    settings = {"poll.interval": '"0.5 s"', "alerts.rules": '{ paused = { after = "0 s" } }'}
    found = House(tmp_path / "house", night_of(planned(900000)), settings)
    yield found
    found.close()


def channel(house: House, name: str, address: str, least: str = "warning", mode: int = 0o600) -> None:
    """Set up a channel, beside those that there are."""
    folder = house.state / "credentials"
    folder.mkdir(exist_ok=True)
    path = folder / f"alert-{name}"
    path.write_text(f"{address}\n")
    path.chmod(mode)
    names = sorted(file.name.removeprefix("alert-") for file in folder.iterdir())
    house.configure("alerts.channels", "{ " + ", ".join(f'{one} = "{least}"' for one in names) + " }")


def rows(house: House, channel: str = "hook") -> list[tuple[str, str]]:
    query = "SELECT kind, state FROM v_delivery WHERE channel = ? ORDER BY id"
    return [(row["kind"], row["state"]) for row in house.rows(query, channel)]


@pytest.mark.slow
class TestEachAlertArrivesOnce:
    """An alert and its end arrive once on each channel, with what to do, in their order."""

    def test_by_mail_and_by_web(self, house: House, web: Web, mail: Mail) -> None:
        channel(house, "hook", web.address)
        channel(house, "mail", mail.address)
        house.ok("pause", "--reason", "a test of the channels")
        house.start()
        house.until(lambda: web.taken and mail.taken, "both have got it")
        house.ok("resume")
        house.until(lambda: len(web.taken) > 1 and len(mail.taken) > 1, "both have got its end")
        house.cycles(4)
        house.stop()
        assert [title.partition(" (")[0] for title in web.titles] == ["WARNING: paused", "OVER: paused"]
        assert len(mail.taken) == 2 and "a test of the channels" in mail.taken[0]
        assert "docs/runbook.md#paused" in web.taken[0]["message"]
        assert rows(house) == rows(house, "mail") == [("raised", "sent"), ("cleared", "sent")]


@pytest.mark.slow
class TestAnsweredBadly:
    """A server that refuses or hangs gets the message when it is well again, once; nothing else waits for it."""

    def test_refused_then_hanging_then_well(self, house: House, web: Web, mail: Mail) -> None:
        channel(house, "hook", web.address)
        channel(house, "mail", mail.address)
        house.configure("alerts.send_within", '"2 s"')
        web.behave = 429
        house.ok("pause", "--reason", "a test of the channels")
        house.start()
        house.until(lambda: web.asked and mail.taken, "one has refused, the other has taken it")
        web.behave = "hang"
        asked = web.asked
        house.until(lambda: web.asked > asked, "it hangs")
        house.cycles(2)
        web.behave = 200
        house.until(lambda: rows(house) == [("raised", "sent")], "it has got it")
        house.cycles(2)
        house.stop()
        assert len(web.taken) == 1 and rows(house) == [("raised", "sent")]
        # That the other channel fails is told by this one, once.
        told = [line for text in mail.taken for line in text.splitlines() if line.startswith("Subject: WARNING")]
        assert [line.partition(" (")[0] for line in told] in (
            ["Subject: WARNING: paused"],
            ["Subject: WARNING: paused", "Subject: WARNING: delivery failed"],
        )
        problems = json.dumps(house.log("message_failed"))
        assert "429" in problems and "no answer within 2 s" in problems
        assert "s3cret" not in problems + (house.state / "desgw-daemon.log").read_text()


@pytest.mark.slow
class TestKilled:
    """Whatever is killed, a message arrives once; twice only if its sender died between the server and the disk."""

    def test_the_daemon(self, house: House, web: Web) -> None:
        channel(house, "hook", web.address)
        web.behave = "slow"
        house.ok("pause", "--reason", "a test of the channels")
        for _ in range(3):
            house.start()
            house.until(lambda: rows(house), "it is in the outbox")
            house.stop(signal.SIGKILL)
        house.start()
        house.until(lambda: rows(house) == [("raised", "sent")], "it is known to have arrived")
        house.cycles(2)
        house.stop()
        assert len(web.taken) == 1

    def test_the_sender(self, house: House, web: Web) -> None:
        channel(house, "hook", web.address)
        web.behave = "die after"
        house.ok("pause", "--reason", "a test of the channels")
        house.start()
        house.until(lambda: web.taken, "the server has taken it")
        (folder,) = (house.state / "outbox").iterdir()
        house.kill_child(folder)
        web.behave = 200
        house.until(lambda: rows(house) == [("raised", "sent")], "it was sent again")
        house.cycles(2)
        house.stop()
        first, second = web.taken
        assert "a second time" not in first["message"] and "Perhaps a second time" in second["message"]
        assert web.numbers[0] == web.numbers[1]


@pytest.mark.slow
class TestTheCommand:
    """`alerts test` says of each channel whether it delivers, or what is wrong, without its address."""

    def test_each(self, house: House, web: Web, mail: Mail) -> None:
        assert "alerts.channels is empty" in house.refused("alerts", "test", code=1)
        channel(house, "bad", "nonsense://s3cret-token/")
        channel(house, "gone", "json://127.0.0.1:9/s3cret-token")
        channel(house, "hook", web.address)
        channel(house, "mail", mail.address)
        channel(house, "open", web.address, mode=0o644)
        (house.state / "credentials" / "alert-none").touch(0o600)
        channel(house, "none", "")
        done = house.command("alerts", "test")
        said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        assert done.returncode == 1 and "s3cret" not in done.stdout + done.stderr
        assert said["hook"] == said["mail"] == "OK" and len(web.taken) == len(mail.taken) == 1
        assert "docs/alerts.md" in said["bad"] and "chmod 600" in said["open"] and "no address" in said["none"]
        assert said["gone"].startswith("FAILED: ") and "refused" in said["gone"]
        assert house.ok("alerts", "test", "hook") == "hook: OK\n"
        assert "there is no channel" in house.refused("alerts", "test", "hock", code=2)


@pytest.mark.slow
class TestTheNightIsReported:
    """A night in which nothing ran is told once, over restarts; and there is a heartbeat after each cycle."""

    def test_once(self, house: House, web: Web) -> None:
        channel(house, "hook", web.address)
        house.configure("alerts.heartbeat", f'"http://127.0.0.1:{web.server_port}/ping"')
        house.ok("tick")
        with sqlite3.connect(house.state / "desgw.db") as db:
            db.execute("UPDATE poll SET started_at = datetime('now', '-3 days')")
        db.close()
        for _ in range(2):
            house.start()
            house.until(lambda: ("report", "sent") in rows(house), "it was sent")
            house.cycles(2)
            house.stop()
        # That the cycles lie three days back may be an alert of its own.
        assert [row for row in rows(house) if row[0] == "report"] == [("report", "sent")]
        pings = [message for message in web.taken if message.get("path") == "/ping"]
        (report,) = [message for message in web.taken if message.get("title", "").startswith("Night ")]
        assert "nothing ran" in report["title"] and "Nothing ran" in report["message"]
        assert len(pings) >= 2 and len(house.log("night_reported")) == 1
        assert "Nothing ran" in house.ok("alerts", "report")
