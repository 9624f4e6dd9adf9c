"""What a new configuration changes, and that a broken one changes nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from desgw_daemon.config.changes import Change, changed
from desgw_daemon.config.loading import Loaded, load, reload
from desgw_daemon.errors import ConfigError

from .bad_files import RIGHT


@pytest.fixture
def old(tmp_path: Path) -> Loaded:
    """A configuration in force."""
    (tmp_path / "state").mkdir()
    (tmp_path / "daemon.toml").write_text(RIGHT)
    return load(tmp_path / "daemon.toml")


def edit(old: Loaded, text: str) -> Loaded | ConfigError:
    """The outcome of taking up an edited file."""
    old.source.write_text(text)
    return reload(old)


class TestReload:
    """A right edit is taken; a broken one is a value with the reason, and the old values stay."""

    def test_right(self, old: Loaded) -> None:
        new = edit(old, f"{RIGHT}[readiness]\nsettle = '1 min'\n")
        assert isinstance(new, Loaded)
        assert changed(old.config, new.config) == (
            Change(
                key="readiness.settle",
                old=timedelta(minutes=5),
                new=timedelta(minutes=1),
                needs_restart=False,
            ),
        )
        assert new.origins["readiness.settle"] == f"line 4 of {old.source}"
        assert new.origins["readiness.surplus"] == "default"

    def test_broken(self, old: Loaded) -> None:
        error = edit(old, f"{RIGHT}[readiness]\nsetle = '1 min'\n")
        assert isinstance(error, ConfigError)
        assert "did you mean readiness.settle?" in str(error)
        assert old.config.readiness.settle == timedelta(minutes=5)

    def test_gone(self, old: Loaded) -> None:
        old.source.unlink()
        assert isinstance(reload(old), ConfigError)

    def test_mended(self, old: Loaded) -> None:
        edit(old, "[paths\n")
        new = edit(old, RIGHT)
        assert isinstance(new, Loaded)
        assert changed(old.config, new.config) == ()


class TestRestart:
    """A changed key that is read once, at the start, says so."""

    def test_keys(self, old: Loaded) -> None:
        new = edit(
            old,
            f'{RIGHT}pnfs = "p"\n[poll]\ninterval = 5\ncalls_at_once = 9\n[log]\nfile = "x.log"\nlevel = "DEBUG"\n',
        )
        assert isinstance(new, Loaded)
        assert {change.key: change.needs_restart for change in changed(old.config, new.config)} == {
            "paths.pnfs": True,
            "poll.interval": True,
            "poll.calls_at_once": False,
            "log.level": False,
            "log.file": True,
        }


class TestFrozen:
    """Values in force cannot be changed by accident."""

    def test_frozen(self, old: Loaded) -> None:
        with pytest.raises(ValueError, match="frozen"):
            old.config.poll.calls_at_once = 3  # type: ignore[misc]  # that it is refused is the test
