"""What differs between two configurations, and what of it takes effect at the next start only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from desgw_daemon.config.model import Config, keys, needs_restart, value_of
from desgw_daemon.config.secrets import to_show


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key (`section.key`) with its old and its new value, as they may be shown."""

    key: str
    old: Any
    new: Any
    needs_restart: bool


def changed(old: Config, new: Config) -> tuple[Change, ...]:
    """The keys whose values differ, in the order of daemon.toml."""
    pairs = ((key, value_of(old, key), value_of(new, key)) for key in keys())
    return tuple(
        Change(key=key, old=to_show(before), new=to_show(after), needs_restart=needs_restart(key))
        for key, before, after in pairs
        if before != after
    )
