"""daemon.toml -> a checked configuration, or all that is wrong with it, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from desgw_daemon.config.kinds import FOLDER
from desgw_daemon.config.locate import parse_text, read_text, state_problem
from desgw_daemon.config.model import Config, contradictions, keys
from desgw_daemon.config.origins import lines_of_keys
from desgw_daemon.config.problems import in_words
from desgw_daemon.errors import ConfigError

#: Origin of a value that the file does not set.
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration with the file it comes from.

    origins: `section.key` -> "line n of FILE" or "default".
    """

    config: Config
    source: Path
    origins: Mapping[str, str]


def load(path: Path) -> Loaded:
    """Read and check the file at `path` (absolute, as `locate.find_config` gives it).

    Only the state folder is looked at on disk: the pipeline's trees may be away. Relative paths start at
    the folder in which `path` stands, also when it is a link. Raises ConfigError with every problem.
    """
    loaded = load_for_service(path)
    problem = state_problem(loaded.config.paths.state)
    if problem is not None:
        raise ConfigError(f"{path}: {problem}", file=path)
    return loaded


def load_for_service(path: Path) -> Loaded:
    """The same without any look at the disk: systemd may be going to make the state folder. Raises ConfigError."""
    text = read_text(path)
    data = parse_text(text, path)
    lines = lines_of_keys(text)
    try:
        config = Config.model_validate(data, context={FOLDER: path.parent})
    except ValidationError as error:
        raise _refusal(path, lines, [in_words(detail) for detail in error.errors()]) from None
    wrong = list(contradictions(config))
    if wrong:
        raise _refusal(path, lines, wrong)
    origins = {key: f"line {lines[key]} of {path}" if key in lines else DEFAULT for key in keys()}
    return Loaded(config=config, source=path, origins=MappingProxyType(origins))


def reload(old: Loaded) -> Loaded | ConfigError:
    """The same file once more. A file that cannot be used is a value: the caller keeps the old one."""
    try:
        return load(old.source)
    except ConfigError as error:
        return error


def _refusal(path: Path, lines: Mapping[str, int], wrong: list[tuple[str, str]]) -> ConfigError:
    def line(key: str) -> int:
        return lines.get(key, 0)

    return ConfigError(
        [
            f"{path}{f', line {line(key)}' if line(key) else ''}: {key} {words}"
            for key, words in sorted(wrong, key=lambda pair: line(pair[0]))
        ],
        file=path,
    )
