"""Exposures of one field share their templates: no two DAGs process the same one, and it is processed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from desgw_daemon.sandbox.scenario import Template

from .house import House, night_of, planned

EXPNUMS = (938524, 938525, 938526)
TEMPLATE = Template(expnum=668439, nite="20170817", band="i")


def field(make_house: Callable[..., House], policy: str) -> House:
    """A night of three exposures with one template, with `submit.templates` as given; the daemon runs."""
    scenario = night_of(*(planned(expnum, templates=(TEMPLATE,)) for expnum in EXPNUMS), job=400)
    house = make_house(scenario, {"submit.templates": f'"{policy}"', "submit.local_slots": "4"})
    house.ok("queue", "add", *map(str, EXPNUMS), "--season", "2206")
    house.start()
    return house


def template_jobs(house: House) -> int:
    """Jobs that have processed the template."""
    return sum("-t" in run.argv for run in house.runs("SEdiff.sh"))


def makings(house: House) -> dict[str, int]:
    """How often the DAG of each exposure was made."""
    return dict(Counter(run.argv[0] for run in house.runs("DAGMaker.sh")))


class TestExclusive:
    """The first DAG processes the template; the others wait for it, say so, and are made again without it."""

    def test_once(self, make_house: Callable[..., House]) -> None:
        house = field(make_house, "exclusive")
        waiting = "SELECT expnum FROM v_exposure WHERE reason LIKE '%template 668439: the DAG of 938524 i%'"
        house.until(lambda: len(house.rows(waiting)) == 2, "two wait for the DAG of the first")
        (line,) = (line for line in house.ok("plan").splitlines() if "938525 i" in line)
        assert "template 668439: the DAG of 938524 i" in line
        house.wait_for("done", *EXPNUMS)
        assert template_jobs(house) == 60
        assert makings(house) == {"938524": 1, "938525": 2, "938526": 2}
        again = (
            "SELECT expnum FROM v_history WHERE why LIKE 'its DAG lists template 668439, which the DAG of 938524 i%'"
        )
        assert [row["expnum"] for row in house.rows(again)] == [938525, 938526]


class TestIgnore:
    """With submit.templates = "ignore" nobody waits, and each DAG processes it."""

    def test_each(self, make_house: Callable[..., House]) -> None:
        house = field(make_house, "ignore")
        house.wait_for("done", *EXPNUMS)
        assert template_jobs(house) == 180
        assert makings(house) == dict.fromkeys(map(str, EXPNUMS), 1)
