"""Filling in, from exposures.list, what a list of wanted exposures does not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from desgw_daemon.domain.names import is_band, is_nite
from desgw_daemon.observe.exposures_list import ExposureData, ExposuresList
from desgw_daemon.observe.lists import Entry
from desgw_daemon.store.adding import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A list with what exposures.list says of it. problems: why it cannot be taken; notes: good to know."""

    wishes: tuple[Wish, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def resolve(exposures_list: ExposuresList, entries: Sequence[Entry]) -> Resolved:
    """Fill in bands and nites that a list does not say. One that is not known yet is accepted: it waits."""
    answer = exposures_list.lookup({entry.expnum for entry in entries})
    wishes, problems, notes = [], [], []
    if answer.problem:
        notes.append(f"{answer.problem}; exposures without band and nite wait until it can be")
    for entry in entries:
        data = answer.found.get(entry.expnum)
        if data is None:
            wishes.append(Wish(expnum=entry.expnum, band=entry.band, nite=entry.nite))
            if (entry.band is None or entry.nite is None) and not answer.problem:
                notes.append(f"{entry.expnum} is not in exposures.list yet: it waits for its data")
        elif problem := refusal(entry.band, data):
            problems.append(problem)
        else:
            wishes.append(Wish(expnum=entry.expnum, band=entry.band or data.band, nite=entry.nite or data.nite))
    return Resolved(wishes=tuple(wishes), problems=tuple(problems), notes=tuple(notes))


def refusal(band: str | None, data: ExposureData) -> str | None:
    """Why an exposure that was wanted in this band (None: none was said) cannot be taken as exposures.list has it."""
    if data.band == "VR":
        return f"{data.expnum} is in VR, which SEdiff does not process"
    if band is not None and band != data.band:
        return f"{data.expnum} is {data.band} in exposures.list, not {band}"
    if problem := unusable(data):
        return problem
    return None


def unusable(data: ExposureData) -> str | None:
    """Why the line of exposures.list is of no use; None when it is good."""
    if data.conflict:
        return f"exposures.list has several, different lines for {data.expnum}"
    if not is_band(data.band):
        return f"exposures.list gives {data.expnum} the band {data.band!r}"
    if not is_nite(data.nite):
        return f"exposures.list gives {data.expnum} the nite {data.nite!r}"
    return None
