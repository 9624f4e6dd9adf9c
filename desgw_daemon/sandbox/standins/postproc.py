"""Stand-in for the steps of Post-Processing's run_postproc.py, which is beside it: the same files, the same bad ends.

Each step reads and writes what the real one does, and dies when an input is missing. Standard library only.
"""

from __future__ import annotations

import configparser
import csv
import fcntl
import importlib
import os
import subprocess
import time
from pathlib import Path
from typing import Any

# By name, since they lie beside this file only once the sandbox is built.
base: Any = importlib.import_module("postproc_base")
products: Any = importlib.import_module("products")
HERE: Path = base.HERE
log = base.log

SEARCH_CCDS = [ccd for ccd in range(1, 63) if ccd not in (2, 31, 61)]


class Run(base.Base):  # type: ignore[misc]  # found beside this file only once the sandbox is built
    """One run, step by step."""

    def environment(self) -> None:
        self.step(-1, "Set up the environment")
        wanted = {
            "SEASON": self.season,
            "ROOTDIR": str(Path(self.get("general", "rootdir"))),
            "TOPDIR_SNFORCEPHOTO_IMAGES": str(HERE / "forcephoto" / "images" / f"dp{self.season}"),
        }
        for name, value in wanted.items():
            found = os.environ.get(name, "")
            if found != value:
                log("error", text=f"{name} is {found!r} in the environment of a run of season {self.season}")
                raise RuntimeError(f"{name} is {found!r}, not {value!r}")
        self.middle(-1)
        self.end_step(-1)
        self.status[0] = True
        self.write_status()

    def read_list(self) -> list[int]:
        """The list, as the real one reads it: one bad line empties it."""
        path = Path(self.get("general", "indir")) / self.get("general", "exposures_listfile")
        try:
            return [int(line) for line in path.read_text().split("\n")[:-1] or [""]]
        except (OSError, ValueError):
            print("WARNING: List of exposures file not found or empty.")
            return []

    def master_list(self, expnums: list[int]) -> list[dict[str, str]]:
        """What the exposure database says of these, as far as they are of the ini's bands and not left out."""
        bands = self.get("general", "bands").split(",")
        if bands == ["all"]:
            raise TypeError("'NoneType' object is not iterable")
        blacklist = Path(self.get("masterlist", "blacklist"))
        if (Path(self.get("general", "indir")) / blacklist).exists():
            black = {int(word) for word in blacklist.read_text().split()}
            if hit := sorted(black & set(expnums)):
                raise ValueError(f"blacklisted exposures in the list: {hit}")
        wanted, rows = set(expnums) - set(self.left_out) - set(self.orders["drops"]), []
        with (HERE.parent / "gw_workflow" / "exposures.list").open() as stream:
            for line in stream:
                word = line.split(None, 6)
                if word[0].isdigit() and int(word[0]) in wanted and word[5] in bands:
                    rows.append({"expnum": word[0], "nite": word[1], "filter": word[5]})
        return rows

    def initial_list(self) -> None:
        checked = self.out / "checkoutputs"
        first = self.get("masterlist", "filename_1")
        if self.skipto > 0:
            pandas = importlib.import_module("pandas")
            pandas.read_csv(self.out / "masterlist" / "expniteband_df.csv")
            pandas.read_csv(self.out / "masterlist" / first)
            self.expnums = [int(line) for line in (checked / "step0_expnums.txt").read_text().splitlines()]
            self.left_out = [int(line) for line in (checked / "step0_a_blacklist.txt").read_text().splitlines()]
            return
        self.step(0, "Create initial master list, check processing outputs")
        listed = self.read_list()
        if not listed:
            raise RuntimeError("Need an exposures.list file or exposures in argument")
        self.rows = self.master_list(listed)
        readable = self.orders["prelim_readable"]
        table = products.fits_table([int(row["expnum"]) for row in self.rows], csv_readable=readable)
        self.file("masterlist", first).write_bytes(table)
        with self.file("masterlist", "expniteband_df.csv").open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["", "expnum", "nite", "filter"])
            writer.writerows([number, *row.values()] for number, row in enumerate(self.rows))
        if not self.rows:
            raise ValueError("expniteband_df is empty")
        self.check_outputs()
        text = "".join(f"{expnum}\n" for expnum in self.expnums)
        self.write(checked / "step0_expnums.txt", text.encode(), 0)
        (checked / "step0_a_blacklist.txt").write_text("".join(f"{expnum}\n" for expnum in self.left_out))
        self.end_step(0)

    def check_outputs(self) -> None:
        """Codes of each CCD. One that goodchecked.list names is not looked at again, whatever became of it since."""
        steps = (Path(self.get("general", "indir")) / self.get("checkoutputs", "steplist")).read_text().split()
        goodfile = self.file("checkoutputs", self.get("checkoutputs", "goodfile"))
        known = set(goodfile.read_text().split()) if goodfile.exists() else set()
        good, lines = [], []
        for row in self.rows:
            top = Path(self.get("general", "rootdir"), "exp", row["nite"], row["expnum"], f"dp{self.season}")
            if row["expnum"] in known:
                codes = [0] * len(SEARCH_CCDS)
            elif not top.is_dir():
                self.left_out.append(int(row["expnum"]))
                continue
            else:
                codes = [self.code(top / f"{row['filter']}_{ccd:02d}", steps) for ccd in SEARCH_CCDS]
            lines.append(f"{row['expnum']},{','.join(map(str, codes))}\n")
            if not any(codes):
                good.append(row["expnum"])
            self.expnums.append(int(row["expnum"]))
        self.file("checkoutputs", self.get("checkoutputs", "ccdfile")).write_text("".join(lines))
        self.file("checkoutputs", self.get("checkoutputs", "logfile")).write_text(f"{len(lines)} exposures\n")
        goodfile.write_text("".join(f"{expnum}\n" for expnum in good))

    def code(self, folder: Path, steps: list[str]) -> int:
        if not folder.is_dir():
            raise ValueError(f"no folder {folder}")
        names = {path.name for path in folder.iterdir()}
        failed = [k for k, name in enumerate(steps, start=1) if f"{name}.FAIL" in names]
        return failed[0] if failed else 0 if any(name.startswith("outputs_") for name in names) else -9

    def final_list(self) -> None:
        self.step(1, "Create final master list")
        self.rows = self.master_list(self.expnums)
        log("master", expnums=[int(row["expnum"]) for row in self.rows])
        if not self.rows:
            raise ValueError("no exposure is left in the final master list")
        path = self.file("masterlist", self.get("masterlist", "filename_2"))
        self.write(path, products.fits_table([int(row["expnum"]) for row in self.rows]), 1)
        self.end_step(1)
        self.status[2] = True
        self.write_status()

    def forcephoto(self) -> None:
        """Whatever becomes of forcePhoto, nobody looks at its exit code."""
        self.step(2, "Forcephoto")
        images = Path(os.environ["TOPDIR_SNFORCEPHOTO_IMAGES"])
        lock = (HERE.parent / ".sandbox" / "forcephoto.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            refused = self.orders["forcephoto"] == "busy"
        except BlockingIOError:
            refused = True
        if refused:
            print("forcePhoto: another one runs on this host")
            return
        linked = {
            row["expnum"]: len(list((images / row["nite"]).glob(f"*_{row['expnum']}_*.fits"))) for row in self.rows
        }
        log("forcephoto", linked=linked)
        code = 1 if self.orders["forcephoto"] == "fails" else 0
        text = "".join(f"{expnum} {count} images\n" for expnum, count in linked.items()) + f"exit code {code}\n"
        when = time.strftime("%Y%m%d_%H%M")
        output = self.results() / f"{when}_DESY{self.season}"
        output.mkdir(parents=True, exist_ok=True)
        self.write(output / "all_FORCEPHOTO.LOG", text.encode(), 2)
        self.end_step(2)

    def results(self) -> Path:
        return HERE / "forcephoto" / "output" / f"dp{self.season}"

    def host_match(self) -> None:
        logs = sorted(self.results().glob("*/*_FORCEPHOTO.LOG"))
        if self.skipto <= 3:
            self.step(3, "Hostmatch")
            if not logs:
                raise RuntimeError("no results of forcephoto")
            self.middle(3)
            Path("hostmatchstatus.txt").write_text("0")
            self.end_step(3)
        told = logs[-1].read_text().splitlines() if logs else []
        # One that ended badly, or whose end is not told, has photometry of nobody knows which.
        made_of = [int(line.split()[0]) for line in told[:-1]] if told[-1:] == ["exit code 0"] else []
        log("inherits", what="forcephoto", expnums=made_of)
        self.status[4] = Path("hostmatchstatus.txt").read_text() == "0"
        self.write_status()

    def truth_table(self) -> None:
        folder = f"truthtable{self.season}"
        plus = self.out / folder / self.get("truthtable", "plusname")
        if self.skipto > 4:
            if not plus.exists():
                raise OSError("No truth table files found. Try running step 4")
            fakes = importlib.import_module("pandas").read_csv(plus, delim_whitespace=True)
            whole = [row[1] for row in fakes if len(row) == len(products.TRUTH_HEADER.split())]
            made_of = sorted({int(word) for word in whole if whole.count(word) == len(products.FAKES)})
            log("inherits", what="truthplus", expnums=made_of)
        else:
            self.step(4, "Make truth table")
            table = products.truth_table(self.rows, self.season)
            self.file(folder, self.get("truthtable", "filename")).write_text(table)
            if self.orders["query_fails"]:
                self.middle(4)
                print("query failed")
            else:
                self.write(plus, table.encode(), 4)
            self.end_step(4)
        self.status[5] = True
        self.write_status()

    def data_files(self) -> None:
        combined = self.file("makedatafiles", self.get("GWmakeDataFiles-real", "combined_fits"))
        table = self.out / "mastertableinfo.npy"
        if self.skipto > 5:
            products.from_numpy_file(table.read_bytes())
            self.write_status()
            return
        self.step(5, "Make datafiles")
        # Two parsers read the file: this one refuses a key that comes twice.
        configparser.ConfigParser(strict=True, interpolation=None).read(f"postproc_{self.season}.ini")
        # Sourced again, ncore times at once. One that goes through the ini files of the folder mixes their seasons.
        setup = Path(self.get("general", "env_setup_file")).read_text()
        if "postproc_*.ini" in setup and len(inis := sorted(map(str, Path().glob("postproc_*.ini")))) > 1:
            log("error", text=f"step 5 with several ini files in the folder: {inis}")
        command = ["bash", "-c", f". {self.get('general', 'env_setup_file')} >/dev/null; echo $SEASON"]
        sourced = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        if sourced != self.season:
            log("error", text=f"step 5 has sourced season {sourced!r}, and makes data files of {self.season}")
        count, ncore = self.orders["candidates"], int(self.get("GWFORCE", "ncore"))
        if count < ncore:
            print(f"{count} candidates: nothing to do")
            raise SystemExit(1)
        self.light_curves(count)
        print("Run STEP 5b: Combine real datafiles")
        combined.unlink(missing_ok=True)
        combined.write_bytes(products.fits_table(range(count)))
        table.write_bytes(products.numpy_file({"expnums": [int(row["expnum"]) for row in self.rows]}))
        self.end_step(5)
        self.status[6] = True
        self.write_status()

    def light_curves(self, count: int) -> None:
        """Made by other processes, and waited for until there are as many as candidates: old ones count, too."""
        folder = self.file("makedatafiles", self.get("GWmakeDataFiles-real", "outDir_data"), "x").parent
        old = len(list(folder.glob("*.dat")))
        log("datafiles", old=old)
        for number in range(count):
            if self.orders["waits"]:
                break
            (folder / f"des_real_{number:08d}.dat").write_text(f"SNID: {number}\n")
            if number == count // 2:
                self.middle(5)
        if len(list(folder.glob("*.dat"))) < count:
            (HERE.parent / ".sandbox" / "never").read_text()

    def plots(self) -> None:
        self.step(6, "Make plots")
        combined = self.file("makedatafiles", self.get("GWmakeDataFiles-real", "combined_fits"))
        if not products.is_whole_fits(combined.read_bytes()):
            raise OSError("Empty or corrupt FITS file")
        if self.orders["none_passes"]:
            print("Step 6 failed due to empty candidate dfs. Ending PostProc.")
            raise SystemExit(0)
        self.write(self.file("plots", "radec.png"), b"PNG\n", 6)
        self.end_step(6)

    def web_page(self) -> None:
        self.step(7, "Make htmls/webpage")
        if self.skipto > 5:
            raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
        Path("tableSortTest.html").read_text()
        self.write(self.file("htmls", "masterHTML.html"), b"<html></html>\n", 7)
        self.status[8] = True
        self.write_status()
        self.end_step(7)
        self.status[9] = "complete"
        self.write_status()
