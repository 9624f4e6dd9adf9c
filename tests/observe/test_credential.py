"""Looking at credentials: each thing that can be wrong with one has words of its own, and none of them tells it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desgw_daemon.observe.credential import Good, Kind, Problem, credential_file, look_at
from tests.night.credentials import SECRET, place, proxy, token

HOUR = timedelta(hours=1)
LEFT = timedelta(minutes=30)
#: The credentials below are made when this is read; the last test of a long run looks at them as of then.
MADE = datetime.now(UTC)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def words(kind: Kind, path: Path) -> str:
    """What is wrong with a file; nothing of its content is in it."""
    found = look_at(kind, path, MADE, LEFT)
    assert isinstance(found, Problem), found
    assert SECRET not in found.words and str(path) in found.words
    return found.words


class TestTokens:
    """A bearer token is a JWT that is ours alone and says until when it holds."""

    def test_good(self, tmp_path: Path) -> None:
        path = tmp_path / "bt"
        place(path, token(3 * HOUR) + "\n")
        found = look_at("token", path, datetime.now(UTC), LEFT)
        assert isinstance(found, Good) and found.path == path
        assert abs(found.until - datetime.now(UTC) - 3 * HOUR) < timedelta(minutes=1)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (token(-HOUR), r"has ended at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: get a new one with htgettoken"),
            (token(LEFT / 2), r"ends at \S+Z, and credential.min_left wants 30 min left: get a new one"),
            (token(3 * HOUR, nbf=datetime.now(UTC) + HOUR), r"does not hold before \S+Z: wait for that, or look at"),
            (token(None), r"does not say when it ends \(it has no `exp`\)"),
            (token(None, exp=1e300), r"says no time as its `exp`"),
            (token(None, exp=True), r"says no time as its `exp`"),
            (token(3 * HOUR, nbf="yesterday"), r"says no time as its `nbf`"),
            (token(3 * HOUR).rpartition(".")[0], r"holds no token \(a JWT\): get a new one"),
            (f"bearer {SECRET}", r"holds no token \(a JWT\)"),
            ("e30.WzFd.e30", r"holds no token \(a JWT\)"),
            (" \n", r"is empty: get a new one"),
            ("x" * 1_000_001, r"is longer than 1000000 bytes"),
        ],
        ids=lambda value: value[:20],
    )
    def test_each_problem(self, tmp_path: Path, text: str, said: str) -> None:
        place(tmp_path / "bt", text)
        assert re.search(f"the bearer token {tmp_path}/bt {said}", words("token", tmp_path / "bt"))

    def test_missing(self, tmp_path: Path) -> None:
        assert words("token", tmp_path / "bt").startswith(f"there is no bearer token {tmp_path}/bt: get a new one with")

    def test_not_readable(self, tmp_path: Path) -> None:
        place(tmp_path / "bt", token(HOUR), mode=0)
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        with as_nobody():
            said = words("token", tmp_path / "bt")
        assert re.search(r"cannot be read by the daemon's account \(uid \d+\): Permission denied; `ls -l /", said)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
    def test_open_to_others(self, tmp_path: Path, mode: int) -> None:
        place(tmp_path / "bt", token(HOUR), mode=mode)
        assert f"is open to others (mode {mode:04o})" in (said := words("token", tmp_path / "bt"))
        assert said.endswith(f"`chmod 600 {tmp_path}/bt`")

    def test_no_file(self, tmp_path: Path) -> None:
        """Nothing waits for somebody to write into a pipe."""
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe", 0o600)
        for name in ("folder", "pipe"):
            assert f"{name} is no file, and should be the bearer token" in words("token", tmp_path / name)


class TestProxies:
    """A proxy holds until the first certificate of its chain ends."""

    def test_good(self, tmp_path: Path) -> None:
        place(tmp_path / "x509", proxy(12 * HOUR, 2 * HOUR, 5 * HOUR))
        found = look_at("proxy", tmp_path / "x509", datetime.now(UTC), LEFT)
        assert isinstance(found, Good)
        assert abs(found.until - datetime.now(UTC) - 2 * HOUR) < timedelta(minutes=1)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (proxy(12 * HOUR, -HOUR), r"has ended at \S+Z: make a new one with voms-proxy-init"),
            (proxy(LEFT / 2, HOUR), r"ends at \S+Z, and credential.min_left wants 30 min left"),
            (proxy(12 * HOUR, begins=HOUR), r"does not hold before \S+Z"),
            (proxy(HOUR, key=False), r"holds no private key: it is a certificate, and no proxy"),
            (proxy(), r"holds no certificate that can be read"),
            (token(HOUR), r"holds no certificate that can be read"),
            (proxy(HOUR)[:200], r"holds no certificate that can be read"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                r"holds no certificate that can be read",
            ),
        ],
        ids=lambda value: value[:20],
    )
    def test_each_problem(self, tmp_path: Path, text: str, said: str) -> None:
        place(tmp_path / "x509", text)
        assert re.search(f"the X.509 proxy {tmp_path}/x509 {said}", words("proxy", tmp_path / "x509"))


class TestWhere:
    """The configured file; else what the environment of submissions names; else the usual place."""

    def test_configured(self, tmp_path: Path) -> None:
        named = {"BEARER_TOKEN_FILE": "/elsewhere", "X509_USER_PROXY": "/elsewhere"}
        assert credential_file("token", tmp_path, named) == tmp_path
        assert credential_file("token", None, named) == Path("/elsewhere")
        assert credential_file("proxy", None, named) == Path("/elsewhere")

    def test_usual(self, tmp_path: Path) -> None:
        uid = os.geteuid()
        assert credential_file("proxy", None, {}) == Path(f"/tmp/x509up_u{uid}")
        assert credential_file("token", None, {}) == Path(f"/tmp/bt_u{uid}")
        of_session = tmp_path / f"bt_u{uid}"
        of_session.touch()
        assert credential_file("token", None, {"XDG_RUNTIME_DIR": str(tmp_path)}) == of_session
