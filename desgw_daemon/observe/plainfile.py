"""Opening files that other programs leave in local folders, where anything may stand instead of a file.

Must not wait: opening a pipe for reading would, until somebody writes to it.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO


class NotAFileError(OSError):
    """A folder, a pipe, a socket or a device stands there."""


def open_plain(path: Path) -> BinaryIO:
    """The file, for reading. Raises OSError; NotAFileError for what is none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if S_ISDIR(mode):
        raise NotAFileError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise NotAFileError(errno.EINVAL, "Not a regular file", str(path))


def beginning(path: Path, longest: int) -> bytes:
    """The file; of one that is longer than that (bytes) one byte more. Raises OSError."""
    with open_plain(path) as file:
        return file.read(longest + 1)


def content(path: Path) -> tuple[bytes | None, OSError | None]:
    """The whole file, None where there is none; and why it cannot be read."""
    try:
        with open_plain(path) as file:
            return file.read(), None
    except (FileNotFoundError, NotAFileError):
        return None, None
    except OSError as error:
        return None, error
