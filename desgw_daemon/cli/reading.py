"""What the reading commands begin with: where the database is, and reading its views without touching anything else.

Must stay light: neither SQLModel nor pydantic is imported here, and nothing of the pipeline's trees is looked at.
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from desgw_daemon.config.locate import find_config, parse_text, read_text, state_folder
from desgw_daemon.config.spans import parse_span
from desgw_daemon.domain.policy import Policy
from desgw_daemon.errors import DesgwError, Refused, UsageError
from desgw_daemon.report.status import Scope
from desgw_daemon.store.readonly import BUSY_TIMEOUT, is_immutable, reading_uri, why_not_read

if TYPE_CHECKING:
    from desgw_daemon.report.statustypes import ExposureStatus

T = TypeVar("T")

#: A file that changes under a reader that could not know is read again so often.
_TRIES: Final = 5


#: What the reading commands speak of, by its key in daemon.toml. The other numbers of their policy are the usual ones.
_SPOKEN_OF: Final = {
    "poll.interval": "poll_interval",
    "dagmaker.max_at_once": "dagmaker_max_at_once",
    "submit.max_in_flight": "submit_max_in_flight",
    "readiness.min_complete_ccds": "min_complete_ccds",
    "readiness.min_forcefile_fraction": "min_forcefile_fraction",
    "readiness.grace_after_dag": "grace_after_dag",
    "readiness.dag_deadline": "dag_deadline",
    "readiness.adopted_deadline": "adopted_deadline",
    "postproc.auto": "postproc_auto",
    "postproc.quiet_for": "postproc_quiet_for",
    "postproc.first_within": "postproc_first_within",
}


class Place(NamedTuple):
    """The database, and the numbers of daemon.toml that the reading commands speak of."""

    database: Path
    policy: Policy


def scope_of(args: argparse.Namespace) -> Scope:
    """What the command line asks for. Raises UsageError."""
    from desgw_daemon.cli.opening import exposure_number

    if args.nite is not None:
        # The grammar of names takes its time to be compiled.
        from desgw_daemon.domain.names import is_nite

        if not is_nite(args.nite):
            raise UsageError(f"--nite {args.nite!r}: a nite is a day written YYYYMMDD, such as 20261121")
    season = args.season
    if season is not None and not (season.isascii() and season.isdigit()):
        raise UsageError(f"--season {season!r}: a season is a whole number such as 2206")
    return Scope(
        season=None if season is None else int(season),
        nite=args.nite,
        expnum=None if args.expnum is None else exposure_number(args.expnum),
    )


def find_place(args: argparse.Namespace) -> Place:
    """Where the database is. Raises ConfigError. The rest of daemon.toml is not checked: `config check` does that."""
    config = find_config(args.config)
    state = state_folder(config)
    sections = parse_text(read_text(config), config)
    return Place(database=state / "desgw.db", policy=_policy(sections))


def _policy(sections: dict[str, Any]) -> Policy:
    """The numbers that are spoken of. A wrong one keeps nobody from reading: the daemon does not run with it either."""
    usual, found = Policy(), dict[str, Any]()
    for key, name in _SPOKEN_OF.items():
        section, _, word = key.partition(".")
        values = sections.get(section)
        value = values.get(word) if isinstance(values, dict) else None
        if isinstance(getattr(usual, name), timedelta):
            try:
                value = parse_span(value)
            except ValueError:
                continue
        if type(value) is type(getattr(usual, name)):
            found[name] = value
    return replace(usual, **found)


def read(path: Path, ask: Callable[[sqlite3.Connection], T]) -> T:
    """What `ask` reads from the database, all of one moment.

    Raises Refused: no database yet, not readable. Raises SchemaError: it does not fit this program.
    """
    for last in (*[False] * (_TRIES - 1), True):
        if not path.exists() or path.stat().st_size == 0:
            raise Refused(
                f"there is no database yet ({path}): `desgw-daemon queue add` or `desgw-daemon run` makes it; if there"
                " should be one, --config names another daemon.toml"
            )
        uri, before = reading_uri(path), _mark(path)
        try:
            answer = _ask(uri, ask)
        except sqlite3.DatabaseError as error:
            if last or not is_immutable(uri) or _mark(path) == before:
                raise _problem(path, error) from None
        else:
            if last or not is_immutable(uri) or _mark(path) == before:
                return answer
    raise AssertionError("the last try returns or raises")


def _ask(uri: str, ask: Callable[[sqlite3.Connection], T]) -> T:
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)
    try:
        db.execute("BEGIN")
        return ask(db)
    finally:
        db.close()


def _mark(path: Path) -> tuple[int, int, bool]:
    """Changes when the file does, or when a writer has opened it."""
    info = path.stat()
    return info.st_mtime_ns, info.st_size, path.with_name(f"{path.name}-wal").exists()


def _problem(path: Path, error: sqlite3.DatabaseError) -> DesgwError:
    if "no such" not in str(error):
        return Refused(why_not_read(path, str(error)))
    # Slow to import, and needed only now.
    from desgw_daemon.store.database import make_reading_engine

    try:
        make_reading_engine(path).dispose()
    except DesgwError as problem:
        return problem
    return Refused(f"{path}: its views are not this program's ({error}); `desgw-daemon db check` says which")


def the_one(exposures: Sequence[ExposureStatus], scope: Scope) -> ExposureStatus:
    """The one exposure that a command means.

    Raises Refused when nothing fits, UsageError when several do: it names them, for --season and --nite.
    """
    if not exposures:
        raise nothing_known(scope)
    if len(exposures) > 1:
        named = "; ".join(map(label, exposures))
        choices = " or ".join(
            f"--season {e['season']}" + (f" --nite {e['nite']}" if e["nite"] else "") for e in exposures
        )
        raise UsageError(f"exposure {scope.expnum} is known {len(exposures)} times: {named}; say which with {choices}")
    return exposures[0]


def nothing_known(scope: Scope) -> Refused:
    """Why there is nothing to show."""
    what = "no exposure" if scope.expnum is None else f"exposure {scope.expnum}"
    where = (f" in season {scope.season}" if scope.season else "") + (f" of nite {scope.nite}" if scope.nite else "")
    verb = "is known" if scope.expnum is None else "is not known"
    return Refused(f"{what}{where} {verb}; `desgw-daemon status` shows what is")


def label(exposure: ExposureStatus) -> str:
    """The exposure as people call it."""
    nite = f"nite {exposure['nite'] or 'unknown'}"
    return f"{exposure['expnum']} {exposure['band'] or '?'} (season {exposure['season']}, {nite})"
