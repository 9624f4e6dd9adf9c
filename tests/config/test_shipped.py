"""The shipped daemon.toml says what the program does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from desgw_daemon.config.kinds import FOLDER
from desgw_daemon.config.model import Config, field_of, keys, needs_restart, value_of
from desgw_daemon.config.origins import lines_of_keys

SHIPPED = Path(__file__).parents[2] / "daemon.toml"
TEXT = SHIPPED.read_text()
LINES = TEXT.split("\n")
REQUIRED = "paths.state"


def comment(key: str) -> list[str]:
    """The lines of comment right above a key."""
    line = lines_of_keys(TEXT)[key] - 1
    first = line
    while LINES[first - 1].startswith("#"):
        first -= 1
    return LINES[first:line]


class TestKeys:
    """Every key of the program stands in the shipped file, in the same order, and no other."""

    def test_all(self) -> None:
        assert tuple(key for key in lines_of_keys(TEXT) if key.count(".") == 1) == keys()


class TestDefaults:
    """Every value in the shipped file is the default, so that leaving a key out changes nothing."""

    @pytest.mark.parametrize("key", [key for key in keys() if key != REQUIRED])
    def test_default(self, key: str) -> None:
        shipped = Config.model_validate(tomllib.loads(TEXT))
        bare = Config.model_validate({"paths": {"state": "/var/lib/desgw-daemon"}})
        assert value_of(shipped, key) == value_of(bare, key)
        assert type(value_of(shipped, key)) is type(value_of(bare, key))

    def test_required(self) -> None:
        assert [key for key in keys() if field_of(key).is_required()] == [REQUIRED]
        assert [key for key in keys() if any("REQUIRED" in line for line in comment(key))] == [REQUIRED]


class TestComments:
    """Every key has a comment above it; one that continues the key above it may share that one's."""

    @pytest.mark.parametrize("key", keys())
    def test_comment(self, key: str) -> None:
        above = LINES[lines_of_keys(TEXT)[key] - 2].split(" = ")[0]
        assert comment(key) or key.split(".")[1].startswith(f"{above}_")

    @pytest.mark.parametrize("key", keys())
    def test_limits_are_said(self, key: str) -> None:
        limits = [
            str(getattr(part, end)) for part in field_of(key).metadata for end in ("ge", "le") if hasattr(part, end)
        ]
        if len(limits) == 2:
            assert " to ".join(limits) in " ".join(comment(key))

    @pytest.mark.parametrize("key", keys())
    def test_choices_are_said(self, key: str) -> None:
        choices = (
            re.findall(r"'(\w+)'", str(field_of(key).annotation)) if "Literal" in str(field_of(key).annotation) else []
        )
        assert all(f'"{choice}"' in " ".join(comment(key)) for choice in choices)


class TestRestart:
    """The keys marked (restart) in the shipped file are those that need one."""

    @pytest.mark.parametrize("key", keys())
    def test_mark(self, key: str) -> None:
        assert any("(restart)" in line for line in comment(key)) == needs_restart(key)


class TestPaths:
    """Relative paths start at the folder of the file; inner ones at the folder that they belong to."""

    def test_relative(self) -> None:
        config = Config.model_validate(
            {"paths": {"state": "state", "pnfs": "/p", "workflow": "w", "postprocessing": "q/r"}},
            context={FOLDER: Path("/etc/x")},
        )
        assert config.database == Path("/etc/x/state/desgw.db")
        assert config.log_file == Path("/etc/x/state/desgw-daemon.log")
        assert config.exposures_list == Path("/etc/x/w/exposures.list")
        assert config.dagmaker_setup == Path("/etc/x/w/setup_img_proc.sh")
        assert config.postproc_program == Path("/etc/x/q/r/run_postproc.py")
        assert config.postproc_setup == Path("/etc/x/q/r/diffimg_setup.sh")
        assert config.postproc_template == Path("/etc/x/q/r/template_postproc.ini")

    def test_inner_may_be_absolute(self) -> None:
        config = Config.model_validate(
            {"paths": {"state": "/s", "exposures_list": "/lists/all"}, "log": {"file": "/var/log/d.log"}}
        )
        assert (config.exposures_list, config.log_file) == (Path("/lists/all"), Path("/var/log/d.log"))

    def test_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/observer")
        config = Config.model_validate({"paths": {"state": "~/state", "exposures_list": "~/all.list"}})
        assert config.paths.state == Path("/home/observer/state")
        assert config.exposures_list == Path("/home/observer/all.list")

    def test_no_log(self) -> None:
        assert Config.model_validate({"paths": {"state": "/s"}, "log": {"file": ""}}).log_file is None
