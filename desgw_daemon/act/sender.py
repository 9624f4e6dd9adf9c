"""The process that sends a batch of messages by one channel: `python -m desgw_daemon.act.sender FOLDER`.

It reads `request` in its folder and writes `results`, a line before and a line after each message, on disk before it
goes on: whoever finds the folder after a crash knows what was sent, what was not, and the one (at most) of which nobody
knows. The first failure ends the batch: what comes later must not overtake.

The only part of the program that imports apprise (half a second, once a batch).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from desgw_daemon.act.address import AddressError, Place, read_address, scrubbed

REQUEST: Final = "request"
RESULTS: Final = "results"
_LONGEST_PROBLEM: Final = 300


class _TooLong(BaseException):
    """The time for one message is up. No Exception: what catches those must not take this for a failure of its own."""


class _Said(logging.Handler):
    """What apprise says of a failure: it returns no more than that there was one."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING or "xception" in text:
            self.words.append(" ".join(text.split()))


def main(folder: Path) -> int:
    """Send what is asked for; 0 when all of it was delivered."""
    request: dict[str, Any] = json.loads((folder / REQUEST).read_text())
    results = os.open(folder / RESULTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o660)
    try:
        address = read_address(request["channel"], [Place(Path(path), private) for path, private in request["places"]])
        channel = Channel(address)
    except AddressError as error:
        _write(results, what="refused", problem=str(error))
        return 1
    for message in request["messages"]:
        _write(results, what="begun", id=message["id"])
        problem = channel.send(message, within=request["within"])
        if problem is not None:
            _write(results, what="failed", id=message["id"], problem=problem)
            return 1
        _write(results, what="sent", id=message["id"])
    return 0


def _write(results: int, **record: object) -> None:
    os.write(results, (json.dumps(record) + "\n").encode())
    os.fsync(results)


class Channel:
    """One address, as apprise understands it."""

    def __init__(self, address: str) -> None:
        """Raises AddressError."""
        import apprise

        self._address = address
        self._said = _Said()
        log = logging.getLogger("apprise")
        log.setLevel(logging.DEBUG)
        log.propagate = False
        log.addHandler(self._said)
        # Its own name and pictures would stand beside each message; and it is to write nothing to anybody's home.
        asset = apprise.AppriseAsset(
            app_id="desgw-daemon",
            app_desc="DES-GW night watch",
            app_url="",
            image_url_mask="",
            image_url_logo="",
            async_mode=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
        )
        self._target = apprise.Apprise(asset=asset)
        if not self._target.add(address):
            raise AddressError("its address is not understood: see docs/alerts.md for what one looks like")
        self._types = {
            "info": apprise.NotifyType.INFO,
            "warning": apprise.NotifyType.WARNING,
            "critical": apprise.NotifyType.FAILURE,
        }
        self._format = apprise.NotifyFormat.TEXT

    def send(self, message: dict[str, Any], *, within: float) -> str | None:
        """Send one; why it was not delivered within so many seconds, None when it was."""
        self._said.words.clear()
        try:
            with _at_most(within):
                sent = self._target.notify(
                    title=message["title"],
                    body=message["body"],
                    notify_type=self._types[message["severity"]],
                    body_format=self._format,
                )
        except _TooLong:
            return f"no answer within {within:g} s (alerts.send_within)"
        except Exception as error:  # noqa: BLE001 - whatever a plugin runs into: it was not delivered
            return scrubbed(f"{type(error).__name__}: {error}", self._address)[:_LONGEST_PROBLEM]
        if sent:
            return None
        words = "; ".join(dict.fromkeys(self._said.words)) or "it was not taken, and no reason was given"
        return scrubbed(words, self._address)[:_LONGEST_PROBLEM]


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def too_long(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
