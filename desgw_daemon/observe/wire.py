"""How the looker and its worker write to each other: one JSON object a line.

Requests go in, and sightings come out as soon as they are made, each with the calls made so far, so
that a worker that is killed loses neither. Names are JSON strings whatever bytes they hold.
Must not look at any file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from desgw_daemon.domain.facts import (
    CallCounts,
    CcdSeen,
    FoldersSeen,
    ForcefilesSeen,
    LookRequest,
    SeenFail,
    SeenFile,
    Sighting,
    Unseen,
)
from desgw_daemon.domain.names import ExposureKey


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told first. calls_per_second 0 is no limit; deadline and answer_within in seconds."""

    root: str
    calls_at_once: int
    calls_per_second: float
    deadline: float
    answer_within: float


@dataclass(frozen=True, slots=True)
class RootSeen:
    """Whether the root folder answered: problem is None, or why nothing below it can be seen."""

    problem: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """The worker has looked at everything it was asked for."""


Report = Sighting | RootSeen | Done


def encode_order(order: Order) -> str:
    """The first line to a worker."""
    words = [order.root, order.calls_at_once, order.calls_per_second, order.deadline, order.answer_within]
    return json.dumps(words)


def decode_order(line: str | bytes) -> Order:
    """Reverse of encode_order."""
    return Order(*json.loads(line))


def encode_request(request: LookRequest) -> str:
    """One exposure to look at, as a line."""
    key = request.key
    return json.dumps(
        {
            "id": request.exposure_id,
            "key": [key.season, key.nite, key.expnum, key.band],
            "forcefiles": request.forcefiles,
            "folders": request.folders,
            "ccds": request.ccds,
            "sizes": sorted(request.known_sizes),
            "fails": [[ccd, name, *known] for (ccd, name), known in request.known_fails.items()],
        }
    )


def decode_request(line: str | bytes) -> LookRequest:
    """Reverse of encode_request."""
    raw = json.loads(line)
    return LookRequest(
        exposure_id=raw["id"],
        key=ExposureKey(*raw["key"]),
        forcefiles=raw["forcefiles"],
        folders=raw["folders"],
        ccds=None if raw["ccds"] is None else tuple(raw["ccds"]),
        known_sizes=frozenset(raw["sizes"]),
        known_fails={(ccd, name): (size, mtime) for ccd, name, size, mtime in raw["fails"]},
    )


def encode_report(report: Report, calls: CallCounts) -> str:
    """One report as a line, with the calls that the worker has made so far."""
    raw = _report_to_raw(report)
    raw["calls"] = [calls.listings, calls.stats, calls.reads]
    return json.dumps(raw)


def _report_to_raw(report: Report) -> dict[str, Any]:
    match report:
        case RootSeen():
            return {"is": "root", "problem": report.problem}
        case Done():
            return {"is": "done"}
        case FoldersSeen():
            raw = {"is": "folders", "there": report.there, "ccds": sorted(report.ccds), "odd": report.odd}
        case ForcefilesSeen():
            files = [[file.name, file.size, file.mtime] for file in report.files]
            raw = {"is": "forcefiles", "there": report.there, "files": files, "odd": report.odd}
        case CcdSeen():
            raw = {
                "is": "ccd",
                "ccd": report.ccd,
                "there": report.there,
                "tarballs": [[file.name, file.size, file.mtime] for file in report.tarballs],
                "fails": [[fail.name, fail.size, fail.mtime, fail.body] for fail in report.fails],
                "odd": report.odd,
            }
        case Unseen():
            raw = {
                "is": "unseen",
                "what": report.what,
                "ccd": report.ccd,
                "problem": report.problem,
                "hung": report.hung,
            }
    return raw | {"id": report.exposure_id, "at": report.at.timestamp()}


def decode_report(line: str | bytes) -> tuple[Report, CallCounts]:
    """Reverse of encode_report.

    Raises ValueError, KeyError or TypeError for a line that no worker wrote.
    """
    raw = json.loads(line)
    return _report_from_raw(raw), CallCounts(*raw["calls"])


def _report_from_raw(raw: Mapping[str, Any]) -> Report:
    match raw["is"]:
        case "root":
            return RootSeen(raw["problem"])
        case "done":
            return Done()
    exposure_id, at = raw["id"], datetime.fromtimestamp(raw["at"], UTC)
    match raw["is"]:
        case "folders":
            return FoldersSeen(exposure_id, at, raw["there"], frozenset(raw["ccds"]), tuple(raw["odd"]))
        case "forcefiles":
            files = tuple(SeenFile(*file) for file in raw["files"])
            return ForcefilesSeen(exposure_id, at, raw["there"], files, tuple(raw["odd"]))
        case "ccd":
            return CcdSeen(
                exposure_id,
                raw["ccd"],
                at,
                raw["there"],
                tuple(SeenFile(*file) for file in raw["tarballs"]),
                tuple(SeenFail(*fail) for fail in raw["fails"]),
                tuple(raw["odd"]),
            )
        case "unseen":
            return Unseen(exposure_id, raw["what"], raw["ccd"], raw["problem"], at, raw["hung"])
        case other:
            raise ValueError(f"no such report: {other!r}")
