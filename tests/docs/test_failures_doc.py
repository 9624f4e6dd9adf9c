"""docs/jobsub.md shows the failure table as it is."""

from __future__ import annotations

from desgw_daemon.grid.failures import TABLE

from .pages import names, page, sections


def test_table() -> None:
    """Row by row: the cause, the pattern, what it means, and what comes of it."""
    (section,) = [section for section in sections(page("jobsub.md")) if section.title == "The failure table"]
    shown = [(*names(cause), program, *names(said), words, kind) for cause, program, said, words, kind in section.table]
    programs = {None: "any", "jobsub": "jobsub", "condor": "condor_submit_dag"}
    assert shown == [
        (row.cause, programs[row.program], *([row.pattern] if row.pattern else []), row.words, row.kind)
        for row in TABLE
    ]
