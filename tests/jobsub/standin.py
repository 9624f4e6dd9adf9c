"""Installs the stand-ins of jobsub, gives them orders, and reads what they have logged."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any, Final

from . import paper_queue, program

_PROGRAMS: Final = ("jobsub_submit_dag", "jobsub_q", "jobsub_hold", "jobsub_release", "jobsub_rm")
_CONDOR: Final = ("condor_submit_dag", "condor_q", "condor_history", "condor_hold", "condor_release", "condor_rm")


class Jobsub:
    """The stand-ins, in a folder of their own.

    bin: where the programs are. schedds: what they may choose from. condor: the folder of HTCondor's commands;
    without one there is a queue on paper.
    """

    def __init__(self, folder: Path, *, schedds: list[str], condor: Path | None = None) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.paper = folder / "paper"
        self.schedds = schedds
        folder.chmod(0o777)
        (folder / "schedds.json").write_text(json.dumps(schedds))
        for name in _PROGRAMS:
            _wrapper(self.bin / name, program.__file__, folder, name)
        if condor is None:
            self.paper.mkdir()
            condor = folder / "condor"
            condor.mkdir()
            for name in _CONDOR:
                _wrapper(condor / name, paper_queue.__file__, self.paper, name)
        else:
            (folder / "condor").symlink_to(condor)
        self.condor = condor

    def order(self, **orders: str) -> None:
        """What the programs are to do from now on: submit="quota-owner", jobsub_q="frozen", submit="disk*2"...

        For one exposure: **{"submit:938524": "disk"}.
        """
        part = self.folder / ".orders"
        part.write_text(json.dumps(orders))
        part.rename(self.folder / "orders.json")

    def calls(self, who: str) -> list[dict[str, Any]]:
        """What a program has logged of its calls."""
        path = self.folder / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for line in lines if (call := json.loads(line))["who"] == who]

    @property
    def submitted(self) -> list[str]:
        """The ids of what HTCondor took, in order."""
        return [call["job_id"] for call in self.calls("condor")]


def _wrapper(path: Path, source: str, folder: Path, name: str) -> None:
    words = shlex.join([sys.executable, "-I", source, str(folder), name])
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    path.chmod(0o755)
