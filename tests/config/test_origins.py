"""On which line a key stands."""

from __future__ import annotations

from desgw_daemon.config.origins import lines_of_keys

TEXT = '''# a = 1

top = 1
[paths]   # the first
state = """
[poll]
interval = 5
"""
"quoted" = 'x'

[ poll ]
interval = [
  1, # ]
  2,
]
a.b = 1
[queue.inner]
c = 1
[[many]]
d = 1
'''


class TestLines:
    """Each key is found on the line on which it begins, whatever its value looks like."""

    def test_lines(self) -> None:
        assert lines_of_keys(TEXT) == {
            "top": 3,
            "paths": 4,
            "paths.state": 5,
            "paths.quoted": 9,
            "poll": 11,
            "poll.interval": 12,
            "poll.a": 16,
            "poll.a.b": 16,
            "queue": 17,
            "queue.inner": 17,
            "queue.inner.c": 18,
            "many": 19,
            "many.d": 20,
        }

    def test_windows_line_ends(self) -> None:
        assert lines_of_keys("[a]\r\n\r\nb = 1\r\n") == {"a": 1, "a.b": 3}
