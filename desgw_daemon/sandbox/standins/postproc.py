"""Stand-in for the steps of Post-Processing's run_postproc.py, which is beside it: the same files, the
same bad ends. Standard library only.
"""

from __future__ import annotations

import argparse
import configparser
import csv
import fcntl
import importlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

SEARCH_CCDS = [ccd for ccd in range(1, 63) if ccd not in (2, 31, 61)]
RUN = f"{os.getpid()}-{time.time():.6f}"
HERE = Path(__file__).resolve().parent


def log(event: str, **more: Any) -> None:
    """One line of the stand-ins' own log, in one write."""
    entry = {"t": time.time(), "who": "run_postproc.py", "event": event, "run": RUN, "pid": os.getpid(), **more}
    stream = os.open(HERE.parent / "logs" / "standins.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o664)
    os.write(stream, (json.dumps(entry) + "\n").encode())
    os.close(stream)


class Run:
    """One run: its arguments, its ini, and where it stands."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.season = str(args.season)
        self.skipto: int = args.SKIPTO
        self.out = Path(args.outputdir)
        self.status: list[Any] = [False] * 9 + ["incomplete"]
        self.orders = json.loads((HERE.parent / "scenario.json").read_text())
        self.expnums: list[int] = []
        self.rows: list[dict[str, str]] = []
        self.ini = configparser.ConfigParser(strict=False, inline_comment_prefixes=(";",), interpolation=None)
        if not self.ini.read(f"postproc_{self.season}.ini"):
            raise FileNotFoundError(f"postproc_{self.season}.ini")

    def get(self, section: str, key: str) -> str:
        return self.ini.get(section, key)

    def step(self, number: int, words: str) -> None:
        """Say so, take a while, and die here if so ordered."""
        print(f"Run STEP {number}: {words}")
        log("step", step=number)
        self.maybe_die(number, "before")
        time.sleep(self.orders["pace"]["step"] / 2)
        self.maybe_die(number, "middle")

    def end_step(self, number: int) -> None:
        time.sleep(self.orders["pace"]["step"] / 2)
        self.maybe_die(number, "after")

    def maybe_die(self, number: int, when: str) -> None:
        while json.loads((HERE.parent / "scenario.json").read_text())["postproc"]["stops"] == [number, when]:
            time.sleep(0.05)
        if self.orders["postproc"]["dies"] == [number, when]:
            raise RuntimeError(f"step {number} died ({when})")

    def write_status(self) -> None:
        text = "".join(f"{int(entry)} \n" for entry in self.status[:9]) + self.status[9]
        Path(f"PostProcStatus{self.season}.txt").write_text(text)

    def file(self, *parts: str) -> Path:
        path = self.out.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    # -- the steps ------------------------------------------------------------------------------

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
        """What the exposure database says of these, as far as they are of the ini's bands."""
        bands = self.get("general", "bands").split(",")
        if bands == ["all"]:
            raise TypeError("'NoneType' object is not iterable")
        blacklist = Path(self.get("masterlist", "blacklist"))
        if (Path(self.get("general", "indir")) / blacklist).exists():
            black = {int(word) for word in blacklist.read_text().split()}
            if hit := sorted(black & set(expnums)):
                raise ValueError(f"blacklisted exposures in the list: {hit}")
        wanted, rows = set(expnums) - set(self.orders["postproc"]["drops"]), []
        with (HERE.parent / "gw_workflow" / "exposures.list").open() as stream:
            for line in stream:
                word = line.split(None, 6)
                if word[0].isdigit() and int(word[0]) in wanted and word[5] in bands:
                    rows.append({"expnum": word[0], "nite": word[1], "band": word[5]})
        return rows

    def write_fits(self, name: str, *, readable: bool) -> None:
        """Something like a FITS table. Whether a CSV reader gets through it depends on its bytes."""
        cards = "".join(card.ljust(80) for card in ("SIMPLE  =                    T", "END")).ljust(2880)
        data = b"".join(int(row["expnum"]).to_bytes(8, "big") for row in self.rows)
        table = data.replace(b"\n", b" ").replace(b"\r", b" ").replace(b'"', b" ")
        trap = b"" if readable else b"\n" + b"," * 40 + b"\xff\n"
        self.file("masterlist", name).write_bytes(cards.encode() + table + trap)

    def initial_list(self) -> None:
        if self.skipto > 0:
            pandas = importlib.import_module("pandas")
            pandas.read_csv(self.out / "masterlist" / "expniteband_df.csv")
            pandas.read_csv(self.out / "masterlist" / self.get("masterlist", "filename_1"))
            text = (self.out / "checkoutputs" / "step0_expnums.txt").read_text()
            self.expnums = [int(line) for line in text.split()]
            (self.out / "checkoutputs" / "step0_a_blacklist.txt").read_text()
            return
        self.step(0, "Create initial master list, check processing outputs")
        listed = self.read_list()
        if not listed:
            raise RuntimeError("Need an exposures.list file or exposures in argument")
        self.rows = self.master_list(listed)
        with self.file("masterlist", "expniteband_df.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["expnum", "nite", "band"])
            writer.writeheader()
            writer.writerows(self.rows)
        self.write_fits(self.get("masterlist", "filename_1"), readable=self.orders["postproc"]["prelim_readable"])
        if not self.rows:
            raise ValueError("expniteband_df is empty")
        self.check_outputs()
        self.end_step(0)

    def check_outputs(self) -> None:
        steps = (Path(self.get("general", "indir")) / self.get("checkoutputs", "steplist")).read_text().split()
        good, lines = [], []
        for row in self.rows:
            codes = []
            for ccd in SEARCH_CCDS:
                folder = Path(self.get("general", "rootdir"), "exp", row["nite"], row["expnum"])
                folder = folder / f"dp{self.season}" / f"{row['band']}_{ccd:02d}"
                if not folder.is_dir():
                    raise ValueError(f"no folder {folder}")
                names = {path.name for path in folder.iterdir()}
                failed = [k for k, name in enumerate(steps, start=1) if f"{name}.FAIL" in names]
                whole = any(name.startswith("outputs_") for name in names)
                codes.append(failed[0] if failed else 0 if whole else -9)
            lines.append(f"{row['expnum']},{','.join(map(str, codes))}\n")
            if not any(codes):
                good.append(row["expnum"])
            if 0 in codes:
                self.expnums.append(int(row["expnum"]))
        self.file("checkoutputs", self.get("checkoutputs", "ccdfile")).write_text("".join(lines))
        self.file("checkoutputs", self.get("checkoutputs", "logfile")).write_text(f"{len(lines)} exposures\n")
        self.file("checkoutputs", self.get("checkoutputs", "goodfile")).write_text("\n".join(good))
        self.file("checkoutputs", "step0_expnums.txt").write_text("".join(f"{e}\n" for e in self.expnums))
        self.file("checkoutputs", "step0_a_blacklist.txt").write_text("")

    def final_list(self) -> None:
        self.step(1, "Create final master list")
        self.rows = self.master_list(self.expnums)
        self.write_fits(self.get("masterlist", "filename_2"), readable=True)
        self.status[2] = True
        self.end_step(1)
        self.write_status()

    def forcephoto(self) -> None:
        self.step(2, "Forcephoto")
        images = Path(os.environ["TOPDIR_SNFORCEPHOTO_IMAGES"])
        lock = (HERE.parent / ".sandbox" / "forcephoto.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("forcePhoto: another one runs on this host")  # and nobody looks at its exit code
            return
        linked = {
            row["expnum"]: len(list((images / row["nite"]).glob(f"*_{row['expnum']}_*.fits"))) for row in self.rows
        }
        log("forcephoto", linked=linked)
        when = time.strftime("%Y%m%d_%H%M")
        output = HERE / "forcephoto" / "output" / f"dp{self.season}" / f"{when}_DESY{self.season}"
        output.mkdir(parents=True, exist_ok=True)
        (output / "all_FORCEPHOTO.LOG").write_text(f"{sum(linked.values())} images\nexit code 0\n")
        self.end_step(2)

    def host_match(self) -> None:
        if self.skipto <= 3:
            self.step(3, "Hostmatch")
            results = HERE / "forcephoto" / "output" / f"dp{self.season}"
            if not list(results.glob("*/*_FORCEPHOTO.LOG")):
                raise RuntimeError("no results of forcephoto")
            Path("hostmatchstatus.txt").write_text("0")
            self.end_step(3)
        self.status[4] = Path("hostmatchstatus.txt").read_text() == "0"
        self.write_status()

    def truth_table(self) -> None:
        plus = self.out / f"truthtable{self.season}" / self.get("truthtable", "plusname")
        if self.skipto > 4:
            if not plus.exists():
                raise OSError("No truth table files found. Try running step 4")
        else:
            self.step(4, "Make truth table")
            self.file(f"truthtable{self.season}", self.get("truthtable", "filename")).write_text("SNID RA DEC\n")
            plus.write_text("SNID RA DEC EXPNUM\n")
            self.end_step(4)
        self.status[5] = True
        self.write_status()

    def data_files(self) -> None:
        combined = self.file("makedatafiles", self.get("GWmakeDataFiles-real", "combined_fits"))
        table = self.out / "mastertableinfo.npy"
        if self.skipto > 5:
            table.read_bytes()
            combined.read_bytes()
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
        count, ncore = self.orders["postproc"]["candidates"], int(self.get("GWFORCE", "ncore"))
        if count < ncore:
            print(f"{count} candidates: nothing to do")
            raise SystemExit(1)
        folder = self.get("GWmakeDataFiles-real", "outDir_data")
        for number in range(count):
            self.file("makedatafiles", folder, f"des_real_{number:08d}.dat").write_text(f"SNID: {number}\n")
            time.sleep(self.orders["pace"]["step"] / count)
        print("Run STEP 5b: Combine real datafiles")
        combined.write_text("SIMPLE\n")
        table.write_text("NUMPY\n")
        self.status[6] = True
        self.end_step(5)
        self.write_status()

    def plots(self) -> None:
        self.step(6, "Make plots")
        if self.orders["postproc"]["none_passes"]:
            print("Step 6 failed due to empty candidate dfs. Ending PostProc.")
            raise SystemExit(0)
        self.file("plots", "radec.png").write_text("PNG\n")
        self.end_step(6)

    def web_page(self) -> None:
        self.step(7, "Make htmls/webpage")
        if self.skipto > 5:
            raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
        Path("tableSortTest.html").read_text()
        self.file("htmls", "masterHTML.html").write_text("<html></html>\n")
        self.status[8] = True
        self.write_status()
        self.end_step(7)
        self.status[9] = "complete"
        self.write_status()
