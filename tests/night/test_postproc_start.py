"""A run of post-processing: its list and ini, its environment, its output, what is left in the folder afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable

from .house import House, night_of, planned
from .results import put_results


def as_lines(text: str) -> list[str]:
    return text.splitlines()


class TestListAndIni:
    """The list holds bare numbers, and the ini is the template with season, list and bands set."""

    def test_of_what_goes_on(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), planned(938525, "z"), planned(938526, "r")))
        for expnum, band in ((938524, "i"), (938525, "z")):
            put_results(house.sandbox, expnum, band)
        # Not good enough: its band must not be among those of the ini.
        put_results(house.sandbox, 938526, "r", failed=range(3, 15))
        house.ok("queue", "adopt", "--season", "2206", "--nite", "20200304")
        theirs = house.sandbox.postprocessing / "postproc_1999.ini"
        theirs.write_text("[general]\nseason = 1999\n")
        house.start()
        house.wait_for("done", 938524, 938525)
        assert house.exposure(938526)["state"] == "attention"
        (run,) = house.runs("run_postproc.py")
        assert run.argv == ("--outputdir", "./outputs", "--season", "2206")
        assert run.env["SEASON"] == "2206", "the set-up had left the season of the other ini"
        (seen,) = [event for event in run.events if event["event"] == "ini"]
        assert seen["list"] == [938524, 938525]
        template = as_lines((house.sandbox.postprocessing / "template_postproc.ini").read_text())
        made = as_lines(seen["text"])
        changed = {new for old, new in zip(template, made, strict=True) if old != new}
        (listed,) = house.sandbox.postprocessing.glob("complete_exposures_S2206_*.list")
        assert changed == {
            "season = 2206",
            f"exposures_listfile = {listed.name} ; looked for in indir",
            "bands = i,z ; a comma list without blanks",
            # The set-up would mix the seasons of the two ini files when step 5 sources it again.
            f"env_setup_file = {house.state / 'runs' / 'S2206_1' / 'environment.sh'}",
        }
        assert listed.read_text() == "938524\n938525\n"
        # What is ours goes, but for the output; what is theirs stays.
        house.until(lambda: not (house.sandbox.postprocessing / "postproc_2206.ini").exists(), "our ini goes")
        assert theirs.exists()
        kept = house.state / "runs" / "S2206_1"
        assert (kept / "postproc_2206.ini").read_text() == seen["text"]
        assert (kept / listed.name).read_text() == listed.read_text()
        link = house.sandbox.postprocessing / "postproc_run.out"
        assert link.readlink().name == "postproc_run_2206_1.out"
        assert "END END TIME" in link.read_text()


class TestTwoSeasons:
    """Two seasons share the Post-Processing folder: one run at a time, each with its own season."""

    def test_take_turns(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), planned(938525), step=60))
        for season, expnum in ((2206, 938524), (2208, 938525)):
            put_results(house.sandbox, expnum, season=season)
            house.ok("queue", "adopt", "--season", str(season), "--yes")
        house.start()
        house.until(
            lambda: len(house.rows("SELECT * FROM v_postproc WHERE state = 'done'")) == 2, "both seasons are done"
        )
        first, second = house.runs("run_postproc.py")
        assert [first.option("--season"), second.option("--season")] == ["2206", "2208"]
        assert [first.env["SEASON"], second.env["SEASON"]] == ["2206", "2208"]
        images = house.sandbox.postprocessing / "forcephoto" / "images"
        for run, of in ((first, "2206"), (second, "2208")):
            assert run.env["TOPDIR_SNFORCEPHOTO_IMAGES"] == str(images / f"dp{of}")
            assert run.env["ROOTDIR2"] == str(house.sandbox.postprocessing)
        assert first.end is not None and first.end <= second.start
        errors = [json.loads(line) for line in house.sandbox.log.read_text().splitlines() if '"error"' in line]
        assert errors == []


class TestLinks:
    """update_forcephoto_links.sh runs before each start, unless told never; when it fails, nothing is started."""

    def test_always(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.wait_for("done", 938524)
        (links,) = house.runs("update_forcephoto_links.sh")
        (run,) = house.runs("run_postproc.py")
        assert links.env["SEASON"] == "2206"
        assert links.end is not None and links.end <= run.start

    def test_never(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)), {"postproc.update_links": '"never"'})
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.wait_for("done", 938524)
        assert house.runs("update_forcephoto_links.sh") == []


class TestNothingIsStarted:
    """What keeps a run from starting is said on each exposure and in one alert, with what to do next."""

    def broken(self, make_house: Callable[..., House], name: str, text: str | None) -> tuple[House, str]:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        path = house.sandbox.postprocessing / name
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
            path.chmod(0o755)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.wait_for("attention", 938524)
        house.until(lambda: house.alerts("postproc_failed"), "an alert")
        house.stop()
        (alert,) = house.alerts("postproc_failed")
        reason = str(house.exposure(938524)["reason"])
        for words in (alert["text"], reason):
            assert "desgw-daemon postproc run --season 2206" in words
        assert house.alerts("exposure_attention") == []
        assert house.runs("run_postproc.py") == []
        return house, reason

    def test_links_that_fail(self, make_house: Callable[..., House]) -> None:
        script = "#!/bin/bash\necho the tree is locked\nexit 7\n"
        _, reason = self.broken(make_house, "update_forcephoto_links.sh", script)
        assert "(links)" in reason and "the tree is locked" in reason and "ended with 7" in reason

    def test_a_set_up_that_fails(self, make_house: Callable[..., House]) -> None:
        _, reason = self.broken(make_house, "diffimg_setup.sh", "echo no software area; exit 3\n")
        assert "(setup)" in reason and "no software area" in reason and "exit code 3" in reason

    def test_a_set_up_that_sets_nothing(self, make_house: Callable[..., House]) -> None:
        _, reason = self.broken(make_house, "diffimg_setup.sh", "return 1\n")
        assert "set no ROOTDIR" in reason

    def test_no_template(self, make_house: Callable[..., House]) -> None:
        house, reason = self.broken(make_house, "template_postproc.ini", None)
        assert "template_postproc.ini" in reason
        assert list(house.sandbox.postprocessing.glob("*.list")) == []

    def test_a_template_without_a_key(self, make_house: Callable[..., House]) -> None:
        _, reason = self.broken(make_house, "template_postproc.ini", "[general]\nseason = 1\nbands = i\n")
        assert "the template has no key exposures_listfile in [general]" in reason
