"""A template of the ini files that is none, met when post-processing is to start."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.sandbox.texts import TEMPLATE_INI

from .place import CONFIG, Place

GOOD: Final = TEMPLATE_INI.format(rootdir="/nowhere")
Spoil = Callable[[Path], object]

#: What stands in its place, and what the reason says. What else an ini file can be: tests/act/test_inifile.py.
TEMPLATES: Final[dict[str, tuple[Spoil, str]]] = {
    "binary": (lambda path: path.write_bytes(random.Random(1).randbytes(100_000)), "the template is no ini file: "),
    "a pipe": (os.mkfifo, "template_postproc.ini cannot be read: Not a regular file"),
    "an odd outdir": (
        lambda path: path.write_bytes(GOOD.encode().replace(b"./outputs", b"./out\xff")),
        "outdir = './out\\udcff': it must be there",
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One exposure that is ready."""
    place = Place(tmp_path_factory.mktemp("template") / "place", CONFIG)
    exposure = place.exposure()
    place.adopt()
    place.ok("tick")
    assert place.shown(exposure)["state"] == "ready"
    return place


class TestBadTemplates:
    """The run is failed with a reason that says what is wrong with the template, and nothing is left in the
    Post-Processing folder."""

    @pytest.mark.parametrize("name", TEMPLATES)
    def test_run_is_failed(self, place: Place, name: str) -> None:
        template = place.postprocessing / "template_postproc.ini"
        template.unlink(missing_ok=True)
        spoil, words = TEMPLATES[name]
        spoil(template)
        before = len(place.rows("SELECT * FROM v_postproc"))
        place.ok("postproc", "run", "--season", "2206")
        for _ in range(2):  # a last look, and the start
            if len(place.rows("SELECT * FROM v_postproc")) == before:
                place.ok("tick")
        *_, run = place.rows("SELECT number, state, reason FROM v_postproc ORDER BY number")
        assert (run["number"], run["state"]) == (before + 1, "failed")
        assert words in run["reason"]
        assert len(run["reason"]) < 600
        assert [path.name for path in place.postprocessing.iterdir()] == ["template_postproc.ini"]
        place.ok("tick")
        (shown,) = place.rows("SELECT state, reason FROM v_exposure")
        assert shown["state"] == "attention" and words in shown["reason"]
