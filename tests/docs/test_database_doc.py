"""docs/database.md describes every column, and its queries work."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.states import (
    CcdState,
    ExposureState,
    MakingState,
    Ready,
    RefreshState,
    RunState,
    SubmissionState,
)
from desgw_daemon.store.readonly import reading_uri

from .filled import BAD_HOST, BEFORE, NITE, OTHER_HOST, SEASON, STEP_A, STEP_B, fill
from .pages import Section, names, page, sections
from .source import alert_rules

PAGE = sections(page("database.md"))
Rows = Sequence[sqlite3.Row]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """The two nites of `filled`, opened as the page says."""
    path = tmp_path_factory.mktemp("state") / "desgw.db"
    fill(path)
    with closing(sqlite3.connect(reading_uri(path), uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def below(title: str) -> list[Section]:
    """The sections under a heading of the second level."""
    start = next(i for i, section in enumerate(PAGE) if section.title == title)
    end = next((i for i, s in enumerate(PAGE) if i > start and s.level <= PAGE[start].level), len(PAGE))
    return PAGE[start + 1 : end]


def described(title: str) -> dict[str, dict[str, str]]:
    """For each table (or view) below a heading: column -> what is said of it."""
    found: dict[str, dict[str, str]] = {}
    for section in below(title):
        (name,) = names(section.title)
        columns = [(column, meaning) for cell, meaning in section.table for column in names(cell)]
        assert len(columns) == len(dict(columns)), f"{name} has a column twice"
        found[name] = dict(columns)
    return found


TABLES, VIEWS = described("The tables"), described("The views")


class TestColumns:
    """Every column of every table and view is described, and none that is not there."""

    @pytest.mark.parametrize(("kind", "told"), [("table", TABLES), ("view", VIEWS)])
    def test_all(self, database: sqlite3.Connection, kind: str, told: dict[str, dict[str, str]]) -> None:
        rows = database.execute("SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%'", (kind,))
        there = {
            name: {row["name"] for row in database.execute(f'PRAGMA table_info("{name}")')}
            for (name,) in rows.fetchall()
        }
        have = {f"{table}.{column}" for table, columns in there.items() for column in columns}
        said = {f"{table}.{column}" for table, columns in told.items() for column in columns}
        assert sorted(have - said) == [], "not described"
        assert sorted(said - have) == [], "gone"

    def test_each_has_a_meaning(self) -> None:
        assert not [name for name, columns in (TABLES | VIEWS).items() if not all(columns.values())]

    @pytest.mark.parametrize("view", VIEWS)
    def test_what_a_view_refers_to_is_there(self, view: str) -> None:
        for column, meaning in VIEWS[view].items():
            for name in re.findall(r"see `(\w+)`", meaning):
                assert column in TABLES[name]


class TestValues:
    """Every value that a column may have is named with it."""

    @pytest.mark.parametrize(
        ("table", "column", "values"),
        [
            ("exposure", "state", ExposureState),
            ("exposure", "ready", Ready),
            ("ccd", "state", CcdState),
            ("dagmaker_run", "state", MakingState),
            ("submission", "state", SubmissionState),
            ("postproc_run", "state", RunState),
            ("refresh", "state", RefreshState),
        ],
    )
    def test_states(self, table: str, column: str, values: Sequence[str]) -> None:
        assert set(names(TABLES[table][column])) >= set(values)

    @pytest.mark.parametrize(
        ("table", "column"),
        [
            ("transition", "kind"),
            ("alert", "severity"),
            ("forcefile", "kind"),
            ("request", "kind"),
            ("setting", "key"),
            ("submission", "engine"),
        ],
    )
    def test_words(self, database: sqlite3.Connection, table: str, column: str) -> None:
        found = {row[0] for row in database.execute(f'SELECT DISTINCT "{column}" FROM "{table}"')}
        assert found
        assert found <= set(names(TABLES[table][column]))

    def test_alerts(self) -> None:
        assert alert_rules() <= set(RULES)


def needs_me(rows: Rows) -> None:
    assert [row["what"] for row in rows] == [
        "no data yet",
        "held",
        "alert (warning)",
        "everything is paused",
    ]
    assert "1400107" in rows[0]["why"]
    assert rows[1]["since"] == "2026-11-22T00:30:00Z"
    assert "its field is not wanted" in rows[1]["why"]
    assert "1400103" in rows[2]["why"]
    assert "observer" in rows[3]["why"]


def where_ccds_fail(rows: Rows) -> None:
    assert [tuple(row) for row in rows] == [
        (NITE, STEP_A, BAD_HOST, 15, 2),
        (NITE, STEP_B, OTHER_HOST, 1, 1),
        (BEFORE, STEP_A, OTHER_HOST, 2, 2),
    ]


def black_holes(rows: Rows) -> None:
    assert [tuple(row) for row in rows] == [
        (BAD_HOST, 15, 2, 1, "2026-11-22T02:30:00Z", "2026-11-22T08:00:00Z"),
    ]


def slower(rows: Rows) -> None:
    assert [(row["expnum"], row["state"], row["hours"], row["usual"]) for row in rows] == [
        (1400104, "processing", 7.3, 2.5),
        (1400105, "processing", 5.3, 2.5),
    ]


def how_long(rows: Rows) -> None:
    hours = {row["expnum"]: (row["in_dagmaker"], row["in_grid"], row["hours"]) for row in rows}
    assert hours == {
        1400101: (0.2, 3.3, 4.0),
        1400001: (0.2, 2.5, 3.0),
        1400002: (0.2, 2.5, 3.0),
        1400102: (0.2, 2.3, 3.0),
    }
    for row in rows:
        parts = row["in_queue"] + row["in_dagmaker"] + row["for_a_place"] + row["in_grid"]
        assert parts == pytest.approx(row["hours"], abs=0.2)


def between(rows: Rows) -> None:
    said = [(row["at"][11:16], row["subject"], row["change"]) for row in rows]
    assert said[0] == ("02:15", f"1400105 r (season {SEASON}, nite {NITE})", "attention -> queued")
    assert ("02:20", "alert", "up") in said
    assert ("02:40", "alert", "over") in said
    assert ("02:31", f"1400103 r (season {SEASON}, nite {NITE})", "processing -> attention") in said
    assert ("02:40", f"dp{SEASON}_{NITE}_1400105_a2", "new -> intent") in said
    assert {row["at"][:13] for row in rows} == {"2026-11-22T02"}
    assert not [row for row in rows if "r_01" in row["subject"]]


def missing_files(rows: Rows) -> None:
    assert [(row["expnum"], row["found"], row["missing"]) for row in rows] == [
        *((1400102, "115 of 118", f"i_{ccd} .psf") for ccd in ("05", "12", "30")),
        *((1400002, "114 of 116", f"i_{ccd} .psf") for ccd in ("60", "62")),
    ]


def in_which_run(rows: Rows) -> None:
    assert [(row["run"], row["skipto"], row["state"], row["expnum"]) for row in rows] == [
        (1, 0, "failed", 1400101),
        (1, 0, "failed", 1400102),
        (2, 4, "done", 1400101),
        (2, 4, "done", 1400102),
    ]


def tried_again(rows: Rows) -> None:
    assert [(row["expnum"], row["attempts"], row["attempt"], row["what"], row["state"]) for row in rows] == [
        (1400105, 2, 1, "DAGMaker", "failed"),
        (1400105, 2, 2, "DAGMaker", "made"),
        (1400105, 2, 2, "DAG", "running"),
    ]
    assert "no template" in rows[0]["reason"]


def calls(rows: Rows) -> None:
    assert [row["hour"] for row in rows] == [f"2026-11-22T0{hour}h" for hour in range(8, -1, -1)]
    first = rows[-1]
    assert (first["cycles"], first["most"], first["listings"]) == (6, 366, 108.5)
    assert {row["hour"][-3:]: row["cycles_with_unseen"] for row in rows}["02h"] == 2


QUERIES: dict[str, Callable[[Rows], None]] = {
    "What needs me?": needs_me,
    "Where do CCDs fail?": where_ccds_fail,
    "Which hosts are black holes?": black_holes,
    "Which exposures are slower than usual?": slower,
    "How long did each exposure take, from the queue to ready?": how_long,
    "What happened between 02:00 and 03:00?": between,
    "Which forcephoto files are missing?": missing_files,
    "Which exposures were in which run of post-processing?": in_which_run,
    "What was tried again, and how did the earlier attempts end?": tried_again,
    "How many calls on /pnfs does a cycle cost?": calls,
}


def query(section: Section) -> str:
    """The one query of a section."""
    (sql,) = section.code("sql")
    return sql


class TestQueries:
    """Each query of the page answers its question."""

    def test_ten(self) -> None:
        assert [section.title for section in below("Ten useful queries")] == list(QUERIES)
        assert len(QUERIES) == 10

    @pytest.mark.parametrize("section", below("Ten useful queries"), ids=lambda section: section.title)
    def test_answer(self, database: sqlite3.Connection, section: Section) -> None:
        rows: list[Any] = database.execute(query(section)).fetchall()
        QUERIES[section.title](rows)

    def test_only_views_are_asked(self) -> None:
        for section in below("Ten useful queries"):
            named = re.findall(r"\b(?:FROM|JOIN) (\w+)", query(section))
            made_here = re.findall(r"(\w+) AS \(", query(section))
            assert set(named) - set(made_here) - set(VIEWS) == set(), section.title


class TestOpening:
    """A reader that opens the file as the page says leaves no file behind, and sees what is in it."""

    def test_after_a_clean_stop(self, tmp_path: Path) -> None:
        path = tmp_path / "desgw.db"
        fill(path)
        assert [file.name for file in tmp_path.iterdir()] == ["desgw.db"]
        assert "file:desgw.db?immutable=1" in page("database.md")
        with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
            assert connection.execute("SELECT count(*) FROM v_exposure").fetchone() == (9,)
            assert [file.name for file in tmp_path.iterdir()] == ["desgw.db"]
