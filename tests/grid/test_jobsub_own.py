"""What is jobsub's own: its command line, what it records, what may be concluded from its silence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.domain.states import SubmissionState as S
from desgw_daemon.grid.engine import (
    Absent,
    Accepted,
    Answered,
    Asked,
    Found,
    NoAnswer,
    Pending,
    Rejected,
    SubmitOutcome,
    SubmitRequest,
    Unclear,
)
from desgw_daemon.grid.jobsub import JobsubEngine
from desgw_daemon.grid.jobsub_queue import beside, decoded
from tests.grid.contract import until
from tests.jobsub.standin import Jobsub

DAG = "<parallel>\njobsub -n --need-storage-modify /des/x file://job.sh a\n</parallel>\n"
TAG = "s2206.938524.1"
SCHEDD = "paper.test"


class Place:
    """The stand-ins over a queue on paper, and engines over them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.workdir = folder / "workflow"
        self.workdir.mkdir()
        (self.workdir / "job.sh").write_text("#!/bin/bash\n")
        (self.workdir / "x.dag").write_text(DAG)
        self.jobsub = Jobsub(folder / "jobsub", schedds=[SCHEDD])
        monkeypatch.setenv("PATH", f"{self.jobsub.condor}:{os.environ['PATH']}")
        self.output = folder / "x.out"

    def engine(self, **settings: Any) -> JobsubEngine:
        usual: dict[str, Any] = {
            "root": self.folder / "state",
            "command": [str(self.jobsub.bin / "jobsub_submit_dag")],
            "group": "des",
            "role": "desgw",
            "storage": ["/des/persistent/gw/exp", "/des/persistent/gw/forcephoto"],
            "options": ["--verbose", "1"],
            "query": "condor",
            "prefix": [],
            "schedds": [SCHEDD],
            "timeout": timedelta(seconds=30),
            "query_timeout": timedelta(seconds=10),
        }
        return JobsubEngine(**(usual | settings))

    def request(self, **more: Any) -> SubmitRequest:
        usual = SubmitRequest(
            tag=TAG,
            number=1,
            expnum=938524,
            dag_path=self.workdir / "x.dag",
            workdir=self.workdir,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "USER": "desgw"},
            output=self.output,
        )
        return replace(usual, **more)

    def submit(self, engine: JobsubEngine | None = None, **more: Any) -> SubmitOutcome:
        """Submit, and ask until it is no longer pending."""
        request, engine = self.request(**more), engine or self.engine()
        return until(lambda: engine.submit(request), lambda outcome: not isinstance(outcome, Pending))

    def change(self, cluster: int, **attributes: Any) -> None:
        """Change the ad of a DAG on paper."""
        path = self.jobsub.paper / f"{cluster}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | attributes))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


class TestTheCommand:
    """jobsub gets the configured words, a copy of the DAG, and no environment but the one that was meant."""

    def test_words(self, place: Place) -> None:
        assert place.submit() == Accepted(f"1.0@{SCHEDD}")
        (call,) = place.jobsub.calls("jobsub_submit_dag")
        folder = place.folder / "state" / TAG / "1"
        storage = ["/des/persistent/gw/exp", "/des/persistent/gw/forcephoto"]
        assert call["argv"] == [
            *("-G", "des", "--role", "desgw"),
            *("--need-storage-modify", storage[0], "--need-storage-modify", storage[1]),
            *("-l", f'+DesgwTag="{TAG}"', "-l", "+DesgwExpnum=938524"),
            *("--job-info", f"{folder}/recorder"),
            *("--verbose", "1"),
            f"file://{folder}/dag",
        ]
        assert call["cwd"] == str(place.workdir)
        assert (folder / "dag").read_text() == DAG

    def test_environment(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the daemon has in its own would end up in the queue, for everybody to read."""
        monkeypatch.setenv("SECRET", "x")
        place.submit()
        (call,) = place.jobsub.calls("jobsub_submit_dag")
        # The last three are a shell's and Python's own.
        assert set(call["env"]) - {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"} == {"PATH", "HOME", "USER"}

    def test_a_changed_dag(self, place: Place) -> None:
        """The copy is what counts, whatever becomes of the file."""
        place.submit()
        (place.workdir / "x.dag").unlink()
        assert place.submit() == Accepted(f"1.0@{SCHEDD}")
        assert place.jobsub.submitted == [f"1.0@{SCHEDD}"]

    def test_both_lines_reach_the_job(self, place: Place) -> None:
        place.submit()
        (taken,) = place.jobsub.calls("condor")
        assert taken["lines"] == [f'+DesgwTag="{TAG}"', "+DesgwExpnum=938524"]

    def test_output(self, place: Place) -> None:
        """People find what jobsub has said, and how it was understood."""
        place.submit()
        assert f"Use job id 1.0@{SCHEDD}" in place.output.read_text()
        place.jobsub.order(submit="collector")
        outcome = place.submit(tag="t2", expnum=2)
        assert isinstance(outcome, Rejected)
        assert place.output.read_text().endswith(f"desgw-daemon: {outcome.reason}\n")

    def test_an_odd_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """jobsub gives the recorder's path to a shell: one with odd characters goes without, and is submitted."""
        (tmp_path / "it's $(here)").mkdir()
        place = Place(tmp_path / "it's $(here)", monkeypatch)
        assert place.submit() == Accepted(f"1.0@{SCHEDD}")
        (call,) = place.jobsub.calls("jobsub_submit_dag")
        assert "--job-info" not in call["argv"]


class TestTheDag:
    """What jobsub itself finds wrong with a DAG is for good, and names the line or the file."""

    @pytest.mark.parametrize(
        ("line", "cause", "words"),
        [
            ("jobsub -n --bogus file://job.sh a", "dag_syntax", "line 2"),
            ("jobsub -n file://nowhere.sh a", "missing_file", "nowhere.sh"),
        ],
    )
    def test_refused(self, place: Place, line: str, cause: str, words: str) -> None:
        (place.workdir / "x.dag").write_text(f"<parallel>\n{line}\n</parallel>\n")
        outcome = place.submit()
        assert isinstance(outcome, Rejected) and (outcome.kind, outcome.cause) == ("permanent", cause)
        assert words in outcome.reason
        assert place.engine().find(TAG) == Absent()
        (place.workdir / "x.dag").write_text(DAG)
        assert place.submit(number=2) == Accepted(f"1.0@{SCHEDD}")

    @pytest.mark.parametrize("text", [f"{DAG}stray\n", ""], ids=["stray", "empty"])
    def test_what_jobsub_would_take(self, place: Place, text: str) -> None:
        """A stray line, an empty file: it would submit them. The stand-in does, and we do not ask it to."""
        (place.workdir / "x.dag").write_text(text)
        outcome = place.submit()
        assert isinstance(outcome, Rejected) and (outcome.kind, outcome.cause) == ("permanent", "broken_dag")
        assert place.jobsub.calls("jobsub_submit_dag") == []
        command = [str(place.jobsub.bin / "jobsub_submit_dag"), "-G", "des", "file://x.dag"]
        done = subprocess.run(command, cwd=place.workdir, capture_output=True, text=True)
        assert done.returncode == 0 and "Use job id 1.0@" in done.stdout


class TestTheRecorder:
    """The id is on the disk before jobsub says it, and survives what cuts jobsub off."""

    def test_cut_off_before_its_words(self, place: Place) -> None:
        place.jobsub.order(submit="recorded-frozen")
        engine = place.engine(timeout=timedelta(seconds=2))
        assert place.submit(engine) == Accepted(f"1.0@{SCHEDD}")
        assert "Use job id" not in place.output.read_text()
        assert place.jobsub.submitted == [f"1.0@{SCHEDD}"]

    def test_found_while_the_queue_is_silent(self, place: Place) -> None:
        place.submit()
        (place.jobsub.paper / "silent").touch()
        assert place.engine().find(TAG) == Found((f"1.0@{SCHEDD}",))
        assert isinstance(place.engine().find("nobody"), NoAnswer)

    def test_gone(self, place: Place) -> None:
        """An id that was told, and that no schedd knows any more, is absent: it was there, and is no more."""
        place.submit()
        (place.jobsub.paper / "1.json").unlink()
        assert place.engine().find(TAG) == Absent()

    def test_told_once(self, place: Place) -> None:
        """One that was not told yet is told, whatever the queue has forgotten: it is never submitted again."""
        place.submit()
        (place.jobsub.paper / "1.json").unlink()
        (place.folder / "state" / TAG / "1" / "known").unlink()
        assert place.engine().find(TAG) == Found((f"1.0@{SCHEDD}",))
        assert place.engine().find(TAG) == Absent()

    def test_damaged(self, place: Place) -> None:
        """Half an id is none."""
        place.submit()
        (place.folder / "state" / TAG / "1" / "job").write_text("1.0@pap")
        (place.jobsub.paper / "1.json").unlink()
        assert place.engine().find(TAG) == Absent()


class TestTaken:
    """It was taken, and jobsub did not say so: the queue does, and nothing is submitted twice."""

    @pytest.mark.parametrize(
        ("order", "cause"),
        [
            ("taken-frozen", "timed_out"),
            ("taken-never-seen", "never_seen"),
            ("taken-crash", "never_seen"),
            ("taken-spool", "spooling"),
        ],
    )
    def test_found(self, place: Place, order: str, cause: str) -> None:
        place.jobsub.order(submit=order)
        outcome = place.submit(place.engine(timeout=timedelta(seconds=2)))
        assert isinstance(outcome, Unclear) and outcome.cause == cause
        assert place.engine().find(TAG) == Found((f"1.0@{SCHEDD}",))
        assert place.submit(number=2) == Accepted(f"1.0@{SCHEDD}")
        assert len(place.jobsub.submitted) == 1

    def test_frozen_before(self, place: Place) -> None:
        """Not taken: absent, and submitted again under a new number."""
        place.jobsub.order(submit="frozen")
        assert isinstance(place.submit(place.engine(timeout=timedelta(seconds=1))), Unclear)
        assert place.engine().find(TAG) == Absent()
        place.jobsub.order()
        assert isinstance(place.submit(number=2), Accepted)
        assert len(place.jobsub.submitted) == 1

    def test_lost(self, place: Place) -> None:
        """The machine went down with it: nobody has seen its end, and what it had said is nowhere."""
        place.jobsub.order(submit="taken-frozen")
        engine = place.engine()
        assert isinstance(engine.submit(place.request()), Pending)
        keeper = place.folder / "state" / TAG / "1" / "keeper"
        for record in ("started", "command"):
            os.kill(json.loads((keeper / record).read_text())["pid"], signal.SIGKILL)
        outcome = place.submit(engine)
        assert isinstance(outcome, Unclear) and outcome.cause == "lost"
        assert engine.find(TAG) == Found((f"1.0@{SCHEDD}",))

    def test_under_way(self, place: Place) -> None:
        """While jobsub runs nobody concludes anything."""
        place.jobsub.order(submit="frozen")
        engine = place.engine(timeout=timedelta(seconds=5))
        assert isinstance(engine.submit(place.request()), Pending)
        assert isinstance(engine.find(TAG), NoAnswer)
        assert isinstance(place.submit(engine), Unclear)
        assert engine.find(TAG) == Absent()

    def test_without_a_keeper_it_is_ended_after_its_time_out(self, place: Place) -> None:
        """A command that hangs, and whose keeper somebody has killed, does not keep the outcome open for ever."""
        place.jobsub.order(submit="frozen")
        engine = place.engine()
        assert isinstance(engine.submit(place.request()), Pending)
        started = place.folder / "state" / TAG / "1" / "keeper" / "started"
        record = json.loads(started.read_text())
        os.kill(record["pid"], signal.SIGKILL)
        still = engine.find(TAG)
        assert isinstance(still, NoAnswer) and "its submit command runs since" in still.reason
        # A clock that is set forward by an hour is no hour.
        started.write_text(json.dumps({**record, "at": record["at"] - 3600}))
        assert isinstance(engine.find(TAG), NoAnswer) and isinstance(engine.find(TAG), NoAnswer)
        hour = 3600 * os.sysconf("SC_CLK_TCK")
        started.write_text(json.dumps({**record, "start": record["start"] - hour}))
        until(lambda: engine.find(TAG), lambda found: found == Absent())


class TestBeforeItSubmits:
    """The queue is asked for its own tag, and for a DAG of the same exposure."""

    def test_another_dag(self, place: Place) -> None:
        place.submit(tag="others.938524.7")
        outcome = place.submit()
        assert isinstance(outcome, Rejected) and (outcome.kind, outcome.cause) == ("transient", "another_dag")
        assert f"1.0@{SCHEDD} (others.938524.7)" in outcome.reason
        assert len(place.jobsub.submitted) == 1

    def test_a_history_that_gives_no_answer(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is read for another daemon's sake only: its silence, or its length, must not stop a night."""
        path = place.folder / "asking" / "condor_history"
        path.parent.mkdir()
        path.write_text(f'#!/bin/sh\necho "$*" >> {place.folder}/asked\nexit 1\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
        assert isinstance(place.submit(), Accepted)
        (question,) = (place.folder / "asked").read_text().splitlines()
        assert "-since CompletionDate =!= undefined" in question, "read back for a while only"

    def test_another_dag_has_ended(self, place: Place) -> None:
        """jobsub's stay in the queue for days after their end."""
        place.submit(tag="s2206.938524.0")
        place.change(1, JobStatus=4, ExitCode=1)
        assert place.submit() == Accepted(f"2.0@{SCHEDD}")

    def test_silent(self, place: Place) -> None:
        (place.jobsub.paper / "silent").touch()
        outcome = place.submit()
        assert isinstance(outcome, Rejected) and (outcome.kind, outcome.cause) == ("transient", "no_answer")
        assert place.jobsub.calls("jobsub_submit_dag") == []


class TestSchedds:
    """Absent only when every candidate has said so."""

    def test_none_named(self, place: Place) -> None:
        """Nothing may be concluded, and the words say what to configure."""
        engine = place.engine(schedds=[])
        for answer in (engine.find(TAG), engine.status([TAG]), engine.nodes(TAG), engine.hold(TAG)):
            assert isinstance(answer, NoAnswer) and "[jobsub] schedds" in answer.reason
        outcome = place.submit(engine)
        assert isinstance(outcome, Rejected) and outcome.kind == "transient" and "[jobsub] schedds" in outcome.reason
        assert place.jobsub.calls("jobsub_submit_dag") == []

    def test_another_took_it(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that daemon.toml does not name is asked, too, when it has taken the DAG."""
        place.submit(place.engine(schedds=["first.test"]))
        asked = place.folder / "asked"
        for name in ("condor_q", "condor_history"):
            path = place.folder / "asking" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\necho "$2" >> {asked}\n')
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{place.folder}/asking:{os.environ['PATH']}")
        assert place.engine(schedds=["first.test"]).find(TAG) == Absent()
        assert sorted(set(asked.read_text().split())) == ["first.test", SCHEDD]


class TestSpooling:
    """Held with code 16: neither there nor absent, until its time is up."""

    def held(self, place: Place, since: timedelta) -> JobsubEngine:
        place.jobsub.order(submit="taken-spool")
        place.submit()
        place.change(1, JobStatus=5, HoldReasonCode=16, EnteredCurrentStatus=int(time.time() - since.total_seconds()))
        return place.engine()

    @pytest.mark.parametrize("query", ["condor", "jobsub"])
    def test_fresh(self, place: Place, query: str) -> None:
        self.held(place, timedelta(minutes=1))
        engine = place.engine(query=query)
        found = engine.find(TAG)
        assert isinstance(found, NoAnswer) and "being copied" in found.reason
        status = engine.status([TAG])
        assert isinstance(status, Answered) and TAG not in status.dags
        outcome = place.submit(engine, number=2)
        assert isinstance(outcome, Rejected) and outcome.cause == "no_answer"
        assert len(place.jobsub.submitted) == 1

    @pytest.mark.parametrize("query", ["condor", "jobsub"])
    def test_stale(self, place: Place, query: str) -> None:
        """It is removed, and asked for again."""
        self.held(place, timedelta(minutes=11))
        found = place.engine(query=query).find(TAG)
        assert isinstance(found, NoAnswer) and "removed" in found.reason
        assert (place.jobsub.paper / "removed").read_text() != ""


class TestJobsubQ:
    """Where condor_q is not allowed: what it shows is true, its silence proves nothing."""

    def test_shown(self, place: Place) -> None:
        engine = place.engine(query="jobsub")
        assert isinstance(engine.find(TAG), NoAnswer)
        assert place.submit(engine) == Accepted(f"1.0@{SCHEDD}")
        assert engine.find(TAG) == Found((f"1.0@{SCHEDD}",))
        answer = engine.status([TAG, "nobody"])
        assert isinstance(answer, Answered) and list(answer.dags) == [TAG]
        assert (answer.dags[TAG].state, answer.dags[TAG].job_id, answer.calls) == (S.RUNNING, f"1.0@{SCHEDD}", 1)

    def test_others(self, place: Place) -> None:
        engine = place.engine(query="jobsub")
        place.submit(engine, tag="others.1")
        answer = engine.status([])
        assert isinstance(answer, Answered) and [(dag.tag, dag.expnum) for dag in answer.others] == [
            ("others.1", 938524)
        ]
        outcome = place.submit(engine)
        assert isinstance(outcome, Rejected) and outcome.cause == "another_dag"

    @pytest.mark.parametrize("order", ["schedd-off", "cut", "no-token"])
    def test_never_absent(self, place: Place, order: str) -> None:
        """A schedd that is off is an empty queue with exit code 0."""
        place.jobsub.order(submit="taken-crash")
        engine = place.engine(query="jobsub")
        assert isinstance(place.submit(engine), Unclear)
        place.jobsub.order(jobsub_q=order)
        assert isinstance(engine.find(TAG), NoAnswer)
        place.jobsub.order()
        assert engine.find(TAG) == Found((f"1.0@{SCHEDD}",))

    def test_frozen(self, place: Place) -> None:
        place.jobsub.order(jobsub_q="frozen")
        engine = place.engine(query="jobsub", query_timeout=timedelta(seconds=0.5))
        found = engine.find(TAG)
        assert isinstance(found, NoAnswer) and "in time" in found.reason
        outcome = place.submit(engine)
        assert isinstance(outcome, Rejected) and outcome.cause == "no_answer"

    def test_orders(self, place: Place) -> None:
        """Handed over by id; that they return 0 says nothing, so it is only asked."""
        engine = place.engine(query="jobsub")
        place.submit(engine)
        for name, order in (("hold", engine.hold), ("release", engine.release), ("rm", engine.remove)):
            assert order(TAG) == Asked()
            (call,) = place.jobsub.calls(f"jobsub_{name}")
            assert call["argv"] == ["-G", "des", "--role", "desgw", f"1.0@{SCHEDD}"]
        assert isinstance(engine.hold("nobody"), NoAnswer)


class TestReading:
    """The text from the first `[`; a stream of arrays, one for each schedd."""

    def test_stream(self) -> None:
        text = 'Attempting to get token from https://vault.test:8200 ... ok\n[\n{"A": 1}\n]\n[\n]\n[\n{"A": 2}\n]\n'
        assert decoded(text) == [{"A": 1}, {"A": 2}]

    @pytest.mark.parametrize("text", ["", "words\n", "a [b] in words\n", "[\n]\n"])
    def test_nothing(self, text: str) -> None:
        assert decoded(text) == []

    @pytest.mark.parametrize("text", ['[\n{"A": 1\n', "[\n]\nwords\n", "[1]\n", "[\n]\n{}\n"])
    def test_no_answer(self, text: str) -> None:
        assert decoded(text) is None

    @pytest.mark.parametrize(
        ("command", "found"),
        [
            (["jobsub_submit_dag"], ["jobsub_q"]),
            (["/opt/jobsub_lite/bin/jobsub_submit_dag"], ["/opt/jobsub_lite/bin/jobsub_q"]),
            (["ssh", "host", "/x/jobsub_submit", "--dag"], ["ssh", "host", "/x/jobsub_q"]),
            (["./submit.sh"], ["jobsub_q"]),
        ],
    )
    def test_beside(self, command: list[str], found: list[str]) -> None:
        """The other programs lie beside the one that submits."""
        assert beside(command, "jobsub_q") == found
