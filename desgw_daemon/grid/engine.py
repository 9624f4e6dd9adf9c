"""The contract between the daemon and whatever runs its DAGs.

An engine is asked; it never decides, never retries, and never raises for anything that the system behind
it says or fails to say: each answer is a value, and "I could not find out" is one of them.

The key to everything is the **tag**: made by the caller, unique for ever, one for each submission attempt
(season, exposure, attempt number), of the letters in `TAG`. It is written down by the caller before `submit`,
and the engine attaches it to the DAG in such a way that `find` and `status` can ask for it later, from
another process, after any crash. What an engine wants to remember of a tag, it keeps in files below a folder
given at its construction.

Never twice: `submit` for a tag that the engine already has is no second submission. Never lost: `Absent` is
said only after successful, empty answers from every place where the DAG could be, queue and history.

Nobody waits long for an engine: a submission that takes its time goes on by itself, whatever becomes of the caller,
and is `Pending` until it has ended; a query has a time-out, after which its place has given no answer.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.domain.submissions import DagNode
from desgw_daemon.grid.jobs import look_at_script

#: A tag goes into ClassAd expressions, shell words and file names without quoting.
TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequest:
    """A DAG to be submitted.

    number: which time it is that this tag is submitted; 2 when the first was proven not to be queued. The same number
    again is the same submission, asked for once more.
    expnum: the exposure; a DAG of it that somebody else has in the queue, under whatever tag, keeps this one back.
    dag_path: the DAG file, in the grammar of `dagfile`; the engine takes a copy, it may change afterwards.
    workdir: the workflow folder; the paths of the DAG's scripts are relative to it.
    env: the whole environment of the submission (PATH, credentials...), and nothing else is inherited.
    output: what the submission says is written here for people (dag_submission_EXPNUM.out).
    read, write, look: how the DAG is read, the output written, a script looked at (`look_at_script`); the caller knows
    a way that cannot hang. A TreeSilent of read or look is raised by `submit`: nothing was handed over, and the same
    number may be asked for again.
    """

    tag: str
    number: int
    expnum: int
    dag_path: Path
    workdir: Path
    env: Mapping[str, str]
    output: Path
    read: Callable[[Path], bytes] = Path.read_bytes
    write: Callable[[Path, str], object] = Path.write_text
    look: Callable[[Path], bool | None] = look_at_script

    @property
    def dag_text(self) -> str:
        """The DAG. Raises OSError."""
        return self.read(self.dag_path).decode("utf-8", "replace")

    def tell(self, words: str) -> None:
        """Write the output: a courtesy to people; that it cannot be written changes nothing."""
        with suppress(OSError):
            self.write(self.output, words)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The DAG is queued under this id, now or since an earlier submission with the same tag.

    notes: what a person may want to know of it once, in words.
    """

    job_id: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Proven not to be queued; the same tag may be submitted again.

    permanent: as it is, it will never be accepted (a broken DAG, a missing script, a wrong role).
    transient: later it may be (quota, no schedd, no room on the disk).
    credential: later it may be, when a person or a service has renewed the credential.
    cause: a word for what was wrong, the same for the same trouble whatever the exposure (`failures`).
    """

    kind: Literal["permanent", "transient", "credential"]
    reason: str
    cause: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody knows whether it is queued (a time-out, an answer in unknown words). Only `find` may tell."""

    reason: str
    cause: str


@dataclass(frozen=True, slots=True)
class Pending:
    """The submission is under way; asking again with the same request tells what came of it."""

    reason: str


SubmitOutcome = Accepted | Rejected | Unclear | Pending


@dataclass(frozen=True, slots=True)
class Found:
    """The ids that carry the tag, oldest first. More than one is a duplicate: somebody submitted twice."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """Every place where it could be, queue and history, has answered, and none knows the tag."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """At least one place could not be asked: nothing may be concluded."""

    reason: str


FindOutcome = Found | Absent | NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class DagStatus:
    """Where one DAG is.

    state: queued, running, held, done, failed, removed or lost; no other. done and failed are what the
    engine says of the DAG as a whole: the CCDs are judged by their files (a DAG of 58 good CCDs and a bad
    one is failed). lost: it was accepted, and is gone without an end.
    nodes_*: jobs of the DAG as lines of its file: done, failed (without those that could not run because of them),
    and of the others those that run, wait in the queue, or are held there. None where the engine does not tell; as
    of the last time that it could, for a DAG that is held.
    hold_reason: why the DAG or its first held job is held, in the engine's words.
    exit_code: the DAG's, once it has ended by itself.
    submitted_at, ended_at: the engine's times.
    reason: for held, failed, removed and lost, the engine's words.
    """

    state: SubmissionState
    job_id: str
    nodes_total: int | None = None
    nodes_done: int | None = None
    nodes_failed: int | None = None
    nodes_running: int | None = None
    nodes_waiting: int | None = None
    nodes_held: int | None = None
    hold_reason: str | None = None
    exit_code: int | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDag:
    """A DAG with a tag of our kind that was not asked for: another daemon's, or one that nobody here remembers.

    Also a second job that lives under a tag that was asked for, besides the one in `Answered.dags`: a duplicate.
    """

    tag: str
    expnum: int | None
    job_id: str
    state: SubmissionState
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The DAGs that the engine knows, by tag. For one that is missing here, `find` tells whether it is known at all.

    unasked: tags of which nothing can be said now, since the place where they are does not answer: why. Any tag that
    is not in `dags` may be there as well, as long as `problem` is given.
    problem: what did not answer, in words; None when everything did.
    others: what lives in the queue besides.
    calls: commands that this answer has cost.
    """

    dags: Mapping[str, DagStatus]
    unasked: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    others: tuple[OtherDag, ...] = ()
    calls: int = 0


StatusOutcome = Answered | NoAnswer


@dataclass(frozen=True, slots=True)
class Nodes:
    """The jobs of one DAG, as far as the engine remembers them: one entry for each process, by node and process."""

    nodes: tuple[DagNode, ...]


NodesOutcome = Nodes | Absent | NoAnswer


@dataclass(frozen=True, slots=True)
class Asked:
    """The engine has taken the order. Whether it had an effect, a later `status` tells."""


OrderOutcome = Asked | Absent | NoAnswer


class Engine(ABC):
    """Something that runs DAGs. All methods may be called from any process, by one at a time for each tag.

    None raises for what the system behind it says; a tag outside `TAG` is a mistake of the caller and
    raises ValueError everywhere.
    """

    #: What stands in the submission's `engine` column.
    name: str

    @abstractmethod
    def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """Submit a DAG under its tag, at most once.

        If the engine can tell that the tag is there already, it answers Accepted with that id and submits
        nothing; if it cannot tell, Unclear. After a crash in the middle, calling it again with the same
        request is safe. Waits a few seconds at most: then Pending, and the next call tells more. The system's own
        command is ended after the engine's time-out (then Unclear).
        """

    @abstractmethod
    def find(self, tag: str) -> FindOutcome:
        """Look for a tag everywhere it could be: the one way to resolve a crash or an Unclear.

        An engine whose system could take a DAG twice first makes sure that no submission of this tag is still
        under way. One Absent is no proof where the system's views lag: the caller wants two, some time apart,
        before it submits anew.
        """

    def under_way(self, tag: str) -> str | None:
        """Why a submission of this tag may still come to something on this machine; None when none can any more.

        Asked before a person's word is taken for the outcome. An engine that can tell it by its own files asks nothing
        else: the queue is silent just when people resolve something by hand.
        """
        answer = self.find(tag)
        return answer.reason if isinstance(answer, NoAnswer) else None

    @abstractmethod
    def status(self, tags: Collection[str]) -> StatusOutcome:
        """Where these DAGs are, in one query of each place however many they are. Changes nothing."""

    @abstractmethod
    def nodes(self, tag: str) -> NodesOutcome:
        """What the engine knows of each job of a DAG: asked once, when it has ended. Changes nothing."""

    @abstractmethod
    def hold(self, tag: str) -> OrderOutcome:
        """Start no new jobs of this DAG; those that run go on. Harmless when held or ended already."""

    @abstractmethod
    def release(self, tag: str) -> OrderOutcome:
        """Undo `hold`. Harmless when it is not held."""

    @abstractmethod
    def remove(self, tag: str) -> OrderOutcome:
        """End the DAG and all its jobs for good. Harmless when it has ended already."""


def checked(tag: str) -> str:
    """The tag, if it is one.

    :raises ValueError: it holds characters that no tag may hold.
    """
    if not TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} is no tag: letters, digits, '.', '_' and '-', at most 100")
    return tag
