"""`install-service`: units that systemd takes, for this host, and nothing of anybody's overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from desgw_daemon.cli.service_units import fit_to_name, mounts_of, quoted
from tests.tools import needed

#: There is such an account on every Linux, and it is not root.
ACCOUNT = "daemon"
UNITS = {
    "desgw-daemon.service",
    "desgw-daemon-backup.service",
    "desgw-daemon-backup.timer",
    "desgw-daemon-night-start.timer",
    "desgw-daemon-night-stop.timer",
    "desgw-daemon-night-stop.target",
}


class Place:
    """A configuration, and a folder into which units are written."""

    def __init__(self, root: Path, state: str) -> None:
        self.config = root / "daemon.toml"
        self.units = root / "units"
        self.config.write_text(f'[paths]\nstate = "{state}"\npnfs = "pnfs"\nworkflow = "gw"\npostprocessing = "pp"\n')

    def install(self, *words: str) -> subprocess.CompletedProcess[str]:
        folder = () if "--folder" in words else ("--folder", str(self.units))
        return subprocess.run(
            [sys.executable, "-m", "desgw_daemon", "--config", str(self.config), "install-service", *folder, *words],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def unit(self, name: str = "desgw-daemon.service") -> str:
        return (self.units / name).read_text()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = tmp_path / "odd %n name"
    root.mkdir()
    return Place(root, "/var/lib/desgw-daemon")


class TestSystemdTakesThem:
    """All units pass `verify` without a word, and the services `security` at 2.0."""

    @pytest.mark.parametrize("whose", [("--as", ACCOUNT), ("--user",)])
    def test_verify(self, place: Place, whose: tuple[str, ...]) -> None:
        analyze = needed("systemd-analyze", "systemd", "checks units")
        done = place.install(*whose)
        assert done.returncode == 0, done.stderr
        assert {path.name for path in place.units.iterdir()} == UNITS
        scope = "--user" if whose == ("--user",) else "--system"
        command = [analyze, scope, "verify", "--man=no", "--recursive-errors=yes"]
        found = subprocess.run(
            [*command, *sorted(map(str, place.units.iterdir()))],
            env={**os.environ, "XDG_RUNTIME_DIR": str(place.units.parent)},
            capture_output=True,
            text=True,
        )
        assert (found.returncode, found.stdout + found.stderr) == (0, "")

    def test_security(self, place: Place) -> None:
        analyze = needed("systemd-analyze", "systemd", "checks units")
        place.install("--as", ACCOUNT)
        for name in ("desgw-daemon.service", "desgw-daemon-backup.service"):
            found = subprocess.run(
                [analyze, "security", "--offline=true", "--threshold=20", "--no-pager", str(place.units / name)],
                capture_output=True,
                text=True,
            )
            assert found.returncode == 0, found.stdout


class TestTheyAreForThisHost:
    """Paths, account and group are this host's, whatever characters they hold."""

    def test_system(self, place: Place) -> None:
        done = place.install("--as", ACCOUNT)
        lines = place.unit().splitlines()
        config = str(place.config).replace("%", "%%")
        assert f'ExecStart={Path(sys.executable).parent}/desgw-daemon --config "{config}" run' in lines
        assert f"User={ACCOUNT}" in lines and f"Group={ACCOUNT}" in lines
        assert "StateDirectory=desgw-daemon" in lines and "StateDirectoryMode=2775" in lines
        gw = str(place.config.parent / "gw").replace("%", "%%")
        assert f'ReadWritePaths=-"{gw}"' in lines
        assert not any("pnfs" in line for line in lines if line.startswith("ReadWritePaths")), "it only looks there"
        assert "loginctl enable-linger daemon" in done.stdout and "daemon-reload" in done.stdout

    def test_a_state_folder_elsewhere(self, tmp_path: Path) -> None:
        place = Place(tmp_path, "state")
        (tmp_path / "state" / "credentials").mkdir(parents=True)
        (tmp_path / "state" / "credentials" / "alert-mail").write_text("mailto://x")
        place.config.write_text(place.config.read_text() + '[alerts]\nchannels = { mail = "warning", chat = "info" }\n')
        done = place.install("--as", ACCOUNT)
        lines = place.unit().splitlines()
        assert f"ReadWritePaths=-{tmp_path}/state" in lines and not any("StateDirectory" in line for line in lines)
        assert f"LoadCredential=alert-mail:{tmp_path}/state/credentials/alert-mail" in lines
        assert "alert channel chat: its address is not in" in done.stdout

    def test_no_place_is_left_open(self, place: Place) -> None:
        for whose in (("--as", ACCOUNT), ("--user", "--force")):
            place.install(*whose)
            for name in UNITS:
                assert not [word for word in place.unit(name).split() if word.count("@") > 1 and "between" not in word]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--as", "nobody-of-this-name"), "there is no account nobody-of-this-name"),
            (("--as", "root"), "must not run as root"),
            (("--user", "--as", ACCOUNT), "--user writes for your own account"),
        ],
    )
    def test_refused(self, place: Place, words: tuple[str, ...], said: str) -> None:
        done = place.install(*words)
        assert done.returncode == 2 and said in done.stderr and not place.units.exists()


class TestNothingIsLost:
    """A unit that somebody has changed is left alone, and said; --force keeps it beside the new one."""

    def test_changed(self, place: Place) -> None:
        place.install("--as", ACCOUNT)
        service = place.units / "desgw-daemon.service"
        changed = service.read_text().replace("RestartSec=30s", "RestartSec=5s")
        service.write_text(changed)
        done = place.install("--as", ACCOUNT)
        assert done.returncode == 1 and service.read_text() == changed
        assert f"left alone: {service}" in done.stdout and done.stdout.count("as it was:") == len(UNITS) - 1
        done = place.install("--as", ACCOUNT, "--force")
        assert done.returncode == 0 and "RestartSec=30s" in service.read_text()
        assert service.with_name("desgw-daemon.service.old").read_text() == changed

    def test_ours_of_before_are_renewed(self, place: Place) -> None:
        place.install("--as", ACCOUNT, "--group", "daemon")
        done = place.install("--as", "bin")
        assert done.returncode == 0 and "User=bin" in place.unit() and "renewed:" in done.stdout

    def test_dry_run_writes_nothing(self, place: Place) -> None:
        done = place.install("--as", ACCOUNT, "--dry-run")
        assert done.returncode == 0 and done.stdout.count("# Written by `desgw-daemon") == len(UNITS)
        assert not place.units.exists()

    def test_a_folder_that_is_no_folder(self, place: Place) -> None:
        done = place.install("--as", ACCOUNT, "--folder", "/dev/null/x")
        assert done.returncode == 1 and "cannot be written" in done.stderr and done.stderr.count("\n") == 1


class TestWords:
    """A word of a command line reaches the program as it is."""

    @pytest.mark.parametrize(
        ("word", "written"),
        [
            ("/a/b", "/a/b"),
            ("/a b", '"/a b"'),
            ("/100%/$HOME", "/100%%/$$HOME"),
            ('/a"b\\c', '"/a\\"b\\\\c"'),
        ],
    )
    def test_quoted(self, word: str, written: str) -> None:
        assert quoted(word) == written


class TestAMountThatHangs:
    """systemd looks at every folder that is named: one on a network mount is named by the folder above the mount."""

    MOUNTS = mounts_of(
        "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        "40 22 0:31 / /data/des80.a rw - nfs4 server:/des80 rw\n"
        "41 22 0:32 / /pnfs rw - nfs4 door:/ rw\n"
        "42 22 0:33 / /with\\040blank rw - fuse.sshfs x rw\n"
    )

    @pytest.mark.parametrize(
        ("path", "named"),
        [
            ("/srv/gw", "/srv/gw"),
            ("/data/des80.a/data/desgw/gw_workflow", "/data"),
            ("/pnfs/des/persistent/gw", "/pnfs/des/persistent/gw"),
            ("/with blank/x", "/with blank/x"),
        ],
    )
    def test_named(self, path: str, named: str) -> None:
        assert fit_to_name(Path(path), self.MOUNTS) == Path(named)
