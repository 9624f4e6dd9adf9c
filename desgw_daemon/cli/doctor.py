"""`doctor`: whether all is there that a night needs. It changes nothing, and sends nothing."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from desgw_daemon.domain.checkup import Finding

#: On a terminal, by outcome.
_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "doctor",
        help="check all that a night needs",
        description="Check all that a night needs: folders, programs, credential, queue, database, channels ...\n"
        "Each check is OK, WARN (a night can run, and something may go wrong) or FAIL, with what to do.\n"
        "Exit code 1 when one is FAIL. Nothing is changed and nothing is sent; docs/doctor.md explains each check.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument("--quick", action="store_true", help="do not source the set-up script, which takes its time")


def run(args: argparse.Namespace) -> int:
    """Carry out `doctor`. Raises ConfigError."""
    from desgw_daemon.cli.config import refuse
    from desgw_daemon.cli.opening import utc_now
    from desgw_daemon.config.loading import load
    from desgw_daemon.config.locate import find_config
    from desgw_daemon.daemon.doctor.examine import examine
    from desgw_daemon.domain.checkup import Outcome, counts, worst
    from desgw_daemon.errors import ConfigError

    path = find_config(args.config)
    try:
        config = load(path).config
    except ConfigError as error:
        return refuse(path, error, as_json=args.json)
    now = utc_now()
    findings = examine(config, now=now, quick=args.quick)
    code = 1 if worst(findings) is Outcome.FAIL else 0
    if args.json:
        _print_json(findings, now, path)
    else:
        _print(findings)
        number = counts(findings)
        shown = ", ".join(f"{number[outcome]} {outcome.upper()}" for outcome in Outcome if number[outcome])
        verdict = {
            Outcome.OK: "a night has all that it needs",
            Outcome.WARN: "a night can run",
            Outcome.FAIL: "a night needs what fails",
        }[worst(findings)]
        print(f"\n{shown}: {verdict}")
    return code


def _print(findings: Sequence[Finding]) -> None:
    """What is well first, what fails last: that is what stands above the prompt."""
    from datetime import UTC, datetime
    from shutil import get_terminal_size

    from desgw_daemon.cli.output import print_lines
    from desgw_daemon.cli.screen import Screen
    from desgw_daemon.domain.checkup import Outcome

    screen = Screen(datetime.now(UTC), get_terminal_size().columns if os.isatty(1) else None)
    room = max(len(finding.name) for finding in findings)
    lines: list[tuple[str, str | None]] = []
    for outcome in Outcome:
        for finding in findings:
            if finding.outcome is not outcome:
                continue
            first = f"{outcome.upper():4}  {finding.name:{room}}  "
            lines.append((screen.wrapped(finding.text, first=first, indent=len(first)), _STYLES[outcome]))
            if finding.todo:
                arrow = f"{'':{len(first)}}-> "
                lines.append((screen.wrapped(finding.todo, first=arrow, indent=len(arrow)), None))
    print_lines(lines)


def _print_json(findings: Sequence[Finding], now: Any, path: Any) -> None:
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.domain.checkup import counts, worst

    print_json(
        {
            "at": now,
            "config": path,
            "outcome": worst(findings),
            "counts": counts(findings),
            "checks": [
                {"name": finding.name, "outcome": finding.outcome, "text": finding.text, "todo": finding.todo}
                for finding in findings
            ],
        }
    )
