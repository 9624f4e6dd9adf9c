"""What is done after each cycle: one task's error hurts no other, and is told once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from desgw_daemon.daemon.after_cycle import AfterCycle, Committed
from desgw_daemon.report.logs import Log
from desgw_daemon.wiring import House


class TestTasksAreGuarded:
    """All tasks are done after each cycle, in order, whatever one of them runs into."""

    def test_an_error_hurts_no_other_and_is_told_once(self, tmp_path: Path) -> None:
        done: list[str] = []
        broken = [OSError("disk away"), OSError("disk away"), None, OSError("disk away")]

        def heartbeat(committed: Committed) -> None:
            if (error := broken[committed.number]) is not None:
                raise error
            done.append("heartbeat")

        with Log(level="INFO", file=tmp_path / "log") as log:
            after = AfterCycle(log=log)
            after.add("heartbeat", heartbeat)
            after.add("ping", lambda committed: done.append(f"ping {committed.number}"))
            for number in range(4):
                after.run(Committed(number=number, at=datetime.now(UTC), house=cast(House, None)))
        assert done == ["ping 0", "ping 1", "heartbeat", "ping 2", "ping 3"]
        lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        assert [(line["event"], line["task"]) for line in lines] == [("after_cycle_failed", "heartbeat")] * 2
        assert lines[0]["text"] == "heartbeat failed after cycle 0: disk away; tried again after the next"
