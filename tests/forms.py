"""The two forms of the suites that take long: in short with `make test`, in full with `make soak`."""

from __future__ import annotations

import os
from typing import Final

#: Whether everything is to be tried, and not a sample of it.
LONG_FORM: Final = os.environ.get("DESGW_SOAK") == "1"


def often(examples: int) -> int:
    """So many examples of a property, and in the short form the fourth part of them."""
    return examples if LONG_FORM else examples // 4
