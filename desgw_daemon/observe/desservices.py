"""~/.desservices.ini: how DES reaches its databases. A section has user, passwd, server, port and name.

Its words about a broken file never repeat what stands in it: that may be a password.
"""

from __future__ import annotations

import configparser
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from desgw_daemon.errors import Refused
from desgw_daemon.observe.plainfile import open_plain
from desgw_daemon.observe.text import plain_name

if TYPE_CHECKING:
    from sqlalchemy import URL

FILE: Final = ".desservices.ini"
_KEYS: Final = ("user", "passwd", "server", "port", "name")
#: Of a file of a few lines.
_MOST_BYTES: Final = 1 << 20


def oracle_address(path: Path, section: str) -> URL:
    """The Oracle database of a section. Raises Refused, with what to do."""
    from sqlalchemy import URL

    found = _section(path, section)
    missing = [key for key in _KEYS if not found.get(key, "").strip()]
    if missing:
        raise Refused(f"{path}: section [{section}] has no {', '.join(missing)}")
    port = found["port"].strip()
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise Refused(f"{path}: the port of section [{section}] is no number from 1 to 65535")
    return URL.create(
        "oracle+oracledb",
        username=found["user"].strip(),
        password=found["passwd"].strip(),
        host=found["server"].strip(),
        port=int(port),
        query={"service_name": found["name"].strip()},
    )


def _section(path: Path, section: str) -> dict[str, str]:
    # No interpolation: a password may hold a %.
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(_read(path))
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", [])), None)
        where = f"line {line}" if line else "it"
        what = {
            configparser.DuplicateSectionError: "begins a section that stands there before",
            configparser.DuplicateOptionError: "sets a key that its section has already",
            configparser.MissingSectionHeaderError: "stands before the first [section]",
        }.get(type(error), "is neither [section] nor key = value")
        raise Refused(f"{path}: {where} {what}") from None
    if not parser.has_section(section):
        there = ", ".join(plain_name(f"[{name}]") for name in parser.sections()) or "none"
        raise Refused(f"{path} has no section [{section}]; there is {there}")
    return dict(parser.items(section))


def _read(path: Path) -> str:
    try:
        with open_plain(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Refused(f"{path} may be read by others, and holds a password: chmod 600 {path}")
            return file.read(_MOST_BYTES).decode()
    except FileNotFoundError:
        raise Refused(f"{path} is not there: daemon.toml says desservices:, which is a section of it") from None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is no text in UTF-8") from None
