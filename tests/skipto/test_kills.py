"""A run is killed in the middle of a step or after it: where the next one starts, and whether that goes well.

The highest SKIPTO at which it can go well is found by trying them all. docs/skipto.md has the table of what came of it,
and of what the older automation's rules would have done; a cell that is no longer true fails here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from tests.docs.pages import page, sections

from .folder import BOTH, FEWER, Folder, Outcome

When = Literal["middle", "after"]
POINTS = [pytest.param(step, when, id=f"{when} {step}") for step in range(8) for when in ("middle", "after")]


def killed(folder: Folder, expnums: tuple[int, ...], step: int, when: When) -> Outcome:
    """A run that is killed there."""
    outcome = folder.run(expnums, dies=[step, when], how="kill")
    assert outcome.rc is None, outcome.words
    return outcome


def cell(skipto: int, outcome: Outcome) -> str:
    """As the table has it."""
    return f"{skipto}: {outcome.told}"


def in_the_docs(step: int, when: When, column: int) -> str:
    """What docs/skipto.md says of a kill there."""
    table = next(section.table for section in sections(page("skipto.md")) if section.title.startswith("What a kill"))
    (found,) = [row for row in table if row[0] == f"{when} step {step}".replace("middle", "in")]
    return found[column]


@pytest.mark.slow
@pytest.mark.parametrize(("step", "when"), POINTS)
class TestTheSameExposures:
    """A first run is killed, and the same exposures are run again."""

    def test_starts_as_high_as_can_be(self, tmp_path: Path, step: int, when: When) -> None:
        folder = Folder(tmp_path / "sandbox")
        first = killed(folder, BOTH, step, when)
        ours, adopted = folder.choose(BOTH, [first]), folder.choose(BOTH, [])
        upstream = folder.upstream()
        kept = folder.keep()
        tried: dict[int, Outcome] = {}
        for skipto in range(7, -1, -1):
            tried[skipto] = folder.run(BOTH, skipto)
            folder.bring_back(kept)
            if tried[skipto].went_well:
                break
        highest = min(tried)
        assert tried[highest].went_well, tried[highest].words
        assert (ours.skipto, adopted.skipto) == (highest, highest), (ours, adopted)
        old = tried[upstream] if upstream in tried else folder.run(BOTH, upstream)
        assert in_the_docs(step, when, 1) == cell(highest, tried[highest])
        assert in_the_docs(step, when, 2) == cell(upstream, old)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "when"), POINTS)
class TestOneMoreSince:
    """A run is killed, and one more exposure is ready before the next."""

    def test_none_is_left_out(self, tmp_path: Path, step: int, when: When) -> None:
        folder = Folder(tmp_path / "sandbox")
        first = killed(folder, FEWER, step, when)
        ours, adopted = folder.choose(BOTH, [first]), folder.choose(BOTH, [])
        assert (ours.skipto, adopted.skipto) == (0, 0), (ours, adopted)
        upstream = folder.upstream()
        assert in_the_docs(step, when, 3) == cell(upstream, folder.run(BOTH, upstream))


@pytest.mark.slow
@pytest.mark.parametrize(("step", "when"), POINTS)
class TestAWholeRunBefore:
    """A run of fewer exposures has left everything an hour ago; one of all of them is killed."""

    def test_nothing_of_it_is_taken_over(self, tmp_path: Path, step: int, when: When) -> None:
        folder = Folder(tmp_path / "sandbox")
        whole = folder.run(FEWER)
        assert whole.went_well, whole.words
        first = folder.make_older(whole)
        second = killed(folder, BOTH, step, when)
        ours, adopted = folder.choose(BOTH, [first, second]), folder.choose(BOTH, [])
        assert adopted.skipto == ours.skipto == int(in_the_docs(step, when, 1)[0]), (ours, adopted)
        upstream = folder.upstream()
        kept = folder.keep()
        third = folder.run(BOTH, ours.skipto)
        assert third.went_well, third.words
        folder.bring_back(kept)
        assert in_the_docs(step, when, 4) == cell(upstream, folder.run(BOTH, upstream))
