"""`alerts list|ack|silence` as people use them, without a daemon."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.domain.policy import AlertPolicy, Policy
from tests.store.alertbook import AlertBook, wanted

from .program import program

HOUR = timedelta(hours=1)
POLICY = Policy(alerts=AlertPolicy(on_trial=frozenset({"config_refused"})))


@pytest.fixture
def book(tmp_path: Path) -> AlertBook:
    """A critical alert and its consequence, one that is over, one on trial; an hour ago."""
    (tmp_path / "daemon.toml").write_text('[paths]\nstate = "."\n')
    book = AlertBook(tmp_path / "desgw.db", POLICY)
    book.now = datetime.now(UTC) - HOUR
    book.cycle(wanted("refresh_failed"))
    book.cycles(20)
    conditions = (
        wanted("pnfs_silent", since=book.now - HOUR),
        wanted("exposure_stalled", "exposure_stalled:2206:20261121"),
        wanted("config_refused"),
        wanted("postproc_done", "postproc_done:2206:3", "run 3 has ended well", season=2206),
        wanted("exposure_attention", "exposure_attention:5", "exposure 1200201 needs a person", expnum=1200201),
    )
    book.cycles(3, *conditions)
    return book


def ok(book: AlertBook, *words: str) -> str:
    done = program("alerts", *words, cwd=book.path.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(book: AlertBook, *words: str, code: int) -> str:
    done = program("alerts", *words, cwd=book.path.parent)
    assert done.returncode == code and done.stderr.count("\n") == 1, done
    return done.stderr


def listed(book: AlertBook, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ok(book, "list", "--json", *words))
    return found


def one(book: AlertBook, key: str) -> dict[str, Any]:
    (found,) = (alert for alert in listed(book)["alerts"] if alert["key"] == key)
    return dict(found)


class TestList:
    """What is up, the gravest first, with who was told and what to do; what waits, and why."""

    def test_lines(self, book: AlertBook) -> None:
        lines = ok(book, "list").splitlines()
        assert [line.split()[0] for line in lines[:4]] == ["critical", "warning", "warning", "info"]
        assert "pnfs_silent" in lines[0] and "told once: pnfs_silent holds" in lines[0]
        assert "| Do: `ls` it from another host" in lines[0] and "docs/runbook.md#pnfs_silent" in lines[0]
        assert "on trial, in the log only" in next(line for line in lines if "config_refused" in line)
        assert "muted by pnfs_silent" in next(line for line in lines if "exposure_stalled" in line)
        assert "refresh_failed" not in "\n".join(lines)

    def test_json(self, book: AlertBook) -> None:
        found = listed(book)
        assert found["alerts"][0]["rule"] == "pnfs_silent"
        assert found["pending"][0]["muted_by"] == "pnfs_silent" and found["silences"] == []
        alert = one(book, "exposure_attention:5")
        assert (alert["expnum"], alert["times_told"], alert["silenced_by"]) == (1200201, 1, None)
        assert alert["todo"] == "`desgw-daemon explain 1200201`"

    def test_all(self, book: AlertBook) -> None:
        assert "refresh_failed" in ok(book, "list", "--all").split("Over:")[1]
        assert {alert["rule"] for alert in listed(book, "--all")["alerts"]} >= {"refresh_failed", "pnfs_silent"}

    def test_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").write_text('[paths]\nstate = "."\n')
        AlertBook(tmp_path / "desgw.db", POLICY)
        assert program("alerts", "list", cwd=tmp_path).stdout == "No alert is up.\n"


class TestAck:
    """Whoever sees to an alert says so, by its key or its id; it stays in the history."""

    def test_by_key(self, book: AlertBook) -> None:
        assert "pnfs_silent is acknowledged" in ok(book, "ack", "pnfs_silent", "--reason", "storage called")
        assert one(book, "pnfs_silent")["ack_reason"] == "storage called"
        (row,) = book.rows("SELECT kind, subject, after, why FROM v_history WHERE kind = 'alert'")
        assert row == {"kind": "alert", "subject": "pnfs_silent", "after": "acknowledged", "why": "storage called"}
        assert "acknowledged by" in ok(book, "list").splitlines()[0]

    def test_by_id(self, book: AlertBook) -> None:
        ok(book, "ack", str(one(book, "pnfs_silent")["id"]), "--reason", "mine")
        assert one(book, "pnfs_silent")["acked_at"] is not None

    @pytest.mark.parametrize(
        ("which", "said"), [("99", "there is no alert 99"), ("refresh_failed", "is over since"), ("x", "no alert x")]
    )
    def test_refused(self, book: AlertBook, which: str, said: str) -> None:
        assert said in refused(book, "ack", which, "--reason", "mine", code=1)

    def test_twice(self, book: AlertBook) -> None:
        ok(book, "ack", "pnfs_silent", "--reason", "mine")
        assert "was acknowledged by" in refused(book, "ack", "pnfs_silent", "--reason", "mine too", code=1)

    def test_wrong_use(self, book: AlertBook) -> None:
        assert "--reason" in refused(book, "ack", "pnfs_silent", code=2)
        assert "some words" in refused(book, "ack", "pnfs_silent", "--reason", " ", code=2)


class TestSilence:
    """A silence has an end and a reason; it is shown, ended by hand, and then what is up is told."""

    def test_shown(self, book: AlertBook) -> None:
        said = ok(book, "silence", "exposure_attention:*", "--for", "2h", "--reason", "known")
        assert "silence 1: nobody is told of exposure_attention:* until" in said and "--end 1" in said
        assert one(book, "exposure_attention:5")["silenced_by"] == 1
        assert "exposure_attention:*  until" in ok(book, "list").split("Silenced:")[1]

    def test_ended(self, book: AlertBook) -> None:
        ok(book, "silence", "1200201", "--for", "30 d", "--reason", "known")
        assert "1200201 is told again" in ok(book, "silence", "--end", "1")
        assert one(book, "exposure_attention:5")["silenced_by"] is None
        assert "has ended at" in refused(book, "silence", "--end", "1", code=1)
        history = book.rows("SELECT after FROM v_history WHERE kind = 'alert' ORDER BY id")
        assert [row["after"].split()[0] for row in history] == ["silenced", "told"]

    def test_it_is_told_at_its_end(self, book: AlertBook) -> None:
        book.policy = replace(POLICY, alerts=AlertPolicy())
        ok(book, "silence", "inbox", "--for", "1h", "--reason", "known")
        book.now = datetime.now(UTC)
        assert book.cycle(wanted("inbox")) == []
        ok(book, "silence", "--end", "1")
        book.now = datetime.now(UTC)
        (telling,) = (t for t in book.cycle(wanted("inbox")) if t.rule == "inbox")
        assert telling.kind == "raised"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("pnfs_silent",), "for how long and why"),
            (("pnfs_silent", "--for", "2h"), "for how long and why"),
            (("pnfs_silent", "--for", "31d", "--reason", "x"), "must be 30 d or shorter"),
            (("pnfs_silent", "--for", "2 hours", "--reason", "x"), "unknown unit"),
            (("pnfs_silent", "--for", "0s", "--reason", "x"), "--for '0s'"),
            (("pnfs_quiet", "--for", "2h", "--reason", "x"), "is no rule"),
            (("--end", "1", "--reason", "x"), "takes nothing else"),
            (("--end", "one"), "an id is a number"),
        ],
    )
    def test_wrong_use(self, book: AlertBook, words: tuple[str, ...], said: str) -> None:
        assert said in refused(book, "silence", *words, code=2)
