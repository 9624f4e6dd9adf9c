"""Whether a DAG is the one that was wanted: DAGMaker says DONE after nearly anything (facts of the pipeline).

The .dag of an exposure is shared between seasons, and an old one may lie about: so exposure, season, nite and
band of every search line are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from desgw_daemon.domain.decam import EXPECTED_CCDS, SEARCH_CCDS
from desgw_daemon.grid.dagfile import Dag

#: Of the CCDs that lack a line: a reason is read by people.
_MOST_SHOWN: Final = 12


def check_dag(dag: Dag, *, season: int, expnum: int, nite: str, band: str) -> tuple[str, ...]:
    """What is wrong with a DAG for this exposure, in words; empty when it may be submitted."""
    search = dag.search_jobs
    if not search:
        return ("its DAG has no line for a search CCD",)
    problems = [
        *_others("exposure", "-E", expnum, (job.expnum for job in search)),
        *_others("season", "-S dp", season, (job.season for job in (*search, *dag.template_jobs))),
        *_others("nite", "-n", nite, (job.nite for job in search)),
        *_others("band", "-b", band, (job.band for job in search)),
        *_ccds(Counter(job.ccd for job in search)),
    ]
    if not dag.has_serial:
        problems.append("there is no <serial> block: DAGMaker has found no template")
    return tuple(problems)


def _others(what: str, option: str, wanted: object, found: Iterable[object]) -> list[str]:
    others = Counter(value for value in found if value != wanted)
    return [
        f"{count} lines are of {what} {value} instead of {wanted} ({option})"
        if value is not None
        else f"{count} lines name no {what} ({option})"
        for value, count in others.most_common()
    ]


def _ccds(counts: Counter[int]) -> list[str]:
    problems = []
    if missing := [ccd for ccd in SEARCH_CCDS if ccd not in counts]:
        count = EXPECTED_CCDS - len(missing)
        problems.append(f"{count} of {EXPECTED_CCDS} search CCDs have a line; missing: {_list(missing)}")
    if double := sorted(ccd for ccd, count in counts.items() if count > 1):
        problems.append(f"several lines for CCD {_list(double)}")
    if foreign := sorted(ccd for ccd in counts if ccd not in SEARCH_CCDS):
        problems.append(f"lines for CCD {_list(foreign)}, which search exposures do not use")
    return problems


def _list(numbers: list[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_MOST_SHOWN])
    return f"{shown} and {len(numbers) - _MOST_SHOWN} more" if len(numbers) > _MOST_SHOWN else shown
