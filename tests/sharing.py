"""Which tests are run by one and the same of the processes that share them."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

#: What takes long to bring up, and keeps the machine busy as long as its process lives: a HTCondor pool, a systemd.
_ONCE: Final = (
    ("tests/pool/", "tests/demo/test_on_pool.py", "tests/grid/test_htcondor", "tests/grid/test_jobsub_engine.py"),
    ("tests/units/",),
)


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """The tests of a file are run by one process; so are all that want the pool, and all that want systemd."""

    def _split_scope(self, nodeid: str) -> str:
        for group in _ONCE:
            if nodeid.startswith(group):
                return group[0]
        scope: str = super()._split_scope(nodeid)
        return scope
