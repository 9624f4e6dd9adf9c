"""Folders that come and go while the real program looks at them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.observe.tree import CCDS, Exposure

from .place import CONFIG, Place

#: Results appear in a CCD's folder and vanish with it, as fast as the disk can; says when it has begun.
_REMOVER = """
import itertools, os, shutil, sys
folder, forcephoto, band, nite, expnum = sys.argv[1:]
print("begun", flush=True)
for turn in itertools.count():
    for ccd in range(3, 31):
        place = f"{folder}/{band}_{ccd:02d}"
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place)
        open(f"{place}/outputs_dp2206_{nite}_{expnum}_{band}_{ccd:02d}.tar.gz.part", "w").close()
        open(f"{place}/RUN18_x.FAIL.part", "w").close()
    shutil.rmtree(forcephoto, ignore_errors=True)
    if turn % 3 == 0:
        os.rename(folder, folder + ".away")
        os.rename(folder + ".away", folder)
    os.makedirs(forcephoto)
"""


@contextmanager
def coming_and_going(exposure: Exposure) -> Iterator[None]:
    """Take the folders of an exposure away and bring them back, all the time."""
    words = (exposure.folder, exposure.forcephoto, exposure.band, exposure.nite, exposure.expnum)
    command = [sys.executable, "-c", _REMOVER, *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as remover:
        assert remover.stdout is not None
        remover.stdout.readline()
        try:
            yield
        finally:
            ended = remover.poll()
            remover.kill()
        assert ended is None, "it did not go on until the end"


class TestComingAndGoing:
    """A folder that vanishes in the middle of a look makes no CCD complete or failed, and holds up no other."""

    def test_ticks_while_folders_vanish(self, tmp_path: Path) -> None:
        place = Place(tmp_path / "place")
        steady, restless = place.exposure(), Exposure(place.pnfs, 900099).make()
        place.adopt()
        with coming_and_going(restless):
            for _ in range(3):
                place.ok("tick")
        assert place.shown(steady)["state"] == "ready"
        assert place.shown(restless)["state"] == "processing"
        states = {row["state"] for row in place.rows("SELECT state FROM v_ccd WHERE expnum = ?", restless.expnum)}
        assert states <= {"pending", "missing"}
        assert place.rows("SELECT count(*) AS looks FROM v_poll WHERE pnfs_problem IS NULL") == [{"looks": 3}]

    def test_results_that_vanish_are_doubted(self, tmp_path: Path) -> None:
        """What was seen stays, and the exposure says since when it is not shown any more."""
        place = Place(tmp_path / "place", config=CONFIG + '[poll]\nrecheck = "10 ms"\n')
        exposure = place.exposure()
        place.adopt()
        place.ok("tick")
        assert place.shown(exposure)["ccds_complete"] == 59
        for ccd in CCDS[:10]:
            exposure.ccd(ccd).rename(place.folder / f"away{ccd}")
        place.ok("tick")
        shown = place.shown(exposure)
        assert shown["ccds_complete"] == 59
        assert "the folder of i_01 held results and is shown empty (and 9 more)" in shown["unseen_problem"]
