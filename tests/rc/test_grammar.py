"""Where an edit goes, how a value is quoted, and what is refused, one line of dagmaker.rc at a time."""

from __future__ import annotations

import pytest

from desgw_daemon.domain.rcfile import CannotEditError, RcFile


def after(text: str | bytes, key: str, value: str) -> bytes:
    """The file after a key was set."""
    return RcFile.of(text.encode() if isinstance(text, str) else text).with_value(key, value).data


class TestPlace:
    """In its place; else where it is commented out, the last time; else at the end."""

    @pytest.mark.parametrize(
        ("before", "wanted"),
        [
            ("A=1\nK=2 # why\nB=3\n", "A=1\nK=9 # why\nB=3\n"),
            ("K=1\nK=2\n", "K=1\nK=9\n"),
            ("  K=2\n", "  K=9\n"),
            ("export K=2\n", "export K=9\n"),
            ("#K=1\nA=1\n#K=2\n#J=3\n", "#K=1\nA=1\nK=9\n#J=3\n"),
            ("# K=1 # why\n", "K=9 # why\n"),
            ("#K=1 is what we had\n", "#K=1 is what we had\nK=9\n"),
            ("#K=1\nK=2\n", "#K=1\nK=9\n"),
            ("KK=1\n#KK=2\n", "KK=1\n#KK=2\nK=9\n"),
            ("A=1", "A=1\nK=9"),
            ("", "K=9\n"),
            ("K=2", "K=9"),
            ("K='a\nb' # c\nA=1\n", "K=9 # c\nA=1\n"),
            ("K=a\\\nb\nA=1\n", "K=9\nA=1\n"),
            ("A='\nK=1\n'\n", "A='\nK=1\n'\nK=9\n"),
            ("if true; then\n  A=1\nfi\nK=2\n", "if true; then\n  A=1\nfi\nK=9\n"),
            ("cat <<E\n'\nE\nK=2\n", "cat <<E\n'\nE\nK=9\n"),
        ],
    )
    def test_set(self, before: str, wanted: str) -> None:
        assert after(before, "K", "9").decode() == wanted

    def test_bytes_stay(self) -> None:
        """Line ends of Windows are part of a value for bash: they go with the value, and stay everywhere else."""
        assert after(b"A=1\r\n#\xff\r\nK=2\r\nB=3", "K", "9") == b"A=1\r\n#\xff\r\nK=9\nB=3"

    def test_taken_away_and_back(self) -> None:
        rc = RcFile("K=1\nA=0\n  export K='a b' # why\n")
        off = rc.without("K")
        assert off.text == "#K=1\nA=0\n  #export K='a b' # why\n"
        assert off.with_value("K", "9").text == "#K=1\nA=0\n  export K=9 # why\n"


class TestQuoting:
    """As plain as bash reads it back exactly."""

    @pytest.mark.parametrize(
        ("value", "word"),
        [
            ("20", "20"),
            ("", '""'),
            ("a,b-c=d", "a,b-c=d"),
            ("--memory=2GB --cpu=1", '"--memory=2GB --cpu=1"'),
            ("it's", '"it\'s"'),
            ("a $HOME `id`", "'a $HOME `id`'"),
            ("$(id) it's", "'$(id) it'\\''s'"),
            ("a\nb'\t\\", "$'a\\nb\\'\\t\\\\'"),
            ("~", '"~"'),
            ("é", '"é"'),
            ("hey!", "'hey!'"),
        ],
    )
    def test_word(self, value: str, word: str) -> None:
        assert after("K=1\n", "K", value).decode() == f"K={word}\n"


class TestRefused:
    """What is more than an assignment is not edited; the refusal names the line."""

    @pytest.mark.parametrize(
        ("before", "words"),
        [
            ("A=0\nK=1 B=2\n", "line 2 is more than an assignment; edit it by hand"),
            ("K+=1\n", "line 1 is more than an assignment"),
            ("K=1\nif true; then\n K=2\nfi\n", "lines 2 to 4 is more than an assignment"),
            ("[[ $A == 1 ]] && K=2\n", "line 1 is more than an assignment"),
            ("K=(1 2)\n", "line 1 is more than an assignment"),
            ("K=1\ndeclare -x K\n", "line 2 is more than an assignment"),
            ("A=$((K=2))\n", "line 1 is more than an assignment"),
            ("K=1;\n", "line 1 is more than an assignment"),
            ("A=1\nB='x\nK=1\n", "lines 2 to 3 cannot be followed (a ' is never closed)"),
            ("A=1\nif true\n", "cannot be added behind line 2: the end of what begins here is missing"),
            ("A=`\n", "cannot be added behind line 1: a ` is never closed"),
        ],
    )
    def test_line(self, before: str, words: str) -> None:
        with pytest.raises(CannotEditError) as refusal:
            RcFile(before).with_value("K", "9")
        assert words in str(refusal.value)

    def test_no_text(self) -> None:
        with pytest.raises(CannotEditError, match="NUL"):
            RcFile.of(b"A=1\0")


class TestReferences:
    """Kept where they are asked for: only of keys that are set above, and everything else is text."""

    def test_one(self) -> None:
        rc = RcFile("A=1\nK=2\nB=3\n").with_value("K", '$A ${B} $HOME "x"', refer=frozenset({"A", "B"}))
        assert rc.text == 'A=1\nK="${A} \\${B} \\$HOME \\"x\\""\nB=3\n'
        assert rc.settings["K"].value == '1 ${B} $HOME "x"' and rc.settings["K"].refers_to == ("A",)

    def test_others_keep_theirs(self) -> None:
        rc = RcFile('A=1\nK="$A x"\n').with_value("A", "2")
        assert rc.text == 'A=2\nK="$A x"\n' and rc.settings["K"].value == "2 x"
