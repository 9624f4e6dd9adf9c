"""`make drill`: every fault, one by one, each in a night of its own; the table goes to docs/drill.md.

python -m tests.drill [--only NAME ...] [--at-once N]; with --only nothing is written.
"""

from __future__ import annotations

import argparse
import sys

from .catalogue import FAULTS
from .run import drill
from .table import PAGE, line, page


def main() -> int:
    """Returns 1 when a fault was not told rightly, or its night did not end rightly."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="nights at the same time (2)")
    args = parser.parse_args()
    faults = [fault for fault in FAULTS if args.only is None or fault.name in args.only]
    outcomes = {}
    for outcome in drill(faults, at_once=args.at_once):
        outcomes[outcome.fault.name] = outcome
        print(line(outcome), flush=True)
    ordered = [outcomes[fault.name] for fault in faults]
    good = sum(outcome.good for outcome in ordered)
    print(f"{good} of {len(ordered)} faults were told once and their nights ended rightly")
    if args.only is None:
        PAGE.write_text(page(ordered))
        print(f"written: {PAGE}")
    return 0 if good == len(ordered) else 1


if __name__ == "__main__":
    sys.exit(main())
