"""What is the htcondor engine's own: its files, its words, a queue that does not answer. On a real pool."""

from __future__ import annotations

import pytest

from desgw_daemon.domain.states import SubmissionState as S
from desgw_daemon.grid.engine import Accepted, Answered, Asked, Found, NoAnswer, Nodes, Rejected
from tests.condorpool import Pool
from tests.grid.contract import dag, until
from tests.grid.test_htcondor_engine import HtcondorBench, bench

__all__ = ["bench"]

#: Says its arguments and one variable of its environment, each ended by a NUL.
SAYS = """#!/bin/bash
printf '%s\\0' "$@" "${TEXT-}" > {place}/said
pwd > {place}/where
"""


class TestWords:
    """A job gets the very words that its line of the DAG has, whatever they are."""

    def test_of_all_kinds(self, bench: HtcondorBench) -> None:
        (bench.workdir / "says.sh").write_text(SAYS.replace("{place}", str(bench.place)))
        (bench.workdir / "says.sh").chmod(0o755)
        line = r"""jobsub -n -e TEXT='it''s a $(Cluster) "text"' file://says.sh"""
        line += r""" 'two words' "it's" 'say "hi"' '$(Process)'"""
        line += r""" '$HOME' '' 'a;b|c&d' '*' '\n' '%d' 'é' '#x' -E 938524"""
        bench.accepted("t1", f"<parallel>\n{line}\n</parallel>\n")
        bench.until("t1", S.DONE)
        said = (bench.place / "said").read_text().split("\0")[:-1]
        assert said == [
            *("two words", "it's", 'say "hi"', "$(Process)", "$HOME", "", "a;b|c&d", "*", "\\n", "%d", "é", "#x"),
            *("-E", "938524", 'its a $(Cluster) "text"'),
        ]
        assert (bench.place / "where").read_text().strip() != str(bench.workdir), "a scratch folder of its own"

    def test_a_script_that_bash_must_run(self, bench: HtcondorBench) -> None:
        """As in the workflow folder: neither executable nor with a #! line."""
        (bench.workdir / "plain.sh").write_text(f"echo ran > {bench.place}/ran\n")
        bench.accepted("t1", "<parallel>\njobsub -n file://plain.sh\n</parallel>\n")
        bench.until("t1", S.DONE)
        assert (bench.place / "ran").read_text() == "ran\n"


class TestDropped:
    """jobsub's words without a meaning on a plain pool are told once, not for each DAG."""

    def test_once(self, bench: HtcondorBench) -> None:
        text = "<parallel>\njobsub -n --group=des --memory=100MB --OS=SL7 file://job.sh a ok\n</parallel>\n"
        first = bench.submit("t1", text)
        assert isinstance(first, Accepted)
        assert first.notes == ("without meaning on this pool, and left out: --OS SL7, --group des",)
        second = bench.submit("t2", text)
        assert isinstance(second, Accepted) and second.notes == ()


class TestNotTwice:
    """The queue is asked before anything is handed over."""

    def test_another_dag_of_the_exposure(self, bench: HtcondorBench) -> None:
        """Whoever submitted it, under whatever tag: this one waits until it has left the queue."""
        text = dag(("parallel", ["a wait"]))
        assert isinstance(bench.submit("theirs", text, expnum=938524), Accepted)
        kept = bench.submit("ours", text, expnum=938524)
        assert isinstance(kept, Rejected) and (kept.kind, kept.cause) == ("transient", "another_dag")
        assert bench.tag("theirs") in kept.reason
        bench.go()
        bench.until("theirs", S.DONE)
        assert isinstance(bench.submit("ours", text, expnum=938524), Accepted)

    def test_others_are_told(self, bench: HtcondorBench) -> None:
        """What was not asked for and carries a tag of our kind."""
        bench.accepted("theirs", dag(("parallel", ["a wait"])))
        answer = bench.engine().status([bench.tag("ours")])
        assert isinstance(answer, Answered) and answer.dags == {}
        (other,) = answer.others
        assert (other.tag, other.owner) == (bench.tag("theirs"), "desgw") and other.expnum is not None

    def test_two_with_one_tag(self, bench: HtcondorBench, pool: Pool) -> None:
        """A copy that somebody submitted by hand is seen, and the older one is ours."""
        first = bench.accepted("t1", dag(("parallel", ["a wait"])))
        folder = bench.place / "htcondor" / bench.tag("t1")
        (folder / "copy").mkdir()
        for name in ("run.dag", "jobs", "out"):
            (folder / "copy" / name).symlink_to(folder / "1" / name)
        pool.call("condor_submit_dag", "-append", f'+DesgwTag="{bench.tag("t1")}"', "run.dag", cwd=folder / "copy")
        found = bench.find("t1")
        assert isinstance(found, Found) and found.job_ids[0] == first and len(found.job_ids) == 2
        answer = bench.engine().status([bench.tag("t1")])
        assert isinstance(answer, Answered)
        assert answer.dags[bench.tag("t1")].job_id == first
        assert [other.tag for other in answer.others] == [bench.tag("t1")]


class TestSilent:
    """A schedd that is off or frozen has said nothing: neither absent nor ended, and nothing is handed over."""

    @pytest.mark.parametrize("how", ["frozen", "off"])
    def test_no_answer(self, bench: HtcondorBench, pool: Pool, how: str) -> None:
        bench.accepted("t1", dag(("parallel", ["a wait"])))
        bench.query_seconds = 1.0
        if how == "frozen":
            pool.freeze_schedd()
        else:
            pool.stop_schedd()
        for answer in (
            bench.engine().status([bench.tag("t1")]),
            bench.find("t1"),
            bench.find("t2"),
            bench.order("remove", "t1"),
        ):
            assert isinstance(answer, NoAnswer) and "condor_q" in answer.reason
        kept = bench.submit("t2", dag(("parallel", ["b ok"])))
        assert isinstance(kept, Rejected) and (kept.kind, kept.cause) == ("transient", "no_answer")
        pool.thaw_schedd() if how == "frozen" else pool.start_schedd()
        bench.query_seconds = 30.0
        bench.go()
        bench.until("t1", S.DONE)
        assert bench.started() == ["a 0"]


class TestHeldJobs:
    """A job that the pool holds is counted, with the pool's reason; the DAG itself runs on."""

    def test_told(self, bench: HtcondorBench) -> None:
        line = "jobsub -n --lines='+DesgwTest=1' file://{script} a ok"
        (bench.workdir / "gone.sh").write_text("#!/nowhere/bash\n")
        (bench.workdir / "gone.sh").chmod(0o755)
        bench.accepted("t1", f"<parallel>\n{line.format(script='gone.sh')}\n</parallel>\n")
        held = until(lambda: bench.status("t1"), lambda status: status.nodes_held == 1)
        assert (held.state, held.nodes_running, held.nodes_waiting) == (S.RUNNING, 0, 0)
        assert held.hold_reason is not None and held.hold_reason.startswith("001_gone: ")
        assert bench.order("remove", "t1") == Asked()
        bench.until("t1", S.REMOVED)
        nodes = bench.engine().nodes(bench.tag("t1"))
        assert isinstance(nodes, Nodes)
        assert [(node.name, node.state, node.exit_code) for node in nodes.nodes] == [("001_gone", "removed", None)]


class TestPutAside:
    """A folder is submitted from once; condor's own files in it are kept."""

    def test_a_second_number_has_a_folder_of_its_own(self, bench: HtcondorBench) -> None:
        assert isinstance(bench.submit("t1", "nonsense\n"), Rejected)
        assert isinstance(bench.submit("t1", dag(("parallel", ["a ok"])), number=2), Accepted)
        bench.until("t1", S.DONE)
        folder = bench.place / "htcondor" / bench.tag("t1")
        assert [path.name for path in (folder / "2" / "jobs").iterdir()] == ["001_job.sub"]
        assert (folder / "2" / "run.dag.dagman.out").exists()
