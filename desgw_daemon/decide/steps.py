"""The two plain steps of an exposure: it waits, or it moves to another state."""

from __future__ import annotations

from desgw_daemon.domain.actions import Move, Wait
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ExposureState, Ready


def wait(exposure: Exposure, reason: str) -> Wait:
    """It stays where it is."""
    return Wait(exposure_id=exposure.id, expnum=exposure.expnum, reason=reason)


def move(exposure: Exposure, after: ExposureState, reason: str, ready: Ready | None = None) -> Move:
    """It goes on; its readiness stays unless another is given."""
    return Move(
        exposure_id=exposure.id,
        expnum=exposure.expnum,
        before=exposure.state,
        after=after,
        ready=exposure.ready if ready is None else ready,
        reason=reason,
    )
