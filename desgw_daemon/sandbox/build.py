"""Builds a sandbox: the folders, files and stand-ins of a small observatory.

It only builds: nothing is started here, and nothing outside the given folder is touched.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from desgw_daemon.sandbox import moves, texts
from desgw_daemon.sandbox.moves import Moves
from desgw_daemon.sandbox.scenario import SEARCH_CCDS, OlderNite, PlannedExposure, Scenario

#: Where the stand-ins' sources lie.
STANDINS: Final = Path(__file__).parent / "standins"
_WORKFLOW_PROGRAMS: Final = ("DAGMaker.sh", "SEdiff.sh", "RUNMON.sh", "dummyjob.sh")
_POSTPROC_PROGRAMS: Final = (
    "run_postproc.py",
    "postproc.py",
    "postproc_base.py",
    "products.py",
    "update_forcephoto_links.sh",
)
#: The first file of a sandbox: by it alone a folder is known to be one, and may be deleted.
MARKER: Final = Path(".sandbox") / "README"
_MARK: Final = "This is a sandbox of desgw-daemon: a small made-up observatory. It may be deleted.\n"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where everything is in a sandbox. lists: the .list files to queue, one for each band."""

    root: Path
    season: int

    @property
    def config(self) -> Path:
        """The daemon.toml of this sandbox."""
        return self.root / "daemon.toml"

    @property
    def state(self) -> Path:
        """The daemon's own folder."""
        return self.root / "state"

    @property
    def pnfs(self) -> Path:
        """The root of the tree where jobs put their results."""
        return self.root / "pnfs"

    @property
    def workflow(self) -> Path:
        """gw_workflow."""
        return self.root / "gw_workflow"

    @property
    def postprocessing(self) -> Path:
        """Post-Processing."""
        return self.root / "Post-Processing"

    @property
    def log(self) -> Path:
        """The stand-ins' own log, JSON lines."""
        return self.root / "logs" / "standins.jsonl"

    @property
    def lists(self) -> tuple[Path, ...]:
        """The .list files to queue."""
        return tuple(sorted((self.root / "lists").glob("*.list")))


def build(folder: Path, scenario: Scenario) -> Sandbox:
    """Make a sandbox in this folder, which must not exist or be empty (else FileExistsError)."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    sandbox = Sandbox(root=folder.resolve(), season=scenario.season)
    (sandbox.root / MARKER).parent.mkdir(parents=True)
    (sandbox.root / MARKER).write_text(_MARK)
    for path in (
        sandbox.state,
        sandbox.pnfs / "exp",
        sandbox.pnfs / "forcephoto" / "images",
        sandbox.workflow,
        sandbox.postprocessing / "pylib",
        sandbox.log.parent,
        sandbox.root / "lists",
        sandbox.root / "home",
        sandbox.root / ".sandbox" / "orders",
    ):
        path.mkdir(parents=True)
    _orders(sandbox, scenario)
    _workflow(sandbox, scenario)
    _exposure_database(sandbox, scenario)
    _postprocessing(sandbox, scenario)
    for exposure in scenario.exposures:
        for older in exposure.older:
            _older_nite(sandbox, scenario.season, exposure, older)
    sandbox.config.write_text(texts.daemon_toml(scenario, python=sys.executable))
    for band in sorted({exposure.band for exposure in scenario.exposures}):
        chosen = [e.expnum for e in scenario.exposures if e.band == band]
        path = sandbox.root / "lists" / f"night_{band}.list"
        path.write_text(f"# season {scenario.season}, band {band}\n\n" + "".join(f"{n}\n" for n in chosen))
    (sandbox.root / "scenario.json").write_text(json.dumps(plan(scenario), indent=1) + "\n")
    return sandbox


def is_sandbox(folder: Path) -> bool:
    """Whether this folder was made by `build`, perhaps not to its end."""
    try:
        return (folder / MARKER).read_text() == _MARK
    except (OSError, UnicodeDecodeError):
        return False


def plan(scenario: Scenario) -> dict[str, Any]:
    """The scenario as JSON: what the stand-ins and the judge read. Times are seconds."""
    text = json.dumps(dataclasses.asdict(scenario), default=timedelta.total_seconds)
    data: dict[str, Any] = json.loads(text)
    for exposure, entry in zip(scenario.exposures, data["exposures"], strict=True):
        entry["fates"] = exposure.fates()
        entry["forcefiles"] = {ccd: sorted(moves.forcefiles(exposure.moves_of(ccd))) for ccd in SEARCH_CCDS}
    return data


def _ms(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))


def _shell(values: Mapping[str, object]) -> str:
    """Assignments for bash; no value here holds a quote."""
    return "".join(f"{name}='{value}'\n" for name, value in values.items())


def _orders(sandbox: Sandbox, scenario: Scenario) -> None:
    """What the bash stand-ins source: one file for all, and one for each exposure of the scenario."""
    hidden = sandbox.root / ".sandbox"
    os.mkfifo(hidden / "never")
    shutil.copy(STANDINS / "standin.sh", hidden)
    pace = scenario.pace
    text = _shell(
        {
            "field": "WS0000+000",
            "making": "good",
            "templates": "",
            "unmade": "",
            "dagmaker_ms": _ms(pace.dagmaker),
            "job_ms": _ms(pace.job),
            "copy_ms": _ms(pace.copy),
            "late_ms": _ms(pace.late),
            "template_ms": _ms(pace.template),
            "moves": " ".join(moves.COMPLETE),
        }
    )
    (hidden / "orders" / "default.sh").write_text(text + f"steps=({' '.join(moves.STEPS)})\n")
    for exposure in scenario.exposures:
        own: dict[str, object] = {
            "field": exposure.field_name,
            "making": exposure.making,
            "templates": " ".join(f"{t.expnum}:{t.nite}" for t in exposure.templates),
            "unmade": " ".join(f"{ccd:02d}" for ccd in exposure.unmade),
            "moves": " ".join(exposure.default),
        }
        own |= {f"moves_{ccd:02d}": " ".join(script) for ccd, script in exposure.ccds.items()}
        (hidden / "orders" / f"{exposure.expnum}.sh").write_text(_shell(own))


def _install(names: Iterable[str], folder: Path) -> None:
    for name in names:
        shutil.copyfile(STANDINS / name, folder / name)
        (folder / name).chmod(0o755)


def _workflow(sandbox: Sandbox, scenario: Scenario) -> None:
    folder = sandbox.workflow
    _install(_WORKFLOW_PROGRAMS, folder)
    for name in (".pgpass", ".desservices.ini", ".wgetrc-desdm"):
        (sandbox.root / "home" / name).write_text("# nothing secret here\n")
    setup = (STANDINS / "setup_img_proc.sh").read_text()
    (folder / "setup_img_proc.sh").write_text(setup.replace("@SETUP_FAILS@", "yes" if scenario.setup_fails else ""))
    rc = (STANDINS / "dagmaker.rc").read_text()
    if scenario.engine == "htcondor":
        # What the real jobs ask for no small pool has; the stand-ins need nothing.
        rc = rc.replace("--memory=2000MB --disk=95GB", "--memory=100MB --disk=100MB")
    (folder / "dagmaker.rc").write_text(rc.replace("@SEASON@", str(scenario.season)))
    (folder / "SE_blacklist.txt").write_text("".join(f"{e.expnum}\n" for e in scenario.exposures if e.blacklisted))
    listed = [exposure for exposure in texts.recorded(scenario) if not exposure.new]
    (folder / "exposures.list").write_text(texts.EXPOSURES_HEADER + "".join(exposure.line for exposure in listed))
    for band in ("u", "g", "r", "i", "z", "Y", "VR"):
        own = "".join(exposure.line for exposure in listed if exposure.band == band)
        (folder / f"exposures_{band}.list").write_text(own)


def _exposure_database(sandbox: Sandbox, scenario: Scenario) -> None:
    """The observatory's own: also what nobody lists, which is a zero, a short exposure, one without a place."""
    rows: list[tuple[object, ...]] = [
        (e.expnum, f"{e.taken:%Y-%m-%d %H:%M:%S.%f}", e.ra, e.dec, e.band, e.exptime, "object", e.teff, e.name)
        for e in texts.recorded(scenario)
    ]
    taken = "2020-03-05 09:30:00"
    rows += [
        (938_901, taken, 12.0, -30.0, "i", 90.0, "zero", None, "zero"),
        (938_902, taken, 12.0, -30.0, "i", 15.0, "object", None, "too short"),
        (938_903, taken, None, None, "i", 90.0, "object", None, "nowhere"),
        (182_808, "2013-02-28 09:30:00", 12.0, -30.0, "i", 90.0, "object", 0.5, "before the first"),
    ]
    with closing(sqlite3.connect(sandbox.root / "exposures.db")) as database, database:
        database.execute(
            "CREATE TABLE exposure (id INTEGER PRIMARY KEY, date TEXT, ra REAL, declination REAL, filter TEXT,"
            " exptime REAL, propid TEXT, flavor TEXT, qc_teff REAL, object TEXT)"
        )
        database.executemany(
            f"INSERT INTO exposure VALUES (?, ?, ?, ?, ?, ?, '{texts.PROPID}', ?, ?, ?)",
            rows,
        )


def _postprocessing(sandbox: Sandbox, scenario: Scenario) -> None:
    folder = sandbox.postprocessing
    _install(_POSTPROC_PROGRAMS, folder)
    shutil.copyfile(STANDINS / "pandas.py", folder / "pylib" / "pandas.py")
    shutil.copyfile(STANDINS / "diffimg_setup.sh", folder / "diffimg_setup.sh")
    (folder / "template_postproc.ini").write_text(texts.TEMPLATE_INI.format(rootdir=sandbox.pnfs))
    names = (f"RUN{number:02d}_{name}" for number, name in enumerate(moves.STEPS, start=1))
    (folder / "steplist.txt").write_text("\n".join(names))
    (folder / "hostmatchstatus.txt").write_text("0")
    (folder / "tableSortTest.html").write_text("<table></table>\n")
    (folder / "blacklist.txt").write_text("")


def _older_nite(sandbox: Sandbox, season: int, exposure: PlannedExposure, older: OlderNite) -> None:
    """The same expnum and season under another nite, as an earlier reprocessing left it."""
    dp = f"dp{season}"
    exp = sandbox.pnfs / "exp" / older.nite / str(exposure.expnum) / dp
    forces = sandbox.pnfs / "forcephoto" / "images" / dp / older.nite / str(exposure.expnum)
    forces.mkdir(parents=True)
    for ccd in SEARCH_CCDS:
        label = f"{exposure.band}_{ccd:02d}"
        folder = exp / label
        (folder / "ingest").mkdir(parents=True)
        (folder / f"stamps_{older.nite}_{exposure.field_name}_{label}").mkdir()
        script = older.ccds.get(ccd, older.default)
        for name in _left_by(script, f"{dp}_{older.nite}_{exposure.expnum}_{label}"):
            (folder / name).write_text("left from an earlier processing\n")
        stem = f"WS{season:04d}_{exposure.expnum}_{exposure.field_name}_tile1_combined_{label}+fakeSN_diff"
        for kind in moves.forcefiles(script):
            (forces / f"{stem}.{kind}").write_text("left from an earlier processing\n")


def _left_by(script: Moves, label: str) -> list[str]:
    """Names of what a script leaves in the CCD's own folder."""
    names = []
    for move in script:
        what, _, how = move.partition(":")
        if what == "tarball":
            names.append(f"outputs_{label}.tar.gz")
        elif what == "fail" and how.isdigit():
            names.append(f"RUN{int(how):02d}_{moves.STEPS[int(how) - 1]}.FAIL")
        elif what == "fail":
            names.append("RUN_ALL.FAIL" if how == "ALL" else f"{how}.FAIL")
    return names
