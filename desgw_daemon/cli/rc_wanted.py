"""KEY=VALUE for dagmaker.rc as people type it: checked, and the change that it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.domain.rcfile import RcFile


def wanted_of(assignments: Iterable[str]) -> dict[str, str]:
    """Keys and their values, each checked by itself. Raises UsageError."""
    from desgw_daemon.domain.rckeys import KEYS, unknown

    wanted: dict[str, str] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals:
            hint = f"; `desgw-daemon rc unset {text}` takes it away" if text in KEYS else ""
            raise UsageError(f"{text!r} is no KEY=VALUE (no blanks around =; a value with blanks in quotes){hint}")
        if key not in KEYS:
            raise UsageError(unknown(key))
        if key in wanted:
            raise UsageError(f"{key} is given twice")
        if problem := KEYS[key].problem(value):
            raise UsageError(problem)
        wanted[key] = value
    return wanted


class Setting:
    """The change of a whole file, to be called with it. Afterwards `said` has what a person should know."""

    def __init__(self, wanted: Mapping[str, str], *, refer: bool) -> None:
        """refer: $KEY of keys that are set above stays a reference."""
        self._wanted = wanted
        self._refer = refer
        self.said: list[str] = []

    def __call__(self, rc: RcFile) -> RcFile:
        """The file with the keys set. Raises UsageError when it would contradict itself."""
        from desgw_daemon.cli.rc_show import BY_THE_DAEMON, WITHOUT_EFFECT
        from desgw_daemon.domain.rckeys import KEYS, SEASON, contradiction

        self.said = []
        for key, value in self._wanted.items():
            before = rc.settings.get(key)
            rc = rc.with_value(key, value, refer=frozenset(KEYS) - {key} if self._refer else frozenset())
            now = rc.settings[key].refers_to
            line = rc.settings[key].line
            if above := [name for name in rc.referring_to(key) if rc.settings[name].line < line]:
                self.said.append(f"{', '.join(above)} stands above line {line} and does not see the {key} set there")
            lost = [name for name in (before.refers_to if before else ()) if name not in now]
            if lost:
                self.said.append(f"{key} referred to {', '.join(lost)}, and does not follow it any more")
            if now:
                self.said.append(f"{key} refers to {', '.join(now)}, and follows it")
            elif "$" in value:
                how = "no key that is set above it is named"
                if not self._refer:
                    how = "`rc set --refer` keeps references to other keys"
                self.said.append(f"{key}: its $ is text, not a reference ({how})")
        if problem := contradiction({key: setting.value for key, setting in rc.settings.items()}):
            raise UsageError(problem)
        self.said += [f"{key} is {WITHOUT_EFFECT}" for key in self._wanted if KEYS[key].without_effect]
        if SEASON in self._wanted:
            self.said.append(f"SEASON is {BY_THE_DAEMON}: what you have set lasts until then")
        return rc
