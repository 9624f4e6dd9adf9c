"""Has messages sent by a process of its own, and reads what became of them. Nobody waits for it here."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from desgw_daemon.act.address import Place, places
from desgw_daemon.act.environment import child_environment
from desgw_daemon.act.sender import REQUEST, RESULTS
from desgw_daemon.children import ensure_started, look
from desgw_daemon.children.capture import run_captured
from desgw_daemon.domain.messages import UNCERTAIN, Delivery, Message, Outcome

#: What the process says for itself: nothing, but for errors that nobody has foreseen.
_OUTPUT: Final = "output"
#: Beside the time for each message: to start, and to import apprise on a busy machine.
_STARTS_WITHIN: Final = timedelta(seconds=60)
_TWICE: Final = "(Perhaps a second time: the process that sent it before was ended in the middle.)"
#: -P: what lies in the state folder must not be taken for a library.
_PROGRAM: Final = (sys.executable, "-P", "-m", "desgw_daemon.act.sender")


class Outgoing:
    """The folders of the processes that send, one for each batch."""

    def __init__(self, *, root: Path, credentials: Path, within: timedelta) -> None:
        """root: where their folders are. within: how long one message may take."""
        self._root = root
        self._places = places(credentials, os.environ)
        self._within = within

    def folder_of(self, channel: str, first: Delivery) -> Path:
        """The folder for the batch that begins with this message: a new one for each try."""
        return self._root / f"{channel}-{first.id}-{first.tries + 1}"

    def launch(self, folder: Path, deliveries: Sequence[Delivery]) -> None:
        """Start the process for a batch that is claimed, if that has not been done. Raises OSError: try again."""
        if look(folder).state != "absent":
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_request(folder, deliveries[0].channel, [_as_sent(d) for d in deliveries], self._places, self._within)
        ensure_started(
            folder,
            [*_PROGRAM, str(folder)],
            cwd=folder,
            env=child_environment(),
            output=folder / _OUTPUT,
            timeout=_STARTS_WITHIN + len(deliveries) * self._within,
            end_leftovers=True,
            # In the sandbox of the service: systemd takes the addresses away with the service, and that the account's
            # systemd is not there, without which no unit can be started, must be told.
            beside=True,
        )

    def outcomes(self, folder: Path, deliveries: Sequence[Delivery]) -> dict[int, Outcome] | None:
        """What became of each message; None while the process goes on, or has not been started.

        Raises OSError when the folder cannot be read.
        """
        child = look(folder)
        if child.state in ("absent", "running"):
            return None
        ended = f"the process that was to send it {child.words}"
        if child.timed_out:
            ended = f"no answer within {self._within.total_seconds():g} s (alerts.send_within)"
        return read_results(folder, [delivery.id for delivery in deliveries], ended)

    def tidy(self, used: Iterable[str]) -> None:
        """Remove the folders of batches that are settled."""
        kept = {Path(folder).name for folder in used}
        if not self._root.is_dir():
            return
        for path in self._root.iterdir():
            if path.name not in kept and look(path).state != "running":
                shutil.rmtree(path, ignore_errors=True)


def write_request(
    folder: Path, channel: str, messages: Sequence[dict[str, Any]], places: Sequence[Place], within: timedelta
) -> None:
    """What the process reads; where the address is, not the address."""
    request = {
        "channel": channel,
        "places": [(str(place.folder), place.private) for place in places],
        "within": within.total_seconds(),
        "messages": messages,
    }
    whole = folder / f".{REQUEST}"
    whole.write_text(json.dumps(request))
    whole.replace(folder / REQUEST)


def _as_sent(delivery: Delivery) -> dict[str, Any]:
    twice = f"\n{_TWICE}" if delivery.problem == UNCERTAIN else ""
    return {
        "id": delivery.id,
        "title": delivery.title,
        "body": f"{delivery.body}\nMessage {delivery.id}{twice}",
        "severity": delivery.severity,
    }


def read_results(folder: Path, ids: Sequence[int], ended: str) -> dict[int, Outcome]:
    """What stands in the folder of a process that has ended. ended: how, where it has written nothing at all."""
    try:
        lines = (folder / RESULTS).read_text().splitlines()
    except FileNotFoundError:
        lines = []
    records = [record for line in lines if (record := _record(line)) is not None]
    refused = next((record["problem"] for record in records if record["what"] == "refused"), None)
    # A later line about the same message says more.
    last = {record["id"]: record for record in records if "id" in record}
    outcomes = {}
    for number, message in enumerate(ids):
        record = last.get(message)
        if record is None:
            # The first was to be begun, so that it was not is the channel's fault; the others had to wait for it.
            problem = (refused or ended) if number == 0 else None
            outcomes[message] = Outcome(sent=False, begun=problem is not None, problem=problem)
        elif record["what"] == "sent":
            outcomes[message] = Outcome(sent=True, begun=True)
        else:
            outcomes[message] = Outcome(sent=False, begun=True, problem=record.get("problem", UNCERTAIN))
    return outcomes


def _record(line: str) -> dict[str, Any] | None:
    """A line of the results; a torn last one says nothing."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def send_now(channel: str, message: Message, places: Sequence[Place], within: timedelta) -> str | None:
    """Send one message, and wait for what becomes of it; why it was not delivered, None when it was."""
    with tempfile.TemporaryDirectory(prefix="desgw-alert-") as name:
        folder = Path(name)
        one = {"id": 0, "title": message.title, "body": message.body, "severity": message.severity}
        write_request(folder, channel, [one], places, within)
        done = run_captured(
            [*_PROGRAM, str(folder)], cwd=folder, env=child_environment(), timeout=_STARTS_WITHIN + within
        )
        last_words = done.text.strip().splitlines()[-1:] or [f"exit code {done.rc}"]
        ended = f"the process that was to send it said: {last_words[0]}"
        outcome = read_results(folder, [0], ended)[0]
        return None if outcome.sent else outcome.problem
