"""The folders: there, of the right kind, writable where they must be, with room."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from desgw_daemon.daemon.doctor.check import Answer, Case, check, fail, ok, size, warn
from desgw_daemon.observe.paths import Seen

#: SQLite's locks are not to be trusted on these.
_NETWORK: Final = ("nfs", "cifs", "smb", "afs", "lustre", "ceph", "gpfs", "beegfs", "glusterfs", "fuse.sshfs", "9p")
#: An exposure leaves some thousand files in the attempts' folders of a night.
_FEW_INODES: Final = 100_000


@check("state_folder")
def state_folder(case: Case) -> Answer:
    """The daemon's own folder: local, writable, shared with the group."""
    folder = case.config.paths.state
    kind = file_system(folder)
    if kind.startswith(_NETWORK):
        todo = "set paths.state to a folder on a local disk: a database on a network mount is lost sooner or later"
        return fail(f"{folder} is on a network mount ({kind})", todo)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"doctor")
    except OSError as error:
        todo = f"ask for membership of the group that owns it; see `ls -ld {folder}` and `df {folder}`"
        return fail(f"{folder} cannot be written by this account: {error.strerror}", todo)
    mode = folder.stat().st_mode
    if not (mode & stat.S_ISGID and mode & stat.S_IWGRP):
        text = f"{folder} is not shared with its group (mode {stat.S_IMODE(mode):04o}): others cannot change the queue"
        return warn(text, f"chmod 2775 {folder}, if other people are to use it")
    return ok(f"{folder} is on a local disk ({kind}), writable, and shared with its group")


@check("state_space")
def state_space(case: Case) -> Answer:
    """Room on the disk of the state folder."""
    folder = case.config.paths.state
    room = os.statvfs(folder)
    free, wanted = room.f_bavail * room.f_frsize, case.config.alerts.min_free
    if free < wanted:
        return fail(f"{size(free)} are free below {folder}, alerts.min_free wants {size(wanted)}", "make room")
    if room.f_files and room.f_favail < _FEW_INODES:
        return warn(f"the disk of {folder} takes only {room.f_favail} more files", "remove old files there")
    if free < 2 * wanted:
        return warn(f"{size(free)} are free below {folder}: not much more than alerts.min_free", "make room")
    return ok(f"{size(free)} are free below {folder}")


@check("inbox")
def inbox(case: Case) -> Answer:
    """Where people drop lists."""
    folder = case.config.paths.state / "inbox"
    if not folder.exists():
        return ok(f"{folder} is not there yet: the daemon makes it at its first start")
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        return fail(f"{folder} cannot be read and written by this account", f"see `ls -ld {folder}`: chmod 2775")
    if not folder.stat().st_mode & stat.S_IWGRP:
        return warn(f"{folder} is not writable for its group: others cannot drop lists", f"chmod g+w {folder}")
    return ok(f"{folder} takes lists")


@check("pnfs")
def pnfs(case: Case) -> Answer:
    """The tree that the jobs write to."""
    root = case.config.paths.pnfs
    seen = case.trees.look(root)
    if problem := folder_problem(root, seen):
        return problem
    if seen.empty:
        return fail(f"{root} is empty: it is not mounted, or the wrong folder", "mount it, or set paths.pnfs")
    exposures = case.trees.look(root / "exp")
    if exposures.kind != "folder":
        why = exposures.problem or "it is not there"
        return warn(f"{root}/exp cannot be seen: {why}", "it comes with the first exposure; else set paths.pnfs")
    ahead = seen.mtime - case.now.timestamp()
    if ahead > 120:
        text = f"{root} was changed {ahead / 60:.0f} min in the future: its clock or this host's is wrong"
        return warn(text, "see `timedatectl`; ask the storage service")
    return ok(f"{root} answers")


@check("workflow")
def workflow(case: Case) -> Answer:
    """gw_workflow: DAGMaker works in it, and the daemon writes some of its files."""
    return _tree(case, case.config.paths.workflow)


@check("postprocessing")
def postprocessing(case: Case) -> Answer:
    """Post-Processing: lists, ini files and results go there."""
    return _tree(case, case.config.paths.postprocessing)


def _tree(case: Case, root: Path) -> Answer:
    seen = case.trees.look(root)
    if problem := folder_problem(root, seen):
        return problem
    if not seen.writable or not seen.executable:
        return fail(f"{root} cannot be written by this account", f"ask its owner; see `ls -ld {root}`")
    if seen.free < case.config.alerts.min_free:
        return warn(f"{size(seen.free)} are free in {root}", "make room, or tell those who run the disk server")
    if seen.inodes is not None and seen.inodes < _FEW_INODES:
        return warn(f"the disk of {root} takes only {seen.inodes} more files", "remove old files there")
    return ok(f"{root} answers, is writable, and has {size(seen.free)} free")


def folder_problem(path: Path, seen: Seen) -> Answer | None:
    """Why this is no folder that can be looked into."""
    if seen.silent:
        return fail(f"{path} gives no answer: {seen.problem}", f"`ls {path}` from another host; tell who runs the disk")
    if seen.kind is None:
        todo = "mount it, or set its place in [paths] of daemon.toml"
        return fail(f"{path} cannot be seen: {seen.problem or 'it is not there'}", todo)
    if seen.kind != "folder":
        return fail(f"{path} is no folder", "set its place in [paths] of daemon.toml")
    if seen.problem or not seen.readable:
        return fail(f"{path} cannot be listed: {seen.problem or 'not allowed'}", f"ask its owner; see `ls -ld {path}`")
    return None


def file_system(path: Path) -> str:
    """The kind of the file system that a path is on: ext4, nfs4, ..."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[2] == number:
            return fields[fields.index("-") + 1]
    # btrfs and overlays number their files otherwise than their mounts.
    best = ("", "unknown kind")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if path.resolve().is_relative_to(fields[4]) and len(fields[4]) > len(best[0]):
            best = (fields[4], fields[fields.index("-") + 1])
    return best[1]
