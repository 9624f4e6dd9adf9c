"""Stand-in for the only thing that run_postproc.py needs of pandas: read_csv, and how it fails.

It is put on PYTHONPATH by diffimg_setup.sh, so that a run without that set-up dies at once.
"""

import csv
from pathlib import Path


class ParserError(ValueError):
    """A line has more fields than the first one."""


def read_csv(path: str | Path) -> list[list[str]]:
    """Rows of a CSV file, without its header; like the real one it trips over bytes that are no CSV."""
    with Path(path).open(encoding="latin-1", newline="") as stream:
        rows = list(csv.reader(stream))
    expected = len(rows[0]) if rows else 0
    for number, row in enumerate(rows, start=1):
        if len(row) > expected:
            raise ParserError(
                f"Error tokenizing data. C error: Expected {expected} fields in line {number}, saw {len(row)}"
            )
    return rows[1:]
