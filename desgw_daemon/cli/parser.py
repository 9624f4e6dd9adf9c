"""argparse with our manners: wrong use is one line (a UsageError) that names the nearest right word."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from desgw_daemon.errors import UsageError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError instead of printing its usage and leaving.

    Abbreviated options are refused: a script that uses one breaks when another option is added.
    """

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("allow_abbrev", False)
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings)
        # The innermost parser that was used sets this last: parse() asks it for its options.
        self.set_defaults(parser=self)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is no choice (also a command that does not exist), naming the nearest."""
        if action.choices is None or value in action.choices:
            return
        name = "/".join(action.option_strings) or action.metavar or action.dest
        what = "there is no command" if isinstance(action.choices, dict) else f"{name} cannot be"
        self.error(f"{what} {str(value)!r}; {_nearest(str(value), [str(choice) for choice in action.choices])}")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The arguments as a namespace. Raises UsageError."""
        args, left = self.parse_known_args(argv)
        if left:
            self._refuse(args.parser, left)
        return args

    def _refuse(self, used: Parser, left: Sequence[str]) -> NoReturn:
        """Say why the words that are left over cannot be taken."""
        option = next((word.split("=")[0] for word in left if word.startswith("-")), None)
        if option is None:
            used.error(f"too much was given: {' '.join(left)}")
        if used is not self and option in self._option_string_actions:
            used.error(f"{option} stands before the command: {self.prog} {option} ... COMMAND")
        used.error(f"there is no option {option}; {_nearest(option, used._option_string_actions)}")


def _nearest(word: str, choices: Iterable[str]) -> str:
    listed = list(choices)
    near = difflib.get_close_matches(word, listed, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there is {', '.join(listed)}"
