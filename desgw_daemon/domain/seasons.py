"""Season numbers: which may be used, who may know that one is used, and what follows from their answers.

1-10 belong to the SN group, 5000 and 6000 are reserved. 11-99 are for testing, and may be named by whoever tests.
A source that gave no answer is unknown: that is never taken for free.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

#: Below it, seasons are the SN group's.
FIRST_SEASON: Final = 11
#: Below it, seasons are for testing.
FIRST_REAL_SEASON: Final = 100
#: Prefixes and folder names have room for six digits.
LAST_SEASON: Final = 999_999
RESERVED: Final = frozenset({5000, 6000})
#: Where a season is looked for when nobody says where: four digits are what the names of files are made for (`WS%04d`).
USUAL_RANGE: Final = (FIRST_REAL_SEASON, 9999)
#: The same for testing.
TESTING_RANGE: Final = (FIRST_SEASON, FIRST_REAL_SEASON - 1)


class Source(StrEnum):
    """Who may know that a season is used, in the order in which they are shown."""

    RESERVED = "reserved"
    DES = "des"
    PNFS = "pnfs"
    OWN = "own"


#: Those that may be out of reach; a person may go on without their answer.
ELSEWHERE: Final = (Source.DES, Source.PNFS)


class Standing(StrEnum):
    """What one source says of a season."""

    FREE = "free"
    USED = "used"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """One source's answer about one season, with its evidence or its problem in words."""

    source: Source
    standing: Standing
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a source knows of all seasons.

    used: season -> where it was found. free: what it means that a season is not among them. problem: why the source has
    not answered, or not to its end; a season that was found all the same is used.
    """

    used: Mapping[int, str] = field(default_factory=dict)
    free: str = ""
    problem: str | None = None

    def about(self, source: Source, season: int) -> Answer:
        """The source's answer about one season."""
        if season in self.used:
            return Answer(source, Standing.USED, self.used[season])
        if self.problem is not None:
            return Answer(source, Standing.UNKNOWN, self.problem)
        return Answer(source, Standing.FREE, self.free)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers come to. accepted: sources without an answer that a person goes on without."""

    answers: tuple[Answer, ...]
    used: tuple[Answer, ...]
    unknown: tuple[Answer, ...]
    accepted: tuple[Source, ...]

    @property
    def free(self) -> bool:
        """Whether the season may be taken."""
        return not self.used and not self.unknown


def season_problem(season: int) -> str | None:
    """Why a season may not be used; None when it may."""
    if season < FIRST_SEASON:
        return f"season {season}: 1 to 10 belong to the SN group; take another"
    if season in RESERVED:
        return f"season {season} is reserved; take another"
    if season > LAST_SEASON:
        return f"season {season} is too large a number for a season"
    return None


def testing_problem(season: int) -> str | None:
    """Why a season may not be taken by somebody who does not say that it is for a test; None when it may."""
    if FIRST_SEASON <= season < FIRST_REAL_SEASON:
        return (
            f"season {season}: {FIRST_SEASON} to {FIRST_REAL_SEASON - 1} are for testing; --testing takes one of them"
        )
    return None


def number_answer(season: int, *, testing: bool) -> Answer:
    """What the number itself says."""
    problem = season_problem(season) or (None if testing else testing_problem(season))
    if problem is None:
        return Answer(Source.RESERVED, Standing.FREE, "the number is not reserved")
    return Answer(Source.RESERVED, Standing.USED, problem)


def allowed(first: int, last: int, *, testing: bool) -> Iterator[int]:
    """The numbers from first to last that may be taken."""
    for season in range(first, last + 1):
        if number_answer(season, testing=testing).standing is Standing.FREE:
            yield season


def judge(answers: Sequence[Answer], *, accepted: Collection[Source]) -> Verdict:
    """Whether a season may be taken. accepted: the sources that a person goes on without, should they not answer."""
    unknown = [answer for answer in answers if answer.standing is Standing.UNKNOWN]
    return Verdict(
        answers=tuple(answers),
        used=tuple(answer for answer in answers if answer.standing is Standing.USED),
        unknown=tuple(answer for answer in unknown if answer.source not in accepted),
        accepted=tuple(answer.source for answer in unknown if answer.source in accepted),
    )
