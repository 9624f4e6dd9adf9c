"""Which daemon.toml, and where the state folder is: all that a reading command needs to know.

Must stay light (tomllib and the standard library only): `status` answers at once.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any, Final

from desgw_daemon.errors import ConfigError

ENV: Final = "DESGW_DAEMON_CONFIG"
NAME: Final = "daemon.toml"
SYSTEM: Final = Path("/etc/desgw-daemon") / NAME
#: Far above any real file; a bigger one is something else, given by mistake.
MAX_BYTES: Final = 1_000_000
_TOML_PLACE: Final = re.compile(r"(?P<words>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL)


def find_config(flag: str | None, *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Path:
    """The configuration file, absolute: `--config`, else $DESGW_DAEMON_CONFIG, else ./daemon.toml, else
    /etc/desgw-daemon/daemon.toml.

    A file that was asked for is returned whether it is there or not: reading it tells. Raises ConfigError,
    naming all the places, when nothing was asked for and none is there.
    """
    env = os.environ if env is None else env
    here = Path.cwd() if cwd is None else cwd
    if flag is not None:
        if not flag:
            raise ConfigError("--config: the file name is empty; give the path of a daemon.toml")
        return here / Path(flag).expanduser()
    if env.get(ENV):
        return here / Path(env[ENV]).expanduser()
    for place in (here / NAME, SYSTEM):
        # A broken link counts: silently taking the next file would be worse than an error.
        if os.path.lexists(place):
            return place
    raise ConfigError(
        f"no configuration file: --config was not given, ${ENV} is not set, and neither {here / NAME} "
        f"nor {SYSTEM} exists; name one with --config FILE"
    )


def read_text(path: Path) -> str:
    """The text of the configuration file. Raises ConfigError: missing, not readable, not text, not a file."""
    try:
        # Asked first, since opening a pipe would wait for ever.
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            kind = "a folder" if stat.S_ISDIR(info.st_mode) else "not a regular file"
            raise ConfigError(f"{path}: is {kind}; give the path of a daemon.toml", file=path)
        if info.st_size > MAX_BYTES:
            raise ConfigError(f"{path}: is {info.st_size} bytes long; is this a daemon.toml?", file=path)
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file; name one with --config FILE", file=path) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: cannot be read: {words}; mend that or use --config FILE", file=path) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: is not UTF-8 text; save it as UTF-8", file=path) from None
    if not text.strip():
        raise ConfigError(f"{path}: is empty; paths.state is needed at least (see the shipped {NAME})", file=path)
    return text


def parse_text(text: str, path: Path) -> dict[str, Any]:
    """The text as TOML. Raises ConfigError with the line of a syntax error."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: brackets are nested too deeply", file=path) from None
    except ValueError as error:  # TOMLDecodeError, or a number too long for int()
        match = _TOML_PLACE.fullmatch(str(error))
        line = match["line"] if match else None
        if match and line is None:
            line = str(text.rstrip("\n").count("\n") + 1)
        words = match["words"] if match else str(error)
        where = f", line {line}" if line else ""
        raise ConfigError(f"{path}{where}: is not TOML: {words}; mend the line", file=path) from None


def full_path(value: str, folder: Path) -> Path:
    """An absolute path, or one relative to `folder`; "~" is the home folder.

    Purely a matter of names: no path is looked at, since a mount may hang. Raises ValueError with words for
    a person.
    """
    check_word(value)
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError("begins with the home folder of an unknown user") from None
    return folder / path


def check_word(value: str) -> None:
    """Refuse what no path and no word of a command may hold: nothing at all, blanks, control characters.

    The pipeline's shell scripts split names at blanks. Raises ValueError with words for a person.
    """
    if not value.strip():
        raise ValueError("is empty")
    if not value.isprintable():
        raise ValueError("holds a newline, a NUL or another character that does not belong there")
    if any(c.isspace() for c in value):
        raise ValueError("holds a blank; the pipeline's scripts split names at blanks")


def state_folder(path: Path) -> Path:
    """The folder of the daemon's state, from the configuration file `path`; it exists.

    The rest of the file is not checked here (`config check` does). Raises ConfigError.
    """
    paths = parse_text(read_text(path), path).get("paths")
    value = paths.get("state") if isinstance(paths, dict) else None
    if value is None:
        raise ConfigError(f"{path}: paths.state is missing; {STATE_HELP}", file=path)
    if not isinstance(value, str):
        raise ConfigError(f"{path}: paths.state must be a path in quotes", file=path)
    try:
        folder = full_path(value, path.parent)
    except ValueError as error:
        raise ConfigError(f"{path}: paths.state {error}", file=path) from None
    problem = state_problem(folder)
    if problem is not None:
        raise ConfigError(f"{path}: {problem}", file=path)
    return folder


STATE_HELP: Final = 'name the daemon\'s own folder, such as state = "/var/lib/desgw-daemon" under [paths]'


def state_problem(folder: Path) -> str | None:
    """Why the state folder cannot be used, and what to type; None when it is there."""
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        return f"paths.state: there is no folder {folder}; make it: mkdir -p -m 2775 {quote(str(folder))}"
    except OSError as error:
        return f"paths.state: {folder} cannot be looked at: {error.strerror}"
    if not stat.S_ISDIR(mode):
        return f"paths.state: {folder} is not a folder; name another one, or move that file away"
    return None
