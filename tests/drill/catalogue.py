"""All faults of the drill, in the order of docs/drill.md."""

from __future__ import annotations

from typing import Final

from . import faults_database, faults_ground, faults_hanging, faults_making, faults_queue, faults_results
from .fault import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *faults_ground.FAULTS,
    *faults_database.FAULTS,
    *faults_hanging.FAULTS,
    *faults_queue.FAULTS,
    *faults_making.FAULTS,
    *faults_results.FAULTS,
)
