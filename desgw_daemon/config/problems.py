"""What is wrong with a daemon.toml, in words: the key, why, and the nearest right one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.config.locate import NAME, STATE_HELP
from desgw_daemon.config.model import Config, field_of, keys, section_keys
from desgw_daemon.config.secrets import masked

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TYPES: Final = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be a text in quotes",
    "model_type": "must be a section",
    "model_attributes_type": "must be a section",
}


def in_words(error: ErrorDetails) -> tuple[str, str]:
    """(key, words) of one complaint of pydantic's."""
    loc = tuple(str(part) for part in error["loc"])
    key = ".".join(loc[:2])
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return key, _unknown(loc, value)
    if kind == "missing":
        return "paths.state", f"is missing; {STATE_HELP}"
    if kind == "value_error":
        return key, f"{_shown(value)} {error['ctx']['error']}"
    if kind in ("greater_than_equal", "less_than_equal"):
        return key, f"{_shown(value)} must be {_limits(key)}"
    if kind == "literal_error":
        return key, f"{_shown(value)} must be {error['ctx']['expected']}".replace("'", '"')
    if kind in ("model_type", "model_attributes_type"):
        return key, f"must be a section: write [{key}] and its keys below it"
    words = f"{_shown(value)} {_TYPES.get(kind, error['msg'])}"
    limits = _limits(key)
    return key, f"{words}, {limits}" if limits else words


def _unknown(loc: tuple[str, ...], value: Any) -> str:
    if len(loc) == 1 and not isinstance(value, dict):
        return f"stands in no section; {_nearest(loc[0], section=None)}"
    if len(loc) == 1:
        sections = tuple(Config.model_fields)
        near = difflib.get_close_matches(loc[0].lower(), sections, n=1, cutoff=0.5)
        listed = f"did you mean [{near[0]}]?" if near else f"the sections are {', '.join(sections)}"
        return f"is no section; {listed}"
    return f"is no key; {_nearest(loc[1], section=loc[0])}"


def _nearest(name: str, *, section: str | None) -> str:
    """The key that was probably meant: in this section, else the same or a like name in another one."""
    name = name.lower()
    own = section_keys(section) if section else ()
    near = difflib.get_close_matches(name, own, n=1, cutoff=0.7)
    if near:
        return f"did you mean {section}.{near[0]}?"
    names = {key: key.split(".")[1] for key in keys()}
    same = [key for key, leaf in names.items() if leaf == name]
    if same:
        return f"did you mean {' or '.join(same)}?"
    near = difflib.get_close_matches(name, own, n=1, cutoff=0.5)
    if near:
        return f"did you mean {section}.{near[0]}?"
    near = difflib.get_close_matches(name, names.values(), n=1, cutoff=0.6)
    if near:
        return f"did you mean {next(key for key, leaf in names.items() if leaf == near[0])}?"
    return f"the keys of [{section}] are {', '.join(own)}" if own else f"the shipped {NAME} has all keys"


def _limits(key: str) -> str:
    """The limits of a number, in words; "" when it has none."""
    limits = {
        name: getattr(part, name) for part in field_of(key).metadata for name in ("ge", "le") if hasattr(part, name)
    }
    if len(limits) == 2:
        return f"from {limits['ge']} to {limits['le']}"
    return f"{limits['ge']} or more" if "ge" in limits else ""


def _shown(value: Any) -> str:
    """The value as the file says it, cut when it is long."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = f'"{masked(value)}"'
    else:  # a time of day reads badly as Python writes it
        text = masked(repr(value)) if isinstance(value, list | dict) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
