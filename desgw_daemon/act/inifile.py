"""The ini file of a run: the template with a few values set, every other line as it is.

Two readers must understand it: Python 2's ConfigParser (a ``;`` after a blank begins a comment, keys are lower-cased)
and a strict parser that refuses a duplicate key.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from typing import Final

from configupdater import ConfigUpdater

from desgw_daemon.errors import Refused

GENERAL: Final = "general"
#: Where Python 2's ConfigParser sees a comment begin.
_COMMENT: Final = re.compile(r"\s;.*\Z")
#: An error of the parser quotes the line, which may be of any length (characters).
_LONGEST: Final = 200


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """The template's text with these keys of [general] set. Inline comments stay.

    Raises Refused when the template is no ini file, lacks [general] or one of the keys, has several lines for one, or a
    value cannot be written so that both readers read it back.
    """
    updater = ConfigUpdater(inline_comment_prefixes=None)
    try:
        updater.read_string(template)
    except configparser.Error as error:
        raise Refused(f"the template is no ini file: {' '.join(str(error).split())[:_LONGEST]}") from error
    if not updater.has_section(GENERAL):
        raise Refused(f"the template has no section [{GENERAL}]")
    section = updater[GENERAL]
    for key, value in values.items():
        if not _is_writable(value):
            raise Refused(f"{key} = {value!r} cannot be written into an ini file")
        if key not in section:
            raise Refused(f"the template has no key {key} in [{GENERAL}]")
        before = section[key].value or ""
        if "\n" in before:
            # For Python 2, an indented comment below a value is a part of it.
            raise Refused(f"the template's {key} has a value of several lines")
        # A comment alone is no value: behind ours, it is one for both readers.
        comment = _COMMENT.search(f" {before}")
        section[key].value = value + (comment.group() if comment else "")
    filled = str(updater)
    try:
        found = _as_read(filled)
    except configparser.Error as error:
        raise Refused(f"the template is no ini file: {' '.join(str(error).split())[:_LONGEST]}") from error
    for key, value in values.items():
        if found.get(key) != value:
            raise Refused(f"{key} would be read as {found.get(key)!r} from the template, not as {value!r}")
    return filled


def has_key(template: str, key: str) -> bool:
    """Whether the template has a value for this key of [general]. False for what is no ini file."""
    try:
        return bool(_as_read(template).get(key))
    except configparser.Error:
        return False


def _as_read(text: str) -> dict[str, str]:
    """[general] as Python 2 reads it. Raises configparser.Error."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",), strict=False)
    parser.read_string(text)
    return {key: value.strip() for key, value in parser.items(GENERAL)}


def _is_writable(value: str) -> bool:
    return bool(value) and value.isprintable() and value == value.strip() and not re.search(r"[;#%]|\s", value)
