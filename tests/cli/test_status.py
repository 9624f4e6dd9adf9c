"""`status`: what it shows of a night, in a pipe, as JSON and for one exposure."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.report.statustypes import ExposureStatus

from . import filled
from .conftest import change, cycle, sql_time
from .program import program


def shown(*words: str, cwd: Path) -> str:
    """What `status WORDS` prints in a pipe."""
    done = program("status", *words, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def as_json(*words: str, cwd: Path) -> dict[str, Any]:
    """What `status WORDS --json` prints."""
    value: dict[str, Any] = json.loads(shown(*words, "--json", cwd=cwd))
    return value


def row(text: str, expnum: int) -> str:
    """The line of an exposure."""
    (line,) = (line for line in text.splitlines() if f"  {expnum}  " in line)
    return line


class TestJson:
    """--json has every exposure with the keys that others build on, and every CCD in exactly one count."""

    KEYS = frozenset(
        {"expnum", "nite", "band", "season", "state", "held", "reason", "ready", "ccds", "forcefiles", "as_of", "since"}
        | {"queued_at", "watch_only", "attempt", "priority", "unseen_since", "problem"}
    )

    def test_keys(self, night: Path) -> None:
        status = as_json(cwd=night)
        assert {"as_of", "paused", "exposures", "runs", "alerts", "last_cycle"} <= status.keys()
        assert len(status["exposures"]) == 63
        for exposure in status["exposures"]:
            assert self.KEYS <= exposure.keys() == set(ExposureStatus.__annotations__)
            assert set(exposure["forcefiles"]) == {"expected", "found", "missing", "surplus"}
            counts = dict(exposure["ccds"])
            assert counts.pop("expected") == 59 == sum(counts.values())

    def test_values(self, night: Path) -> None:
        by_number = {(e["season"], e["nite"], e["expnum"]): e for e in as_json(cwd=night)["exposures"]}
        partial = by_number[filled.SEASON, filled.NITES[1], filled.PARTIAL]
        assert (partial["state"], partial["ready"], partial["held"], partial["watch_only"]) == (
            "ready",
            "partial",
            False,
            False,
        )
        assert (partial["ccds"]["complete"], partial["ccds"]["missing"], partial["ccds"]["lost"]) == (57, 1, 1)
        assert (partial["forcefiles"]["found"], partial["forcefiles"]["expected"]) == (104, 114)
        assert partial["forcefiles"]["missing"][0] == "r_01 .fits"
        surplus = by_number[filled.SEASON, filled.NITES[1], filled.SURPLUS]
        assert len(surplus["forcefiles"]["surplus"]) == 1
        unseen = by_number[filled.SEASON, filled.NITES[1], filled.UNSEEN]
        assert unseen["problem"].endswith("Input/output error")
        assert unseen["unseen_since"] > unseen["as_of"]
        assert by_number[filled.SEASON, None, filled.NO_DATA]["band"] is None
        assert by_number[filled.OTHER_SEASON, filled.NITES[0], filled.TWO_SEASONS]["held"] is True

    def test_runs_and_alerts(self, night: Path) -> None:
        status = as_json(cwd=night)
        assert [(run["season"], run["number"], run["state"]) for run in status["runs"]] == [
            (filled.SEASON, 1, "done"),
            (filled.SEASON, 2, "running"),
        ]
        assert status["runs"][1]["expnums"] == list(filled.IN_RUN)
        assert status["alerts"][0]["severity"] == "critical"
        assert {alert["rule"] for alert in status["alerts"]} >= {"submission_unknown", "exposure_attention"}


class TestPipe:
    """In a pipe each exposure is one line with everything: season, nite, every number, its whole reason."""

    def test_every_exposure(self, night: Path) -> None:
        text = shown(cwd=night)
        for exposure in as_json(cwd=night)["exposures"]:
            place = f"  {exposure['season']}  {exposure['nite'] or 'unknown '}"
            (line,) = (
                line for line in text.splitlines() if line.startswith(place) and f"  {exposure['expnum']}  " in line
            )
            assert line.endswith(exposure["reason"])
            assert exposure["since"] in line
            assert (exposure["as_of"] or " - ") in line
        assert "…" not in text
        assert "\x1b" not in text

    def test_numbers(self, night: Path) -> None:
        text = shown("--nite", filled.NITES[1], cwd=night)
        words = row(text, filled.FEW).split()
        assert words[:9] == ["2206", "20261121", "1200203", "r", "attention", "44", "11", "0", "1/1/2"]
        assert "  116/116+1  " in row(text, filled.SURPLUS)
        assert "ready partial" in row(text, filled.PARTIAL)
        assert "ready held" in row(text, filled.HELD)
        assert "processing watched" in row(text, filled.WATCHED)

    def test_headings_count(self, night: Path) -> None:
        text = shown(cwd=night)
        assert "season 2206  nite 20261120  30 exposures: 10 postprocessing, 20 done\n" in text
        assert (
            "31 exposures: 4 attention, 5 queued, 1 making, 2 submitting, 15 processing, 3 ready, 1 removed; 1 held"
            in text
        )

    def test_below(self, night: Path) -> None:
        text = shown(cwd=night)
        assert "post-processing of season 2206:\n  run  1  done     20 exposures in i; ended " in text
        assert "  run  2  running  10 exposures in i; since " in text
        head = r"\n\d alerts are up, 1 critical \(`desgw-daemon alerts list` says what to do\):\n  critical  "
        assert re.search(head, text)
        assert "not paused" in text.splitlines()[-1]

    def test_nothing_yet(self, night: Path) -> None:
        for table in ("alert", "postproc_exposure", "postproc_run", "ccd", "forcefile", "dagmaker_run", "submission"):
            change(night, f"DELETE FROM {table}")
        change(night, 'DELETE FROM "transition"')
        change(night, "DELETE FROM exposure")
        change(night, "DELETE FROM poll")
        text = shown(cwd=night)
        assert "no exposures yet: `desgw-daemon queue add FILE --season N` queues some" in text
        assert "The daemon has not run yet" in text


class TestDaemon:
    """Whether the daemon works is said from its last cycle: overdue after three poll intervals."""

    def test_works(self, night: Path) -> None:
        assert "Daemon: last cycle" in shown(cwd=night)
        assert as_json(cwd=night)["last_cycle"]["overdue"] is False

    @pytest.mark.parametrize(("ended", "words"), [(True, "one every 60 s is expected"), (False, "and has not ended")])
    def test_overdue(self, ended: bool, words: str, night: Path) -> None:
        change(night, "DELETE FROM poll")
        cycle(night, ago=timedelta(seconds=190), ended=ended)
        last = shown(cwd=night).splitlines()[-1]
        assert "The daemon seems NOT TO RUN: its last cycle began at" in last
        assert words in last
        assert as_json(cwd=night)["last_cycle"]["overdue"] is True

    def test_poll_interval_counts(self, night: Path) -> None:
        change(night, "DELETE FROM poll")
        cycle(night, ago=timedelta(seconds=190))
        with (night / "daemon.toml").open("a") as toml:
            toml.write('[poll]\ninterval = "2 min"\n')
        assert as_json(cwd=night)["last_cycle"]["overdue"] is False

    def test_short_intervals(self, night: Path) -> None:
        with (night / "daemon.toml").open("a") as toml:
            toml.write('[poll]\ninterval = "200 ms"\n')
        assert as_json(cwd=night)["last_cycle"]["overdue"] is False

    def test_a_cycle_that_goes_on(self, night: Path) -> None:
        cycle(night, ago=timedelta(seconds=1), ended=False)
        assert "goes on; not paused" in shown(cwd=night).splitlines()[-1]

    def test_silent(self, night: Path) -> None:
        change(night, "DELETE FROM poll")
        cycle(night, ago=timedelta(minutes=9))
        for minutes in (6, 4, 2):
            cycle(night, ago=timedelta(minutes=minutes), problem="no answer within 5 min")
        cycle(night, ago=timedelta(seconds=3), ended=False)
        first = shown(cwd=night).splitlines()[0]
        assert first.startswith("/pnfs has been silent since 20")
        assert first.endswith("Z, for 6 min (no answer within 5 min): what is said of CCDs and files is as of then.")
        (silence,) = as_json(cwd=night)["silent"]
        assert (silence["what"], silence["problem"]) == ("pnfs", "no answer within 5 min")
        assert silence["means"] == "what is said of CCDs and files is as of then"

    def test_silent_no_longer(self, night: Path) -> None:
        cycle(night, ago=timedelta(seconds=4), problem="no answer within 5 min")
        cycle(night, ago=timedelta(seconds=3))
        assert as_json(cwd=night)["silent"] == []

    def test_paused(self, night: Path) -> None:
        at = sql_time(datetime.now(UTC) - timedelta(minutes=10))
        change(night, "INSERT INTO setting VALUES ('paused', 'dCache is down', ?, 'observer')", at)
        text = shown(cwd=night)
        assert "PAUSED since " in text
        assert (
            "(10 min) by observer: dCache is down. Nothing new is made, submitted or started; `desgw-daemon resume`"
            in text
        )
        status = as_json(cwd=night)
        assert status["paused"] is True
        assert status["pause"]["who"] == "observer"

    def test_asked_for(self, night: Path) -> None:
        at = sql_time(datetime.now(UTC))
        insert = "INSERT INTO request (kind, season, asked_at, asked_by) VALUES ('postproc', 2206, ?, 'observer')"
        change(night, insert, at)
        assert "season 2206: asked for by observer since " in shown(cwd=night)


class TestScope:
    """--season and --nite show what they name; what nobody knows is exit 1, what cannot be is exit 2."""

    def test_season(self, night: Path) -> None:
        status = as_json("--season", "2208", cwd=night)
        assert [exposure["expnum"] for exposure in status["exposures"]] == [filled.TWO_SEASONS]
        assert status["runs"] == []

    def test_nite(self, night: Path) -> None:
        status = as_json("--nite", filled.NITES[0], cwd=night)
        assert {exposure["nite"] for exposure in status["exposures"]} == {filled.NITES[0]}
        assert len(status["exposures"]) == 31

    @pytest.mark.parametrize(
        ("words", "code", "said"),
        [
            (("--season", "2300"), 1, "no exposure in season 2300 is known"),
            (("--nite", "20250101"), 1, "no exposure of nite 20250101 is known"),
            (("1234567",), 1, "exposure 1234567 is not known; `desgw-daemon status` shows what is"),
            (("--season", "x"), 2, "--season 'x': a season is a whole number"),
            (("--nite", "20261340"), 2, "--nite '20261340': a nite is a day written YYYYMMDD"),
            (("99",), 2, "'99' is no exposure number"),
            (("1200105",), 2, "exposure 1200105 is known 2 times: 1200105 i (season 2206, nite 20261120); 1200105 r"),
            (("1200106",), 2, "say which with --season 2206 --nite 20261120 or --season 2208 --nite 20261120"),
        ],
    )
    def test_refused(self, words: tuple[str, ...], code: int, said: str, night: Path) -> None:
        for command in ("status", "explain", "history") if words[0].isdigit() else ("status",):
            done = program(command, *words, cwd=night)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
            assert said in done.stderr

    def test_chosen(self, night: Path) -> None:
        (exposure,) = as_json("1200105", "--nite", filled.NITES[1], cwd=night)["exposures"]
        assert exposure["band"] == "r"
        (exposure,) = as_json("1200106", "--season", "2208", cwd=night)["exposures"]
        assert exposure["state"] == "queued"
