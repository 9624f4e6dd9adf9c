"""The DAG file's grammar, and whether a DAG is the one that was wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.domain.decam import BANDS, SEARCH_CCDS
from desgw_daemon.grid.dagcheck import check_dag
from desgw_daemon.grid.dagfile import Dag, DagError, Job, SediffArgs, Stage, parse_dag

OPTIONS = (
    "-n --group=des --memory=3500MB -l '+A=\"x\"' -r 9 -c 99 -E 1 --append_condor_requirements='(A==true)&&(B>=2)'"
)
TEMPLATE = (
    f"jobsub {OPTIONS} -N 60 file://SEdiff.sh -r 4 -p 7 -E 668439 -v gw8 -b i -n 20170817 -d persistent -m gw"
    " -c 0 -t -C -j -S dp2206"
)


def search(ccd: int, expnum: int = 938524, season: str = "dp2206", nite: str = "20200304", band: str = "i") -> str:
    return (
        f"jobsub {OPTIONS} file://SEdiff.sh -r 4 -p 7 -E {expnum} -v gw8 -b {band} -n {nite} -d persistent"
        f" -m gw -C -c {ccd} -S {season} -T STAR -V VETO"
    )


MONITOR = f"jobsub {OPTIONS} file://RUNMON.sh -r r4p7 -p dp2206 -E 938524 -n 20200304 -f WS1-2 -d persistent -m gw"


def text(*stages: list[str]) -> str:
    """A DAG file: the last stage is serial."""
    lines = []
    for number, jobs in enumerate(stages, 1):
        kind = "serial" if number == len(stages) else "parallel"
        lines += [f"<{kind}>", *jobs, f"</{kind}>"]
    return "\n".join(lines) + "\n"


def whole() -> str:
    dummy = f"jobsub {OPTIONS} file://dummyjob.sh"
    return text([dummy, TEMPLATE, TEMPLATE], [search(ccd) for ccd in SEARCH_CCDS], [MONITOR])


class TestReading:
    """What stands after file:// belongs to the job; before it, only -N is of interest."""

    def test_stages_and_jobs(self) -> None:
        dag = parse_dag(whole())
        assert [stage.kind for stage in dag.stages] == ["parallel", "parallel", "serial"]
        assert [len(stage.jobs) for stage in dag.stages] == [3, 59, 1]
        assert len(dag.jobs) == 63 and dag.has_serial
        dummy, template = dag.jobs[:2]
        assert (dummy.script, dummy.args, dummy.count, dummy.sediff) == ("dummyjob.sh", (), 1, None)
        assert (template.line, template.count) == (3, 60)
        assert "--group=des" in template.options and "jobsub" not in template.options
        assert dag.jobs[-1].args[:2] == ("-r", "r4p7") and dag.jobs[-1].sediff is None

    def test_search_jobs(self) -> None:
        jobs = parse_dag(whole()).search_jobs
        assert [job.ccd for job in jobs] == list(SEARCH_CCDS)
        assert jobs[0] == SediffArgs(expnum=938524, nite="20200304", band="i", ccd=1, season=2206, is_template=False)

    def test_template_jobs_are_distinct(self) -> None:
        other = TEMPLATE.replace("668439", "668440")
        jobs = parse_dag(text([TEMPLATE, other, TEMPLATE], [MONITOR])).template_jobs
        assert [(job.expnum, job.band, job.is_template) for job in jobs] == [
            (668439, "i", True),
            (668440, "i", True),
        ]

    def test_no_serial_block(self) -> None:
        assert not parse_dag(f"<parallel>\n{search(1)}\n</parallel>\n").has_serial

    def test_line_ends_blanks_and_comments(self) -> None:
        loose = "\r\n# made today\r\n\r\n<serial>\r\n  \t jobsub  -n\tfile://./a.sh  'b c'\t d\r\n</serial>"
        (job,) = parse_dag(loose).jobs
        assert (job.script, job.args, job.options) == ("./a.sh", ("b c", "d"), ("-n",))


BROKEN = {
    "empty": ("", "no job"),
    "blank": ("\n \n", "no job"),
    "empty block": ("<serial>\n</serial>\n", "line 2: .* holds no job"),
    "unknown tag": ("<paralel>\njobsub file://a\n</paralel>\n", "line 1: neither"),
    "stray line": ("<serial>\njobsub file://a\nend\n</serial>\n", "line 3: neither"),
    "nested": ("<parallel>\njobsub file://a\n<serial>\n", "line 3: .*line 1 is still open"),
    "closed twice": ("<serial>\njobsub file://a\n</serial>\n</serial>\n", "line 4: no <serial> is open"),
    "closed wrongly": ("<serial>\njobsub file://a\n</parallel>\n", "line 3: no <parallel> is open"),
    "cut short": ("<parallel>\njobsub file://a\n", "line 1 is never closed"),
    "job outside": ("jobsub file://a\n", "line 1: a job outside"),
    "no file": ("<serial>\njobsub -n a.sh\n</serial>\n", "line 2: a job without file://"),
    "no script": ("<serial>\njobsub -n file:// a.sh\n</serial>\n", "line 2: no script"),
    "nothing after file": ("<serial>\njobsub -n file://\n</serial>\n", "line 2: no script"),
    "quotation": ("<serial>\njobsub file://a.sh 'b\n</serial>\n", "line 2: .*[Qq]uotation"),
    "commented job": ("<serial>\n# jobsub file://a.sh\n</serial>\n", "line 2: .*comment"),
    "count": ("<serial>\njobsub -N x file://a.sh\n</serial>\n", "line 2: -N x is no number"),
    "count zero": ("<serial>\njobsub -N 0 file://a.sh\n</serial>\n", "line 2: -N 0 is no number"),
    "count missing": ("<serial>\njobsub -N file://a.sh\n</serial>\n", "line 2: -N  is no number"),
    "no exposure": (text([search(1).replace("-E 938524", "")]), "line 2: SEdiff.sh without -E"),
    "no nite": (
        text([search(1).replace("-n 20200304", "-n ")]),
        "line 2: SEdiff.sh gets no value for -n: .*blacklisted",
    ),
    "two exposures": (text([search(1).replace("938524", "938524 938525")]), "line 2: '938525' is no option"),
    "exposure no number": (text([search(1).replace("938524", "93852x")]), "line 2: -E 93852x is no number"),
    "season no number": (text([search(1).replace("dp2206", "dp")]), "line 2: -S  is no number"),
    "digits of elsewhere": (text([search(1).replace("938524", "٩٣٨٥٢٤")]), "is no number"),
}


class TestBrokenFiles:
    """What DAGMaker would never write is refused, with the line and its number."""

    @pytest.mark.parametrize(("broken", "words"), BROKEN.values(), ids=BROKEN.keys())
    def test_refused(self, broken: str, words: str) -> None:
        with pytest.raises(DagError, match=words):
            parse_dag(broken)

    def test_long_lines_are_shortened(self) -> None:
        with pytest.raises(DagError) as caught:
            parse_dag("<serial>\n" + "x" * 10_000)
        assert len(str(caught.value)) < 200

    def test_cut_anywhere(self) -> None:
        """A file that was written in part is never taken for a whole one."""
        made = text([TEMPLATE], [search(1)], [MONITOR])
        refused = 0
        for end in range(len(made) - 1):
            try:
                assert not parse_dag(made[:end]).has_serial
            except DagError:
                refused += 1
        assert refused > 0.98 * len(made), "only between two blocks does a cut leave a DAG"

    @given(st.text())
    def test_any_text(self, anything: str) -> None:
        try:
            parse_dag(anything)
        except DagError as error:
            assert str(error)

    @given(
        st.lists(
            st.sampled_from(
                ["<parallel>", "</parallel>", "<serial>", "</serial>", TEMPLATE, search(5), MONITOR, "", "x"]
            )
            | st.text(max_size=30).map(lambda words: f"jobsub -N 2 file://SEdiff.sh {words}")
            | st.text(max_size=30).map(lambda words: f"jobsub {words} file://a.sh -E 1")
        )
    )
    def test_any_lines(self, lines: list[str]) -> None:
        try:
            dag = parse_dag("\n".join(lines))
        except DagError as error:
            assert str(error)
        else:
            assert dag.jobs and all(job.script and 1 <= job.count <= 1000 for job in dag.jobs)


_word = st.text("abcXYZ019._=/-+", min_size=1, max_size=8).filter(lambda word: word != "-N")
_number = st.integers(0, 10**7)


@st.composite
def _sediff_jobs(draw: st.DrawFn) -> tuple[str, SediffArgs, int]:
    template = draw(st.booleans())
    said = SediffArgs(
        expnum=draw(_number),
        nite=draw(st.from_regex(r"\A20\d{6}\Z")),
        band=draw(st.sampled_from(BANDS)),
        ccd=0 if template else draw(st.integers(1, 62)),
        season=draw(st.none() | _number),
        is_template=template,
    )
    words = [f"-E {said.expnum}", f"-n {said.nite}", f"-b {said.band}", f"-c {said.ccd}", "-r 4", "-j", "-m gw"]
    words += ["-t"] * template + ([] if said.season is None else [f"-S dp{said.season}"])
    return " ".join(["SEdiff.sh", *draw(st.permutations(words))]), said, draw(st.integers(1, 60))


@st.composite
def _other_jobs(draw: st.DrawFn) -> tuple[str, None, int]:
    return " ".join(["run.sh", *draw(st.lists(_word))]), None, draw(st.integers(1, 60))


class TestRoundTrip:
    """What is written in the grammar is read back as it was meant."""

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["parallel", "serial"]),
                st.lists(st.tuples(_sediff_jobs() | _other_jobs(), st.lists(_word)), min_size=1, max_size=5),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_generated(
        self, stages: list[tuple[str, list[tuple[tuple[str, SediffArgs | None, int], list[str]]]]]
    ) -> None:
        lines, meant = [], []
        for kind, jobs in stages:
            lines.append(f"<{kind}>")
            made = []
            for (command, said, count), options in jobs:
                words = [*options, "-N", str(count)]
                lines.append(" ".join(["jobsub", *words, f"file://{command}"]))
                script, *args = command.split()
                made.append(
                    Job(
                        line=len(lines),
                        options=tuple(words),
                        script=script,
                        args=tuple(args),
                        count=count,
                        sediff=said,
                    )
                )
            lines.append(f"</{kind}>")
            meant.append(Stage(kind="serial" if kind == "serial" else "parallel", jobs=tuple(made)))
        assert parse_dag("\n".join(lines)) == Dag(stages=tuple(meant))


class TestIsItTheWantedDag:
    """Exposure, season, nite, band and CCDs of the search lines must be right, and templates found."""

    def problems(self, made: str) -> tuple[str, ...]:
        return check_dag(parse_dag(made), season=2206, expnum=938524, nite="20200304", band="i")

    def test_right(self) -> None:
        assert self.problems(whole()) == ()

    @pytest.mark.parametrize(
        ("before", "after", "words"),
        [
            ("-E 938524 -v", "-E 938525 -v", "59 lines are of exposure 938525 instead of 938524 (-E)"),
            ("-C -c 7 -S dp2206", "-C -c 7 -S dp57", "1 lines are of season 57 instead of 2206 (-S dp)"),
            ("-C -c 7 -S dp2206", "-C -c 7", "1 lines name no season (-S dp)"),
            ("-j -S dp2206", "-j -S dp57", "1 lines are of season 57 instead of 2206 (-S dp)"),
            ("-n 20200304 -d persistent -m gw -C", "-n 20200305 -d persistent -m gw -C", "of nite 20200305"),
            ("-b i -n 20200304", "-b z -n 20200304", "59 lines are of band z instead of i (-b)"),
            ("-c 7 ", "-c 9 ", "58 of 59 search CCDs have a line; missing: 7"),
            ("-c 7 ", "-c 9 ", "several lines for CCD 9"),
            ("-c 7 ", "-c 61 ", "lines for CCD 61, which search exposures do not use"),
        ],
    )
    def test_wrong(self, before: str, after: str, words: str) -> None:
        made = whole()
        assert before in made
        assert any(words in problem for problem in self.problems(made.replace(before, after)))

    def test_no_template(self) -> None:
        made = "\n".join(["<parallel>", *(search(ccd) for ccd in SEARCH_CCDS), "</parallel>"])
        assert self.problems(made) == ("there is no <serial> block: DAGMaker has found no template",)

    def test_no_search_lines(self) -> None:
        (problem,) = self.problems(text([TEMPLATE], [MONITOR]))
        assert problem == "its DAG has no line for a search CCD"
