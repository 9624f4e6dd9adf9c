"""A night while /pnfs, or a folder of it, hangs: on a real mount, with the daemon as a process of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desgw_daemon.sandbox.scenario import Postproc
from tests.forms import LONG_FORM
from tests.hanging import SlowMount
from tests.night.house import House
from tests.night.results import finish_ccd, put_results

from .nights import (
    COMPRESSED,
    DEFAULT,
    behind_mount,
    complaints,
    house_of,
    is_up,
    night,
    now,
    polls_since,
    polls_until,
    run_of,
    told,
)

#: Two are under way; the third comes while everything hangs. The fourth is another season's, in post-processing.
FIRST, SECOND, LATE, OTHER = 938524, 938525, 938526, 938530
OTHER_SEASON = 2207


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[tuple[House, SlowMount]]:
    """A daemon under way that sees /pnfs through the mount: of two exposures two CCDs are to come."""
    house = house_of(tmp_path / "house", COMPRESSED, night(FIRST, SECOND, pace=COMPRESSED))
    for expnum in (FIRST, SECOND):
        put_results(house.sandbox, expnum, unfinished=[5, 6])
    with behind_mount(house, tmp_path / "mount", "pnfs") as mount:
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        seen = "SELECT 1 FROM v_exposure WHERE ccds_complete = 57"
        house.until(lambda: len(house.rows(seen)) == 2, "57 CCDs of each are seen")
        yield house, mount


def finish(house: House, *expnums: int) -> None:
    for expnum in expnums:
        for ccd in (5, 6):
            finish_ccd(house.sandbox, expnum, ccd)


def no_wrong_state(house: House) -> bool:
    """Whether no CCD was ever taken for anything but complete."""
    return {row["after"] for row in house.rows("SELECT after FROM v_history WHERE kind = 'ccd'")} == {"complete"}


#: Whether a signal ends what hangs; in the short form the worse of the two.
WAYS = {"as NFS": True, "unkillable": False} if LONG_FORM else {"unkillable": False}


@pytest.mark.soak
@pytest.mark.parametrize("killable", WAYS.values(), ids=WAYS)
def test_everything_hangs(tmp_path: Path, killable: bool, long_form: bool, counted: Callable[[str], None]) -> None:
    """In the middle of a night: people are told within two polls, the queue and post-processing go on, nothing is taken
    for what it is not, and with the first poll afterwards all is as it was. The long form: 10 minutes, in real time
    with the default settings.
    """
    pace = DEFAULT if long_form else COMPRESSED
    stays = Postproc(stops=(4, "before"))
    house = house_of(tmp_path / "house", pace, night(FIRST, LATE, OTHER, pace=pace, postproc=stays))
    put_results(house.sandbox, OTHER, season=OTHER_SEASON)
    with behind_mount(house, tmp_path / "mount", "pnfs") as mount:
        house.ok("queue", "adopt", "--season", str(OTHER_SEASON), "--yes")
        house.start()
        house.until(lambda: run_of(house, OTHER_SEASON) >= ("running", 3), "post-processing is under way")
        house.ok("queue", "add", str(FIRST), "--season", "2206")
        house.until(lambda: house.exposure(FIRST)["ccds_complete"] >= 5, "the first results")

        hung_at = now()
        mount.hang("pnfs", killable=killable)
        house.until(lambda: is_up(house, "pnfs_silent"), "an alert")
        polls_to_alert = polls_until(house, hung_at, "pnfs_silent", "raised_at")
        assert polls_to_alert <= 2
        known = house.exposure(FIRST)
        assert "/pnfs has been silent since" in house.ok("status")
        assert "not seen since" in house.ok("explain", str(FIRST))

        house.ok("queue", "add", str(LATE), "--season", "2206")
        house.order_postproc(stops=None)
        house.until(lambda: house.made(LATE) == 1, "a DAG is made")
        house.until(lambda: house.exposure(OTHER, OTHER_SEASON)["state"] == "done", "post-processing comes to its end")
        ended = "SELECT 1 FROM v_submission WHERE state = 'done'"
        house.until(lambda: len(house.rows(ended)) == 2, "both DAGs have run")
        house.until(lambda: len(polls_since(house, hung_at)) >= pace.hang, "the hang lasts")
        for poll in polls_since(house, hung_at)[polls_to_alert:]:
            assert poll["pnfs_problem"] is not None
        row = house.exposure(FIRST)
        counts = ("state", "ccds_complete", "ccds_pending", "ccds_lost", "as_of")
        assert [row[name] for name in counts] == [known[name] for name in counts]

        if not killable:
            # It waits for no process that cannot be killed, and the next one tells nobody anew.
            assert house.stop() < 10
            started_at = now()
            house.start()
            house.until(lambda: polls_since(house, started_at), "the first cycle of the next daemon")
            assert is_up(house, "pnfs_silent")

        released_at = now()
        mount.release()
        house.until(lambda: polls_since(house, released_at), "a poll")
        assert not is_up(house, "pnfs_silent")
        assert polls_until(house, released_at, "pnfs_silent", "cleared_at") <= 1
        first = polls_since(house, released_at)[0]
        assert (first["pnfs_problem"], first["unseen"]) == (None, 0)
        assert house.exposure(FIRST)["ccds_complete"] == 59
        assert house.exposure(FIRST)["unseen_since"] is None

        house.wait_for("done", FIRST, LATE)
        assert no_wrong_state(house)
        assert told(house, hung_at) == {"pnfs_silent"}
        assert len(house.alerts("pnfs_silent")) == 1
        hang = (released_at - hung_at).total_seconds()
        house.stop()
        assert complaints(house, tmp_path / "evidence", without=OTHER, season=OTHER_SEASON) == []
        counted(
            f"/pnfs hung for {hang:.0f} s ({hang / pace.poll.total_seconds():.0f} polls): the alert in poll"
            f" {polls_to_alert}, 1 DAG made, 2 DAGs and 1 run of post-processing ended meanwhile, seen again in poll"
            f" {polls_until(house, released_at, 'pnfs_silent', 'cleared_at')}"
        )


def test_one_folder_hangs(mounted: tuple[House, SlowMount]) -> None:
    """The others go on, and an alert names it."""
    house, mount = mounted
    (folder,) = mount.root.glob(f"pnfs/exp/*/{FIRST}")
    mount.hang(str(folder.relative_to(mount.root)), killable=False)
    finish(house, FIRST, SECOND)
    house.until(lambda: house.exposure(SECOND)["ccds_complete"] == 59, "the other one is seen")
    house.until(lambda: house.exposure(FIRST)["unseen_since"] is not None, "the one that hangs is unseen")
    house.until(lambda: is_up(house, "exposures_unseen"), "an alert")
    assert str(FIRST) in house.alerts("exposures_unseen")[0]["text"]
    assert not is_up(house, "pnfs_silent")
    assert house.exposure(FIRST)["ccds_complete"] == 57
    mount.release()
    house.wait_for("done", FIRST, SECOND)
    assert no_wrong_state(house)


def test_nothing_is_left_when_the_server_of_the_mount_dies(tmp_path: Path) -> None:
    """In the middle of a hang that nothing can kill: no daemon, no process that hangs, no mount."""
    house = house_of(tmp_path / "house", COMPRESSED, night(FIRST, pace=COMPRESSED))
    put_results(house.sandbox, FIRST, unfinished=[5])
    with behind_mount(house, tmp_path / "mount", "pnfs") as mount:
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        mount.hang(killable=False)
        house.until(lambda: house.rows("SELECT 1 FROM v_stuck_process"), "a process hangs")
        (stuck, *_) = [row["pid"] for row in house.rows("SELECT pid FROM v_stuck_process")]
        mount.end(signal.SIGKILL)
    assert house.daemon is not None and house.daemon.poll() is not None
    end = time.monotonic() + 10
    while Path(f"/proc/{stuck}").exists():
        assert time.monotonic() < end, f"{stuck} is still there"
        time.sleep(0.05)
    assert not (tmp_path / "mount").is_mount()
