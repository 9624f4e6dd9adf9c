"""`history`: every change of state of an exposure, oldest first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from desgw_daemon.cli.history import summed_up

from . import filled
from .conftest import change
from .program import program


class TestHistory:
    """Every change is shown with its time, reason and who made it; CCDs are summed up unless asked for."""

    def test_order(self, night: Path) -> None:
        done = program("history", str(filled.FEW), cwd=night)
        assert done.returncode == 0
        lines = done.stdout.splitlines()
        assert lines[0] == "1200203 r (season 2206, nite 20261121)"
        assert "  queued: added from 20261121.list (by observer)" in lines[1]
        assert "  processing -> attention: 44 of 59 CCDs complete" in lines[-1]
        times = [line.split()[0] for line in lines[1:]]
        assert times == sorted(times)
        assert [line.split()[1] for line in lines[1:-2]].count("CCDs:") == 0
        assert "  CCDs: 44 complete, 11 failed, 2 lost, 1 missing, 1 broken: 11 x failed at RUN18" in lines[-2]

    def test_ccds(self, night: Path) -> None:
        lines = program("history", str(filled.FEW), "--ccds", cwd=night).stdout.splitlines()
        assert sum("Z  r_" in line for line in lines) == 59
        assert any("  r_01 pending -> failed: failed at RUN18_search.FAIL" in line for line in lines)

    def test_json(self, night: Path) -> None:
        said = json.loads(program("history", str(filled.FEW), "--json", cwd=night).stdout)
        assert said["exposure"]["expnum"] == filled.FEW
        (ccds,) = (row for row in said["changes"] if row["kind"] == "ccds")
        assert ccds["counts"] == {"complete": 44, "failed": 11, "lost": 2, "missing": 1, "broken": 1}
        said = json.loads(program("history", str(filled.FEW), "--json", "--ccds", cwd=night).stdout)
        assert sum(row["kind"] == "ccd" for row in said["changes"]) == 59

    def test_only_its_own(self, night: Path) -> None:
        text = program("history", str(filled.TWO_NITES), "--nite", filled.NITES[1], cwd=night).stdout
        assert text.count("\n") == 2

    def test_odd_words_keep_to_their_line(self, night: Path) -> None:
        change(night, 'UPDATE "transition" SET why = ? WHERE kind = ?', "a\nb", "dagmaker_run")
        assert "DAGMaker running -> made: a\\nb\n" in program("history", str(filled.FEW), cwd=night).stdout


class TestSummedUp:
    """CCD changes that come together within a minute are one line; another change, or another minute, ends it."""

    def test_groups(self) -> None:
        def ccd(at: str, after: str) -> dict[str, Any]:
            return {"at": at, "kind": "ccd", "subject": "1 r_01", "after": after, "why": "w", "who": "daemon"}

        move = {"at": "2026-11-22T02:14:30Z", "kind": "exposure", "subject": "", "after": "x", "why": "", "who": "d"}
        rows = [
            ccd("2026-11-22T02:14:05Z", "complete"),
            ccd("2026-11-22T02:14:06Z", "failed"),
            move,
            ccd("2026-11-22T02:14:40Z", "complete"),
            ccd("2026-11-22T02:15:00Z", "complete"),
        ]
        found = list(summed_up(rows))
        assert [row["kind"] for row in found] == ["ccds", "exposure", "ccds", "ccds"]
        assert found[0]["counts"] == {"complete": 1, "failed": 1}
        assert found[0]["why"] == "1 x w"
        assert found[0]["at"] == "2026-11-22T02:14:06Z"
