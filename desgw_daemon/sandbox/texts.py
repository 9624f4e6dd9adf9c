"""The texts of a sandbox: exposures.list, the template of the ini files, daemon.toml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from desgw_daemon.sandbox.scenario import Scenario

EXPOSURES_HEADER: Final = (
    f"{'EXPNUM':>8} {'NITE':>9} {'MJD_OBS':>13} {'RADEG':>11} {'DECDEG':>10} {'BAND':>6} {'EXPTIME':>8}"
    f" {'PROPID':>12} {'OBSTYPE':>7} {'TEFF':>7} {'OBJECT':>50}\n"
)

PROPID: Final = "2019B-0353"
_MJD_0: Final = datetime(1858, 11, 17, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An exposure as the observatory has recorded it. new: after exposures.list was written."""

    expnum: int
    nite: str
    band: str
    ra: float
    dec: float
    exptime: float
    teff: float | None = 0.94
    name: str = "DESGW hex"
    new: bool = False

    @property
    def taken(self) -> datetime:
        """The nite is the evening's date; the exposure was taken after midnight UT."""
        evening = datetime.strptime(self.nite, "%Y%m%d").replace(tzinfo=UTC)
        return evening + timedelta(days=1, seconds=self.expnum % 500 * 57.6)

    @property
    def line(self) -> str:
        """Its line of exposures.list."""
        mjd = (self.taken - _MJD_0) / timedelta(days=1)
        teff = "NaN" if self.teff is None else f"{self.teff:.2f}"
        return (
            f"{self.expnum:>8} {self.nite:>9} {mjd:>13.6f} {self.ra:>11.6f} {self.dec:>10.6f} {self.band:>6}"
            f" {self.exptime:>8.2f} {PROPID:>12} {'object':>7} {teff:>7} {self.name:>50}\n"
        )


def recorded(scenario: Scenario) -> list[Recorded]:
    """What the observatory has recorded, ordered by number.

    With lines that mislead whoever looks an exposure up by a part of a line: a number that contains
    another, a number in the name of an object, no TEFF, blanks in a name.
    """

    def exposures() -> Iterator[Recorded]:
        for exposure in scenario.exposures:
            ra, dec = exposure.ra, exposure.dec
            number, nite = exposure.expnum, exposure.nite
            if exposure.known:
                yield Recorded(
                    expnum=number,
                    nite=nite,
                    band=exposure.band,
                    exptime=exposure.exptime,
                    ra=ra,
                    dec=dec,
                    new=exposure.new,
                )
            for template in exposure.templates:
                yield Recorded(
                    expnum=template.expnum, nite=template.nite, band=template.band, exptime=90.0, ra=ra, dec=dec
                )
            if len(str(number)) == 6:
                longer = 1_000_000 + number
                yield Recorded(expnum=longer, nite="20210914", band="r", exptime=30.0, teff=None, ra=ra, dec=dec)
            before = 300_000 + number % 100_000
            name = f"repeat of {number} hex 5 of 6"
            yield Recorded(expnum=before, nite="20140202", band="g", exptime=90.0, name=name, ra=ra, dec=dec)

    found = {exposure.expnum: exposure for exposure in exposures()}
    return [found[expnum] for expnum in sorted(found)]


#: What a run of post-processing reads, section by section.
TEMPLATE_INI: Final = """\
[general]
season = season_input
ligoid = GW000000
triggerid = G000000
propid = 2019B-0353
triggermjd = 58909.0
ups = False
env_setup_file = ./diffimg_setup.sh
rootdir = {rootdir}
outdir = ./outputs
indir = ./
db = destest
schema = sandbox
exposures_listfile = exposures.list ; looked for in indir
bands = i ; a comma list without blanks
GoodSNIDs=""

[plots]
mlscore_cut = 0.7

[masterlist]
blacklist = blacklist.txt ; looked for in indir
filename_1 = MasterExposureList_prelim.fits
filename_2 = MasterExposureList.fits

[checkoutputs]
logfile = checkoutputs.log
ccdfile = checkoutputs.csv
goodfile = goodchecked.list
steplist = steplist.txt ; looked for in indir, needed

[GWFORCE]
numepochs_min = 0
ncore = 8
writeDB = True

[HOSTMATCH]
version = v1.0.1

[truthtable]
filename = fakes_truth.tab
plusname = truthplus.tab

[GWmakeDataFiles]
format= snana
numepochs_min = 0
2nite_trigger = null

[GWmakeDataFiles-real]
outFile_stdout = makeDataFiles_real.stdout
outDir_data = LightCurvesReal
combined_fits = datafiles_combined.fits

[GWmakeDataFiles-fake]
outFile_stdout = makeDataFiles_fake.stdout
outDir_data = LightCurvesFake
version = KBOMAG20ALLSKY
"""


#: Alerts that wait a minute or two, which are cycles here.
_DELAYED: Final = (
    "pnfs_silent",
    "workflow_silent",
    "postprocessing_silent",
    "engine_silent",
    "making_blocked",
    "credential",
    "action_failed",
    "part_failed",
    "disk_nearly_full",
    "config_refused",
    "checkup_failed",
)


def _span(value: timedelta) -> str:
    return f'"{round(value / timedelta(milliseconds=1))} ms"'


def daemon_toml(scenario: Scenario, *, python: str) -> str:
    """The configuration of a sandbox: the shipped keys, its own paths, time compressed."""
    watch = scenario.watch
    return f"""\
# Configuration of desgw-daemon for this sandbox: hours are seconds here.

[paths]
state = "state"
pnfs = "pnfs"
workflow = "gw_workflow"
postprocessing = "Post-Processing"

[poll]
interval = {_span(watch.interval)}

[queue]
inbox_settle = "500 ms"

[dagmaker]
max_at_once = {watch.dagmaker_max_at_once}
timeout = {_span(watch.dagmaker_timeout)}

[databases]
exposures = "sqlite:///exposures.db"
exposures_schema = ""
refresh_every = {_span(watch.refresh_every)}

[submit]
engine = "{scenario.engine}"
max_in_flight = {watch.max_in_flight}
confirm_absent = {_span(watch.confirm_absent)}
query_timeout = {_span(watch.query_timeout)}
retry_after = {_span(watch.retry_after)}
local_slots = {watch.local_slots}

[readiness]
settle = {_span(watch.settle)}
grace_after_dag = {_span(watch.grace_after_dag)}
zero_size_after = {_span(watch.zero_size_after)}

[postproc]
quiet_for = {_span(watch.quiet_for)}
min_interval = {_span(watch.postproc_min_interval)}
retries = {watch.postproc_retries}
retry_after = {_span(watch.postproc_retry_after)}
python = "{python}"
host_lock = "locks/postproc-host.lock"

[alerts]
rules = {{ {", ".join(f"{rule} = {{ after = {_span(watch.interval)} }}" for rule in _DELAYED)} }}
"""
