"""The numbers for Prometheus of a real daemon: asked for, written, and what does not work stops nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from desgw_daemon.domain.metricnames import METRICS
from tests.docs.filled import fill
from tests.tools import needed

T = TypeVar("T")
Values = dict[str, float]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a night, that the tests' copies are made of."""
    path = tmp_path_factory.mktemp("filled") / "desgw.db"
    fill(path)
    return path


@pytest.fixture
def config(filled: Path, tmp_path: Path) -> Path:
    """A small house with the exposures of a night, and a cycle each 300 ms."""
    for name in ("state", "pnfs/exp", "workflow", "postproc"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(filled, tmp_path / "state" / "desgw.db")
    file = tmp_path / "daemon.toml"
    file.write_text(
        '[paths]\nstate = "state"\npnfs = "pnfs"\nworkflow = "workflow"\npostprocessing = "postproc"\n'
        '[poll]\ninterval = "300 ms"\n[submit]\nengine = "local"\n[postproc]\nauto = false\n'
    )
    return file


@contextmanager
def daemon(config: Path) -> Iterator[subprocess.Popen[str]]:
    """The daemon, as a child."""
    process = subprocess.Popen(
        [sys.executable, "-m", "desgw_daemon", "--config", str(config), "run"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def until(get: Callable[[], T | None], what: str) -> T:
    """Wait for something true."""
    end = time.monotonic() + 40
    while not (found := get()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


def scrape(port: int) -> str | None:
    """The text at the address; None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
            return text if "desgw_cycles_total" in text else None
    except OSError:
        return None


def values(text: str) -> Values:
    """The series of a text and their values."""
    pairs = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in pairs}


def checked(text: str) -> None:
    """promtool finds nothing wrong with it."""
    promtool = needed("promtool", "prometheus", "checks numbers for Prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


class TestBothWays:
    """The address and the file show the same numbers, those of the catalogue, and go on from cycle to cycle."""

    def test_numbers(self, config: Path, tmp_path: Path) -> None:
        port, file = free_port(), tmp_path / "desgw.prom"
        config.write_text(config.read_text() + f'[metrics]\nlisten = "127.0.0.1:{port}"\ntextfile = "{file}"\n')
        with daemon(config):
            text = until(lambda: scrape(port), "numbers at the address")
            until(file.exists, "the file")
            first = values(text)
            until(
                lambda: values(scrape(port) or text)["desgw_cycles_total"] > first["desgw_cycles_total"], "a cycle more"
            )
            written = until(lambda: file.read_text() or None, "numbers in the file")
        checked(text)
        checked(written)
        found = {series.partition("{")[0] for series in first}
        assert found <= set(METRICS)
        assert {series.partition("{")[0] for series in values(written)} == found
        lacking = set(METRICS) - found
        # No good credential, no channel, no check-up and no run under way are nothing to show.
        assert all(re.search("credential|deliver|checkup|postproc_(running|step)", name) for name in lacking), lacking
        assert first['desgw_exposures_held{season="2206"}'] == 1
        assert sum(n for series, n in first.items() if series.startswith("desgw_exposures{")) == 9
        assert sum(n for series, n in first.items() if series.startswith("desgw_ccds{")) == 9 * 59
        assert first["desgw_dags_in_flight_limit"] == 20 and first["desgw_poll_interval_seconds"] == 0.3
        assert first['desgw_source_up{source="pnfs"}'] == 1
        assert abs(first["desgw_last_cycle_timestamp_seconds"] - time.time()) < 120
        assert not [path for path in tmp_path.iterdir() if path.name.startswith("desgw.prom.")], "left behind"

    def test_prometheus_itself(self, config: Path, tmp_path: Path) -> None:
        prometheus = needed("prometheus", "prometheus", "asks the daemon for numbers")
        port, web = free_port(), free_port()
        config.write_text(config.read_text() + f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
        (tmp_path / "prometheus.yml").write_text(
            "scrape_configs: [{job_name: desgw, scrape_interval: 1s,"
            f" static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]"
        )
        words = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb"]
        words.append(f"--web.listen-address=127.0.0.1:{web}")
        with daemon(config):
            asking = subprocess.Popen(
                [prometheus, *words], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                (answer,) = until(lambda: query(web, "sum(desgw_exposures)"), "an answer of Prometheus")
            finally:
                asking.terminate()
                asking.wait(20)
        assert answer["value"][1] == "9"


def query(web: int, expr: str) -> list[dict[str, list[str]]] | None:
    """What Prometheus answers; None while it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/api/v1/query?query={expr}", timeout=5) as answer:
            result: list[dict[str, list[str]]] = json.load(answer)["data"]["result"]
            return result or None
    except OSError:
        return None


class TestWhatDoesNotWorkStopsNothing:
    """A taken port and a file that cannot be written are told once; cycles go on, and both heal by themselves."""

    def test_heals(self, config: Path, tmp_path: Path) -> None:
        log = tmp_path / "state" / "desgw-daemon.log"

        def told() -> list[str]:
            lines = log.read_text().splitlines() if log.exists() else []
            return [record["text"] for record in map(json.loads, lines) if record["event"] == "after_cycle_failed"]

        folder = tmp_path / "away"
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            settings = f'[metrics]\nlisten = "127.0.0.1:{port}"\ntextfile = "{folder}/desgw.prom"\n'
            config.write_text(config.read_text() + settings)
            with daemon(config) as process:
                until(lambda: "metrics.textfile" in "".join(told()), "the log says it")
                before = len(told())
                assert "metrics.listen" in told()[0] and "Address already in use" in told()[0]
                time.sleep(1)  # some cycles
                assert len(told()) == before <= 3, told()
                folder.mkdir()
                until((folder / "desgw.prom").exists, "the file, once its folder is there")
                other.close()
                until(lambda: scrape(port), "numbers, once the port is free")
                assert process.poll() is None


class TestNothingIsWanted:
    """Without a word in daemon.toml prometheus-client is not even imported."""

    def test_not_imported(self) -> None:
        code = "import sys, desgw_daemon.daemon.loop; print('prometheus_client' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
        )
        assert done.stdout.strip() == "False"
