"""What DAGMaker left is judged by all of its signs, the most telling named first."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.making import MakingEvidence, read_making

from .tree import CCDS

EXPNUM, NITE = 938524, "20200304"
START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def dag_text(*, expnum: int = EXPNUM, season: int = 2206, ccds: tuple[int, ...] = CCDS, serial: bool = True) -> str:
    head = "jobsub -n --group=des --memory=2000MB -N 1 -r 3"
    lines = ["<parallel>", f"{head} file://dummyjob.sh", "</parallel>", "<parallel>"]
    lines += [
        f"{head} file://SEdiff.sh -r 4 -p 7 -E {expnum} -v gw8 -b i -n {NITE} -d persistent -m gw"
        f" -C -c {ccd} -S dp{season}"
        for ccd in ccds
    ]
    lines.append("</parallel>")
    if serial:
        run = f"-r r4p7 -p dp{season} -E {expnum} -n {NITE} -f WS3345-380 -d persistent -m gw"
        lines += ["<serial>", f"{head} file://RUNMON.sh {run}", "</serial>"]
    return "\n".join(lines) + "\n"


class Workflow:
    """A gw_workflow folder with what a DAGMaker leaves that went well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = folder / f"mytemp_{EXPNUM}" / "DAGMaker.DONE"
        self.dag = folder / f"desgw_pipeline_{EXPNUM}.dag"
        self.output = folder / f"dagmaker_{EXPNUM}.out"
        self.done.parent.mkdir(parents=True)
        self.put(self.done, "jobsub_submit_dag ...\n")
        self.put(self.dag, dag_text())
        self.put(self.output, "Getting exposure info\nAll done.\n")

    def put(self, path: Path, text: str, *, after: timedelta = timedelta(minutes=5)) -> None:
        """Write a file so long after the start."""
        path.write_text(text)
        moment = (START + after).timestamp()
        os.utime(path, (moment, moment))

    def read(self) -> MakingEvidence:
        return read_making(self.folder, EXPNUM, season=2206, nite=NITE, band="i", started_at=START)

    def problem(self) -> str:
        """The only thing that is wrong."""
        (problem,) = self.read().problems
        return problem


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    return Workflow(tmp_path)


class TestGood:
    """A fresh DONE, a whole DAG of this exposure and season, and no complaint: nothing is wrong."""

    def test_nothing_wrong(self, workflow: Workflow) -> None:
        evidence = workflow.read()
        assert evidence.problems == ()
        assert evidence.dag_sha256 == hashlib.sha256(dag_text().encode()).hexdigest()
        assert evidence.last_lines == ("Getting exposure info", "All done.")

    def test_a_file_server_whose_clock_is_behind(self, workflow: Workflow) -> None:
        workflow.put(workflow.done, "x", after=timedelta(seconds=-3))
        assert workflow.read().problems == ()

    def test_no_output(self, workflow: Workflow) -> None:
        workflow.output.unlink()
        assert (workflow.read().problems, workflow.read().last_lines) == ((), ())


class TestSigns:
    """Each sign of a failure is enough, although DONE is there and fresh."""

    def test_no_template(self, workflow: Workflow) -> None:
        workflow.put(workflow.output, "x\n  NO TEMPLATE IMAGES, DIFFIMG WILL FAIL\nlast\n")
        assert workflow.problem() == "there is no template exposure for it: difference imaging would fail"

    def test_no_template_comes_first(self, workflow: Workflow) -> None:
        workflow.put(workflow.output, "Error copying a\nNO TEMPLATE IMAGES, DIFFIMG WILL FAIL\n")
        workflow.put(workflow.dag, dag_text(serial=False))
        problems = workflow.read().problems
        assert [problem.split()[0:3] for problem in problems] == [
            ["there", "is", "no"],
            ["1", "input", "file"],
        ]
        assert "template exposure" in problems[0]

    def test_no_band(self, workflow: Workflow) -> None:
        workflow.put(workflow.output, "Error with setting band. Exiting.\n")
        assert workflow.problem().startswith(f"exposures.list has no line for {EXPNUM}")

    def test_copy_errors(self, workflow: Workflow) -> None:
        workflow.put(workflow.output, "Error copying a\nError copying b\nfine\n")
        assert workflow.problem() == "2 input files could not be copied to /pnfs ('Error copying')"

    def test_signs_at_the_end_of_a_long_output(self, workflow: Workflow) -> None:
        workflow.put(workflow.output, "chatter\n" * 500_000 + "NO TEMPLATE IMAGES, DIFFIMG WILL FAIL\n")
        assert "no template exposure" in workflow.problem()

    def test_the_last_lines_can_be_shown(self, workflow: Workflow) -> None:
        workflow.put(workflow.output, "a\n\x1b[31mb\x1b[0m\x07\n\n" + "c\n" * 4)
        lines = workflow.read().last_lines
        assert len(lines) == 5
        assert lines[0] == "b\N{REPLACEMENT CHARACTER}"


class TestDone:
    """DONE must be of this run."""

    def test_missing(self, workflow: Workflow) -> None:
        workflow.done.unlink()
        assert workflow.problem() == f"it left no mytemp_{EXPNUM}/DAGMaker.DONE"

    def test_old(self, workflow: Workflow) -> None:
        workflow.put(workflow.done, "x", after=timedelta(hours=-1))
        assert workflow.problem() == f"mytemp_{EXPNUM}/DAGMaker.DONE is older than this run: it left none"

    def test_a_file_where_its_folder_should_be(self, workflow: Workflow) -> None:
        workflow.done.unlink()
        workflow.done.parent.rmdir()
        workflow.done.parent.touch()
        assert workflow.problem() == f"it left no mytemp_{EXPNUM}/DAGMaker.DONE"


class TestDag:
    """The DAG must be whole, of this run, this exposure and this season."""

    def test_missing(self, workflow: Workflow) -> None:
        workflow.dag.unlink()
        assert workflow.problem() == f"it left no desgw_pipeline_{EXPNUM}.dag"

    def test_a_leftover(self, workflow: Workflow) -> None:
        workflow.put(workflow.dag, dag_text(), after=timedelta(hours=-1))
        assert "older than this run" in workflow.problem()
        assert workflow.read().dag_sha256 is None

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (dag_text(expnum=938525), "938525"),
            (dag_text(season=2208), "2208"),
            (dag_text(ccds=CCDS[:58]), "58 of 59"),
            (dag_text(serial=False), "<serial>"),
            (dag_text()[:3000], "broken"),
            ("", "broken"),
            ("\0\xff", "broken"),
        ],
    )
    def test_of_something_else_or_cut_off(self, workflow: Workflow, text: str, words: str) -> None:
        workflow.put(workflow.dag, text)
        assert any(words in problem for problem in workflow.read().problems)

    def test_a_folder(self, workflow: Workflow) -> None:
        workflow.dag.unlink()
        workflow.dag.mkdir()
        assert workflow.problem() == f"{workflow.dag.name} cannot be read: Is a directory"

    @given(data=st.binary(max_size=200))
    def test_no_bytes_make_it_fail(self, data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
        workflow = Workflow(tmp_path_factory.mktemp("workflow"))
        workflow.dag.write_bytes(data)
        workflow.output.write_bytes(data)
        evidence = workflow.read()
        assert evidence.problems
        assert all("\n" not in line for line in evidence.last_lines)


class TestAway:
    """When the folder itself is away nothing is known: that is no sign of a failure."""

    def test_it_is_said_so(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read_making(tmp_path / "away", EXPNUM, season=2206, nite=NITE, band="i", started_at=START)
