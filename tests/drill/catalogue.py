"""All faults of the drill, in the order of docs/drill.md."""

from __future__ import annotations

from typing import Final

from . import faults_making, faults_queue
from .fault import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *faults_queue.FAULTS,
    *faults_making.FAULTS,
)
