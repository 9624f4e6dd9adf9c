"""How times and spans are written for people and programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utc(time: datetime) -> str:
    """2026-11-22T02:14:05Z. Raises ValueError for a time without a zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(span: timedelta) -> str:
    """How long: "45 s", "12 min", "3 h 05 min", "2 d 4 h". A negative span (clocks differ) is "0 s"."""
    seconds = max(0, int(span.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{days} d {hours % 24} h"
