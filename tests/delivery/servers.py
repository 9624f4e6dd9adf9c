"""Servers on loopback that take messages, or do not: a web server and a mail server."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Web(ThreadingHTTPServer):
    """Takes what apprise posts as JSON, and keeps what it took.

    behave: what it answers from now on: a status, "hang" (nothing, ever), "slow" (200, a second later), or "die after"
    (the message is taken, and no answer comes).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behave: int | str = 200
        self.taken: list[dict[str, Any]] = []
        self.asked = 0
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        """As an Apprise URL."""
        return f"json://127.0.0.1:{self.server_port}/s3cret-token/"

    @property
    def titles(self) -> list[str]:
        """Of what it took, in order."""
        return [message["title"] for message in self.taken]

    @property
    def numbers(self) -> list[int]:
        """The numbers of the messages that it took, in order."""
        lines = [line for message in self.taken for line in message["message"].splitlines()]
        return [int(line.split()[1]) for line in lines if line.startswith("Message ")]


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        self._answer({"path": self.path})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, message: dict[str, Any]) -> None:
        web = self.server
        web.asked += 1
        behave = web.behave
        if behave == "slow":
            time.sleep(1)
        if behave in ("slow", "die after", 200):
            web.taken.append(message)
        if behave in ("hang", "die after"):
            web.ended.wait(60)
            return
        self.send_response(behave if isinstance(behave, int) else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the tests' terminal."""


@contextmanager
def web_server() -> Iterator[Web]:
    """One that runs as long as the block."""
    web = Web()
    threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield web
    finally:
        web.ended.set()
        web.shutdown()
        web.server_close()


class Mail(socketserver.ThreadingTCPServer):
    """A mail server that knows no more than it must. refuse: with this answer to DATA, from now on."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Smtp)
        self.taken: list[str] = []
        self.refuse: str | None = None

    @property
    def address(self) -> str:
        """As an Apprise URL."""
        port = self.server_address[1]
        return f"mailto://127.0.0.1:{port}/?from=daemon@des.example&to=shift@des.example&mode=insecure"


class _Smtp(socketserver.StreamRequestHandler):
    server: Mail

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            match line.split()[0].upper():
                case "EHLO":
                    self._say("250 des.example")
                case "DATA":
                    if self.server.refuse:
                        self._say(self.server.refuse)
                        continue
                    self._say("354 go on")
                    text = []
                    while (data := self.rfile.readline()) not in (b".\r\n", b""):
                        text.append(data.decode())
                    self.server.taken.append("".join(text))
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server() -> Iterator[Mail]:
    """One that runs as long as the block."""
    mail = Mail()
    threading.Thread(target=mail.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield mail
    finally:
        mail.shutdown()
        mail.server_close()
