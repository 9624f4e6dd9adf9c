"""The ini file of a run: a few values set in the template, every other line as it is; or a reason why not."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.act.inifile import fill_template
from desgw_daemon.errors import Refused
from desgw_daemon.observe.postproc import ini_settings
from desgw_daemon.sandbox.texts import TEMPLATE_INI

VALUES = {"season": "2206", "exposures_listfile": "complete.list", "bands": "i,z"}


class TestFilled:
    """The keys are set, with their comments kept; nothing else changes."""

    def test_lines(self) -> None:
        before, after = TEMPLATE_INI.splitlines(), fill_template(TEMPLATE_INI, VALUES).splitlines()
        changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        assert changed == [
            ("season = season_input", "season = 2206"),
            (
                "exposures_listfile = exposures.list ; looked for in indir",
                "exposures_listfile = complete.list ; looked for in indir",
            ),
            ("bands = i ; a comma list without blanks", "bands = i,z ; a comma list without blanks"),
        ]

    def test_bytes_that_are_no_text_stay(self) -> None:
        template = TEMPLATE_INI.replace("[plots]", "# caf\udce9\n[plots]")
        assert "# caf\udce9\n" in fill_template(template, VALUES)


class TestRefused:
    """What is no template, or has no place for a value, is refused in one line of reasonable length."""

    @pytest.mark.parametrize(
        ("template", "words"),
        [
            ("", "the template has no section [general]"),
            ("\0" * 10_000, "the template is no ini file: File contains no section headers"),
            ("x" * 10_000, "the template is no ini file: File contains no section headers"),
            (TEMPLATE_INI.replace("[general]", "[General]"), "the template has no section [general]"),
            (TEMPLATE_INI.replace("\nbands = ", "\nband = "), "the template has no key bands in [general]"),
            (
                TEMPLATE_INI.replace("\nbands = ", "\nbands = z\nbands = "),
                "option 'bands' in section 'general' already",
            ),
            (TEMPLATE_INI + "[general]\n", "section 'general' already exists"),
            (TEMPLATE_INI.replace("season_input", "1\n  ; the season"), "the template's season has a value of several"),
            (TEMPLATE_INI.replace("season_input", "1\n  2"), "the template's season has a value of several lines"),
            ("[general]\nseason\n", "the template is no ini file: Source contains parsing errors"),
        ],
    )
    def test_templates(self, template: str, words: str) -> None:
        with pytest.raises(Refused) as refused:
            fill_template(template, VALUES)
        assert words in str(refused.value)
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 1000

    @pytest.mark.parametrize("value", ["", " i", "i ", "i z", "i;z", "i#z", "%(x)s", "i\nz", "\x1b"])
    def test_values(self, value: str) -> None:
        with pytest.raises(Refused, match="cannot be written into an ini file"):
            fill_template(TEMPLATE_INI, {"bands": value})


class TestAnything:
    """No text makes it fail otherwise, and what it fills both readers read back."""

    @given(
        st.lists(st.tuples(st.integers(0, len(TEMPLATE_INI)), st.integers(0, 40), st.text(max_size=12)), max_size=4),
        st.sampled_from(["", "\n[general]\n", "\n  x", "\r", "\0", "\n=\n", "season = 1\n", "[", "\x85", "%(x)s"]),
    )
    def test_spoilt_templates(self, changes: list[tuple[int, int, str]], more: str) -> None:
        template = TEMPLATE_INI
        for place, length, text in changes:
            template = template[:place] + text + more + template[place + length :]
        try:
            filled = fill_template(template, VALUES)
        except Refused:
            return
        parser = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None)
        parser.read_string(filled)
        assert {key: parser["general"][key] for key in VALUES} == VALUES
        assert ini_settings(filled).outdir == ini_settings(template).outdir
