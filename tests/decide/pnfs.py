"""One exposure's part of /pnfs in memory, and the daemon's looks at it, with the rules that decide what is looked at.

It stands for what a worker reports, whose honesty is tested on real trees elsewhere: forcefiles before CCD folders, a
size only where it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from desgw_daemon.decide.ccds import assess
from desgw_daemon.decide.looks import plan_looks
from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import Action, Move, Recheck
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.facts import (
    CcdSeen,
    FoldersSeen,
    ForcefilesSeen,
    LookRequest,
    SeenFail,
    SeenFile,
    Sighting,
    Unseen,
)
from desgw_daemon.domain.names import ExposureKey, is_fail
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Ccd, Exposure, Snapshot
from tests.decide.build import POLICY, START, fits, submitted


@dataclass
class File:
    """Size in bytes, mtime, text."""

    size: int
    at: datetime
    text: str = ""


@dataclass
class Folder:
    """Files by name. broken: the mount's error when it is listed."""

    files: dict[str, File] = field(default_factory=dict)
    broken: str | None = None

    def put(self, name: str, at: datetime, size: int = 1_000_000, text: str = "") -> None:
        """A file appears, or is written again."""
        self.files[name] = File(size, at, text)


class Pnfs:
    """CCD folders by number, and the forcephoto folder (None: not there yet)."""

    def __init__(self, exposure: Exposure) -> None:
        key = exposure.key
        assert key is not None
        self.key: ExposureKey = key
        self.id = exposure.id
        self.ccds: dict[int, Folder] = {ccd: Folder() for ccd in SEARCH_CCDS}
        self.force: Folder | None = None
        self.there = True
        self.broken: str | None = None
        #: Called while a listing goes on: a job may copy files meanwhile.
        self.between: Callable[[], None] = lambda: None
        self._clock = START

    def tarball(self, ccd: int, at: datetime, size: int = 1_000_000) -> None:
        """A job copies its tarball back."""
        self.ccds[ccd].put(self.key.tarball(ccd), at, size)

    def fail(self, ccd: int, at: datetime, name: str = "RUN18_combined+expose_hotpants.FAIL", text: str = "") -> None:
        """A job copies a FAIL back."""
        self.ccds[ccd].put(name, at, 100, text)

    def pair(self, ccd: int, at: datetime) -> None:
        """A job copies its forcephoto files back."""
        self.force = self.force or Folder()
        for kind in ("fits", "psf"):
            self.force.put(fits(ccd, expnum=self.key.expnum, band=self.key.band, kind=kind), at)

    def complete(self, ccd: int, at: datetime) -> None:
        """A job comes to a good end."""
        self.tarball(ccd, at)
        self.pair(ccd, at)

    def look(self, request: LookRequest, at: datetime) -> tuple[Sighting, ...]:
        """What a worker reports. A listing takes time, and is of the moment that suits a wrong conclusion best.

        That is: of forcefiles whatever is there at its end, of a CCD what was there at its beginning.
        """
        self._clock = at
        sightings: list[Sighting] = []
        if request.forcefiles:
            self._time_passes()
            sightings.append(self._forcefiles(request))
        ccds = request.ccds
        if request.folders:
            folders = self._folders()
            self._time_passes()
            sightings.append(folders)
            found = folders.ccds if isinstance(folders, FoldersSeen) else frozenset[int]()
            ccds = tuple(sorted(found)) if ccds is None else ccds
        for ccd in ccds or ():
            sightings.append(self._ccd(request, ccd))
            self._time_passes()
        return tuple(sightings)

    def _time_passes(self) -> None:
        self.between()
        self._clock += timedelta(milliseconds=1)

    def _folders(self) -> FoldersSeen | Unseen:
        if self.broken:
            return Unseen(self.id, "folders", None, self.broken, self._clock)
        return FoldersSeen(self.id, self._clock, self.there, frozenset(self.ccds) if self.there else frozenset())

    def _forcefiles(self, request: LookRequest) -> ForcefilesSeen | Unseen:
        problem = self.broken or (self.force.broken if self.force else None)
        if problem:
            return Unseen(self.id, "forcefiles", None, problem, self._clock)
        if self.force is None:
            return ForcefilesSeen(self.id, self._clock, False, ())
        return ForcefilesSeen(self.id, self._clock, True, self._files(self.force.files, request))

    def _ccd(self, request: LookRequest, ccd: int) -> CcdSeen | Unseen:
        folder = self.ccds.get(ccd) if self.there else None
        problem = self.broken or (folder.broken if folder else None)
        if problem:
            return Unseen(self.id, "ccd", ccd, problem, self._clock)
        if folder is None:
            return CcdSeen(self.id, ccd, self._clock, False)
        fails = tuple(
            SeenFail(
                name,
                file.size,
                file.at.timestamp(),
                None if request.known_fails.get((ccd, name)) == (file.size, file.at.timestamp()) else file.text,
            )
            for name, file in sorted(folder.files.items())
            if is_fail(name)
        )
        outputs = {name: file for name, file in folder.files.items() if name.startswith("outputs_")}
        return CcdSeen(self.id, ccd, self._clock, True, self._files(outputs, request), fails)

    def _files(self, files: dict[str, File], request: LookRequest) -> tuple[SeenFile, ...]:
        return tuple(
            SeenFile(name, None, None)
            if name in request.known_sizes
            else SeenFile(name, file.size, file.at.timestamp())
            for name, file in sorted(files.items())
        )


class Watch:
    """The daemon's cycles for one exposure: a look, what it means, the plan, its moves carried out."""

    def __init__(self, exposure: Exposure | None = None, policy: Policy = POLICY) -> None:
        self.exposure = submitted() if exposure is None else exposure
        self.policy = policy
        self.pnfs = Pnfs(self.exposure)
        self.requests: tuple[LookRequest, ...] = ()

    def look(self, now: datetime) -> Watch:
        """Look at what the rules say, and assess it."""
        self.requests = plan_looks(Snapshot(exposures=(self.exposure,)), self.policy, now)
        for request in self.requests:
            self.exposure = assess(self.exposure, request, self.pnfs.look(request, now), self.policy, now)
        return self

    def look_at_all(self, now: datetime) -> Watch:
        """A full look, as before post-processing."""
        self.exposure = replace(self.exposure, recheck_asked_at=now - timedelta(seconds=1))
        return self.look(now)

    def cycle(self, now: datetime) -> tuple[Action, ...]:
        """A whole cycle; moves are carried out as the store does."""
        self.look(now)
        actions = plan(Snapshot(exposures=(self.exposure,)), self.policy, now)
        for action in actions:
            if isinstance(action, Move):
                moved = replace(self.exposure, state=action.after, ready=action.ready, reason=action.reason)
                self.exposure = replace(moved, since=now, news_at=now)
            elif isinstance(action, Recheck):
                self.exposure = replace(self.exposure, recheck_asked_at=now)
        return actions

    def ccd(self, number: int = 1) -> Ccd:
        """One CCD as it stands."""
        return next(ccd for ccd in self.exposure.ccds if ccd.ccd == number)
