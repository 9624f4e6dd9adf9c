"""The pool of the tests is a real one: it runs a DAG, and does what the other tests ask of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.condorpool import Pool

_DAG = """\
JOB first job.sub
JOB second job.sub
JOB third job.sub
PARENT first CHILD second
PARENT second CHILD third
"""
_SUBMIT = """\
executable = job.sh
transfer_executable = false
log = nodes.log
queue
"""
_JOB = "#!/bin/bash\necho done >>done\n"


def _submit(pool: Pool, folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    """Submit three jobs, one after the other, by the pool's own command."""
    (folder / "three.dag").write_text(_DAG)
    (folder / "job.sub").write_text(_SUBMIT)
    job = folder / "job.sh"
    job.write_text(_JOB)
    job.chmod(0o755)
    words = [str(pool.bin / "condor_submit_dag"), "-append", f'+DesgwTag="{tag}"', "three.dag"]
    return subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)


def _wait(pool: Pool, folder: Path) -> None:
    pool.call("condor_wait", "-wait", "120", "three.dag.dagman.log", cwd=folder)


class TestPool:
    """A DAG runs through it; its schedd can be frozen, thawed, killed, stopped and started, and loses nothing."""

    def test_dag_runs(self, pool: Pool, pool_folder: Path) -> None:
        done = _submit(pool, pool_folder, "three")
        assert done.returncode == 0, done.stderr
        _wait(pool, pool_folder)
        (dag,) = [dag for dag in pool.dags() if dag.get("DesgwTag") == "three"]
        assert (dag["JobStatus"], dag["ExitCode"]) == (4, 0)
        assert (pool_folder / "done").read_text().split() == ["done"] * 3

    def test_frozen_schedd(self, pool: Pool, pool_folder: Path) -> None:
        pool.freeze_schedd()
        asked = subprocess.Popen([pool.bin / "condor_q"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            asked.wait(2)
            raise AssertionError("a frozen schedd answers")
        except subprocess.TimeoutExpired:
            pool.thaw_schedd()
        asked.communicate()
        assert asked.returncode == 0
        assert _submit(pool, pool_folder, "thawed").returncode == 0

    def test_stopped_schedd(self, pool: Pool, pool_folder: Path) -> None:
        assert _submit(pool, pool_folder, "stopped").returncode == 0
        pool.stop_schedd()
        assert subprocess.run([pool.bin / "condor_q", "-name", pool.schedd], capture_output=True).returncode == 1
        (pool_folder / "never").mkdir()
        assert "submitted to cluster" not in _submit(pool, pool_folder / "never", "never").stdout
        pool.start_schedd()
        pool.kill_schedd()
        pool.until_schedd_answers()
        tags = [dag.get("DesgwTag") for dag in pool.dags()]
        assert tags.count("stopped") == 1 and tags.count("never") == 0
