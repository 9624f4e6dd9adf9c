"""Files of any kind, edited, then sourced by real bash, which has the last word on what a line means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from desgw_daemon.domain.rcfile import CannotEditError, RcFile

from .bash import UNSET, read_by_bash

KEYS: Final = ("RNUM", "SEASON", "JOBSUB_OPTS", "JOBSUB_TEMP_OPTS", "SEARCH_OPTS", "MIN_NITE", "TWINDOW")
NASTY: Final = (
    "$(touch run)", "`touch run`", "${x:=$(touch run)}",
    "$((1+1))", "'", '"', "\\", "!", "!!", "\n", "\t", "\r", " ", "#",
    "; touch run;", "&& touch run", "| touch run", "$JOBSUB_OPTS",
    "${JOBSUB_OPTS}", "$", "$'", '$"', "~", "a:~", "=", "*",
    "{1,2}", "(", ")", "<", ">", "é", "\u2028", "\x85",
    "\x01", "\x7f", "\x1b", "\udcff", "\\n", "--memory=2000MB", "20",
)  # fmt: skip
VALUES: Final = st.lists(st.sampled_from(NASTY) | st.text(max_size=3).filter(lambda t: "\0" not in t and _fits(t))).map(
    "".join
)
#: Pieces of a file, each whole lines. Whatever stands here is run by bash.
BLOCKS: Final = (
    b"# a comment, it's \"open\n", b"\n", b"   \t\n", b"# caf\xe9 \xff\n", b"#\n", b"RNUM=4\n", b"SEASON=2206\n",
    b"  SEASON=7   # the season\n", b'JOBSUB_OPTS="--memory=2 --disk=3"\n',
    b"JOBSUB_TEMP_OPTS=\"$JOBSUB_OPTS --t='x'\"\n",
    b"JOBSUB_TEMP_OPTS=${JOBSUB_OPTS}/x\n", b"SEARCH_OPTS='-C\n-t'\n", b"SEARCH_OPTS=-C\\\n-t\n", b"RNUM=4\r\n",
    b"#MIN_NITE=20130601\n", b"# MIN_NITE=20170831 # by hand\n", b"#TWINDOW=5.0\r\n", b"# TWINDOW=5.0 days, say\n",
    b"#SEARCH_OPTS='-C\n", b"export SEASON=12\n", b"#export RNUM=5\n", b"SEARCH_OPTS=$'a\\tb'\n", b"SEARCH_OPTS=\n",
    b"MIN_NITE=1 MAX_NITE=2\n", b"SEARCH_OPTS+=' -x'\n",
    b"if true; then\nSEASON=3\nfi\n", b"[[ $RNUM == 4 ]] && TWINDOW=9\n",
    b"cat <<EOF\nSEASON=99\nEOF\n", b"cat <<'A' <<-B\nSEASON=1\nA\n\tRNUM=2\n\tB\n", b"f() {\n  RNUM=8\n}\n", b"f\n",
    b"case $RNUM in\n4) MIN_NITE=4;;\n*) MIN_NITE=5\nesac\n",
    b"SEARCH_OPTS=(a b)\n", b"true &&\nSEASON=5\n", b"RNUM=4;\n",
    b"for SEASON in 1 2; do :; done\n", b"read -r RNUM <<<17\n", b"TWINDOW=$((SEASON=8))\n", b"TWINDOW=${SEASON:=8}\n",
    b"TWINDOW=$(echo 5)\n", b"TWINDOW=`echo 5`\n",
    b"SEARCH_OPTS=\"a\n#RNUM=6\nb\"\n", b"echo a \\\nSEASON=4\n", b"{ RNUM=1; }\n",
    b"(RNUM=1)\n", b"unset RNUM\n", b"while false; do :\n#SEASON=7\ndone\n",
    b"! SEASON=6\n", b"x=\"$(echo \")\")\"\n", b"a=`echo #`\n",
    b"SEARCH_OPTS=a#b # c\n", b"SEARCH_OPTS=~\n",
    b"[[ a < b && ( 1 == 1 ) ]]\n", b"declare SEASON=4\n", b"((RNUM = 3))\n",
    b"printf -v RNUM 3\n", b"x=$[RNUM=4]\n", b"\xef\xbb\xbfRNUM=3\n",
    b"RNUM=3 &\n", b"SEASON=5 | cat\n", b"JOBSUB_OPTS=a\\ b\n",
)  # fmt: skip
ENDS: Final = (
    b"",
    b"",
    b"RNUM=6",
    b"# the end",
    b"SEARCH_OPTS='x'",
    b"cat <<E\nRNUM=1",
    b"if true\n",
    b"RNUM='",
    b"RNUM=\\",
)
FILES: Final = st.tuples(st.lists(st.sampled_from(BLOCKS), max_size=7), st.sampled_from(ENDS)).map(
    lambda f: [*f[0], f[1]]
)
#: A case is one of dozens for a process: to shrink it would take minutes, and what fails is printed as it is.
QUICKLY: Final = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


def _fits(text: str) -> bool:
    """Whether it can be an argument of a program: surrogates can only stand for bytes."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def others(before: dict[str, bytes], edited: set[str], text: bytes) -> dict[str, bytes]:
    """The variables that no edit may have changed: not those that are made from an edited one."""
    made_from = {
        match[1].decode()
        for key in edited
        for match in re.finditer(rb"(?m)^\s*(?:export )?(\w+)=.*\$\{?(?:\(\()?" + key.encode(), text)
    }
    touched = edited | made_from | ({"TWINDOW", "MIN_NITE"} if edited & {"RNUM", "SEASON"} else set())
    return {key: value for key, value in before.items() if key not in touched}


def one_block_differs(blocks: list[bytes], after: bytes) -> bool:
    """Whether all lines but those of one block are what they were, in their order; or one was added below them."""
    whole = b"".join(blocks)
    if after.startswith(whole):
        return True
    for i in range(len(blocks)):
        head, tail = b"".join(blocks[:i]), b"".join(blocks[i + 1 :])
        if after.startswith(head) and after.endswith(tail) and len(after) >= len(head) + len(tail):
            return True
    return False


def edit(change: Callable[[], RcFile]) -> RcFile | None:
    try:
        return change()
    except CannotEditError:
        return None


class TestSet:
    """After a key is set, bash reads exactly that value, and of all others what it read before; or it is refused."""

    @QUICKLY
    @given(st.lists(st.tuples(FILES, st.sampled_from(KEYS), VALUES), min_size=20, max_size=30), st.booleans())
    def test_any_file_any_value(self, tmp_path: Path, cases: list[tuple[list[bytes], str, str]], plain: bool) -> None:
        befores, afters, wanted = [], [], []
        for blocks, key, value in cases:
            rc = RcFile.of(b"".join(blocks))
            assert rc.data == b"".join(blocks)
            edited = edit(lambda rc=rc, key=key, value=value: rc.with_value(key, value))  # type: ignore[misc]  # bound now
            if edited is None:
                continue
            assert one_block_differs(blocks, edited.data)
            befores.append(rc.data)
            afters.append(edited.data)
            wanted.append((key, value))
        locale = "C" if plain else "C.UTF-8"
        was = read_by_bash(tmp_path / "bash", befores, KEYS, locale=locale)
        now = read_by_bash(tmp_path / "bash", afters, KEYS, locale=locale)
        for before, after, text, (key, value) in zip(was, now, befores, wanted, strict=True):
            assert after[key] == os.fsencode(value), text
            assert others(after, {key}, text) == others(before, {key}, text), text

    @QUICKLY
    @given(st.lists(st.tuples(FILES, st.sampled_from(KEYS)), min_size=20, max_size=30))
    def test_taken_away(self, tmp_path: Path, cases: list[tuple[list[bytes], str]]) -> None:
        texts, keys = [], []
        for blocks, key in cases:
            rc = RcFile.of(b"".join(blocks))
            if (edited := edit(lambda rc=rc, key=key: rc.without(key))) is not None:  # type: ignore[misc]  # bound now
                texts.append(edited.data)
                keys.append(key)
                again = edit(lambda edited=edited, key=key: edited.with_value(key, "17"))  # type: ignore[misc]  # bound now
                if again is not None:
                    assert again.settings[key].value == "17"
        for key, after in zip(keys, read_by_bash(tmp_path / "bash", texts, KEYS), strict=True):
            assert after[key] == UNSET, texts

    @QUICKLY
    @given(st.lists(FILES, min_size=20, max_size=30))
    def test_shown_as_bash_reads_it(self, tmp_path: Path, files: list[list[bytes]]) -> None:
        """What is shown of a file is what bash reads, wherever it is shown at all."""
        told = [RcFile.of(b"".join(blocks)) for blocks in files]
        for rc, read in zip(told, read_by_bash(tmp_path / "bash", [rc.data for rc in told], KEYS), strict=True):
            for key, setting in rc.settings.items():
                if setting.value is not None and key in KEYS:
                    assert read[key] == os.fsencode(setting.value)

    @QUICKLY
    @given(st.lists(VALUES, min_size=20, max_size=30))
    def test_with_references(self, tmp_path: Path, values: list[str]) -> None:
        """With references kept, $JOBSUB_OPTS is what that key is, and everything else is text."""
        base = RcFile.of(b"JOBSUB_OPTS='a b'\nJOBSUB_TEMP_OPTS=\n")
        made = [
            (value, edited)
            for value in values
            if (
                edited := edit(
                    lambda value=value: base.with_value(  # type: ignore[misc]  # bound now
                        "JOBSUB_TEMP_OPTS", value, refer=frozenset({"JOBSUB_OPTS", "SEASON"})
                    )
                )
            )
        ]
        texts = [edited.data for _, edited in made]
        for (value, _), read in zip(made, read_by_bash(tmp_path / "bash", texts, KEYS), strict=True):
            followed = re.sub(r"\$JOBSUB_OPTS(?![A-Za-z0-9_])|\$\{JOBSUB_OPTS\}", "a b", value)
            assert read["JOBSUB_TEMP_OPTS"] == os.fsencode(followed)
