"""Addresses of databases as they may be shown: without the password that somebody may have written into them."""

from __future__ import annotations

import re
from typing import Any, Final

HIDDEN: Final = "***"

#: Up to the last @: a password may hold one that nobody has escaped.
_BEFORE_HOST: Final = re.compile(r"(?s)(?<=://)([^:@]*):.*(?=@)")
#: Without any @ it is a mistake, and what stands where a port should may still be the password.
_NO_PORT: Final = re.compile(r"(?<=://)([^:/?@\[]*):(?!\d+(?:[/?]|$))[^/?@]+")
_PARAMETER: Final = re.compile(r"([?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=)[^&]*", re.IGNORECASE)


def masked(text: str) -> str:
    """The text with `***` in the place of every password of a URL in it."""
    if "://" not in text:
        return text
    for pattern in (_BEFORE_HOST, _NO_PORT):
        text = pattern.sub(rf"\1:{HIDDEN}", text)
    return _PARAMETER.sub(rf"\1{HIDDEN}", text)


def to_show(value: Any) -> Any:
    """A value of daemon.toml as it may be shown."""
    return masked(value) if isinstance(value, str) else value
