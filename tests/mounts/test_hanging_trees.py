"""gw_workflow or Post-Processing hang in the middle of a night, in a way that not even SIGKILL ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from desgw_daemon.sandbox.scenario import Postproc
from tests.hanging import SlowMount
from tests.night.house import TREES, House
from tests.night.results import finish_ccd, put_results
from tests.units.listening import listening

from .nights import COMPRESSED, behind_mount, house_of, is_up, night, now, polls_since, polls_until, run_of

#: One is to be made, of another the results of two CCDs are to come, and a third is another season's.
NEW, WATCHED, OTHER = 938524, 938525, 938530
OTHER_SEASON = 2207


@dataclass(frozen=True, slots=True)
class Hanging:
    """A night whose trees the daemon finds by links: led to the mount, a tree hangs for the daemon; the pipeline's
    programs that are at work in it go on.
    """

    house: House
    mount: SlowMount

    def hang(self, *trees: str) -> None:
        """Nothing in these trees answers, and nothing frees whoever asks."""
        for tree in trees:
            self.mount.hang(tree, killable=False)
            self.house.lead(tree, self.mount.root / tree)

    def release(self) -> None:
        """All is as it was."""
        for tree in TREES.values():
            self.house.lead(tree, self.house.root / tree)
        self.mount.release()


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Hanging]:
    """Before the daemon is started."""
    stays = Postproc(stops=(4, "before"))
    house = house_of(tmp_path / "house", COMPRESSED, night(NEW, WATCHED, OTHER, pace=COMPRESSED, postproc=stays))
    put_results(house.sandbox, WATCHED, unfinished=[5, 6])
    put_results(house.sandbox, OTHER, season=OTHER_SEASON)
    house.find_trees_by_links()
    with behind_mount(house, tmp_path / "mount") as mount:
        for season in (2206, OTHER_SEASON):
            house.ok("queue", "adopt", "--season", str(season), "--yes")
        yield Hanging(house, mount)


def under_way(house: House) -> None:
    house.start()
    house.until(lambda: run_of(house, OTHER_SEASON) >= ("running", 3), "post-processing is under way")
    house.until(lambda: house.exposure(WATCHED)["ccds_complete"] == 57, "57 CCDs are seen")


def stopped_and_started(house: House) -> None:
    """While it hangs: the daemon ends within seconds, and a new one comes to the end of its first cycle."""
    assert house.stop() < 10
    started_at = now()
    house.start()
    house.until(lambda: polls_since(house, started_at), "the first cycle of the next daemon")
    assert 1 <= len(house.rows("SELECT 1 FROM v_stuck_process")) <= 3


def test_gw_workflow(hanging: Hanging) -> None:
    """Nothing is made, and everything else goes on."""
    house = hanging.house
    under_way(house)
    hanging.hang("gw_workflow")
    assert "wait until it can be" in house.ok("queue", "add", str(NEW), "--season", "2206")
    asked_at = now()
    house.until(lambda: is_up(house, "workflow_silent"), "an alert")
    assert polls_until(house, asked_at, "workflow_silent", "raised_at") <= 2
    for ccd in (5, 6):
        finish_ccd(house.sandbox, WATCHED, ccd)
    house.order_postproc(stops=None)
    house.wait_for("ready", WATCHED)
    house.until(lambda: house.exposure(OTHER, OTHER_SEASON)["state"] == "done", "post-processing comes to its end")
    assert "does not answer since" in str(house.exposure(NEW)["reason"])
    # Of people's commands none waits for it that is about the queue, or only shows something.
    for words in ("status", "plan", f"explain {NEW}", f"queue hold {NEW}", "queue list", f"queue release {NEW}"):
        house.ok(*words.split())
    stopped_and_started(house)
    assert is_up(house, "workflow_silent")
    assert house.made(NEW) == 0

    released_at = now()
    hanging.release()
    house.until(lambda: polls_since(house, released_at), "a poll")
    assert polls_until(house, released_at, "workflow_silent", "cleared_at") <= 1
    house.wait_for("done", NEW, WATCHED)
    assert house.made(NEW) == 1
    assert len(house.alerts("workflow_silent")) == 1


def test_post_processing(hanging: Hanging) -> None:
    """No run is taken for dead, and everything else goes on."""
    house = hanging.house
    under_way(house)
    hung_at = now()
    hanging.hang("Post-Processing")
    house.until(lambda: is_up(house, "postprocessing_silent"), "an alert")
    assert polls_until(house, hung_at, "postprocessing_silent", "raised_at") <= 2
    house.ok("queue", "add", str(NEW), "--season", "2206")
    for ccd in (5, 6):
        finish_ccd(house.sandbox, WATCHED, ccd)
    house.wait_for("ready", NEW, WATCHED)
    stopped_and_started(house)
    assert run_of(house, OTHER_SEASON)[0] == "running"
    assert is_up(house, "postprocessing_silent")

    released_at = now()
    hanging.release()
    house.until(lambda: polls_since(house, released_at), "a poll")
    assert polls_until(house, released_at, "postprocessing_silent", "cleared_at") <= 1
    house.order_postproc(stops=None)
    house.wait_for("done", NEW, WATCHED)
    assert run_of(house, OTHER_SEASON)[0] == "done"
    assert len(house.runs("run_postproc.py")) == 2
    assert len(house.alerts("postprocessing_silent")) == 1


def test_all_hang_at_the_start(hanging: Hanging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon is ready after its first cycle all the same, and goes on when they answer."""
    house = hanging.house
    house.order_postproc(stops=None)
    house.ok("queue", "add", str(NEW), "--season", "2206")
    hanging.hang(*TREES.values())
    with listening(str(tmp_path / "notify")) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        house.start()
        assert manager.until_field("READY") == "1"
        monkeypatch.delenv("NOTIFY_SOCKET")
    assert len(house.rows("SELECT 1 FROM v_poll WHERE ended_at IS NOT NULL")) <= 2
    house.until(lambda: is_up(house, "pnfs_silent") and is_up(house, "workflow_silent"), "both alerts")
    assert house.stop() < 10
    house.start()
    hanging.release()
    for ccd in (5, 6):
        finish_ccd(house.sandbox, WATCHED, ccd)
    house.wait_for("done", NEW, WATCHED)
    house.until(lambda: house.exposure(OTHER, OTHER_SEASON)["state"] == "done", "the other season's, too")
    assert house.made(NEW) == 1
