"""What jobsub's own words of a job mean on a plain HTCondor pool. Pure: words in, lines of a submit description out.

What has no meaning there (groups, roles, sites, Fermilab's storage...) is named, not guessed at.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

#: Short forms of options that mean something here.
_LONG: Final = {
    "-l": "--lines",
    "-e": "--environment",
    "-c": "--append_condor_requirements",
    "--append-condor-requirements": "--append_condor_requirements",
    "--overwrite-condor-requirements": "--overwrite_condor_requirements",
}
#: Options of jobsub_lite that take no value; any other takes the next word, unless it has its own after "=".
_FLAGS: Final = frozenset(
    {
        "-n",
        "-Q",
        "--mail_never",
        "--mail_on_error",
        "--mail_always",
        "--no-singularity",
        "--no-env-cleanup",
        "--verbose",
    }
    | {"--use-pnfs-dropbox", "--use-cvmfs-dropbox", "--generate-email-summary", "--debug", "--managed-token"}
)
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_TIME: Final = re.compile(r"(\d+)\s*([smhd]?)[a-z]*", re.ASCII | re.IGNORECASE)
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
#: jobsub's words for lengths of jobs.
_NAMED_TIMES: Final = {"short": 3 * 3600, "medium": 8 * 3600, "long": 23 * 3600 + 2400}
#: An attribute of the job's ad: the only line of a submit description that is taken from outside.
_ATTRIBUTE: Final = re.compile(r"\+[A-Za-z_][A-Za-z0-9_]*\s*=\s*[^\n]+", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(slots=True)
class Meaning:
    """lines: of the submit description. environment: what the job gets. dropped: words without a meaning, by option."""

    lines: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)


def meaning_of(options: tuple[str, ...], env: Mapping[str, str]) -> Meaning:
    """What to carry over. env: where `-e NAME` finds its value."""
    found = Meaning()
    requirements: list[str] = []
    for option, value in _pairs(options):
        match option:
            case "-N" | "-n":
                pass  # the count, and a word of DAGMaker's without an effect
            case "--memory" if amount := _amount(value, "MB"):
                found.lines.append(f"request_memory = {amount}")
            case "--disk" if amount := _amount(value, "KB"):
                found.lines.append(f"request_disk = {amount}")
            case "--cpu" if value.isascii() and value.isdigit():
                found.lines.append(f"request_cpus = {value}")
            case "--expected-lifetime" if seconds := _seconds(value):
                found.lines.append(f"+JOB_EXPECTED_MAX_LIFETIME = {seconds}")
            case "--timeout" if seconds := _seconds(value):
                running = "time() - JobCurrentStartDate"
                found.lines.append(f"periodic_remove = JobStatus == 2 && {running} > {seconds}")
            case "--lines" if _ATTRIBUTE.fullmatch(value.strip()):
                found.lines.append(value.strip())
            case "--environment" if _NAME.fullmatch(value.partition("=")[0]):
                name, given, text = value.partition("=")
                if given or name in env:
                    found.environment[name] = text if given else env[name]
            case "--append_condor_requirements" | "--overwrite_condor_requirements" if "\n" not in value:
                requirements.append(f"({value})")
            case _:
                found.dropped[option] = value
    if requirements:
        found.lines.append(f"requirements = {' && '.join(requirements)}")
    return found


def _pairs(options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(option, value). A value may hold blanks in quotes, which were cut at the blanks: put together again first."""
    text = " ".join(options)
    try:
        words = iter(shlex.split(text))
    except ValueError:
        words = iter(options)
    for word in words:
        name, given, value = word.partition("=")
        if not word.startswith("-"):
            yield word, ""
        elif given and word.startswith("--"):
            yield _LONG.get(name, name), value
        elif word in _FLAGS:
            yield word, ""
        else:
            yield _LONG.get(word, word), next(words, "")


def _amount(text: str, unit: str) -> str | None:
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return None
    return f"{found[1]} {found[2].upper() + 'B' if found[2] else unit}"


def _seconds(text: str) -> int | None:
    if text in _NAMED_TIMES:
        return _NAMED_TIMES[text]
    found = _TIME.fullmatch(text)
    return None if found is None else int(found[1]) * _SECONDS[found[2].lower()]
