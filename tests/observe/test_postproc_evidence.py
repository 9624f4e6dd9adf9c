"""The files that a start of post-processing would read are found, looked at shortly, and never on /pnfs."""

from __future__ import annotations

import importlib.util
import io
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe import wholeness
from desgw_daemon.observe.postproc_evidence import read_evidence
from desgw_daemon.observe.wholeness import Content
from desgw_daemon.sandbox.build import STANDINS

from .test_postproc import INI

ROLES = {
    *("expniteband_df", "filename_1", "step0_expnums", "step0_blacklist", "forcephoto"),
    *("hostmatchstatus", "truthplus", "mastertableinfo", "combined_fits", "light_curves"),
}


def _products() -> ModuleType:
    """The sandbox's own idea of the forms of these files."""
    spec = importlib.util.spec_from_file_location("products", STANDINS / "products.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


products = _products()
ROWS = [{"expnum": "941225", "nite": "20260101", "filter": "i"}]
WHOLE: dict[str, tuple[Callable[[BinaryIO], Content], bytes]] = {
    "fits": (wholeness.fits_table, products.fits_table([941225, 941226])),
    "numpy": (wholeness.numpy_file, products.numpy_file({"expnums": [941225]})),
    "truth": (wholeness.truth_table, products.truth_table(ROWS, "2206").encode()),
    "table": (wholeness.exposure_table, b",expnum,nite,filter\n0,941225,20260101,i\n"),
    "numbers": (wholeness.number_list, b"941225\n941226\n"),
    "word": (wholeness.status_word, b"0"),
}


def look(look_at: Callable[[BinaryIO], Content], data: bytes) -> Content:
    """Look at a file with these bytes."""
    with os.fdopen(os.memfd_create("file"), "w+b") as file:
        file.write(data)
        file.seek(0)
        return look_at(file)


class TestWhole:
    """A whole file is whole; one that is cut off anywhere is not, as far as its form can tell."""

    @pytest.mark.parametrize("kind", WHOLE)
    def test_whole(self, kind: str) -> None:
        assert look(*WHOLE[kind]).flaw is None

    def test_what_they_say(self) -> None:
        assert look(*WHOLE["fits"]).rows == 2
        assert look(*WHOLE["table"]).entries == ((941225, "20260101", "i"),)
        assert look(*WHOLE["truth"]).expnums == (941225,)
        assert look(*WHOLE["numbers"]).expnums == (941225, 941226)

    @pytest.mark.parametrize("kind", ["fits", "numpy"])
    @given(st.data())
    def test_cut_off_anywhere(self, kind: str, data: st.DataObject) -> None:
        look_at, whole = WHOLE[kind]
        length = data.draw(st.integers(0, len(whole) - 1))
        assert look(look_at, whole[:length]).flaw is not None

    @pytest.mark.parametrize("kind", ["truth", "table", "numbers"])
    @given(st.data())
    def test_cut_off_within_a_line(self, kind: str, data: st.DataObject) -> None:
        look_at, whole = WHOLE[kind]
        length = data.draw(st.integers(1, len(whole) - 1).filter(lambda n: whole[n - 1 : n] != b"\n"))
        assert look(look_at, whole[:length]).flaw is not None

    def test_cut_off_between_blocks(self) -> None:
        whole = products.fits_table(range(100))
        assert "is cut off" in str(look(wholeness.fits_table, whole[:-2880]).flaw)
        assert look(wholeness.fits_table, whole[:2880]).flaw == "holds no table"

    @pytest.mark.parametrize("kind", WHOLE)
    @given(st.binary(max_size=300))
    def test_any_bytes(self, kind: str, data: bytes) -> None:
        look(WHOLE[kind][0], WHOLE[kind][1][:40] + data)
        look(WHOLE[kind][0], data)

    def test_numpy_with_plain_data(self) -> None:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n"
        data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        assert look(wholeness.numpy_file, data + bytes(8)).flaw is None
        assert look(wholeness.numpy_file, data).flaw == "is cut off in its header"

    @pytest.mark.parametrize("word", [b"", b"1", b"0\n", b"\xff"])
    def test_a_host_match_that_failed(self, word: bytes) -> None:
        """run_postproc.py takes the very word 0 for a success, and nothing else."""
        assert look(wholeness.status_word, word).flaw is not None

    @pytest.mark.parametrize("text", ["941225\n\n", "941225 i\n", "# night\n", "\n"])
    def test_a_list_that_kills_its_reader(self, text: str) -> None:
        assert look(wholeness.number_list, text.encode()).flaw == "holds a line that is no number"

    def test_long_files_cost_their_ends(self) -> None:
        """Bytes read of a truth table of more than 100 MB."""
        read = 0

        class Counting(io.FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                nonlocal read
                data = super().read(-1 if size is None else size)
                read += len(data)
                return data

        header, row = WHOLE["truth"][1].split(b"\n")[:2]
        with Counting(os.memfd_create("file"), "r+") as file:
            file.write(header + b"\n")
            file.truncate(100_000_001)
            file.seek(0, os.SEEK_END)
            file.write(b"\n" + row + b"\n")
            file.seek(0)
            assert wholeness.truth_table(file).flaw is None
        assert read <= 2 << 16


class TestWhere:
    """The newest ini of the season says where the files are: that of a run, of the folder, or the template."""

    def make(self, folder: Path) -> None:
        out = folder / "outputs"
        contents = {
            "masterlist/expniteband_df.csv": WHOLE["table"][1],
            "masterlist/MasterExposureList_prelim.fits": WHOLE["fits"][1],
            "checkoutputs/step0_expnums.txt": WHOLE["numbers"][1],
            "checkoutputs/step0_a_blacklist.txt": b"",
            "truthtable2206/truthplus.tab": WHOLE["truth"][1],
            "mastertableinfo.npy": WHOLE["numpy"][1],
            "makedatafiles/datafiles_combined.fits": WHOLE["fits"][1],
            "makedatafiles/LightCurvesReal/des_real_1.dat": b"SNID: 1\n",
            "makedatafiles/LightCurvesReal/des_real_2.dat": b"SNID: 2\n",
            "makedatafiles/LightCurvesReal/README": b"",
            "../forcephoto/output/dp2206/20260101_0100_DESY2206/a_FORCEPHOTO.LOG": b"exit code 0\n",
            "../hostmatchstatus.txt": b"0",
        }
        for name, data in contents.items():
            path = Path(os.path.normpath(out / name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def run_folder(self, folder: Path, text: str) -> str:
        folder.mkdir()
        (folder / "postproc_2206.ini").write_text(text)
        return str(folder)

    def test_all(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        found = read_evidence(tmp_path, [self.run_folder(tmp_path / "run1", INI)], 2206)
        assert set(found.files) == ROLES
        assert {role: file.flaw for role, file in found.files.items() if file.flaw} == {}
        assert (found.ini, found.problem, found.others) == (str(tmp_path / "run1" / "postproc_2206.ini"), None, ())
        truth = found.files["truthplus"]
        there = (tmp_path / "outputs/truthtable2206/truthplus.tab").stat()
        assert (truth.size, truth.mtime) == (there.st_size, there.st_mtime)
        assert found.files["light_curves"].size == 2

    def test_what_is_missing_or_no_file_is_left_out(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        (tmp_path / "outputs" / "mastertableinfo.npy").unlink()
        truth = tmp_path / "outputs" / "truthtable2206" / "truthplus.tab"
        truth.unlink()
        truth.mkdir()
        status = tmp_path / "hostmatchstatus.txt"
        status.unlink()
        os.mkfifo(status)
        without_name = INI.replace("combined_fits = datafiles_combined.fits ; packed", "")
        found = read_evidence(tmp_path, [self.run_folder(tmp_path / "run1", without_name)], 2206)
        assert set(found.files) == ROLES - {"mastertableinfo", "truthplus", "combined_fits", "hostmatchstatus"}

    def test_the_newest_ini_counts(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        runs = [
            self.run_folder(tmp_path / "run1", INI),
            self.run_folder(tmp_path / "run2", INI.replace("./outputs", "./elsewhere")),
        ]
        assert set(read_evidence(tmp_path, runs, 2206).files) == {"hostmatchstatus", "forcephoto"}

    def test_without_a_run_the_one_in_the_folder(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        (tmp_path / "postproc_2206.ini").write_text(INI)
        found = read_evidence(tmp_path, [], 2206)
        assert set(found.files) == ROLES and found.ini == str(tmp_path / "postproc_2206.ini")

    def test_else_the_template(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        template = tmp_path / "template_postproc.ini"
        template.write_text(INI)
        found = read_evidence(tmp_path, [], 2206, template=template)
        assert set(found.files) == ROLES and found.ini == str(template)

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("outdir = ./outputs", "outdir = ./new", "outdir = './outputs', which is './new'"),
            ("truthplus.tab", "other.tab", "plusname = 'truthplus.tab', which is 'other.tab'"),
        ],
    )
    def test_a_template_that_leads_elsewhere(self, tmp_path: Path, old: str, new: str, said: str) -> None:
        """The next run is made from it, and would not find the files."""
        self.make(tmp_path)
        template = tmp_path / "template_postproc.ini"
        template.write_text(INI.replace(old, new))
        found = read_evidence(tmp_path, [self.run_folder(tmp_path / "run1", INI)], 2206, template=template)
        assert found.files == {}
        assert f"{said} in the template the next run is made from" in str(found.problem)

    @pytest.mark.parametrize("text", ["no ini\n", "[general\n", "\0"])
    def test_a_broken_ini_is_no_evidence(self, tmp_path: Path, text: str) -> None:
        self.make(tmp_path)
        found = read_evidence(tmp_path, [self.run_folder(tmp_path / "run1", text)], 2206)
        assert found.files == {}
        assert found.problem == "no postproc_2206.ini says where its files are"

    def test_no_run(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        assert read_evidence(tmp_path, [str(tmp_path / "gone")], 2206).files == {}


class TestNeverOnPnfs:
    """An outdir on /pnfs is not looked at, also by way of a link."""

    @pytest.mark.parametrize("outdir", ["/pnfs/des/out", "/pnfs", "{pnfs}/out", "./linked", "./linked/../linked"])
    def test_outdir(self, tmp_path: Path, outdir: str) -> None:
        pnfs = tmp_path / "tree"
        pnfs.mkdir()
        (tmp_path / "linked").symlink_to("tree/out")
        (tmp_path / "postproc_2206.ini").write_text(INI.replace("./outputs", outdir.format(pnfs=pnfs)))
        found = read_evidence(tmp_path, [], 2206, pnfs=pnfs)
        assert found.files == {}
        assert "has its outdir on /pnfs" in str(found.problem)


class TestForcephoto:
    """Step 2 is done when every log of the newest run of forcePhoto ends with exit code 0."""

    def logs(self, folder: Path, **texts: str) -> str | None:
        output = folder / "forcephoto" / "output" / "dp2206"
        for name, text in texts.items():
            when, _, number = name[1:].partition("x")
            path = output / f"20260101_{when}_DESY2206" / f"{number}_FORCEPHOTO.LOG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (folder / "postproc_2206.ini").write_text(INI)
        file = read_evidence(folder, [], 2206).files.get("forcephoto")
        return "no file" if file is None else file.flaw

    @pytest.mark.parametrize(
        ("texts", "flaw"),
        [
            ({}, "no file"),
            ({"t0100x1": "exit code 0\n", "t0100x2": "exit code 0\n"}, None),
            ({"t0100x1": "exit code 0\n", "t0100x2": "exit code 1\n"}, "2_FORCEPHOTO.LOG"),
            ({"t0100x1": "59 images\n"}, "1_FORCEPHOTO.LOG"),
            ({"t0100x1": ""}, "1_FORCEPHOTO.LOG"),
            ({"t0100x1": "exit code 1\n", "t0200x1": "exit code 0\n"}, None),
            ({"t0100x1": "exit code 0\n", "t0200x1": "exit code 1\n"}, "1_FORCEPHOTO.LOG"),
        ],
    )
    def test_exit_codes(self, tmp_path: Path, texts: dict[str, str], flaw: str | None) -> None:
        found = self.logs(tmp_path, **texts)
        assert found == flaw if flaw in (None, "no file") else flaw in str(found)

    def test_a_newest_run_that_left_no_log(self, tmp_path: Path) -> None:
        self.logs(tmp_path, t0100x1="exit code 0\n")
        (tmp_path / "forcephoto/output/dp2206/20260101_0300_DESY2206").mkdir()
        assert self.logs(tmp_path) == "no file"


class TestOtherSeasons:
    """Runs of other seasons in the folder are known by the two files that each run keeps."""

    def test_traces(self, tmp_path: Path) -> None:
        (tmp_path / "postproc_2206.ini").write_text(INI)
        for name, at in (
            ("seasonTime2206.txt", 50),
            ("seasonTime2208.txt", 100),
            ("PostProcStatus2208.txt", 200),
            ("seasonTime2210.txt", 300),
            ("seasonTimeX.txt", 400),
        ):
            (tmp_path / name).write_text("")
            os.utime(tmp_path / name, (at, at))
        others = read_evidence(tmp_path, [], 2206).others
        assert [(other.season, other.began, other.last) for other in others] == [(2208, 100, 200), (2210, 300, 300)]
