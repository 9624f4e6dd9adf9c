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


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """The template's text with these keys of [general] set. Inline comments stay.

    Raises Refused when the template cannot be read, lacks [general] or one of the keys, or a value cannot be written so
    that both readers read it back.
    """
    updater = ConfigUpdater(inline_comment_prefixes=None)
    try:
        updater.read_string(template)
    except configparser.Error as error:
        raise Refused(f"the template cannot be read: {' '.join(str(error).split())}") from error
    if not updater.has_section(GENERAL):
        raise Refused(f"the template has no section [{GENERAL}]")
    section = updater[GENERAL]
    for key, value in values.items():
        if not _is_writable(value):
            raise Refused(f"{key} = {value!r} cannot be written into an ini file")
        if key not in section:
            raise Refused(f"the template has no key {key} in [{GENERAL}]")
        comment = _COMMENT.search((section[key].value or "").splitlines()[0] if section[key].value else "")
        rest = (section[key].value or "").splitlines()[1:]
        # A comment line that begins in the first column belongs to the next entry; an indented one, to the value.
        section[key].value = "\n".join([value + (comment.group() if comment else ""), *rest])
    return str(updater)


def _is_writable(value: str) -> bool:
    return bool(value) and value.isprintable() and value == value.strip() and not re.search(r"[;#%]|\s", value)
