"""The arguments that name exposures, for argparse. Must cost nothing to import: every command pays for it."""

from __future__ import annotations

import argparse


def add_filters(parser: argparse.ArgumentParser, *, expnum: str | None) -> None:
    """Describe EXPNUM (`expnum`: its nargs), --season, --nite and --json."""
    parser.add_argument("expnum", nargs=expnum, metavar="EXPNUM", help="exposure number")
    parser.add_argument("--season", metavar="N", help="only this season")
    parser.add_argument("--nite", metavar="YYYYMMDD", help="only this nite")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
