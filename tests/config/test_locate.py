"""Which configuration file is taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from desgw_daemon.config import locate
from desgw_daemon.config.locate import find_config
from desgw_daemon.errors import ConfigError


class TestOrder:
    """The flag counts first, then the environment, then ./daemon.toml, then the system's file."""

    def test_flag(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").touch()
        env = {"DESGW_DAEMON_CONFIG": "/e.toml"}
        assert find_config("f.toml", env=env, cwd=tmp_path) == tmp_path / "f.toml"

    def test_environment(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").touch()
        assert find_config(None, env={"DESGW_DAEMON_CONFIG": "/e.toml"}, cwd=tmp_path) == Path("/e.toml")

    @pytest.mark.parametrize("env", [{}, {"DESGW_DAEMON_CONFIG": ""}])
    def test_here(self, tmp_path: Path, env: dict[str, str]) -> None:
        (tmp_path / "daemon.toml").touch()
        assert find_config(None, env=env, cwd=tmp_path) == tmp_path / "daemon.toml"

    def test_broken_link_here_is_not_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").symlink_to("gone")
        assert find_config(None, env={}, cwd=tmp_path) == tmp_path / "daemon.toml"

    @pytest.mark.skipif(locate.SYSTEM.exists(), reason="this machine has a configuration of its own")
    def test_none(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            find_config(None, env={}, cwd=tmp_path)
        words = str(caught.value)
        assert "$DESGW_DAEMON_CONFIG is not set" in words
        assert str(tmp_path / "daemon.toml") in words
        assert "/etc/desgw-daemon/daemon.toml" in words
        assert words.endswith("name one with --config FILE")

    def test_empty_flag(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="the file name is empty"):
            find_config("", env={}, cwd=tmp_path)


class TestLight:
    """Finding the state folder imports neither pydantic nor anything else that is slow."""

    def test_imports(self) -> None:
        heavy = {"pydantic", "sqlmodel", "sqlalchemy", "structlog", "rich", "watchdog"}
        code = f"import sys, desgw_daemon.config.locate; sys.exit(str({heavy} & set(sys.modules) or ''))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stderr.strip() == ""
