"""What a look was asked for and did not answer: every such thing becomes an Unseen, none is lost.

Must not take silence for absence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from desgw_daemon.domain.facts import CcdSeen, FoldersSeen, ForcefilesSeen, LookRequest, Sighting, Unseen


def unanswered(sightings: Sequence[Sighting], requests: Sequence[LookRequest], problem: str | None) -> Iterator[Unseen]:
    """An Unseen for each thing in the requests that no sighting is about, with the problem in words.

    The CCDs of an exposure whose folders were asked for, and seen, are those that were found among them.
    """
    now = datetime.now(UTC)
    answered: set[tuple[int, str, int | None]] = set()
    folders: dict[int, FoldersSeen | Unseen] = {}
    for sighting in sightings:
        match sighting:
            case FoldersSeen():
                folders[sighting.exposure_id] = sighting
                answered.add((sighting.exposure_id, "folders", None))
            case ForcefilesSeen():
                answered.add((sighting.exposure_id, "forcefiles", None))
            case CcdSeen():
                answered.add((sighting.exposure_id, "ccd", sighting.ccd))
            case Unseen():
                answered.add((sighting.exposure_id, sighting.what, sighting.ccd))
                if sighting.what == "folders":
                    folders[sighting.exposure_id] = sighting
    for request in requests:
        words = problem or "not looked at"
        ccds = request.ccds or ()
        match folders.get(request.exposure_id):
            case FoldersSeen(ccds=found):
                ccds = tuple(ccd for ccd in sorted(found) if request.ccds is None or ccd in request.ccds)
            case Unseen(problem=words):
                pass
        if request.forcefiles and (request.exposure_id, "forcefiles", None) not in answered:
            yield Unseen(request.exposure_id, "forcefiles", None, words, now)
        if request.folders and (request.exposure_id, "folders", None) not in answered:
            yield Unseen(request.exposure_id, "folders", None, words, now)
        for ccd in ccds:
            if (request.exposure_id, "ccd", ccd) not in answered:
                yield Unseen(request.exposure_id, "ccd", ccd, words, now)
