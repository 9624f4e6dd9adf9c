"""What a look at /pnfs costs: system calls counted with strace beside the floor, and times beside a peer.

    python -m benchmarks.look [--exposures 60] [--slowfs "COMMAND"]

COMMAND BACKING MOUNTPOINT shows a tree on a mount whose every call takes some time, until it is ended;
without it the times on a slow mount are not measured.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from desgw_daemon.domain.facts import CcdSeen, ForcefilesSeen, Look, LookRequest
from tests.observe.traced import calls_under, counted
from tests.observe.tree import CCDS, Exposure, look, request

Way = Callable[[Path, list[Exposure]], tuple[int, float]]

#: The floor for each exposure of a cold look, and the old script.
LISTINGS, CALLS_A_LISTING, OLD_SCRIPT = 61, 5, "805 to 980"
#: The CCDs of each exposure that have not come to an end in the warm looks.
UNSETTLED = CCDS[-7:]


def main() -> None:
    """Build the tree, look, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--exposures", type=int, default=60)
    arguments.add_argument("--slowfs", type=shlex.split)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        root = place / "pnfs"
        exposures = [Exposure(root, 900000 + n).make() for n in range(given.exposures)]
        for exposure in exposures:
            exposure.finish(ccd for ccd in CCDS if ccd not in UNSETTLED)
        count(place, root, exposures)
        measure(root, exposures)
        if given.slowfs is None:
            print("\nSlow mount: not measured (no --slowfs).")
        else:
            measure_slow(given.slowfs, place, root, exposures)


def count(place: Path, root: Path, exposures: list[Exposure]) -> None:
    """System calls of a cold and two warm looks, seen from outside."""
    number = len(exposures)
    print(f"{number} exposures, 59 CCDs each, {len(UNSETTLED)} of them unsettled. System calls under the root:\n")
    print(f"{'look':<42}{'calls':>8}{'of which stats':>16}{'floor':>8}{'ratio':>7}")
    cold = tuple(request(exposure, n) for n, exposure in enumerate(exposures))
    stats = number * 3 * (59 - len(UNSETTLED))
    seen, calls = counted_look(place / "cold", root, cold)
    line("cold", calls, seen, number * LISTINGS * CALLS_A_LISTING + stats)
    known = {n: frozenset(sizes(seen, n)) for n in range(number)}
    warm = tuple(
        request(exposure, n, folders=False, ccds=UNSETTLED, known_sizes=known[n])
        for n, exposure in enumerate(exposures)
    )
    floor = number * (len(UNSETTLED) + 1) * CALLS_A_LISTING
    seen, calls = counted_look(place / "warm", root, warm)
    line("warm, nothing changed", calls, seen, floor)
    for exposure in exposures[:10]:
        exposure.finish(UNSETTLED[:1])
    seen, calls = counted_look(place / "finished", root, warm)
    line("warm, ten CCDs finished", calls, seen, floor + 10 * 3)
    print(f"\nThe floor is 5 calls a listing and one stat a file. The old script: {OLD_SCRIPT} an exposure and pass.")


def line(name: str, calls: Counter[str], seen: Look, floor: int) -> None:
    total = calls.total()
    print(f"{name:<42}{total:>8}{seen.calls.stats:>16}{floor:>8}{total / floor:>7.3f}")


def counted_look(log: Path, root: Path, requests: tuple[LookRequest, ...]) -> tuple[Look, Counter[str]]:
    seen = look(root, *requests, worker=counted(log), deadline=timedelta(minutes=5))
    return seen, calls_under(log, root)


def sizes(seen: Look, exposure_id: int) -> Iterable[str]:
    """Names whose size is known after a look."""
    for sighting in seen.sightings:
        if sighting.exposure_id == exposure_id and isinstance(sighting, ForcefilesSeen):
            yield from (file.name for file in sighting.files if file.size)
        if sighting.exposure_id == exposure_id and isinstance(sighting, CcdSeen):
            yield from (file.name for file in sighting.tarballs if file.size)


def measure(root: Path, exposures: list[Exposure]) -> None:
    """Times on this disk: the start of a worker, and a whole cold look beside the same calls in one loop."""
    starts = sorted(
        look(root, request(exposures[0], forcefiles=False, folders=False, ccds=(1,))).seconds for _ in range(9)
    )
    bare = sorted(timed_start() for _ in range(9))
    print(f"\nA look at one CCD: {1e3 * starts[4]:.0f} ms; an interpreter that does nothing: {1e3 * bare[4]:.0f} ms.")
    print("\nCold look, this disk (seconds):")
    for name, way in WAYS:
        show(name, way(root, exposures))


def timed_start() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begin


def by_worker(calls_at_once: int) -> Way:
    """A cold look with so many calls at once."""

    def way(root: Path, exposures: list[Exposure]) -> tuple[int, float]:
        requests = (request(exposure, n) for n, exposure in enumerate(exposures))
        seen = look(root, *requests, calls_at_once=calls_at_once, deadline=timedelta(minutes=10))
        assert not seen.stuck
        return seen.calls.listings + seen.calls.stats, seen.seconds

    return way


def one_loop(root: Path, exposures: list[Exposure]) -> tuple[int, float]:
    """The peer: the same listings and stats, one after another."""
    begin = time.perf_counter()
    calls = 0
    for exposure in (Exposure(root, exposure.expnum) for exposure in exposures):
        with os.scandir(exposure.forcephoto) as entries:
            calls += 1 + sum(entry.stat(follow_symlinks=False).st_size > 0 for entry in entries)
        with os.scandir(exposure.folder) as entries:
            folders = [entry.path for entry in entries]
        calls += 1
        for folder in folders:
            with os.scandir(folder) as entries:
                tarballs = [entry for entry in entries if entry.name.startswith("outputs_")]
                calls += 1 + sum(entry.stat(follow_symlinks=False).st_size > 0 for entry in tarballs)
    return calls, time.perf_counter() - begin


def measure_slow(command: list[str], place: Path, root: Path, exposures: list[Exposure]) -> None:
    """The same on a slow mount, mounted afresh each time so that the kernel remembers nothing of it."""
    print(f"\nCold look, {' '.join(command[1:]) or 'slow mount'} (seconds):")
    mountpoint = place / "slow"
    mountpoint.mkdir()
    for name, way in WAYS:
        server = subprocess.Popen([*command, root, mountpoint], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not mountpoint.is_mount():
                if server.poll() is not None:
                    print(f"  not measured: the mount ended with {server.returncode}")
                    return
                time.sleep(0.05)
            show(name, way(mountpoint, exposures))
        finally:
            server.terminate()
            server.wait()


def show(name: str, outcome: tuple[int, float]) -> None:
    """One line of a table of times."""
    calls, seconds = outcome
    print(f"  {name:<28}{calls:>7} calls{seconds:>9.2f}")


WAYS: tuple[tuple[str, Way], ...] = (
    ("one loop, no worker", one_loop),
    *((f"worker, {calls} at once", by_worker(calls)) for calls in (1, 8, 16)),
)

if __name__ == "__main__":
    main()
