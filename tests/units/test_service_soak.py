"""The long form of a night under systemd: whatever is done to the service, at whatever moments, over and over."""

from __future__ import annotations

import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.systemdbox import PROGRAM, USER, Box
from tests.units.servicenight import NIGHT, Night

pytestmark = [pytest.mark.slow, pytest.mark.soak]

#: Altogether, over as many nights as it takes.
_WANTED: Final = 45
#: In one night, in an order of chance; post-processing is let go when so much has been done to the service, some of it
#: while that ran.
_A_NIGHT: Final = {"kill -9": 4, "SIGSTOP": 2, "reload": 4, "stop and start": 3, "upgrade": 2}
_WHILE_POSTPROC: Final = 4
_INIT: Final = "/opt/desgw/desgw_daemon/__init__.py"


class Falls:
    """What is done to the service, and how often it was."""

    def __init__(self, night: Night, chance: random.Random, done: Counter[str]) -> None:
        self._night = night
        self._chance = chance
        self._done = done
        self._next: list[str] = []
        self.kinds: dict[str, Callable[[], None]] = {
            "kill -9": self._kill,
            "SIGSTOP": self._freeze,
            "reload": self._reload,
            "stop and start": self._stop_start,
            "upgrade": self._upgrade,
        }

    def one(self) -> None:
        """The next one, at a random moment."""
        time.sleep(self._chance.uniform(0, 3))
        if not self._next:
            self._next = list(Counter(_A_NIGHT).elements())
            self._chance.shuffle(self._next)
        kind = self._next.pop()
        self.kinds[kind]()
        self._done[kind] += 1

    def _kill(self) -> None:
        before = self._night.main
        self._night.kill(signal.SIGKILL)
        if self._chance.random() < 0.5:  # in the middle of its start, too
            self._night.box.until("another one begins", lambda: self._night.main not in (0, before))
            time.sleep(self._chance.uniform(0, 1))
            before = self._night.main
            self._night.box.run("kill", "-9", str(before))
        self._night.until_again(before)

    def _freeze(self) -> None:
        before = self._night.main
        self._night.kill(signal.SIGSTOP)
        self._night.until_again(before)

    def _reload(self) -> None:
        number = sum(self._done.values())
        self._night.configure_line("retries", f"retries = {number % 2}")
        self._night.systemctl("reload")

    def _stop_start(self) -> None:
        self._night.systemctl("stop")
        time.sleep(self._chance.uniform(0, 1))
        self._night.systemctl("start")

    def _upgrade(self) -> None:
        box = self._night.box
        self._night.systemctl("stop")
        version = f"99.{sum(self._done.values())}"
        box.write(_INIT, re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', box.read(_INIT)))
        self._night.systemctl("start")
        assert version in box.ok(PROGRAM, "--version")


@pytest.fixture
def as_before(box: Box) -> Iterator[None]:
    text = box.read(_INIT)
    yield
    box.write(_INIT, text)


class TestNightsOfFalls:
    """However often it falls, hangs, is stopped or upgraded, at whatever moments, each night ends as planned."""

    def test_at_random(self, box: Box, long_form: bool, counted: Callable[[str], None], as_before: None) -> None:
        if not long_form:
            pytest.skip("`make soak`; each kind once, in one night: test_service.py::TestANight")
        chance, done, nights = random.Random(11), Counter[str](), 0
        while sum(done.values()) < _WANTED:
            night = Night(box, job=0.7)
            night.begin()
            try:
                self.one_night(night, chance, done)
            finally:
                night.end()
            nights += 1
        words = ", ".join(f"{number} x {kind}" for kind, number in done.most_common())
        counted(f"{nights} nights of 2 exposures, {sum(done.values())} falls ({words}); all ended as planned")

    @staticmethod
    def one_night(night: Night, chance: random.Random, done: Counter[str]) -> None:
        falls = Falls(night, chance, done)
        night.systemctl("start")
        for path in ("night_i.list", "night_z.list"):
            night.ask("queue", "add", f"{NIGHT}/lists/{path}", "--season", "2206", "--reuse", "2206")
        begun, at_postproc = sum(done.values()), None
        while at_postproc is None or sum(done.values()) - at_postproc < _WHILE_POSTPROC:
            falls.one()
            if at_postproc is None and night.state(938524) == "postprocessing":
                at_postproc = max(sum(done.values()), begun + sum(_A_NIGHT.values()) - _WHILE_POSTPROC)
        night.let_postproc_go()
        night.box.until("all is done", lambda: night.states == {"done"}, 120)
        night.box.until("post-processing has ended", lambda: not night.children())
        night.systemctl("stop")
        verdict = night.box.run("desgw-daemon", "demo", "--folder", NIGHT, "--check", user=USER)
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr
        assert night.rows("SELECT count(*) FROM v_postproc") == [[1]], "one run, found again each time"
        assert night.rows("SELECT count(*) FROM v_submission") == [[2]], "one DAG for each exposure"
