"""A sandbox is built whole, and looks like the real place."""

from __future__ import annotations

import configparser
import json
import os
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from desgw_daemon.sandbox.build import STANDINS, build, plan
from desgw_daemon.sandbox.nights import demo_scenario, small_scenario
from desgw_daemon.sandbox.scenario import SEARCH_CCDS, Scenario

CHECKOUT = Path(__file__).parents[2]
DATA = CHECKOUT.parent / "shared" / "data"
with_data = pytest.mark.skipif(not DATA.is_dir(), reason="the sample data files are not beside this checkout")


class TestBuild:
    """build makes everything below the given folder, and only in an empty one."""

    def test_what_is_there(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", demo_scenario())
        assert {path.name for path in sandbox.root.iterdir()} == {
            *("pnfs", "gw_workflow", "Post-Processing", "state", "logs", "home", "lists", ".sandbox"),
            *("daemon.toml", "scenario.json", "exposures.db"),
        }
        programs = [*sandbox.workflow.glob("[DSRd]*.sh"), *sandbox.postprocessing.glob("*_*s.sh")]
        assert len(programs) == 5 and all(os.access(path, os.X_OK) for path in programs)
        assert [path.name for path in sandbox.lists] == ["night_i.list", "night_z.list"]
        assert not list((sandbox.state).iterdir()) and not sandbox.log.exists()

    def test_refuses_a_folder_with_something_in_it(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(FileExistsError, match="not empty"):
            build(tmp_path, small_scenario())

    def test_every_stand_in_is_used(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", small_scenario())
        built = {path.name for path in sandbox.root.rglob("*") if path.is_file()}
        assert {path.name for path in STANDINS.iterdir() if path.is_file()} <= built

    def test_lists_name_every_exposure(self, tmp_path: Path) -> None:
        scenario = demo_scenario()
        sandbox = build(tmp_path / "sandbox", scenario)
        words = " ".join(path.read_text() for path in sandbox.lists).split()
        numbers = [int(word) for word in words if len(word) == 6 and word.isdigit()]
        assert sorted(numbers) == [exposure.expnum for exposure in scenario.exposures]

    def test_config_has_only_keys_that_are_shipped(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", demo_scenario())
        own = tomllib.loads(sandbox.config.read_text())
        shipped = tomllib.loads((CHECKOUT / "daemon.toml").read_text())
        for section, keys in own.items():
            assert set(keys) <= set(shipped[section]), section
        for name in ("state", "pnfs", "workflow", "postprocessing"):
            assert (sandbox.root / own["paths"][name]).is_dir()

    def test_older_nite_has_its_own_names(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", demo_scenario())
        (nite,) = (sandbox.pnfs / "exp").iterdir()
        ccd = nite / "938530" / "dp2206" / "z_20"
        assert nite.name == "20200229"
        assert {path.name for path in ccd.iterdir() if path.is_file()} == {
            *("outputs_dp2206_20200229_938530_z_20.tar.gz", "RUN07_combined_astromScamp.FAIL")
        }
        forces = sandbox.pnfs / "forcephoto" / "images" / "dp2206" / "20200229" / "938530"
        assert len(list(forces.iterdir())) == 2 * (59 - 19)


class TestLooksReal:
    """Files that the daemon reads have the form of the real ones."""

    def test_exposures_list(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", demo_scenario())
        lines = (sandbox.workflow / "exposures.list").read_text().splitlines()
        assert " ".join(lines[0].split()) == (
            "EXPNUM NITE MJD_OBS RADEG DECDEG BAND EXPTIME PROPID OBSTYPE TEFF OBJECT"
        )
        rows = {line.split()[0]: line.split(None, 10) for line in lines[1:]}
        assert rows["938524"][1] == "20200304" and rows["938524"][5] == "i"
        assert [int(number) for number in rows] == sorted(map(int, rows))
        # Lines that mislead a search by substring.
        assert sum("938524" in line for line in lines) >= 3
        assert any(row[9] == "NaN" for row in rows.values())

    @with_data
    def test_columns_as_in_the_sample(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", demo_scenario())
        lines = (sandbox.workflow / "exposures.list").read_text().splitlines()
        ours = next(line for line in lines if line.split()[0] == "938524")
        real = (DATA / "sample_exposures.tab").read_text().splitlines()[1]
        # Right-aligned columns end at the same place; the real file has one more at its end.
        ends = [[match.end() for match in re.finditer(r"\S+", line)] for line in (ours, real)]
        assert ends[0][:10] == ends[1][:10]
        # A nite lasts into the next day.
        assert (ours.split()[1], int(float(ours.split()[2]))) == ("20200304", 58913)
        assert (real.split()[1], int(float(real.split()[2]))) == ("20211004", 59492)

    @with_data
    def test_steplist_as_the_real_one(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", demo_scenario())
        ours = (sandbox.postprocessing / "steplist.txt").read_text().split()
        assert ours == (DATA / "steplist.txt").read_text().split()

    @with_data
    def test_template_has_the_sections_and_keys_of_the_real_one(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "sandbox", demo_scenario())
        keys = []
        for path in (sandbox.postprocessing / "template_postproc.ini", DATA / "template_postproc.ini"):
            ini = configparser.ConfigParser(interpolation=None)
            ini.read(path)
            keys.append({name: list(section) for name, section in ini.items()})
        assert keys[0] == keys[1]


class TestScenarios:
    """The built-in nights are what they are said to be."""

    def test_demo(self) -> None:
        scenario = demo_scenario()
        assert len(scenario.exposures) == 12
        assert {e.band for e in scenario.exposures} == {"i", "z"}
        submitted = [e for e in scenario.exposures if e.submitted]
        assert len(submitted) == 11 and len(submitted) * len(SEARCH_CCDS) == 649
        assert [e.ready for e in scenario.going_on].count("partial") == 1
        assert len(scenario.going_on) == 10
        assert sum(bool(e.older) for e in scenario.exposures) == 1

    @pytest.mark.parametrize("scenario", [demo_scenario(), small_scenario(3)], ids=["demo", "small"])
    def test_stated_ends_follow_from_the_habits(self, scenario: Scenario) -> None:
        for entry in plan(scenario)["exposures"]:
            fates = Counter(entry["fates"].values())
            complete = [ccd for ccd, fate in entry["fates"].items() if fate == "complete"]
            files = sum(len(entry["forcefiles"][ccd]) for ccd in complete)
            goes_on = fates["complete"] >= 50 and files > len(complete)
            assert entry["end"] == ("done" if goes_on else "attention"), entry["expnum"]
            whole = "full" if files == 2 * len(complete) else "partial"
            assert entry["ready"] == (whole if goes_on else "no"), entry["expnum"]

    def test_plan_is_json(self) -> None:
        data = plan(demo_scenario())
        assert json.loads(json.dumps(data))["pace"]["job"] == 0.9
