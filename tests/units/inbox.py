"""What the tests start inside the box beside the daemon: a web server for alerts, a mount that hangs."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.systemdbox import Box

_PYTHON: Final = "/opt/desgw/venv/bin/python"
_WEB: Final = "/run/testweb"
#: The server of tests/delivery, which writes down what it takes. GET: the heartbeat, which it answers when told to.
_SERVE: Final = f"""
    import json, pathlib
    from tests.delivery.servers import Web

    class Kept(list):
        def append(self, message):
            with open("{_WEB}/taken", "a") as file:
                file.write(json.dumps(message) + "\\n")

    class Obeying(Web):
        @property
        def behave(self):
            return "hang" if pathlib.Path("{_WEB}/hang").exists() else 200

        @behave.setter
        def behave(self, _):
            pass

    web = Obeying()
    web.taken = Kept()
    pathlib.Path("{_WEB}/port").write_text(str(web.server_port))
    web.serve_forever()
"""


class WebInBox:
    """Takes what is sent to it."""

    def __init__(self, box: Box) -> None:
        self._box = box

    @property
    def _port(self) -> str:
        return self._box.read(f"{_WEB}/port")

    @property
    def apprise(self) -> str:
        """Its address for a channel."""
        return f"json://127.0.0.1:{self._port}/s3cret-token/"

    @property
    def url(self) -> str:
        """Its address for the heartbeat."""
        return f"http://127.0.0.1:{self._port}/beat"

    def hang(self, yes: bool) -> None:
        """Whether it answers nobody from now on."""
        self._box.ok(*(("touch",) if yes else ("rm", "-f")), f"{_WEB}/hang")

    @property
    def hanging(self) -> int:
        """How many wait for its answer at this moment."""
        rows = [line.split() for line in self._box.ok("cat", "/proc/net/tcp").splitlines()[1:]]
        established = "01"
        return sum(row[1].endswith(f":{int(self._port):04X}") and row[3] == established for row in rows)

    @property
    def taken(self) -> list[dict[str, Any]]:
        """What it took, in order."""
        done = self._box.run("cat", f"{_WEB}/taken")
        return [json.loads(line) for line in done.stdout.splitlines()]

    @property
    def titles(self) -> list[str]:
        """Of the messages, without the host's name."""
        return [re.sub(r" \(.*", "", message["title"]) for message in self.taken if "title" in message]


@contextmanager
def web_in(box: Box) -> Iterator[WebInBox]:
    """A web server in the box, for as long as the block lasts."""
    box.ok("mkdir", "-p", _WEB)
    box.write(f"{_WEB}/serve.py", textwrap.dedent(_SERVE))
    box.ok("systemd-run", "-q", "--unit=testweb", "--setenv=PYTHONPATH=/opt/checkout", _PYTHON, f"{_WEB}/serve.py")
    try:
        box.until("the web server listens", lambda: bool(box.run("cat", f"{_WEB}/port").stdout))
        yield WebInBox(box)
    finally:
        box.run("systemctl", "stop", "testweb")  # a test may have stopped it
        box.ok("rm", "-rf", _WEB)


class HangInBox:
    """A folder of the box behind a mount of tests/slowfs.py."""

    def __init__(self, box: Box, door: str) -> None:
        self._box = box
        self._door = door

    def order(self, **order: object) -> dict[str, Any]:
        """Give the mount an order; its state."""
        script = (
            "import socket, sys; door = socket.socket(socket.AF_UNIX); door.connect(sys.argv[1]);"
            "door.sendall(sys.argv[2].encode() + b'\\n'); print(door.makefile().readline())"
        )
        answer: dict[str, Any] = json.loads(self._box.ok(_PYTHON, "-c", script, self._door, json.dumps(order)))
        return answer


@contextmanager
def hang_in(box: Box, folder: str) -> Iterator[HangInBox]:
    """The folder is behind a mount for as long as the block lasts. What hangs at the end is let go."""
    unit = "slowfs-" + folder.strip("/").replace("/", "-")
    door = f"/run/{unit}"
    box.run("mknod", "-m", "666", "/dev/fuse", "c", "10", "229")  # there already, from another test
    box.ok("cp", "-a", folder, f"{folder}.real")
    command = (_PYTHON, "-m", "tests.slowfs", f"{folder}.real", folder, door, "--cache=none")
    box.ok("systemd-run", "-q", f"--unit={unit}", "--working-directory=/opt/checkout", *command)
    try:
        box.until("it is mounted", lambda: box.run("mountpoint", "-q", folder).returncode == 0)
        yield HangInBox(box, door)
    finally:
        box.ok("systemctl", "stop", unit)
        box.ok("rm", "-rf", f"{folder}.real", door)
