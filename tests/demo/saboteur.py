"""The program with one wrong habit: `saboteur.py HABIT WORDS...` is `desgw-daemon WORDS...` with it.

The habits are put in from here, so that the program itself needs no switch for them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any


def second_submission() -> None:
    """Each DAG is handed to the engine twice, the second time under another tag."""
    from desgw_daemon.grid.engine import SubmitOutcome, SubmitRequest
    from desgw_daemon.grid.local import LocalEngine

    honest = LocalEngine.submit

    def twice(engine: LocalEngine, request: SubmitRequest) -> SubmitOutcome:
        outcome = honest(engine, request)
        honest(engine, replace(request, tag=f"{request.tag}-again"))
        return outcome

    setattr(LocalEngine, "submit", twice)  # noqa: B010 - mypy refuses the plain assignment


def ignored_fail() -> None:
    """No FAIL file is seen."""
    from desgw_daemon.daemon import looking
    from desgw_daemon.decide.ccds import assess as honest
    from desgw_daemon.domain.facts import CcdSeen, LookRequest, Sighting

    def blind(exposure: Any, request: LookRequest, sightings: list[Sighting], *rest: Any) -> Any:
        seen = [replace(sight, fails=()) if isinstance(sight, CcdSeen) else sight for sight in sightings]
        return honest(exposure, request, seen, *rest)

    setattr(looking, "assess", blind)  # noqa: B010 - as above


def skipto_6() -> None:
    """run_postproc.py is started at step 6, whatever the evidence says."""
    from desgw_daemon.act import postproc
    from desgw_daemon.act.startscript import script_of as honest

    option = '${desgw_skipto:+--SKIPTO "$desgw_skipto"}'

    def rash(*args: Any) -> str:
        text = honest(*args)
        assert option in text
        return text.replace(option, "--SKIPTO 6")

    setattr(postproc, "script_of", rash)  # noqa: B010 - as above


def dies_at_once() -> None:
    """The daemon ends as soon as it is started."""
    from desgw_daemon.daemon.loop import Daemon

    def fall(_: Daemon) -> None:
        print("the disk is on fire", file=sys.stderr)
        sys.exit(3)

    setattr(Daemon, "run", fall)  # noqa: B010 - as above


HABITS: dict[str, Callable[[], None]] = {
    habit.__name__: habit for habit in (second_submission, ignored_fail, skipto_6, dies_at_once)
}

if __name__ == "__main__":
    from desgw_daemon.__main__ import main

    HABITS[sys.argv.pop(1)]()
    main()
