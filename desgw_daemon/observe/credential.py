"""The credential of submissions: whether its file is there, ours alone, and until when it holds.

A bearer token is a JWT (`exp`, `nbf`); a proxy is a file of X.509 certificates, and ends with the first of them.
Neither is verified: who checks it is the grid. What a proxy carries inside a certificate (VOMS attributes) is not
looked at.

Must not show what is in the file: no message, no log, no exception of ours holds a piece of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_IMODE
from typing import Final, Literal

from desgw_daemon.domain.times import utc
from desgw_daemon.observe.plainfile import NotAFileError, open_plain
from desgw_daemon.observe.text import plain_name

Kind = Literal["token", "proxy"]

#: How its place is told to programs.
VARIABLE: Final[Mapping[Kind, str]] = {"token": "BEARER_TOKEN_FILE", "proxy": "X509_USER_PROXY"}
_NAME: Final[Mapping[Kind, str]] = {"token": "bearer token", "proxy": "X.509 proxy"}
#: As jobsub_submit_dag is told: group and role.
_RENEW: Final[Mapping[Kind, str]] = {
    "token": "get a new one with htgettoken (issuer des, role desgw)",
    "proxy": "make a new one with voms-proxy-init (group des, role desgw)",
}
#: Far above any of them (bytes): a token has about 1 kB, a proxy with its chain 10 kB.
_MAX_BYTES: Final = 1_000_000
#: What anybody but its owner could do with it.
_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class Good:
    """It can be used. until: when it ends."""

    path: Path
    until: datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """It cannot. words: which file, what is wrong with it, what to do."""

    words: str


class _Unfit(Exception):
    """What is wrong with the file, in words that hold nothing of what is in it. mend: what to do, if not the usual."""

    def __init__(self, words: str, *, mend: str | None = None) -> None:
        super().__init__(words)
        self.mend = mend


def credential_file(kind: Kind, configured: Path | None, environment: Mapping[str, str]) -> Path:
    """Where it is: as configured; else as the environment of submissions says; else the usual place."""
    if configured is not None:
        return configured
    if said := environment.get(VARIABLE[kind]):
        return Path(said)
    if kind == "proxy":
        return Path(f"/tmp/x509up_u{os.geteuid()}")
    name = f"bt_u{os.geteuid()}"
    usual = [Path(folder) / name for folder in (environment.get("XDG_RUNTIME_DIR"), "/tmp") if folder]
    return next((path for path in usual if path.exists()), usual[0])


def look_at(kind: Kind, path: Path, now: datetime, min_left: timedelta) -> Good | Problem:
    """What the file is good for at `now`. With less than `min_left` left it is good for nothing."""
    shown = plain_name(str(path))
    what = f"the {_NAME[kind]} {shown}"
    again = _RENEW[kind]
    try:
        begin, end = _holds(kind, path)
    except FileNotFoundError:
        return Problem(f"there is no {_NAME[kind]} {shown}: {again}")
    except NotAFileError:
        return Problem(f"{shown} is no file, and should be the {_NAME[kind]}: take it away and {again}")
    except OSError as error:
        why = error.strerror or type(error).__name__
        return Problem(f"{what} cannot be read by the daemon's account (uid {os.geteuid()}): {why}; `ls -l {shown}`")
    except _Unfit as unfit:
        return Problem(f"{what} {unfit}: {unfit.mend or again}")
    if end <= now:
        return Problem(f"{what} has ended at {utc(end)}: {again}")
    if begin is not None and begin > now:
        return Problem(f"{what} does not hold before {utc(begin)}: wait for that, or look at this machine's clock")
    if end - now < min_left:
        wanted = f"credential.min_left wants {min_left.total_seconds() / 60:g} min"
        return Problem(f"{what} ends at {utc(end)}, and {wanted} left: {again}")
    return Good(path=path, until=end)


def _holds(kind: Kind, path: Path) -> tuple[datetime | None, datetime]:
    """From when (None: it does not say) and until when it holds. Raises OSError, _Unfit."""
    with open_plain(path) as file:
        mode = S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & _OTHERS:
            raise _Unfit(f"is open to others (mode {mode:04o}), who could use it", mend=f"`chmod 600 {path}`")
        data = file.read(_MAX_BYTES + 1)
    if not data.strip():
        raise _Unfit("is empty")
    if len(data) > _MAX_BYTES:
        raise _Unfit(f"is longer than {_MAX_BYTES} bytes, and no such thing")
    return _of_token(data) if kind == "token" else _of_proxy(data)


def _of_token(data: bytes) -> tuple[datetime | None, datetime]:
    import jwt

    try:
        claims = jwt.decode(data.strip(), options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise _Unfit("holds no token (a JWT)") from None
    if claims.get("exp") is None:
        raise _Unfit("does not say when it ends (it has no `exp`)")
    end = _moment(claims["exp"], "exp")
    return None if claims.get("nbf") is None else _moment(claims["nbf"], "nbf"), end


def _moment(value: object, name: str) -> datetime:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise _Unfit(f"says no time as its `{name}`")


def _of_proxy(data: bytes) -> tuple[datetime | None, datetime]:
    from cryptography import x509

    try:
        chain = x509.load_pem_x509_certificates(data)
        begin = max(certificate.not_valid_before_utc for certificate in chain)
        end = min(certificate.not_valid_after_utc for certificate in chain)
    except ValueError:
        raise _Unfit("holds no certificate that can be read") from None
    if b"PRIVATE KEY-----" not in data:
        raise _Unfit("holds no private key: it is a certificate, and no proxy")
    return begin, end
