"""A DAGMaker that prints and leaves what nobody expects."""

from __future__ import annotations

import re
import time
from typing import Final

import pytest

from .place import CONFIG, Place, list_line

#: Each writes its DAG (and DONE) in its own bad way; DAGMaker itself ends with 0, as it does after nearly anything.
SCRIPTS: Final = {
    941301: r"""printf 'half \033[31mred\033[0m \a\r\n\377\376 \033]0;title\007 \000 end\n'; exit 3""",
    941302: r"""head -c 3000000 /dev/urandom; done_ $1""",
    941303: r"""truncate -s 50M "$dag"; done_ $1""",
    941304: r"""head -c 200000 /dev/urandom > "$dag"; done_ $1""",
    941305: r"""printf '<parallel>\njobsub -n file://SEdiff.sh -E \033[2J\377\n</parallel>\n' > "$dag"; done_ $1""",
    941306: r"""mkdir "$dag"; done_ $1""",
    941307: r"""mkfifo "$dag"; done_ $1""",
    941308: r"""ln -s "$dag" "$dag"; done_ $1""",
    941309: r"""rm -rf "mytemp_$1"; echo here > "mytemp_$1"; echo > "$dag" """,
}
#: What the reason says of each.
WORDS: Final = {
    941301: "exit code 3",
    941302: "it left no desgw_pipeline_941302.dag",
    941303: "desgw_pipeline_941303.dag is longer than",
    941304: "its DAG is broken: line 1:",
    941305: "its DAG is broken: line 2:",
    941306: "desgw_pipeline_941306.dag cannot be read: Is a directory",
    941307: "desgw_pipeline_941307.dag cannot be read: Not a regular file",
    941308: "desgw_pipeline_941308.dag cannot be read: Too many levels of symbolic links",
    941309: "it left no mytemp_941309/DAGMaker.DONE",
}
CASES = "".join(f"{expnum}) {script} ;;\n" for expnum, script in SCRIPTS.items())
DAGMAKER = f"""\
#!/bin/bash
dag=desgw_pipeline_$1.dag
mkdir -p "mytemp_$1"
done_() {{ echo jobsub_submit_dag > "mytemp_$1/DAGMaker.DONE"; }}
case $1 in
{CASES}esac
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """All of them have been made, one after another as the cap allows."""
    place = Place(
        tmp_path_factory.mktemp("dagmaker") / "place", CONFIG + "[dagmaker]\nmax_at_once = 9\nmade_ahead = 9\n"
    )
    (place.workflow / "setup_img_proc.sh").write_text("export DIFFIMG_HOST=FNAL\n")
    (place.workflow / "dagmaker.rc").write_text("SEASON=2206\n")
    (place.workflow / "DAGMaker.sh").write_text(DAGMAKER)
    (place.workflow / "DAGMaker.sh").chmod(0o755)
    place.put_list(b"".join(list_line(expnum) for expnum in SCRIPTS))
    place.ok("queue", "add", *map(str, SCRIPTS), "--season", "2206")
    end = time.monotonic() + 120
    while len(place.rows("SELECT 1 FROM v_exposure WHERE state = 'attention'")) < len(SCRIPTS):
        place.ok("tick")
        assert time.monotonic() < end, place.rows("SELECT expnum, state, reason FROM v_exposure")
    return place


class TestBadDags:
    """The exposure needs a person, the reason says what is wrong in words that a terminal can show, and nothing is
    submitted."""

    @pytest.mark.parametrize("expnum", SCRIPTS)
    def test_reason(self, made: Place, expnum: int) -> None:
        (shown,) = made.rows("SELECT reason FROM v_exposure WHERE expnum = ?", expnum)
        assert WORDS[expnum] in shown["reason"]
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", shown["reason"])
        assert len(shown["reason"]) < 3000

    def test_nothing_is_submitted(self, made: Place) -> None:
        assert made.rows("SELECT * FROM v_submission") == []

    def test_it_can_be_shown(self, made: Place) -> None:
        """Each line is looked at as it is printed."""
        made.ok("status")
        made.ok("explain", "941301")
        made.ok("history", "941302")
        assert "half red" in made.ok("explain", "941301")
