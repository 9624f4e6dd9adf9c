"""What is wrong with a configuration is said in one line that tells what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from desgw_daemon.config.loading import load
from desgw_daemon.config.locate import state_folder
from desgw_daemon.errors import ConfigError

from .bad_files import BAD_FILES, RIGHT, Bad, whole


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the configuration of a test stands; its state folder is there."""
    (tmp_path / "state").mkdir()
    return tmp_path / "daemon.toml"


def refusal(file: Path) -> ConfigError:
    """Why the file is refused."""
    with pytest.raises(ConfigError) as caught:
        load(file)
    return caught.value


class TestOneLine:
    """A wrong file is one line that names the file, the key and the remedy."""

    @pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.name)
    def test_line(self, bad: Bad, file: Path) -> None:
        file.write_text(whole(bad))
        error = refusal(file)
        assert len(error.problems) == 1
        line = str(error)
        assert line.isprintable()
        assert len(line) < 400
        assert line.startswith(str(file))
        assert bad.key in line
        assert bad.remedy in line

    def test_right_file_is_taken(self, file: Path) -> None:
        file.write_text(RIGHT)
        assert load(file).config.paths.state == file.parent / "state"


class TestWhereInTheFile:
    """A problem names the line on which its key stands."""

    def test_line_of_the_key(self, file: Path) -> None:
        file.write_text(f'{RIGHT}[dagmaker]\nprefix = [\n  "a",\n]\n\n# words\ntimeout = "soon"\n')
        assert str(refusal(file)).startswith(f"{file}, line 9: dagmaker.timeout ")

    def test_order_is_that_of_the_file(self, file: Path) -> None:
        file.write_text(f"[submit]\nmax_in_flight = 0\n{RIGHT}[poll]\ninterval = 0\nx = 1\n")
        lines = [problem.removeprefix(f"{file}, ").split(":")[0] for problem in refusal(file).problems]
        assert lines == ["line 2", "line 6", "line 7"]


class TestSeveralProblems:
    """Of several problems the first is said, how many more there are, and the command that lists them."""

    def test_words(self, file: Path) -> None:
        file.write_text(f"{RIGHT}[poll]\ninterval = 0\ncalls_at_once = 0\nx = 1\n")
        error = refusal(file)
        assert len(error.problems) == 3
        assert str(error) == f"{error.problems[0]} (and 2 more: desgw-daemon --config {file} config check)"


class TestFilesThatAreNone:
    """What cannot be read as a file is refused with its reason, and is never waited for."""

    def test_missing(self, file: Path) -> None:
        assert "no such configuration file; name one with --config" in str(refusal(file))

    def test_folder(self, file: Path) -> None:
        file.mkdir()
        assert "is a folder" in str(refusal(file))

    def test_pipe(self, file: Path) -> None:
        os.mkfifo(file)
        assert "is not a regular file" in str(refusal(file))

    def test_not_readable(self, file: Path) -> None:
        file.symlink_to(file)  # also root cannot read this one
        assert "cannot be read: Too many levels of symbolic links" in str(refusal(file))

    def test_below_a_file(self, file: Path) -> None:
        file.write_text("")
        assert "cannot be read: Not a directory" in str(refusal(file / "daemon.toml"))

    def test_name_too_long(self, file: Path) -> None:
        assert "cannot be read: File name too long" in str(refusal(file.parent / ("x" * 300)))

    def test_name_with_a_nul(self, file: Path) -> None:
        assert "cannot be read: embedded null byte" in str(refusal(file.parent / "a\0b"))

    @pytest.mark.parametrize("text", ["", "\n \n"])
    def test_empty(self, file: Path, text: str) -> None:
        file.write_text(text)
        assert "is empty; paths.state is needed at least" in str(refusal(file))

    def test_not_utf8(self, file: Path) -> None:
        file.write_bytes(b"[paths]\n# caf\xe9\n")
        assert str(refusal(file)) == f"{file}, line 2: is not UTF-8 text; save it as UTF-8"

    def test_huge(self, file: Path) -> None:
        file.write_bytes(b"#" * 1_000_001)
        assert "is 1000001 bytes long; is this a daemon.toml?" in str(refusal(file))

    def test_mark_of_some_editors_is_no_problem(self, file: Path) -> None:
        file.write_bytes(b"\xef\xbb\xbf" + RIGHT.encode())
        assert load(file).config.paths.state == file.parent / "state"


class TestStateFolderAlone:
    """A reading command gets the state folder, or one line, without the rest being checked."""

    def test_found(self, file: Path) -> None:
        file.write_text(f"{RIGHT}[poll]\nnonsense = 5\n")
        assert state_folder(file) == file.parent / "state"

    def test_absolute(self, file: Path, tmp_path: Path) -> None:
        file.write_text(f'[paths]\nstate = "{tmp_path}/state"\n')
        assert state_folder(file) == tmp_path / "state"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[poll]\n", "paths.state is missing"),
            ("paths = 5\n", "paths.state is missing"),
            ("[paths]\nstate = 5\n", "paths.state must be a path in quotes"),
            ('[paths]\nstate = ""\n', "paths.state is empty"),
            ('[paths]\nstate = "gone"\n', "make it: mkdir -p -m 2775 "),
            ('[paths]\nstate = "daemon.toml"\n', "is not a folder"),
            ("[paths\n", "line 1: is not TOML"),
        ],
    )
    def test_refused(self, file: Path, text: str, words: str) -> None:
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            state_folder(file)
        assert words in str(caught.value)
        assert str(file) in str(caught.value)
