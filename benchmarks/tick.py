"""What a tick of the real program costs on /pnfs: system calls counted by strace, beside the floor.

    python -m benchmarks.tick [--exposures 60]

The exposures have been submitted by somebody else and are adopted; the first tick is the first look at them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.cost.counted import CALLS_A_LISTING, COLD_LISTINGS, FILES_A_CCD, UNSETTLED, Cost, Watched

#: Calls of the old script for an exposure and pass, changed or not.
OLD_SCRIPT = (805, 980)
FINISHED = 10


def main() -> None:
    """Build the tree, adopt it, tick, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--exposures", type=int, default=60)
    number: int = arguments.parse_args().exposures
    with tempfile.TemporaryDirectory() as place:
        watched = Watched(Path(place) / "night", number)
        watched.adopt()
        print(f"{number} exposures, 59 CCDs each, {len(UNSETTLED)} of them unsettled. System calls under the root:\n")
        print(f"{'tick':<28}{'calls':>8}{'floor':>8}{'ratio':>7}   {'listings, stats, reads in poll / by strace'}")
        files = number * FILES_A_CCD * (59 - len(UNSETTLED))
        line("cold", watched.tick(), number * COLD_LISTINGS * CALLS_A_LISTING + files)
        warm = number * (len(UNSETTLED) + 1) * CALLS_A_LISTING
        line("warm, nothing changed", watched.tick(), warm)
        for exposure in watched.exposures[:FINISHED]:
            exposure.finish(UNSETTLED[:1])
        line("warm, ten CCDs finished", watched.tick(), warm + FINISHED * FILES_A_CCD)
        for exposure in watched.exposures:
            exposure.finish(UNSETTLED)
        rest = number * len(UNSETTLED) - FINISHED
        line("the rest finished", watched.tick(), (rest + number) * CALLS_A_LISTING + rest * FILES_A_CCD)
        line("everything settled", watched.tick(), 0)
    low, high = (number * calls for calls in OLD_SCRIPT)
    print(f"\nThe floor is 5 calls a listing and one stat a file. The old script: {low} to {high} calls a pass.")


def line(name: str, cost: Cost, floor: int) -> None:
    """One row."""
    ratio = f"{cost.total / floor:.3f}" if floor else "-"
    told = f"{cost.listings} {cost.stats} {cost.reads}"
    seen = f"{cost.seen_listings} {cost.seen_stats} {cost.files_opened}"
    print(f"{name:<28}{cost.total:>8}{floor:>8}{ratio:>7}   {told} / {seen}", flush=True)


if __name__ == "__main__":
    main()
