"""Stand-in for the only thing that run_postproc.py needs of pandas: read_csv, and how it fails.

It is put on PYTHONPATH by diffimg_setup.sh, so that a run without that set-up dies at once.
"""

import csv
from pathlib import Path


class ParserError(ValueError):
    """A line has more fields than the first one."""


class EmptyDataError(ValueError):
    """There is not even a header."""


def read_csv(path: str | Path, *, delim_whitespace: bool = False) -> list[list[str]]:
    """Rows of a CSV file, without its header; like the real one it trips over bytes that are no CSV."""
    with Path(path).open(encoding="latin-1", newline="") as stream:
        rows = [line.split() for line in stream] if delim_whitespace else list(csv.reader(stream))
    if not any(rows):
        raise EmptyDataError("No columns to parse from file")
    expected = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) > expected:
            raise ParserError(
                f"Error tokenizing data. C error: Expected {expected} fields in line {number}, saw {len(row)}"
            )
    return rows[1:]
