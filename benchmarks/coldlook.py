"""A cold look at 60 exposures on a mount where every call takes 2 ms, with the defaults of the configuration.

    python -m benchmarks.coldlook [--exposures 60] [--ms 2]

The mount is tests/slowfs.py (root), which remembers as an NFS client does. The floor is the time that its round
trips take when calls_at_once of them are under way at every moment. The peer is the time that as many bare
questions would take, calls_at_once at a time, by 800 asked before and 800 after the look: on a busy machine the mount
itself is late.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from desgw_daemon.config.sections import Poll
from tests.hanging import slow_mount
from tests.observe.tree import CCDS, Exposure, look, request

#: Questions of the peer, each time: a fifth of a second on a quiet machine.
QUESTIONS = 800


def main() -> None:
    """Build the tree, look at it through the mount, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--exposures", type=int, default=60)
    arguments.add_argument("--ms", type=float, default=2.0)
    given = arguments.parse_args()
    at_once = Poll().calls_at_once
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        exposures = [Exposure(place / "pnfs", 900000 + n).make() for n in range(given.exposures)]
        for exposure in exposures:
            exposure.finish(CCDS[:-7])
        requests = [request(exposure, n) for n, exposure in enumerate(exposures)]
        with slow_mount(place / "pnfs", place / "slow", ms=given.ms, nfs=True) as mount:
            peer = bare(mount.root, at_once, "before")
            mount.reset()
            begin = time.perf_counter()
            seen = look(mount.root, *requests, calls_at_once=at_once, deadline=timedelta(minutes=5))
            seconds = time.perf_counter() - begin
            counts = mount.counts
            peer = (peer + bare(mount.root, at_once, "after")) / 2
    assert not seen.stuck, seen.silent
    calls = sum(counts.values())
    print(f"{given.exposures} exposures of {len(CCDS)} CCDs, {given.ms:g} ms a round trip, {at_once} at once\n")
    print("round trips  " + ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())))
    print(f"calls        {calls}")
    print(f"seconds      {seconds:.2f}")
    print(f"peer         {calls * peer:.2f}")
    print(f"floor        {calls * given.ms / 1e3 / at_once:.2f}")


def bare(root: Path, at_once: int, name: str) -> float:
    """Seconds for each of many questions about names that are not there, so many at a time."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        found = threads.map(Path.exists, [root / f"{name}{n}" for n in range(QUESTIONS)])
        assert not any(found)
    return (time.perf_counter() - begin) / QUESTIONS


if __name__ == "__main__":
    main()
