"""Faults of the mounts that the trees are on: one hangs, or answers with an error."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

from tests.hanging import SlowMount, slow_mount

from .fault import Fault, short_night
from .night import DrillNight

#: A call hangs after this, and the night's polls are not much later for it.
_QUICKLY: Final = {"poll.answer_within": '"1 s"'}
#: The results of the first exposure must still be coming in when it happens: else nothing is looked at.
_SLOW: Final = short_night(job=600)
_FIRST: Final = "pnfs/exp/20200304/938524"


def _broken(break_it: Callable[[SlowMount], None], tree: str, rule: str) -> Callable[[DrillNight], None]:
    """Only the daemon sees the tree through the mount: the pipeline's programs are at work elsewhere."""

    def happens(night: DrillNight) -> None:
        mountpoint = night.house.root.parent / "mount"
        with slow_mount(night.house.root, mountpoint) as mount:
            night.middle()
            break_it(mount)
            back = night.leads(tree, mount.root / tree)
            night.breaks()
            try:
                night.told(rule, within=30)
                night.house.cycles(3)
            finally:
                night.heals()
                back()

    return happens


def _fails(error: int, under: str) -> Callable[[SlowMount], None]:
    return lambda mount: mount.fail(under, error=error)


FAULTS: Final = (
    Fault(
        name="pnfs-hangs",
        what="/pnfs hangs: no call comes back",
        alert="pnfs_silent",
        happens=_broken(lambda mount: mount.hang("pnfs"), "pnfs", "pnfs_silent"),
        settings=_QUICKLY,
        scenario=_SLOW,
    ),
    Fault(
        name="pnfs-hangs-for-good",
        what="/pnfs hangs, and not even SIGKILL frees a process from it",
        alert="pnfs_silent",
        happens=_broken(lambda mount: mount.hang("pnfs", killable=False), "pnfs", "pnfs_silent"),
        settings=_QUICKLY,
        scenario=_SLOW,
    ),
    Fault(
        name="pnfs-eio",
        what="/pnfs answers every call with an error (EIO)",
        alert="pnfs_silent",
        happens=_broken(_fails(errno.EIO, "pnfs"), "pnfs", "pnfs_silent"),
        scenario=_SLOW,
    ),
    Fault(
        name="pnfs-stale",
        what="/pnfs was exported anew: a stale handle (ESTALE)",
        alert="pnfs_silent",
        happens=_broken(_fails(errno.ESTALE, "pnfs"), "pnfs", "pnfs_silent"),
        scenario=_SLOW,
    ),
    Fault(
        name="folder-hangs",
        what="the folder of one exposure on /pnfs hangs",
        alert="exposures_unseen",
        happens=_broken(lambda mount: mount.hang(_FIRST), "pnfs", "exposures_unseen"),
        settings=_QUICKLY | {"poll.aside_at_most": '"1 s"'},
        scenario=_SLOW,
    ),
    Fault(
        name="folder-forbidden",
        what="nobody may read the folder of one exposure on /pnfs (EACCES)",
        alert="exposures_unseen",
        happens=_broken(_fails(errno.EACCES, _FIRST), "pnfs", "exposures_unseen"),
        scenario=_SLOW,
    ),
    Fault(
        name="workflow-hangs",
        what="gw_workflow hangs",
        alert="workflow_silent",
        happens=_broken(lambda mount: mount.hang("gw_workflow"), "gw_workflow", "workflow_silent"),
        settings=_QUICKLY,
        # The jobs of the grid have copies of their programs with them.
        queue="paper",
    ),
    Fault(
        name="postprocessing-hangs",
        what="Post-Processing hangs",
        alert="postprocessing_silent",
        happens=_broken(lambda mount: mount.hang("Post-Processing"), "Post-Processing", "postprocessing_silent"),
        settings=_QUICKLY,
    ),
)
