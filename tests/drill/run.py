"""Runs faults, each in a night of its own, some nights at the same time."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest

from .fault import Fault
from .night import DrillNight
from .verdict import Outcome, is_page_worthy, outcome_of


def drill(faults: Sequence[Fault], *, at_once: int) -> Iterator[Outcome]:
    """What came of each, as they end."""
    with ThreadPoolExecutor(at_once) as pool:
        for done in as_completed([pool.submit(one, fault) for fault in faults]):
            yield done.result()


def one(fault: Fault) -> Outcome:
    """One night with one fault. A night that does not come to its end is an outcome, too."""
    with tempfile.TemporaryDirectory(prefix=f"drill-{fault.name}-", ignore_cleanup_errors=True) as folder:
        night = DrillNight(Path(folder) / "night", fault.scenario, settings=fault.settings, queue=fault.queue)
        try:
            fault.before(night)
            night.begin()
            fault.happens(night)
            night.ends()
            return outcome_of(fault, night)
        except (Exception, pytest.skip.Exception) as problem:  # noqa: BLE001 - whatever it is, the others go on
            said = "".join(traceback.format_exception_only(problem)).strip()
            pages = tuple(alert["rule"] for alert in night.alerts() if is_page_worthy(alert))
            return Outcome(fault=fault, pages=pages, wrong=(f"the night did not come to its end: {said}",))
        finally:
            night.close()
