"""What an earlier DAGMaker has left in the workflow folder, taken out of the way of the next one.

Must stay cheap to import: the process behind the door to that folder loads it.
"""

from __future__ import annotations

from pathlib import Path

from desgw_daemon.observe.plainfile import open_plain


def put_leftovers_aside(workflow: Path, expnum: int, folder: Path) -> None:
    """An older DAG or DONE would be taken for this run's, since DAGMaker ends with 0 after nearly anything.

    May be repeated. Raises OSError.
    """
    for leftover in (
        workflow / f"mytemp_{expnum}" / "DAGMaker.DONE",
        workflow / f"desgw_pipeline_{expnum}.dag",
    ):
        try:
            with open_plain(leftover) as file:
                data = file.read()
        except FileNotFoundError:
            continue
        # Copied, then removed: the two folders may lie on different file systems.
        (folder / f"before-{leftover.name}").write_bytes(data)
        leftover.unlink()
