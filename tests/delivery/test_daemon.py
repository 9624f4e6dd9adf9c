"""The real daemon and real servers: what arrives, and how often, whatever is killed."""

from __future__ import annotations

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
