"""How far a run has come is read cheaply, and nothing of an earlier run is taken for this one's."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.progress import STATUS_ENTRIES, Progress, read_progress, read_status

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


class TestSteps:
    """The last `Run STEP n:` of an output is found without reading all of it."""

    def test_none_before_the_first(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        assert read_progress(output) == Progress()
        output.write_text("setting up\nwill Run STEP 3: later\nRun STEP x:\n")
        assert read_progress(output) == Progress()

    def test_the_highest(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        output.write_text("Run STEP 0: a\nRun STEP 1: b\n  Run STEP 4: c\nwork\n")
        assert read_progress(output).steps[-1] == 4

    def test_all_that_its_end_names_and_the_last_one_s_words(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        output.write_text("Run STEP -1: e\nRun STEP 0: a\nRun STEP 3: b\nmatched\nRun STEP 5: c\nRun STEP 5b: d\nend\n")
        assert read_progress(output) == Progress(steps=(0, 3, 5), last_step="Run STEP 5: c\nRun STEP 5b: d\nend\n")

    @pytest.mark.parametrize("size", [1 << 10, 1 << 17, 1 << 23])
    def test_far_from_the_end(self, tmp_path: Path, size: int) -> None:
        output = tmp_path / "out"
        output.write_bytes(b"Run STEP 1: b\nRun STEP 5: c\n" + b"x" * 99 + b"\n" + b"candidate\n" * (size // 10))
        assert read_progress(output).steps[-1] == 5

    def test_a_long_output_costs_its_end(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        with output.open("wb") as file:
            file.truncate(1 << 33)
            file.seek(0, os.SEEK_END)
            file.write(b"\nRun STEP 5: c\n")
        begin = time.monotonic()
        assert read_progress(output).steps[-1] == 5
        assert time.monotonic() - begin < 5

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        path = Path(f"/proc/self/fd/{(fd := os.memfd_create('out'))}")
        try:
            os.write(fd, data)
            read_progress(path)
        finally:
            os.close(fd)


def write_status(folder: Path, text: str, *, after: timedelta = timedelta(minutes=5)) -> None:
    path = folder / "PostProcStatus2206.txt"
    path.write_text(text)
    moment = (START + after).timestamp()
    os.utime(path, (moment, moment))


class TestStatus:
    """PostProcStatus is believed when this run wrote it, and when it is whole."""

    def test_a_finished_run(self, tmp_path: Path) -> None:
        write_status(tmp_path, "1 \n0 \n1 \n0 \n1 \n1 \n1 \n0 \n1 \ncomplete")
        status = read_status(tmp_path, 2206, START)
        assert status is not None
        assert status.done == ("environment", "final list", "host match", "truth table", "data files", "web page")
        assert status.complete
        assert status.at == START + timedelta(minutes=5)

    def test_a_run_under_way(self, tmp_path: Path) -> None:
        write_status(tmp_path, "1 \n" + "0 \n" * 8 + "incomplete")
        status = read_status(tmp_path, 2206, START)
        assert status is not None
        assert (status.done, status.complete) == (("environment",), False)

    def test_the_file_of_an_earlier_run(self, tmp_path: Path) -> None:
        write_status(tmp_path, "1 \n" * 9 + "complete", after=timedelta(seconds=-1))
        assert read_status(tmp_path, 2206, START) is None

    def test_the_file_of_another_season(self, tmp_path: Path) -> None:
        write_status(tmp_path, "1 \n" * 9 + "complete")
        assert read_status(tmp_path, 2208, START) is None

    @pytest.mark.parametrize(
        "text", ["", "complete", "1 \n" * 9, "1 \n" * 8 + "complete", "2 \n" * 9 + "complete", "\0"]
    )
    def test_half_a_file(self, tmp_path: Path, text: str) -> None:
        write_status(tmp_path, text)
        assert read_status(tmp_path, 2206, START) is None

    def test_there_are_nine_entries_and_a_word(self) -> None:
        assert len(STATUS_ENTRIES) == 9

    @pytest.mark.parametrize(
        ("text", "step"),
        [
            ("1 \n" + "0 \n" * 8 + "incomplete", None),
            ("1 \n0 \n1 \n" + "0 \n" * 6 + "incomplete", 1),
            ("1 \n0 \n1 \n0 \n1 \n1 \n0 \n0 \n0 \nincomplete", 4),
            # 0 is not "failed": data files that were skipped are none that are missing.
            ("1 \n0 \n1 \n0 \n1 \n1 \n0 \n0 \n1 \ncomplete", 7),
        ],
    )
    def test_what_is_behind_it(self, tmp_path: Path, text: str, step: int | None) -> None:
        write_status(tmp_path, text)
        status = read_status(tmp_path, 2206, START)
        assert status is not None and status.step == step

    def test_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "PostProcStatus2206.txt").mkdir()
        assert read_status(tmp_path, 2206, START) is None

    def test_a_disk_that_does_not_answer_is_no_answer(self, tmp_path: Path) -> None:
        (tmp_path / "PostProcStatus2206.txt").symlink_to("PostProcStatus2206.txt")
        with pytest.raises(OSError, match="Too many levels"):
            read_status(tmp_path, 2206, START)
