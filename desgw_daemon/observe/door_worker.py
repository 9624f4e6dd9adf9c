"""The process behind a door (observe/door.py): it calls one function after the other, and may hang in any of them.

Ends when the pipe from the daemon does. Must keep nothing between two questions.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from typing import BinaryIO, Final

#: In front of each question and each answer: its length in bytes.
LENGTH: Final = struct.Struct("!Q")


def main() -> None:
    """Answer until there are no more questions."""
    questions = os.fdopen(0, "rb", closefd=False)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # What a function prints must not end up among the answers.
    os.dup2(2, 1)
    while (length := questions.read(LENGTH.size)) and len(length) == LENGTH.size:
        data = questions.read(LENGTH.unpack(length)[0])
        _send(answers, _answer(data))


def _answer(data: bytes) -> bytes:
    try:
        function, args = pickle.loads(data)
        return pickle.dumps((True, function(*args)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the daemon raises it
        try:
            pickle.loads(answer := pickle.dumps((False, error)))
        except Exception:  # noqa: BLE001 - an error that cannot be handed over is told in words
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
        return answer


def _send(answers: BinaryIO, data: bytes) -> None:
    left = memoryview(LENGTH.pack(len(data)) + data)
    while left:
        left = left[answers.write(left) :]


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(1)
