"""What looking exposures up in exposures.list costs, beside one pass of awk over the same file.

python -m benchmarks.lookup [--lines 1200000]
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from desgw_daemon.observe.exposures_list import ExposuresList

FIRST = 182809
WANTED = 300


def main() -> None:
    """Write a list as long as the real one, and ask."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--lines", type=int, default=1_200_000)
    lines = arguments.parse_args().lines
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exposures.list"
        write(path, lines, chance)
        wanted = chance.sample(range(FIRST, FIRST + lines), WANTED)
        print(f"{lines} lines, {path.stat().st_size / 1e6:.0f} MB; {WANTED} exposures wanted (seconds):")
        numbers = Path(folder) / "wanted"
        numbers.write_text("".join(f"{number}\n" for number in wanted))
        awk = [
            "awk",
            "NR == FNR { wanted[$1]; next } $1 in wanted { found++ } END { print found }",
            str(numbers),
            str(path),
        ]
        show("awk, one pass", lambda: int(subprocess.run(awk, stdout=subprocess.PIPE, check=True).stdout))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        listing = ExposuresList(path)
        show("first lookup, one pass", lambda: len(listing.lookup(wanted).found))
        show("the same again", lambda: len(listing.lookup(wanted).found))
        show("a number that is not there", lambda: len(listing.lookup([99]).found))
        show("the same again", lambda: len(listing.lookup([99]).found))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"Memory: {grown / 1024:.1f} MB more than before.")


def write(path: Path, lines: int, chance: random.Random) -> None:
    with path.open("w") as file:
        file.write(" EXPNUM NITE MJD_OBS RADEG DECDEG BAND EXPTIME PROPID OBSTYPE TEFF OBJECT\n")
        for expnum in range(FIRST, FIRST + lines):
            band = chance.choice("ugrizY")
            file.write(
                f"{expnum:8d}  20211004  59492.347917   93.967875 -21.691360 {band:>6}  {50.0:7.2f}  2021A-0275  object"
                f"    1.10         257.F.a\n"
            )


def show(name: str, ask: Callable[[], int]) -> None:
    begin = time.perf_counter()
    found = ask()
    print(f"  {name:<30}{found:>5} found{time.perf_counter() - begin:>9.3f}")


if __name__ == "__main__":
    main()
