"""The guarded parts of a cycle: an error that nobody has foreseen, in one of them, does not take the others with it.

What is foreseen (a folder that is away, a queue that is silent) is a value, and never comes here. docs/faults.md says
of each part why it is safe to go on without it. A database that cannot be used is no failure of a part: it ends the
cycle, since nothing could be written down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum, unique
from typing import Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, NotSupportedError, ProgrammingError

from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.errors import one_line
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log

T = TypeVar("T")

#: What a mistake of the program looks like to the database: the database itself can be used.
_OF_THE_PROGRAM: Final = (IntegrityError, DataError, ProgrammingError, NotSupportedError)
#: Longer words of an error are cut: it is one line of an alert.
_WORDS: Final = 300


@unique
class Part(StrEnum):
    """A part of the cycle; `without`: what that means while it fails; `explains`: the rule whose alert it is the cause
    of, so that one cause is told once.
    """

    without: str
    explains: str | None

    def __new__(cls, name: str, without: str, explains: str | None = None) -> Part:
        part = str.__new__(cls, name)
        part._value_ = name
        part.without = without
        part.explains = explains
        return part

    INBOX = "inbox", "lists of the inbox stay there; `desgw-daemon queue add FILE` takes one"
    EXPOSURES_LIST = "exposures_list", "exposures of the queue learn no band and nite; those that have them go on"
    SETUP = "setup", "no DAG is made, and none is submitted", "making_blocked"
    CREDENTIAL = "credential", "no DAG is made, and none is submitted", "credential"
    MAKINGS = "makings", "DAGMakers count as still at work, and their DAGs are not submitted"
    QUEUE = (
        "queue",
        "where the DAGs are is not known: nothing is submitted, and no CCD is taken for lost",
        "engine_silent",
    )
    RUNS = "runs", "runs of post-processing count as still at work; no other starts in their seasons"
    REFRESH = "refresh", "a refresh of exposures.list counts as still at work"
    BLACKLIST = "blacklist", "whom the blacklist of post-processing names stays as it was last known"
    LOOKING = "looking", "every CCD keeps its last state, and no post-processing starts on it", "pnfs_silent"
    RECORDING = "recording", "what was seen of what the error names is not written down; it is seen again in each cycle"
    PLANNING = "planning", "nothing is done: no DAG is made or submitted, and no post-processing starts"
    ACTIONS = "actions", "what the error names is not done; it is tried again in each cycle"
    CYCLE = "cycle", "nothing is looked at, and nothing is done"
    HISTORY = "history", "changes of state are not told to the log; `desgw-daemon history EXPNUM` shows them"
    ALERTS = "alerts", "the alerts that are up stay up, and only errors of the daemon itself are raised"
    TELLING = "telling", "alerts are not told; `desgw-daemon alerts list` shows them"
    DELIVERY = "delivery", "no channel is sent anything; the log is told, and `desgw-daemon alerts list` shows all"


#: Fail only after the alerts of their cycle have been raised: the next cycle raises them.
_AFTER_ALERTS: Final = (Part.TELLING, Part.DELIVERY)


def is_of_database(error: Exception) -> bool:
    """Whether the database cannot be used; else the error is a mistake of the program."""
    return isinstance(error, DatabaseError) and not isinstance(error, _OF_THE_PROGRAM)


class Parts:
    """Runs the parts of one cycle, and keeps what went wrong in them."""

    def __init__(self, *, log: Log, before: Mapping[str, str]) -> None:
        """before: the errors of the cycle before this one (poll.part_errors): what they say is in the log already."""
        self._log = log
        self._before = before
        #: One line for each part that failed.
        self.errors: dict[Part, str] = {}

    def do(self, part: Part, work: Callable[[], T], otherwise: Callable[[str], T]) -> T:
        """What `work` returns; what `otherwise` makes of the error's words when it fails.

        Raises DatabaseError when the database cannot be used.
        """
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - whatever a part runs into, the others go on; it is logged and told
            return otherwise(self.failed(part, error))

    def record(self, connection: Connection, part: Part, what: str, work: Callable[[], object]) -> bool:
        """Write something down within the caller's transaction: all of it, or nothing when it fails. Whether it did."""
        try:
            with connection.begin_nested():
                work()
        except Exception as error:  # noqa: BLE001 - one row that cannot be written must not take the others with it
            self.failed(part, error, what)
            return False
        return True

    def failed(self, part: Part, error: Exception, what: str = "") -> str:
        """Keep an error and log it, with its traceback when it is new. Returns its words.

        Raises the error itself when it is the database that cannot be used.
        """
        if is_of_database(error):
            raise error
        words = one_line(f"{f'{what}: ' if what else ''}{type(error).__name__}: {error}")[:_WORDS]
        if part in self.errors:
            self._log.debug(Event.PART_FAILED, f"{part}, too: {words}", part=part)
            return words
        self.errors[part] = words
        if self._before.get(part) != words:
            self._log.error(Event.PART_FAILED, f"{part} failed: {words}; {part.without}", cause=error, part=part)
        return words

    def alerts(self, wanted: tuple[AlertWanted, ...]) -> tuple[AlertWanted, ...]:
        """`wanted` without what only follows from parts that failed, and an alert for each of these."""
        failed = dict(self.errors)
        for part in _AFTER_ALERTS:
            if part in self._before:
                failed.setdefault(part, self._before[part])
        explained = {part.explains for part in failed}
        # What several parts run into is one cause: told for the gravest, else for the first.
        causes: dict[str, Part] = {}
        for part, words in failed.items():
            if part is Part.CYCLE or words not in causes:
                causes[words] = part
        return (
            *(alert for alert in wanted if alert.rule not in explained),
            *(_alert(part, words) for words, part in causes.items()),
        )


def _alert(part: Part, words: str) -> AlertWanted:
    return AlertWanted(
        key=f"part_failed:{part}",
        rule="part_failed",
        text=f"a part of each cycle ({part}) ends with an error that nobody has foreseen: {words}. Meanwhile"
        f" {part.without}. The other parts go on. Its traceback is in the log: tell those who maintain the daemon",
    )
