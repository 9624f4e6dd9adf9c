"""The judge lets a correct night pass, and none of the three sabotages."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.judge import judge
from desgw_daemon.sandbox.moves import FAILS_AT_28, NO_FORCEFILES, SE_FAILS, fails_at
from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import Scenario
from desgw_daemon.sandbox.summary import summary

from . import byhand

GOOD, BAD = 938524, 938525


def scenario() -> Scenario:
    """One exposure that goes on partly ready, one that fails on too many CCDs."""
    small = small_scenario(2)
    good, bad = small.exposures
    habits = {3: SE_FAILS, 7: FAILS_AT_28, 9: NO_FORCEFILES, 10: fails_at(4)}
    hopeless = dict.fromkeys(range(20, 31), fails_at(12))
    return replace(
        small,
        exposures=(
            replace(good, ccds=habits, ready="partial"),
            replace(bad, ccds=hopeless, end="attention", ready="no"),
        ),
    )


def process(folder: Path) -> Sandbox:
    """The image processing of a correct night."""
    sandbox = build(folder, scenario())
    for expnum in (GOOD, BAD):
        assert byhand.make(sandbox, expnum).returncode == 0
        byhand.run_dag(sandbox, expnum)
    return sandbox


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A correct night, from DAGMaker to the end of post-processing. Not to be changed."""
    sandbox = process(tmp_path_factory.mktemp("night") / "sandbox")
    byhand.write_postproc(sandbox, [GOOD], "i")
    assert byhand.postproc(sandbox).returncode == 0
    return sandbox


def failures(sandbox: Sandbox, status: str | None = None) -> list[str]:
    """What the judge finds wrong."""
    verdict = judge(sandbox.root, byhand.status(sandbox) if status is None else status)
    assert verdict.ok == all(line.ok for line in verdict.lines)
    return [line.text for line in verdict.lines if not line.ok]


def changed(sandbox: Sandbox, expnum: int, **more: Any) -> str:
    """A status in which the daemon says something else of this exposure."""
    said = json.loads(byhand.status(sandbox))
    entry = next(entry for entry in said["exposures"] if entry["expnum"] == expnum)
    for name, value in more.items():
        entry[name] = entry[name] | value if isinstance(value, dict) else value
    return json.dumps(said)


class TestCorrectNight:
    """A night in which everything was done once and decided well is found in order."""

    def test_all_lines_hold(self, night: Sandbox) -> None:
        verdict = judge(night.root, byhand.status(night))
        assert verdict.ok, str(verdict)
        assert len(verdict.lines) >= 12
        assert all(text.startswith(" ✓ ") for text in str(verdict).splitlines())

    def test_summary_counts_what_ran(self, night: Sandbox) -> None:
        seen = summary(night.root)
        assert (seen.dags_made, seen.dags_begun, seen.search_jobs, seen.template_jobs) == (2, 2, 118, 0)
        assert (seen.postproc_runs, seen.postproc_step) == (1, 7)
        assert "118 search jobs" in str(seen)


class TestSecondSubmission:
    """A DAG that was submitted twice fails the night."""

    def test_whole_dag_again(self, tmp_path: Path) -> None:
        sandbox = process(tmp_path / "sandbox")
        byhand.run_dag(sandbox, GOOD)
        byhand.write_postproc(sandbox, [GOOD], "i")
        byhand.postproc(sandbox)
        assert failures(sandbox) == [
            "938524: submitted more than once: 59 of its search jobs ran again",
            "3 DAGs were begun (their first job ran), not 2",
        ]


class TestIgnoredFail:
    """A FAIL that was overlooked fails the night, wherever it shows."""

    def test_counted_complete(self, night: Sandbox) -> None:
        status = changed(night, GOOD, ccds={"complete": 57, "failed": 1})
        assert failures(night, status) == [
            "938524: the daemon counts 57 CCDs complete, on disk 56 are",
            "938524: the daemon counts 1 CCDs failed, on disk 2 are",
        ]

    def test_went_on(self, night: Sandbox) -> None:
        found = failures(night, changed(night, BAD, state="done", ready="full"))
        assert found == [
            "938525 is done (ready: full), and should be attention (ready: no); its reason: made up by hand"
        ]

    def test_given_to_postprocessing(self, tmp_path: Path) -> None:
        sandbox = process(tmp_path / "sandbox")
        byhand.write_postproc(sandbox, [GOOD, BAD], "i,z")
        assert byhand.postproc(sandbox).returncode == 0
        assert failures(sandbox) == [
            "938525 was given to it, and should not go on",
            "the ini says bands 'i,z', not 'i'",
        ]


class TestSkipTo:
    """A run that was started at a later step, with nothing there to skip, fails the night."""

    def test_skipto_6(self, tmp_path: Path) -> None:
        sandbox = process(tmp_path / "sandbox")
        byhand.write_postproc(sandbox, [GOOD], "i")
        assert byhand.postproc(sandbox, "--SKIPTO 6").returncode == 1
        found = failures(sandbox)
        assert found[0] == "it was given --SKIPTO 6: nothing was there yet that could be skipped"
        assert found[1:] == [
            "it ended with status 1",
            "PostProcStatus2206.txt says 1 0 0 0 0 0 0 0 0 incomplete",
        ]


class TestCaps:
    """More DAGMakers or DAGs at once than the configuration allows fail the night."""

    def test_side_by_side(self, tmp_path: Path) -> None:
        one = replace(small_scenario().watch, max_in_flight=1, dagmaker_max_at_once=1)
        sandbox = build(tmp_path / "sandbox", replace(scenario(), watch=one))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(partial(byhand.make, sandbox), (GOOD, BAD, BAD)))
            # The two have written into one file.
            byhand.make(sandbox, BAD)
            list(pool.map(partial(byhand.run_dag, sandbox), (GOOD, BAD)))
        byhand.write_postproc(sandbox, [GOOD], "i")
        byhand.postproc(sandbox)
        assert failures(sandbox) == [
            "938525: two DAGMakers at once",
            "3 DAGMakers ran at once, at most 1 may",
            "2 DAGs were in flight at once, at most 1 may be",
        ]

    def test_dagmaker_under_the_feet_of_its_jobs(self, tmp_path: Path) -> None:
        sandbox = process(tmp_path / "sandbox")
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(byhand.sediff, sandbox, GOOD, 9)
            byhand.make(sandbox, GOOD)
            job.result()
        found = failures(sandbox)
        assert "938524: a DAGMaker ran while its DAG was in flight" in found


class TestOtherFaults:
    """Whatever else the daemon may get wrong fails the night too."""

    def test_exposure_unknown_to_the_daemon(self, night: Sandbox) -> None:
        said = json.loads(byhand.status(night))
        del said["exposures"][0]
        assert failures(night, json.dumps(said)) == ["the daemon does not know 938524 of nite 20200304, season 2206"]

    def test_exposure_listed_twice(self, night: Sandbox) -> None:
        said = json.loads(byhand.status(night))
        said["exposures"].append(said["exposures"][0])
        assert failures(night, json.dumps(said)) == ["the daemon has 938524 2 times"]

    def test_other_nite_mixed_in(self, night: Sandbox) -> None:
        found = failures(night, changed(night, GOOD, nite="20200303"))
        assert found == [
            "the daemon does not know 938524 of nite 20200304, season 2206",
            "the daemon has an exposure that nobody gave it: 938524, nite 20200303, season 2206",
        ]

    def test_forcefiles_miscounted(self, night: Sandbox) -> None:
        status = changed(night, GOOD, forcefiles={"found": 112, "missing": [], "surplus": []})
        assert failures(night, status) == [
            "938524: the daemon has 112 forcefiles found, the disk 110",
            "938524: forcefiles missing: the daemon names CCDs [], not [9]",
        ]

    def test_held_at_the_end(self, night: Sandbox) -> None:
        assert failures(night, changed(night, GOOD, held=True)) == ["938524 is held: a person must release it"]

    @pytest.mark.parametrize("text", ["", "no json", "3", '{"exposures": [{"expnum": 938524}]}'])
    def test_status_that_cannot_be_read(self, night: Sandbox, text: str) -> None:
        assert [line.split(":")[0] for line in failures(night, text)] == ["the daemon's status cannot be read"]

    def test_nothing_was_done(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", scenario())
        found = failures(sandbox)
        assert "938524: 59 of its 59 search jobs never ran" in found
        assert "post-processing ran 0 times, not 1" in found

    def test_links_not_updated(self, tmp_path: Path) -> None:
        sandbox = process(tmp_path / "sandbox")
        # The season's folder is there from an earlier run: the set-up links nothing.
        (sandbox.postprocessing / "forcephoto" / "images" / "dp2206").mkdir(parents=True)
        byhand.write_postproc(sandbox, [GOOD], "i")
        assert byhand.postproc(sandbox, links=False).returncode == 0
        assert failures(sandbox) == ["only 0 of 55 images of 938524 were linked for forcephoto"]

    def test_ini_line_lost(self, tmp_path: Path) -> None:
        sandbox = process(tmp_path / "sandbox")
        byhand.write_postproc(sandbox, [GOOD], "i")
        ini = sandbox.postprocessing / "postproc_2206.ini"
        ini.write_text(ini.read_text().replace(" ; a comma list without blanks", ""))
        byhand.postproc(sandbox)
        assert failures(sandbox) == [
            "the ini differs from its template where it should not: 'bands=; a comma list without blanks'"
        ]
