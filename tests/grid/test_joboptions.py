"""jobsub's words of a job, on a plain HTCondor pool: what has a meaning is carried over, the rest is named."""

from __future__ import annotations

import pytest

from desgw_daemon.grid.joboptions import meaning_of


def words(text: str) -> tuple[str, ...]:
    """As the reader of DAG files cuts them: at blanks, quotes or not."""
    return tuple(text.split())


class TestCarriedOver:
    """Memory, disk, cpus, lifetimes, attributes and requirements become lines of the submit description."""

    @pytest.mark.parametrize(
        ("option", "line"),
        [
            ("--memory=2000MB", "request_memory = 2000 MB"),
            ("--memory 2000", "request_memory = 2000 MB"),
            ("--memory=4GB", "request_memory = 4 GB"),
            ("--memory=4GiB", "request_memory = 4 GB"),
            ("--memory=1.5G", "request_memory = 1.5 GB"),
            ("--disk=95GB", "request_disk = 95 GB"),
            ("--disk=1000", "request_disk = 1000 KB"),
            ("--cpu=4", "request_cpus = 4"),
            ("--expected-lifetime=12h", "+JOB_EXPECTED_MAX_LIFETIME = 43200"),
            ("--expected-lifetime=600s", "+JOB_EXPECTED_MAX_LIFETIME = 600"),
            ("--expected-lifetime=3d", "+JOB_EXPECTED_MAX_LIFETIME = 259200"),
            ("--expected-lifetime=medium", "+JOB_EXPECTED_MAX_LIFETIME = 28800"),
            ("--timeout=6h", "periodic_remove = JobStatus == 2 && time() - JobCurrentStartDate > 21600"),
            ("--lines='+FERMIHTC_AutoRelease=True'", "+FERMIHTC_AutoRelease=True"),
            ("""-l '+Site_Wanted="A, B"'""", '+Site_Wanted="A, B"'),
            ("-c 'TARGET.HasX == True'", "requirements = (TARGET.HasX == True)"),
            ("-c '(A>1)' --append_condor_requirements='B < 2'", "requirements = ((A>1)) && (B < 2)"),
        ],
    )
    def test_line(self, option: str, line: str) -> None:
        found = meaning_of(words(f"-n --group=des {option}"), {})
        assert found.lines == [line]
        assert found.dropped == {"--group": "des"}

    def test_environment(self) -> None:
        found = meaning_of(words("-e MODE=a=b -e HOST -e NOWHERE --environment=TEXT='x y'"), {"HOST": "des90"})
        assert found.environment == {"MODE": "a=b", "HOST": "des90", "TEXT": "x y"}
        assert not found.dropped


class TestLeftOut:
    """What has no meaning, or is not what it should be, is named with its value and does nothing."""

    @pytest.mark.parametrize(
        ("option", "dropped"),
        [
            ("-G des", {"-G": "des"}),
            (
                "--resource-provides=usage_model=DEDICATED,OFFSITE",
                {"--resource-provides": "usage_model=DEDICATED,OFFSITE"},
            ),
            ("--OS=SL7 --site FermiGrid", {"--OS": "SL7", "--site": "FermiGrid"}),
            ("--memory=lots", {"--memory": "lots"}),
            ("--cpu=-1", {"--cpu": "-1"}),
            ("--mail_never --cpu two", {"--mail_never": "", "--cpu": "two"}),
            ("stray", {"stray": ""}),
            ("--memory", {"--memory": ""}),
        ],
    )
    def test_named(self, option: str, dropped: dict[str, str]) -> None:
        found = meaning_of(words(option), {})
        assert found.dropped == dropped and not found.lines and not found.environment

    @pytest.mark.parametrize(
        "line", ["executable=/bin/rm", "queue 500", "+A=1\\nexecutable=/bin/rm", "+A", "+A B=1", "getenv=True", ""]
    )
    def test_only_attributes_are_lines(self, line: str) -> None:
        """Nothing from outside becomes a command of a submit description."""
        found = meaning_of(("-l", f"'{line}'".replace("\\n", "\n")), {})
        assert not found.lines and "--lines" in found.dropped

    @pytest.mark.parametrize("name", ["1A=x", "A B=x", "A;B=x", "=x"])
    def test_names_of_variables(self, name: str) -> None:
        assert not meaning_of(("-e", f"'{name}'"), {}).environment
