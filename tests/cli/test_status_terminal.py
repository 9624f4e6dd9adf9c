"""`status` on a real terminal: what an observer sees at 3 a.m."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from . import filled
from .conftest import change, sql_time
from .program import program
from .terminal import on_terminal, plain


class TestWidths:
    """No line is longer than the terminal is wide, and every exposure is there."""

    @pytest.mark.parametrize("columns", [80, 120, 200])
    def test_lines(self, columns: int, night: Path) -> None:
        text = plain(on_terminal("status", cwd=night, columns=columns))
        assert max(len(line) for line in text.splitlines()) <= columns
        shown = re.findall(r"^(\d{7})  ", text, re.MULTILINE)
        assert len(shown) == 63

    @pytest.mark.parametrize("columns", [80, 200])
    def test_whole_reasons_of_attention(self, columns: int, night: Path) -> None:
        exposures = json.loads(program("status", "--json", cwd=night).stdout)["exposures"]
        words = plain(on_terminal("status", cwd=night, columns=columns)).split()
        for exposure in (e for e in exposures if e["state"] == "attention"):
            reason = [word for word in exposure["reason"].split() if not word.startswith("20")]
            start = words.index(str(exposure["expnum"]))
            assert all(word in words[start : start + 120] for word in reason)

    def test_commands_stay_on_one_line(self, night: Path) -> None:
        text = plain(on_terminal("status", cwd=night, columns=80))
        assert f"`desgw-daemon queue retry {filled.REFUSED}`" in text

    @pytest.mark.parametrize("columns", [80, 200])
    def test_one_exposure(self, columns: int, night: Path) -> None:
        text = plain(on_terminal("status", str(filled.PARTIAL), cwd=night, columns=columns))
        assert max(len(line) for line in text.splitlines()) <= columns
        assert "     39 C  40 M  41 C  42 C  43 C  44 C" in text


class TestColours:
    """Colours have a meaning: red needs a person, green is ready, yellow is kept back or not seen."""

    @pytest.mark.parametrize(
        ("expnum", "code"),
        [(filled.FEW, "1;31"), (filled.FULL, "32"), (filled.HELD, "33"), (filled.UNSEEN, "33")],
    )
    def test_row(self, expnum: int, code: str, night: Path) -> None:
        assert f"\x1b[{code}m{expnum}  " in on_terminal("status", cwd=night, columns=120)


class TestAges:
    """A number that may still change is shown with its age when it is older than two polls."""

    def test_as_of(self, night: Path) -> None:
        old = datetime.now(UTC) - timedelta(seconds=130)
        change(night, "UPDATE exposure SET as_of = ?", sql_time(datetime.now(UTC) - timedelta(seconds=60)))
        assert "AS OF" not in plain(on_terminal("status", cwd=night, columns=120))
        change(night, "UPDATE exposure SET as_of = ? WHERE expnum = ?", sql_time(old), filled.NEARLY)
        text = plain(on_terminal("status", cwd=night, columns=120))
        header = next(line for line in text.splitlines() if "AS OF" in line)
        aged = [line for line in text.splitlines() if line[header.index("AS OF") :].startswith(f"{old:%H:%M}  ")]
        assert [line.split()[0] for line in aged] == [str(filled.NEARLY)]

    def test_not_seen(self, night: Path) -> None:
        text = plain(on_terminal("status", cwd=night, columns=120))
        (line,) = (line for line in text.splitlines() if line.startswith(f"{filled.UNSEEN}  "))
        assert "  not seen since " in line


class TestOldNites:
    """Nites that are all done and without news for a day are counted on a terminal, and shown where asked for."""

    @pytest.fixture
    def finished(self, night: Path) -> Path:
        """The first nite is done since two days."""
        old = sql_time(datetime.now(UTC) - timedelta(days=2))
        change(night, "UPDATE exposure SET state = 'done', news_at = ? WHERE nite = ?", old, filled.NITES[0])
        return night

    def test_folded(self, finished: Path) -> None:
        text = plain(on_terminal("status", cwd=finished, columns=120))
        assert "31 exposures of 2 earlier nites are done" in text
        assert str(filled.DONE[0]) not in text
        assert str(filled.FULL) in text

    def test_asked_for(self, finished: Path) -> None:
        text = plain(on_terminal("status", "--nite", filled.NITES[0], cwd=finished, columns=120))
        assert str(filled.DONE[0]) in text

    def test_pipe(self, finished: Path) -> None:
        assert str(filled.DONE[0]) in program("status", cwd=finished).stdout

    def test_one_that_is_not_done_keeps_its_nite(self, finished: Path) -> None:
        change(finished, "UPDATE exposure SET state = 'attention' WHERE expnum = ?", filled.DONE[3])
        text = plain(on_terminal("status", cwd=finished, columns=120))
        assert str(filled.DONE[0]) in text
        assert "1 exposures of 1 earlier nites are done" in text
