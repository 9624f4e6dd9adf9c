"""Where a channel's address is: the first line of the file alert-NAME in a folder of credentials.

An address is as good as a password. It is read by the process that sends, and by nobody else: it stands in no log, no
database, no command line and no environment. Standard library only: that process starts with every batch.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

#: Where systemd puts what LoadCredential names; it sees to the permissions itself.
_SYSTEMD: Final = "CREDENTIALS_DIRECTORY"
#: No address is longer; a file that is, is another one.
_LONGEST: Final = 8192
_SPLIT: Final = re.compile(r"[/:@?&=#,]+")
#: Shorter pieces of an address ("to", "smtp") are no secrets, and are in many words.
_SECRET: Final = 5


class AddressError(Exception):
    """There is no address that could be used; one line, with what to do."""


class HiddenError(AddressError):
    """This account sees none. The service may: LoadCredential gives it files that are root's."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of credentials. private: its files must be readable by their owner alone."""

    folder: Path
    private: bool


def places(credentials: Path, environment: Mapping[str, str]) -> tuple[Place, ...]:
    """Where to look, in this order."""
    systemd = environment.get(_SYSTEMD)
    own = Place(credentials, private=True)
    return (Place(Path(systemd), private=False), own) if systemd else (own,)


def read_address(channel: str, places: Sequence[Place]) -> str:
    """The address of a channel. Raises AddressError."""
    for place in places:
        path = place.folder / f"alert-{channel}"
        try:
            # O_NONBLOCK: a pipe of that name must not hang.
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                info = os.fstat(file.fileno())
                _check(path, info, private=place.private)
                line = file.read(_LONGEST).partition(b"\n")[0].decode("utf-8", "replace").strip()
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise HiddenError(f"{path} cannot be read: {error.strerror}") from None
        except OSError as error:
            raise AddressError(f"{path} cannot be read: {error.strerror}") from None
        if "://" not in line:
            raise AddressError(f"the first line of {path} is no address (an Apprise URL such as mailto://...)")
        return line
    where = " or ".join(str(place.folder / f"alert-{channel}") for place in places)
    raise HiddenError(f"the channel {channel} has no address: write its Apprise URL into {where}, mode 600")


def _check(path: Path, info: os.stat_result, *, private: bool) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise AddressError(f"{path} is no file")
    if private and info.st_mode & 0o077:
        raise AddressError(f"{path} may be read by others (mode {info.st_mode & 0o777:o}): chmod 600 {path}")


def scrubbed(words: str, address: str) -> str:
    """Words of an error without any piece of the address in them; the host of a mail server is told."""
    scheme, _, rest = address.partition("://")
    host = rest.rpartition("@")[2].partition("/")[0].partition("?")[0] if scheme.startswith("mailto") else ""
    pieces = {piece for part in (rest, unquote(rest)) for piece in _SPLIT.split(part) if len(piece) >= _SECRET}
    for piece in sorted(pieces - {host, host.partition(":")[0]}, key=len, reverse=True):
        words = words.replace(piece, "***")
    return words
