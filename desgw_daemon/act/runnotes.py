"""What a person should know of the preparation of a run, in words. It goes into the log and stays with the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from desgw_daemon.act.iniplace import ini_name
from desgw_daemon.decide.words import some
from desgw_daemon.domain.event import Event


def unknown_event(event: Event, season: int) -> str | None:
    """What of the event nobody has said; the template has another event's."""
    if not (unknown := event.unknown()):
        return None
    return (
        f"{', '.join(unknown)} are the template's, since nobody said for which event season {season} is"
        f" (`desgw-daemon season event {season}` does)"
    )


def notes_of(season: int, event: Event, others: Sequence[str], own: Path | None, aside: Path | None) -> list[str]:
    """The notes of a start.

    others: ini files of somebody else; own: what step 5 sources instead of the set-up, if it can; aside: where
    somebody's ini of the same name went.
    """
    notes = []
    if unknown := unknown_event(event, season):
        notes.append(unknown)
    if aside is not None:
        notes.append(
            f"somebody's {ini_name(season)} was in the Post-Processing folder: it is {aside.name} while this run lasts"
        )
    if others and own is not None:
        notes.append(
            f"other ini files are in the Post-Processing folder ({some(others)}); step 5 sources {own} instead of the"
            " set-up, which would mix their seasons"
        )
    elif others:
        notes.append(
            f"other ini files are in the Post-Processing folder ({some(others)}): in step 5 the set-up may mix their"
            " seasons. Take them away"
        )
    return notes
