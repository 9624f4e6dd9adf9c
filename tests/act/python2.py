"""An ini file as ConfigParser of Python 2.7 reads it, made anew from the rules in its documentation and its behaviour.

Today's configparser is no substitute: it strips indentation, takes each ` ;` for a comment, and knows no `rem`.
"""

from __future__ import annotations

import re

_SECTION = re.compile(r"\[([^]]+)\]")
_OPTION = re.compile(r"([^:=\s][^:=]*)\s*[:=]\s*(.*)$")
_REFERENCE = re.compile(r"%\(([^)]*)\)s")
#: References within values are followed so far.
_DEPTH = 10


class Python2Error(Exception):
    """It would raise."""


def read(text: str) -> dict[str, dict[str, str]]:
    """Sections, and the values of their keys, as they stand. Raises Python2Error."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] | None = None
    key: str | None = None
    for line in text.split("\n"):
        if not line.strip() or line[0] in "#;":
            continue
        if line[0] in "rR" and line.split(None, 1)[0].lower() == "rem":
            continue
        if line[0].isspace() and section is not None and key:
            section[key].append(line.strip())  # it continues the value above, whatever it says
        elif (header := _SECTION.match(line)) is not None:
            section, key = sections.setdefault(header[1], {}), None
        elif section is None:
            raise Python2Error(f"no section above {line!r}")
        elif (option := _OPTION.match(line)) is not None:
            key, value = option[1].rstrip().lower(), option[2]
            # Only the first one is looked at, and only with a blank before it (of a first character, the last).
            at = value.find(";")
            if at != -1 and value[at - 1].isspace():
                value = value[:at]
            value = value.strip()
            section[key] = ["" if value == '""' else value]
        else:
            raise Python2Error(f"neither a key nor a section: {line!r}")
    return {name: {key: "\n".join(lines) for key, lines in keys.items()} for name, keys in sections.items()}


def get(sections: dict[str, dict[str, str]], section: str, key: str) -> str:
    """A value with its %(references)s put in. Raises Python2Error."""
    values = sections[section]
    value = values[key.lower()]
    for _ in range(_DEPTH):
        if "%(" not in value:
            return value
        try:
            value = _put_in(value, values)
        except KeyError as error:
            raise Python2Error(f"{key} refers to {error}") from error
    raise Python2Error(f"{key} refers to itself")


def _put_in(value: str, values: dict[str, str]) -> str:
    done, rest = "", value
    while (at := rest.find("%")) != -1:
        done, rest = done + rest[:at], rest[at:]
        if rest.startswith("%%"):
            done, rest = done + "%", rest[2:]
            continue
        reference = _REFERENCE.match(rest)
        if reference is None:
            raise Python2Error(f"{value!r} cannot be formatted")
        done, rest = done + values[reference[1].lower()], rest[reference.end() :]
    return done + rest
