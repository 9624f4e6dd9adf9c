"""The schema: one that fits is used, any other is refused with the command that mends it."""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from pathlib import Path

import pytest
from sqlalchemy import text

from desgw_daemon.domain import states
from desgw_daemon.store.checking import problems_of
from desgw_daemon.store.database import SCHEMA, SchemaError, create_or_check, head_revision, writing
from desgw_daemon.store.views import VIEWS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desgw.db"


def statements(path: Path) -> dict[str, str]:
    """What the file is made of, less the blanks that a change of a table leaves."""
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    db.close()
    return {name: " ".join(sql.replace('"', "").replace("( ", "(").split()) for name, sql in rows}


class TestDrift:
    """The migrations, the models, the views and the constant of the program all say the same."""

    def test_of_a_new_file(self, path: Path) -> None:
        engine = create_or_check(path)
        assert problems_of(engine) == ()
        engine.dispose()

    def test_of_the_constant(self) -> None:
        assert head_revision() == SCHEMA

    def test_is_seen(self, path: Path) -> None:
        engine = create_or_check(path)
        with writing(engine) as connection:
            connection.execute(text("DROP VIEW v_night"))
            connection.execute(text("ALTER TABLE poll ADD COLUMN mood TEXT"))
            connection.execute(text("DROP INDEX ux_submission_tag"))
        found = " ".join(problems_of(engine))
        assert "view v_night is not the program's" in found
        assert "mood" in found and "ux_submission_tag" in found
        engine.dispose()


class TestRefused:
    """A file that does not fit is refused with what to do, and stays as it is."""

    def refusal(self, path: Path) -> str:
        before = path.read_bytes()
        with pytest.raises(SchemaError) as refused:
            create_or_check(path)
        assert path.read_bytes() == before
        assert "\n" not in str(refused.value)
        return str(refused.value)

    def with_revision(self, path: Path, revision: str) -> None:
        create_or_check(path).dispose()
        with sqlite3.connect(path) as db:
            db.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        db.close()

    def test_one_of_a_newer_program(self, path: Path) -> None:
        self.with_revision(path, "9999")
        words = self.refusal(path)
        assert "a newer desgw-daemon (schema 9999" in words and "install the newer program" in words

    def test_one_of_another_program(self, path: Path) -> None:
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE songs (name TEXT)")
        db.close()
        assert "not one of desgw-daemon" in self.refusal(path)

    def test_one_that_is_no_database(self, path: Path) -> None:
        path.write_text("these are not the tables you are looking for\n" * 100)
        words = self.refusal(path)
        assert "cannot be read" in words and "desgw-daemon db backup" in words


class TestStates:
    """No row has a state that the domain does not know."""

    @pytest.mark.parametrize(
        ("table", "known"),
        [
            ("exposure", states.ExposureState),
            ("ccd", states.CcdState),
            ("dagmaker_run", states.MakingState),
            ("submission", states.SubmissionState),
            ("postproc_run", states.RunState),
            ("refresh", states.RefreshState),
        ],
    )
    def test_is_checked_by_the_file(self, path: Path, table: str, known: type[StrEnum]) -> None:
        create_or_check(path).dispose()
        sql = statements(path)[table]
        assert all(f"'{state.value}'" in sql for state in known)
        listed = sql.split("state IN (")[1].split(")")[0]
        assert len(listed.split(",")) == len(known)


class TestViews:
    """Every view for people can be read."""

    @pytest.mark.parametrize("view", VIEWS)
    def test_is_readable(self, path: Path, view: str) -> None:
        create_or_check(path).dispose()
        with sqlite3.connect(path) as db:
            assert db.execute(f"SELECT * FROM {view}").fetchall() == []
        db.close()
