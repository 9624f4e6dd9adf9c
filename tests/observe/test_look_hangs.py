"""A mount that hangs: what had been seen counts, nobody waits for ever, and nothing piles up."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from desgw_daemon.domain.facts import CcdSeen, FoldersSeen, ForcefilesSeen, Look, LookRequest, Unseen
from desgw_daemon.observe.looker import WORKER, Looker

from .traced import disturbed, release, until
from .tree import CCDS, Exposure, look, only, request

MINUTE = "delay_enter=60000000"
SECOND = timedelta(seconds=1)


def one_look(looker: Looker, requests: list[LookRequest], *, deadline: timedelta, max_stuck: int = 1) -> Look:
    """A look whose calls hang when they take longer than its deadline."""
    return looker.look(
        requests,
        deadline=deadline,
        answer_within=deadline + SECOND,
        calls_at_once=2,
        calls_per_second=0,
        max_stuck=max_stuck,
    )


class TestOneFolderHangs:
    """One folder that hangs costs itself alone; the look ends at its deadline."""

    def look(self, root: Path, exposures: list[Exposure], hanging: list[Path]) -> Look:
        looker = Looker(root=root, worker=disturbed(hanging[0], MINUTE, *hanging[1:]))
        requests = [request(exposure, number) for number, exposure in enumerate(exposures)]
        begin = time.monotonic()
        seen = looker.look(
            requests,
            deadline=20 * SECOND,
            answer_within=2 * SECOND,
            calls_at_once=8,
            calls_per_second=0,
            max_stuck=3,
        )
        assert time.monotonic() - begin < 15
        assert not seen.stuck
        assert seen.silent is None
        release(looker)
        return seen

    def test_a_ccd(self, tmp_path: Path) -> None:
        exposures = [Exposure(tmp_path, 900000 + n).make(CCDS[:10]).finish(CCDS[:10]) for n in range(3)]
        seen = self.look(tmp_path, exposures, [exposures[1].ccd(3)])
        assert len(only(seen, CcdSeen)) == 29
        (unseen,) = only(seen, Unseen)
        assert (unseen.exposure_id, unseen.what, unseen.ccd) == (1, "ccd", 3)
        assert unseen.hung
        assert unseen.problem == f"{request(exposures[1]).key.ccd_folder(3)} hangs: no answer for 2 s"
        assert seen.calls.stats == 29 + 60
        assert seen.calls.listings >= 3 * 12

    def test_the_forcefiles(self, tmp_path: Path) -> None:
        """Its CCDs are not looked at: a success could not be told from a failure."""
        exposures = [Exposure(tmp_path, 900000 + n).make(CCDS[:10]).finish(CCDS[:10]) for n in range(2)]
        seen = self.look(tmp_path, exposures, [exposures[0].forcephoto])
        assert {ccd.exposure_id for ccd in only(seen, CcdSeen)} == {1}
        assert [sighting.exposure_id for sighting in only(seen, ForcefilesSeen)] == [1]
        assert len(only(seen, Unseen)) == 1 + 10

    def test_all_ccds_of_an_exposure_leave_calls_for_the_others(self, tmp_path: Path) -> None:
        exposures = [Exposure(tmp_path, 900000 + n).make(CCDS[:10]) for n in range(3)]
        for exposure in exposures:
            exposure.finish([])
        seen = self.look(tmp_path, exposures, [exposures[0].ccd(ccd) for ccd in CCDS[:10]])
        ccds = [ccd.exposure_id for ccd in only(seen, CcdSeen)]
        assert [ccds.count(exposure) for exposure in range(3)] == [0, 10, 10]
        assert len(only(seen, FoldersSeen)) == 3

    def test_the_only_exposure_has_all_the_calls(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:10]).finish([])
        seen = self.look(tmp_path, [exposure], [exposure.ccd(ccd) for ccd in CCDS[:10]])
        assert seen.calls.listings >= 1 + 2 + 8  # the root, forcefiles and folders, a CCD for each of the 8 at once

    def test_a_worker_that_can_be_killed_is_gone_for_the_next_look(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2])
        looker = Looker(root=tmp_path, worker=("sleep", "60"))
        for _ in range(2):
            seen = one_look(looker, [request(exposure)], deadline=SECOND / 2)
            assert seen.silent == f"{tmp_path} did not answer within 0.5 s"
            assert looker.abandoned.living() == ()


class TestWorkerThatCannotBeKilled:
    """It is left alone, no second one is started on that mount, and it is reaped once it has died.

    strace keeps a killed process from being reaped, as an unkillable call would, while it delays it.
    """

    def test_left_alone_then_reaped(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2])
        looker = Looker(root=tmp_path, worker=disturbed(tmp_path, MINUTE))
        first = one_look(looker, [request(exposure)], deadline=SECOND)
        assert first.stuck
        (stuck,) = (each.pid for each in looker.abandoned.living())
        asked = [request(exposure, ccds=(1,))]
        begin = time.monotonic()
        second = one_look(looker, asked, deadline=20 * SECOND)
        assert time.monotonic() - begin < 1
        assert second.silent is not None
        assert f"(pid {stuck}) hang and cannot be killed" in second.silent
        assert {type(sighting) for sighting in second.sightings} == {Unseen}
        assert len(second.sightings) == 3
        release(looker)
        assert not Path(f"/proc/{stuck}").exists()


class TestEndOfTheDaemon:
    """The daemon's end does not wait for a worker, and a worker does not outlive its use."""

    def test_a_worker_whose_reader_has_gone_ends(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2])
        program = (
            "import sys, datetime, pickle; from pathlib import Path\n"
            "from desgw_daemon.observe.looker import Looker\n"
            "root, requests = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
            "Looker(root=root, worker=sys.argv[2:]).look(requests,"
            " deadline=datetime.timedelta(minutes=10), answer_within=datetime.timedelta(minutes=1),"
            " calls_at_once=2, calls_per_second=0, max_stuck=1)\n"
        )
        asked = pickle.dumps((tmp_path, [request(exposure)])).hex()
        slow = disturbed(exposure.forcephoto, "delay_enter=1000000")
        daemon = subprocess.Popen([sys.executable, "-c", program, asked, *slow])
        workers: list[int] = []

        def started() -> bool:
            for task in Path(f"/proc/{daemon.pid}/task").iterdir():
                workers.extend(int(child) for child in (task / "children").read_text().split())
            return bool(workers)

        until(started)
        until(lambda: b"-P\0-m" in Path(f"/proc/{workers[0]}/cmdline").read_bytes())
        daemon.kill()
        daemon.wait()
        until(lambda: not Path(f"/proc/{workers[0]}").exists())


class TestWorkerThatFails:
    """A worker that fails, or is not the one it should be, is a problem in words, never an error."""

    def one(self, root: Path, *worker: str) -> Look:
        return look(root, request(Exposure(root, 900000), ccds=(1,)), worker=worker, deadline=5 * SECOND)

    def test_it_ends_with_words(self, tmp_path: Path) -> None:
        seen = self.one(tmp_path, "sh", "-c", "echo first >&2; echo no more memory >&2; exit 3")
        assert seen.silent == "the process that looks at /pnfs ended with 3: no more memory"
        assert len(only(seen, Unseen)) == 3
        assert not seen.stuck

    def test_it_is_not_there(self, tmp_path: Path) -> None:
        seen = self.one(tmp_path, str(tmp_path / "none"))
        assert seen.silent is not None
        assert "no process could be started" in seen.silent

    def test_it_speaks_another_language(self, tmp_path: Path) -> None:
        for words in ("hello", "{}", '{"is": "root"}', '{"is": "ccd", "id": 1, "at": 0, "calls": [0, 0, 0]}', "[]"):
            seen = self.one(tmp_path, "echo", words)
            assert seen.silent is not None
            assert "does not understand" in seen.silent
            assert "Restart the daemon" in seen.silent

    def test_half_a_line_is_no_line(self, tmp_path: Path) -> None:
        Exposure(tmp_path, 900000).make(CCDS[:1])
        seen = self.one(
            tmp_path, "sh", "-c", 'printf \'{"is": "root", "problem": null, "calls": [1, 0, 0]}\n{"is": "fold\''
        )
        assert seen.silent is None
        assert [sighting.problem for sighting in only(seen, Unseen)] == [
            "the process that looks at /pnfs ended with 0: no words"
        ] * 3

    def test_it_is_the_real_one_by_default(self) -> None:
        assert WORKER[0] == sys.executable


class TestSlowIsNotHanging:
    """The deadline is that of one call: a folder that takes many, each of which is answered, is seen."""

    def test_many_calls(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:20]).finish(CCDS[:20])
        seen = Looker(root=tmp_path).look(
            [request(exposure, folders=False, ccds=(1,))],
            deadline=20 * SECOND,
            answer_within=SECOND,
            calls_at_once=2,
            # 40 sizes are asked for, in twice the time that one call may take.
            calls_per_second=20,
            max_stuck=1,
        )
        assert not only(seen, Unseen)
        assert [len(files.files) for files in only(seen, ForcefilesSeen)] == [40]
