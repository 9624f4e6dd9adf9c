"""The units of systemd/, filled in for one host. Text only: nothing is looked at or written here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PLACE: Final = re.compile(r"@([A-Z_]+)@")
#: The last line of what was written; it tells whether somebody has changed the file since.
_SEAL: Final = "# Written by `desgw-daemon install-service`; sha256 of what stands above: "
#: Where the folder of StateDirectory= is.
_VAR_LIB: Final = Path("/var/lib")
#: File systems that may hang, and so must not be looked at when the service starts.
_MAY_HANG: Final = re.compile(r"nfs\d?|cifs|smb3|autofs|fuse(\..*)?|ceph|lustre|afs|9p|beegfs|gpfs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the units must know.

    program: the words of its command. credentials: file name of the addresses of alert channels -> file.
    writable: the folders beside the state folder that the daemon itself writes into.
    """

    program: Sequence[str]
    config: Path
    state: Path
    backups: Path
    user: str
    group: str
    uid: int
    docs: str
    credentials: Mapping[str, Path]
    writable: Sequence[Path]


def fill(template: str, host: Host) -> str:
    """The unit for this host. Raises KeyError for a place in it that nothing fits."""
    values = {
        "PROGRAM": " ".join(map(quoted, host.program)),
        "CONFIG": quoted(str(host.config)),
        "USER": host.user,
        "GROUP": host.group,
        "UID": str(host.uid),
        "DOCS": host.docs.replace("%", "%%"),
        "STATE": _state(host.state),
        "CREDENTIALS": "\n".join(
            f"LoadCredential={name}:{str(file).replace('%', '%%')}" for name, file in sorted(host.credentials.items())
        )
        or "#LoadCredential=alert-NAME:/etc/desgw-daemon/credentials/alert-NAME",
        "WRITABLE": _writable(host.writable),
        "BACKUP_WRITABLE": _writable((host.state, host.backups)),
    }
    return _PLACE.sub(lambda found: values[found[1]], template)


def quoted(word: str) -> str:
    """A word of a command line in a unit."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s\"'\\;]", word) or not word else escaped


def sealed(text: str) -> str:
    """What is written: the unit and its seal."""
    return f"{text.rstrip()}\n\n{_SEAL}{_checksum(text)}\n"


def is_ours(text: str) -> bool:
    """Whether nobody has changed this since it was written here."""
    body, seal, checksum = text.rpartition(_SEAL)
    return bool(seal) and checksum.strip() == _checksum(body)


def fit_to_name(path: Path, mounts: Mapping[Path, str]) -> Path:
    """The folder to name in the unit so that systemd does not hang with the mount in which `path` lies.

    mounts: mount point -> kind of file system. On a disk of this host it is `path`; else the folder in which the mount
    point is. That is "/" when it lies there: `path` itself is named then, and the start may hang.
    """
    while mount := next((place for place in (path, *path.parents) if _may_hang(place, mounts)), None):
        if mount.parent == mount.parent.parent:
            break
        path = mount.parent
    return path


def mounts_of(mountinfo: str) -> dict[Path, str]:
    """Mount point -> kind of file system, from the text of /proc/self/mountinfo. The last mount on a place counts."""
    found = {}
    for line in mountinfo.splitlines():
        fields, _, kind = line.partition(" - ")
        place = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields.split()[4])
        found[Path(place)] = kind.split()[0]
    return found


def _may_hang(place: Path, mounts: Mapping[Path, str]) -> bool:
    return place in mounts and _MAY_HANG.fullmatch(mounts[place]) is not None


def _state(state: Path) -> str:
    if state.parent == _VAR_LIB:
        return f"# Made by systemd when it is not there.\nStateDirectory={state.name}\nStateDirectoryMode=2775"
    return _writable((state,))


def _writable(paths: Sequence[Path]) -> str:
    words = (f'"{word}"' if " " in word else word for word in (str(path).replace("%", "%%") for path in paths))
    return "\n".join(f"ReadWritePaths=-{word}" for word in dict.fromkeys(words))


def _checksum(text: str) -> str:
    return hashlib.sha256(text.rstrip().encode()).hexdigest()
