"""The service starts whatever the pipeline's trees are like: away, or behind a mount that hangs."""

from __future__ import annotations

import time

import pytest

from tests.units.inbox import hang_in
from tests.units.servicenight import NIGHT, SERVICE, Night

pytestmark = pytest.mark.slow


class TestTreesAreNoConditionOfAStart:
    """READY says that a cycle was finished: what cannot be seen is said, not waited for."""

    def test_away(self, quick_night: Night) -> None:
        """A mount that comes after the start is seen."""
        night, box = quick_night, quick_night.box
        night.configure('pnfs = "pnfs"', 'pnfs = "/pnfs/night"')
        night.systemctl("start")
        assert night.cycle == 1 and night.restarts == 0
        night.ask("queue", "add", f"{NIGHT}/lists/night_i.list", "--season", "2206", "--reuse", "2206")
        box.until("the status says so", lambda: "/pnfs silent for" in night.status)
        box.ok("mkdir", "-p", "/pnfs/night")
        box.ok("mount", "--bind", f"{NIGHT}/pnfs", "/pnfs/night")
        try:
            box.until(
                "CCDs are seen", lambda: night.rows("SELECT 1 FROM v_ccd WHERE state = 'complete' LIMIT 1") == [[1]]
            )
            box.until("the status says so", lambda: "silent for" not in night.status)
        finally:
            night.systemctl("stop")
            box.ok("umount", "-l", "/pnfs/night")  # a look may be under way
            box.ok("rmdir", "/pnfs/night", "/pnfs")

    def test_hanging(self, night: Night) -> None:
        """Both a tree that is only looked at and one that is written into, which systemd looks at before the start. Not
        even SIGKILL ends who waits for an answer of theirs.
        """
        box = night.box
        with hang_in(box, f"{NIGHT}/pnfs") as pnfs, hang_in(box, f"{NIGHT}/gw_workflow") as workflow:
            mounts = (pnfs, workflow)
            night.install()  # it names the folder above a mount
            night.ask("queue", "add", f"{NIGHT}/lists/night_i.list", "--season", "2206", "--reuse", "2206")
            for mount in mounts:
                mount.order(do="hang", under="", killable=False)
            night.systemctl("start")
            before = night.cycle
            assert before > 0 and night.restarts == 0
            box.until("the status says so", lambda: "silent for" in night.status)
            assert any(mount.order(do="state")["held"] for mount in mounts)
            box.until("cycles go on", lambda: night.cycle >= before + 2)
            begun = time.monotonic()
            night.systemctl("stop")
            assert time.monotonic() - begun < 15 and box.show(SERVICE, "Result") == "success"
            night.systemctl("start")
            for mount in mounts:
                mount.order(do="release")
            box.until("all is seen again", lambda: night.cycle > before + 2 and "silent for" not in night.status)
            night.systemctl("stop")
