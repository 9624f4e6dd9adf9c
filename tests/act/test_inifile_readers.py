"""Both readers of a filled ini: Python 2.7's ConfigParser, and a strict parser that refuses a key that comes twice."""

from __future__ import annotations

import configparser
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.act.inifile import fill_template
from desgw_daemon.errors import Refused
from desgw_daemon.sandbox.texts import TEMPLATE_INI

from . import python2

VALUES: Final = {
    "season": "2206",
    "exposures_listfile": "complete_exposures_S2206_20261122_02-14.list",
    "bands": "i,z",
    "ligoid": "GW170814",
    "triggerid": "G298048",
    "propid": "2017B-0110",
    "triggermjd": "57979.437",
}
FILLED: Final = fill_template(TEMPLATE_INI, VALUES)


def strict(text: str) -> dict[str, dict[str, str]]:
    """As a strict parser reads it. Raises configparser.Error."""
    parser = configparser.ConfigParser(strict=True, interpolation=None, inline_comment_prefixes=(";",))
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


class TestRulesOfPython2:
    """The reader of this test keeps the rules: they are what could be got wrong."""

    @pytest.mark.parametrize(
        ("line", "value"),
        [
            ("Key = a ; b", "a"),
            ("key=a;b", "a;b"),
            ("key = a;b ; c", "a;b ; c"),
            ("key: a\n  b\n  ; c", "a\nb\n; c"),
            ("key = a\n; b\n# c\nrem d", "a"),
            ('key = ""', ""),
            ("key = ; b", "; b"),
        ],
    )
    def test_value(self, line: str, value: str) -> None:
        assert python2.read(f"[general]\n{line}\n")["general"]["key"] == value

    @pytest.mark.parametrize("text", ["key = a\n", "[general]\n key = a\n", "[general]\nkey\n"])
    def test_refused(self, text: str) -> None:
        with pytest.raises(python2.Python2Error):
            python2.read(text)

    def test_references(self) -> None:
        sections = python2.read("[general]\na = 1\nb = %(A)s.%(c)s\nc = %(a)s\nd = %(e)s\nf = 100%\ng = %(g)s\n")
        assert [python2.get(sections, "general", key) for key in ("b", "f")] == ["1.1", "100%"]
        for key in ("d", "g"):
            with pytest.raises(python2.Python2Error):
                python2.get(sections, "general", key)


class TestFilled:
    """Each value is read as it was meant, by both, and no other differs from the template's."""

    def test_python_2(self) -> None:
        before, after = python2.read(TEMPLATE_INI), python2.read(FILLED)
        assert {key: python2.get(after, "general", key) for key in VALUES} == VALUES
        assert {**after["general"], **dict.fromkeys(VALUES, "")} == {**before["general"], **dict.fromkeys(VALUES, "")}
        assert {name: keys for name, keys in after.items() if name != "general"} == {
            name: keys for name, keys in before.items() if name != "general"
        }

    def test_strict(self) -> None:
        assert strict(FILLED)["general"] == {**strict(TEMPLATE_INI)["general"], **VALUES}

    def test_a_comment_alone_becomes_one_behind_the_value(self) -> None:
        filled = fill_template(TEMPLATE_INI.replace("season = season_input", "season = ; the season"), VALUES)
        assert "season = 2206 ; the season\n" in filled
        assert python2.get(python2.read(filled), "general", "season") == "2206"


#: What people write into such files.
ODD: Final = st.one_of(
    st.sampled_from(
        [
            *("; bands = z", "#bands = z ; all", "rem season = 7", "  ; indented", "\t# indented", "; %(season)s"),
            *(" ;", ";;", "; ; ;", "#", ";#if you have this", "[general", "more = a;b ; c", "MORE: %(bands)s ; x"),
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20).map(lambda text: f"; {text}"),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20).map(lambda text: f"# {text}"),
)
INLINE: Final = st.sampled_from(
    ["", " ;", " ; comment", "  ;; twice ; more", " ; # = : %(x)s [general]", "\t; tab", ";"]
)


class TestOddComments:
    """Wherever comments stand: what a reader takes for a template, it reads with our values, and nothing is lost."""

    @given(
        st.lists(st.tuples(st.integers(0, 40), ODD), max_size=6), st.dictionaries(st.sampled_from([*VALUES]), INLINE)
    )
    def test_any(self, more: list[tuple[int, str]], inline: dict[str, str]) -> None:
        lines = TEMPLATE_INI.splitlines()
        for number, line in enumerate(lines):
            key = line.partition(" =")[0]
            lines[number] = line.partition(" ;")[0] + inline[key] if key in inline else line
        for at, text in more:
            lines.insert(at, text)
        template = "\n".join(lines) + "\n"
        try:
            filled = fill_template(template, VALUES)
        except Refused:
            return
        after = filled.splitlines()
        assert len(after) == len(lines)
        for old, new in zip(lines, after, strict=True):
            if old != new:
                assert old.partition("=")[0] == new.partition("=")[0]
                assert old.partition(";")[2] == new.partition(";")[2], "a comment was lost"
        for read in (python2.read, strict):
            try:
                before = read(template)
            except (python2.Python2Error, configparser.Error):
                continue
            found = read(filled)["general"]
            assert {key: found[key] for key in VALUES} == VALUES
            assert {key: value for key, value in found.items() if key not in VALUES} == {
                key: value for key, value in before["general"].items() if key not in VALUES
            }
