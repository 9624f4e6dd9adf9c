"""What every step of the stand-in for run_postproc.py uses: its log, its orders, its deaths. Standard library only."""

from __future__ import annotations

import argparse
import configparser
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

RUN = f"{os.getpid()}-{time.time():.6f}"
HERE = Path(__file__).resolve().parent


def log(event: str, **more: Any) -> None:
    """One line of the stand-ins' own log, in one write."""
    entry = {"t": time.time(), "who": "run_postproc.py", "event": event, "run": RUN, "pid": os.getpid(), **more}
    stream = os.open(HERE.parent / "logs" / "standins.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o664)
    os.write(stream, (json.dumps(entry) + "\n").encode())
    os.close(stream)


class Base:
    """One run: its arguments, its ini, and where it stands."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.season = str(args.season)
        self.skipto: int = args.SKIPTO
        self.out = Path(args.outputdir)
        self.status: list[Any] = [False] * 9 + ["incomplete"]
        scenario = json.loads((HERE.parent / "scenario.json").read_text())
        self.pace: float = scenario["pace"]["step"]
        self.orders: dict[str, Any] = scenario["postproc"]
        self.expnums: list[int] = []
        self.left_out: list[int] = []
        self.rows: list[dict[str, str]] = []
        self.ini = configparser.ConfigParser(strict=False, inline_comment_prefixes=(";",), interpolation=None)
        if not self.ini.read(f"postproc_{self.season}.ini"):
            raise FileNotFoundError(f"postproc_{self.season}.ini")
        if self.orders["dies_at_once"]:
            raise ImportError("No module named easyaccess")

    def get(self, section: str, key: str) -> str:
        return self.ini.get(section, key)

    def step(self, number: int, words: str) -> None:
        """Say so, and die here if so ordered."""
        print(f"Run STEP {number}: {words}")
        log("step", step=number)
        self.maybe_die(number, "before")

    def middle(self, number: int) -> None:
        """Some of the step's work is done."""
        time.sleep(self.pace / 2)
        self.maybe_die(number, "middle")

    def end_step(self, number: int) -> None:
        """All of its work is done, and nothing is said of it yet."""
        time.sleep(self.pace / 2)
        self.maybe_die(number, "after")

    def maybe_die(self, number: int, when: str) -> None:
        while json.loads((HERE.parent / "scenario.json").read_text())["postproc"]["stops"] == [number, when]:
            time.sleep(0.05)
        if self.orders["dies"] != [number, when]:
            return
        if self.orders["how"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError(f"step {number} died ({when})")

    def write_status(self) -> None:
        text = "".join(f"{int(entry)} \n" for entry in self.status[:9]) + self.status[9]
        Path(f"PostProcStatus{self.season}.txt").write_text(text)

    def file(self, *parts: str) -> Path:
        path = self.out.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, path: Path, data: bytes, step: int) -> None:
        """The file on which the step works when it is in its middle: half of it is there then."""
        with path.open("wb", buffering=0) as stream:
            stream.write(data[: len(data) // 2])
            self.middle(step)
            stream.write(data[len(data) // 2 :])
