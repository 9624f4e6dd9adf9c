"""A night while /pnfs, or a folder of it, hangs: on a real mount, with the daemon as a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hanging import SlowMount, slow_mount
from tests.night.house import House, night_of, planned
from tests.night.results import finish_ccd, put_results

#: Two are under way; the third comes while everything hangs.
FIRST, SECOND, LATE = 938524, 938525, 938526


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[tuple[House, SlowMount]]:
    """A daemon under way that sees /pnfs through the mount: of two exposures two CCDs are to come."""
    settings = {
        "poll.interval": '"1 s"',
        "poll.answer_within": '"2 s"',
        "poll.look_deadline": '"10 s"',
        # As a poll of a minute is to the catalogue's minute.
        "alerts.rules": '{ pnfs_silent = { after = "1 s" }, exposures_unseen = { after = "2 s" } }',
    }
    house = House(tmp_path / "house", night_of(planned(FIRST), planned(SECOND), planned(LATE), job=50), settings)
    for expnum in (FIRST, SECOND):
        put_results(house.sandbox, expnum, unfinished=[5, 6])
    with slow_mount(house.sandbox.pnfs, tmp_path / "mount") as mount:
        house.configure("paths.pnfs", f'"{mount.root}"')
        try:
            house.ok("queue", "adopt", "--season", "2206", "--yes")
            house.start()
            seen = "SELECT 1 FROM v_exposure WHERE ccds_complete = 57"
            house.until(lambda: len(house.rows(seen)) == 2, "57 CCDs of each are seen")
            yield house, mount
        finally:
            mount.release()
            house.close()


def finish(house: House, *expnums: int) -> None:
    for expnum in expnums:
        for ccd in (5, 6):
            finish_ccd(house.sandbox, expnum, ccd)


def is_up(house: House, rule: str) -> bool:
    return any(alert["cleared_at"] is None for alert in house.alerts(rule))


def polls(house: House) -> int:
    return len(house.rows("SELECT id FROM v_poll"))


def no_wrong_state(house: House) -> bool:
    """Whether no CCD was ever taken for anything but complete."""
    return {row["after"] for row in house.rows("SELECT after FROM v_history WHERE kind = 'ccd'")} == {"complete"}


@pytest.mark.parametrize("killable", [True, False], ids=["as NFS", "unkillable"])
def test_everything_hangs(mounted: tuple[House, SlowMount], killable: bool) -> None:
    """People are told within two polls, the queue goes on, nothing is taken for what it is not, and it recovers."""
    house, mount = mounted
    before = polls(house)
    mount.hang(killable=killable)
    house.until(lambda: is_up(house, "pnfs_silent"), "an alert")
    # The cycle under way when it began to hang is not counted.
    assert polls(house) - before <= 3
    assert "/pnfs has been silent since" in house.ok("status")
    house.ok("queue", "add", str(LATE), "--season", "2206")
    house.until(lambda: house.made(LATE) == 1, "a DAG is made")
    finish(house, FIRST, SECOND)
    for expnum in (FIRST, SECOND):
        row = house.exposure(expnum)
        assert (row["state"], row["ccds_complete"], row["ccds_pending"]) == ("processing", 57, 2)
    mount.release()
    house.until(lambda: not is_up(house, "pnfs_silent"), "the alert is over")
    house.wait_for("done", FIRST, SECOND, LATE)
    assert house.made(LATE) == 1
    assert no_wrong_state(house)


def test_one_folder_hangs(mounted: tuple[House, SlowMount]) -> None:
    """The others go on, and an alert names it."""
    house, mount = mounted
    (folder,) = mount.root.glob(f"exp/*/{FIRST}")
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


def test_the_daemon_ends_all_the_same(mounted: tuple[House, SlowMount]) -> None:
    """It waits for no process that cannot be killed."""
    house, mount = mounted
    mount.hang(killable=False)
    house.until(lambda: is_up(house, "pnfs_silent"), "an alert")
    begun = time.monotonic()
    house.stop()
    assert time.monotonic() - begun < 10
    mount.release()
    finish(house, FIRST, SECOND)
    house.start()
    house.wait_for("done", FIRST, SECOND)
