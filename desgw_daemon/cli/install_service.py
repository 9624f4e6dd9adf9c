"""`install-service`: writes the units of systemd for this host, and says what it did and what comes next."""

from __future__ import annotations

import argparse
import grp
import os
import pwd
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from desgw_daemon.cli.service_units import Host
    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.config.model import Config

_SERVICE: Final = "desgw-daemon.service"
_SYSTEM: Final = Path("/etc/systemd/system")
_EVERYBODY: Final = (
    "desgw-daemon-backup.timer",
    "desgw-daemon-night-start.timer",
    "desgw-daemon-night-stop.timer",
    "desgw-daemon-night-stop.target",
)
_OWN: Final = (_SERVICE, "desgw-daemon-backup.service")


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "install-service",
        help="write the units of systemd for this host",
        description="Write the service, its timers and the backup as units of systemd, with the paths and the account\n"
        "of this host, and say what to do next. A unit that somebody has changed is left alone.",
    )
    parser.add_argument("--user", action="store_true", help="for your own systemd (no root needed)")
    parser.add_argument("--as", dest="account", metavar="NAME", help="the account (default: the state folder's owner)")
    parser.add_argument("--group", metavar="NAME", help="its group (default: the state folder's, else the account's)")
    parser.add_argument(
        "--folder", metavar="DIR", help=f"where to write (default: {_SYSTEM}, or ~/.config/systemd/user)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the units, write nothing")
    parser.add_argument("--force", action="store_true", help="overwrite changed units, too; they are kept as NAME.old")


def run(args: argparse.Namespace) -> int:
    """Write the units. Exit code 1 when one was left alone. Raises DesgwError."""
    from desgw_daemon.cli.service_units import fill, sealed
    from desgw_daemon.config.loading import load_for_service
    from desgw_daemon.config.locate import find_config

    loaded = load_for_service(find_config(args.config))
    if args.user and (args.account or args.group):
        raise UsageError("--user writes for your own account: --as and --group are for the system's service")
    host = _host(args, loaded)
    folder = _folder(args)
    templates = {name: _templates() / name for name in _EVERYBODY}
    templates |= {name: _templates() / ("user" if args.user else "") / name for name in _OWN}
    units = {name: sealed(fill(path.read_text(), host)) for name, path in sorted(templates.items())}
    if args.dry_run:
        for name, text in units.items():
            print(f"# {folder / name}\n{text}")
        return 0
    kept = [name for name, text in units.items() if not _write(folder / name, text, force=args.force)]
    for line in _next_steps(args, loaded.config, host, folder):
        print(line)
    return 1 if kept else 0


def _write(path: Path, text: str, *, force: bool) -> bool:
    """Whether the unit is as it should be now. Says what was done. Raises Refused."""
    from desgw_daemon.cli.service_units import is_ours

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if path.exists() else None
        if before == text:
            print(f"as it was: {path}")
            return True
        if before is not None and not is_ours(before):
            if not force:
                print(
                    f"left alone: {path} was changed by somebody; --force overwrites it (it is kept as {path.name}.old)"
                )
                return False
            path.with_name(f"{path.name}.old").write_text(before)
        part = path.with_name(f".{path.name}.part")
        part.write_text(text)
        part.chmod(0o644)
        part.rename(path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}; as root, or with --user, or --folder DIR") from None
    print(f"{'written' if before is None else 'renewed'}: {path}")
    return True


def _host(args: argparse.Namespace, loaded: Loaded) -> Host:
    from desgw_daemon.cli.service_units import Host, fit_to_name, mounts_of

    config = loaded.config
    account = pwd.getpwuid(os.getuid()) if args.user else _account(args.account, config.paths.state)
    mounts = mounts_of(Path("/proc/self/mountinfo").read_text())
    trees = [config.paths.workflow, config.paths.postprocessing]
    if config.postproc.missing_folders == "make":  # else the daemon only reads there
        trees.append(config.paths.pnfs)
    if config.alerts.heartbeat and "://" not in config.alerts.heartbeat:
        trees.append((config.paths.state / config.alerts.heartbeat).parent)
    if config.metrics.textfile is not None:
        trees.append(config.metrics.textfile.parent)
    if config.log_file is not None:
        trees.append(config.log_file.parent)
    outside = [path for path in trees if path != config.paths.state and config.paths.state not in path.parents]
    return Host(
        program=_program(),
        config=loaded.source.absolute(),
        state=config.paths.state,
        backups=config.backups,
        user=account.pw_name,
        group=args.group or _group(account, config.paths.state),
        uid=account.pw_uid,
        docs=str(_docs()),
        credentials=_credentials(config),
        writable=[fit_to_name(path, mounts) for path in outside],
    )


def _account(name: str | None, state: Path) -> pwd.struct_passwd:
    """The account of the service. Raises UsageError."""
    try:
        if name is not None:
            account = pwd.getpwnam(name)
        else:
            account = pwd.getpwuid(state.stat().st_uid) if state.is_dir() else pwd.getpwnam("desgw")
    except KeyError:
        raise UsageError(
            f"there is no account {name or 'desgw'}: name the one that runs the pipeline with --as"
        ) from None
    if account.pw_uid == 0:
        raise UsageError("the daemon must not run as root: name the account that runs the pipeline with --as")
    return account


def _group(account: pwd.struct_passwd, state: Path) -> str:
    try:
        number = state.stat().st_gid if state.is_dir() and state.stat().st_gid != 0 else account.pw_gid
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(account.pw_gid)


def _credentials(config: Config) -> dict[str, Path]:
    """Files of addresses that are there, by the name under which the daemon looks for them."""
    names = (f"alert-{channel}" for channel in config.alerts.channels)
    return {name: file for name in names if (file := config.alert_credentials / name).is_file()}


def _program() -> tuple[str, ...]:
    beside = Path(sys.executable).with_name("desgw-daemon")
    return (str(beside),) if beside.is_file() else (sys.executable, "-P", "-m", "desgw_daemon")


def _folder(args: argparse.Namespace) -> Path:
    if args.folder:
        return Path(args.folder).absolute()
    if not args.user:
        return _SYSTEM
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _templates() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "_installed" / "systemd"
    return installed if installed.is_dir() else package.parent / "systemd"


def _docs() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "_installed" / "docs"
    return (installed if installed.is_dir() else package.parent / "docs") / "service.md"


def _next_steps(args: argparse.Namespace, config: Config, host: Host, folder: Path) -> list[str]:
    """What a person has to do now."""
    control = "systemctl --user" if args.user else "systemctl"
    steps = [
        f"loginctl enable-linger {host.user}" + (" (ask root, where it is not allowed)" if args.user else ""),
        f"{control} daemon-reload",
        f"{control} enable --now {_SERVICE}",
        f"{control} enable --now desgw-daemon-backup.timer",
    ]
    said = [f"the service runs as {host.user}:{host.group} with {host.config}"]
    if not config.paths.state.is_dir():
        said.append(f"{config.paths.state} is not there yet" + _who_makes(config.paths.state))
    said += [
        f"alert channel {channel}: its address is not in {config.alert_credentials / f'alert-{channel}'} yet;"
        " write it (mode 600), then run this again"
        for channel in config.alerts.channels
        if f"alert-{channel}" not in host.credentials
    ]
    elsewhere = folder not in (_SYSTEM, Path.home() / ".config" / "systemd" / "user")
    said.append("copy them to where systemd looks, then run:" if elsewhere else "run now:")
    said += [f"  {step}" for step in steps]
    said.append(
        f"only in the night, if wanted: {control} enable --now desgw-daemon-night-start.timer"
        " desgw-daemon-night-stop.timer (look at their times first)"
    )
    said.append(f"changes of your own: {control} edit {_SERVICE}; more: {host.docs}")
    return said


def _who_makes(state: Path) -> str:
    if state.parent == Path("/var/lib"):
        return ": systemd makes it at the first start"
    return f": make it first (mkdir -p -m 2775 {state}), owned by the account"
