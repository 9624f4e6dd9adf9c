"""`start-event`: from an alert to a finished night, on a terminal and in a script; and left in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pexpect
import pytest

from desgw_daemon.sandbox.judge import judge
from tests.cli.asked import asked, end

from .house import NITE, House, night_of, planned

SEASON = "Season: its number"
PARAMETERS = "DAGMaker's parameters to change"
EXPOSURES = "Exposures: .list files or numbers"
RIGHT = "Is that right"
#: A whole conversation: what is asked, and what is answered.
TALK = (
    (SEASON, "2206"),
    (PARAMETERS, "TWINDOW=6 'JOBSUB_OPTS=--memory=2500MB --disk=70GB'"),
    (EXPOSURES, "lists/night_i.list 938526"),
    ("ligoid:", "S200304x"),
    ("triggerid:", ""),
    ("propid:", "2019B-0353"),
    ("triggermjd:", "58912.5"),
)


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """Two exposures in i, which stand in a list, and one in z."""
    return make_house(night_of(planned(938524), planned(938525), planned(938526, "z")))


def rc(house: House) -> Path:
    return house.sandbox.workflow / "dagmaker.rc"


def untouched(house: House, before: bytes) -> bool:
    """Whether nothing at all was done."""
    rows = [*house.rows("SELECT * FROM v_exposure"), *house.rows("SELECT * FROM v_season")]
    return not rows and not house.rows("SELECT * FROM v_rc_change") and rc(house).read_bytes() == before


class TestOnATerminal:
    """One question at a time, wrong answers asked again, a summary; then the night goes by as planned."""

    def test_to_the_end_of_the_night(self, house: House) -> None:
        child = asked("start-event", cwd=house.root)
        for question, wrong, words in (
            (SEASON, "22o6", "a season is a whole number"),
            (SEASON, "6000", "is reserved"),
        ):
            child.expect(question)
            child.sendline(wrong)
            child.expect(words)
        child.expect(SEASON)
        child.sendline("2206")
        child.expect(PARAMETERS)
        child.sendline("JOBSUBS_OPTS=x")
        child.expect("did you mean JOBSUB_OPTS")
        child.expect(PARAMETERS)
        child.sendline(TALK[1][1])
        child.expect(EXPOSURES)
        child.sendline("nowhere.list")
        child.expect("no such file")
        for question, answer in TALK[2:-1]:
            child.expect(question)
            child.sendline(answer)
        child.expect("triggermjd:")
        child.sendline("yesterday")
        child.expect("a number of days, MJD")
        child.expect("triggermjd:")
        child.sendline("58912.5")
        child.expect(RIGHT)
        summary = child.before or ""
        for words in ("2206", "3 exposures", "2 i, 1 z", NITE, "TWINDOW=6", "ligoid S200304x", "triggermjd 58912.5"):
            assert words in summary
        child.sendline("yes")
        code, said = end(child)
        assert code == 0 and "3 exposures queued for season 2206" in said

        house.start()
        house.wait_for("done", 938524, 938525, 938526)
        verdict = judge(house.root, house.ok("status", "--json"))
        assert verdict.ok, [line.text for line in verdict.lines if not line.ok]
        (run,) = house.runs("run_postproc.py")
        (seen,) = [event["text"] for event in run.events if event["event"] == "ini"]
        lines = seen.splitlines()
        assert {"ligoid = S200304x", "propid = 2019B-0353", "triggermjd = 58912.5"} <= set(lines)
        assert "triggerid = G000000" in lines, "of which nobody said anything"
        text = rc(house).read_text()
        assert 'JOBSUB_OPTS="--memory=2500MB --disk=70GB"\n' in text.replace("'", '"') and "TWINDOW=6\n" in text
        assert "--memory=2500MB" in (house.sandbox.workflow / "desgw_pipeline_938524.dag").read_text()

    @pytest.mark.parametrize(("key", "questions"), [("c", range(len(TALK) + 1)), ("d", (0, len(TALK)))])
    def test_left_at_any_question(self, house: House, key: str, questions: Iterable[int]) -> None:
        """Ctrl-C at each of them; Ctrl-D at the first and the last, since the program has one way out for both."""
        before = rc(house).read_bytes()
        for answered in questions:
            child = asked("start-event", cwd=house.root)
            for question, answer in TALK[:answered]:
                child.expect(question)
                child.sendline(answer)
            child.expect((*(question for question, _ in TALK), RIGHT)[answered])
            child.expect(": $")
            child.sendcontrol(key)
            code, said = end(child)
            assert (code, "nothing was done" in said) == (130, True), said
            assert untouched(house, before)

    def test_no_to_the_summary(self, house: House) -> None:
        before = rc(house).read_bytes()
        child = asked("start-event", "938524", "--season", "2206", "--ligoid", "S1", cwd=house.root)
        while child.expect([RIGHT, "Enter: [^)]*\\)"]) != 0:
            child.sendline("")
        child.sendline("perhaps")
        child.expect(RIGHT)
        child.sendline("no")
        code, said = end(child)
        assert code == 1 and "nothing was done" in said
        assert untouched(house, before)

    def test_a_used_season_is_typed_again(self, house: House) -> None:
        (house.sandbox.pnfs / "forcephoto" / "images" / "dp2206").mkdir()
        child = asked("start-event", "938524", cwd=house.root)
        child.expect(SEASON)
        child.sendline("2206")
        child.expect("season 2206 is used elsewhere")
        child.expect("Type its number again")
        child.sendline("")
        child.expect(SEASON)
        child.sendline("2206")
        child.expect("Type its number again")
        child.sendline("2206")
        while child.expect([RIGHT, "Enter: [^)]*\\)"]) != 0:
            child.sendline("")
        child.sendline("yes")
        assert end(child)[0] == 0
        (row,) = house.rows("SELECT season, reused_by, how FROM v_season")
        assert row["season"] == 2206 and row["reused_by"]


class TestInAScript:
    """Every answer as an option: no question, no terminal."""

    def test_all_said(self, house: House) -> None:
        words = ("start-event", "lists/night_i.list", "--season", "2206", "--set", "TWINDOW=6", "--ligoid", "S1")
        said = house.ok(*words, "--triggermjd", "58912")
        assert "2 exposures queued for season 2206" in said
        assert [row["expnum"] for row in house.rows("SELECT expnum FROM v_exposure")] == [938524, 938525]
        (season,) = house.rows("SELECT ligoid, triggerid, triggermjd FROM v_season")
        assert season == {"ligoid": "S1", "triggerid": None, "triggermjd": 58912.0}
        (change,) = house.rows("SELECT key, after, why FROM v_rc_change")
        assert (change["key"], change["after"], change["why"]) == ("TWINDOW", "6", "start-event")

    def test_twice_is_harmless(self, house: House) -> None:
        words = ("start-event", "938524", "--season", "2206", "--set", "TWINDOW=6", "--ligoid", "S1")
        house.ok(*words)
        assert "0 exposures queued for season 2206; 1 already there" in house.ok(*words)
        assert len(house.rows("SELECT * FROM v_rc_change")) == 1

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("938524",), "--season N or --new-season is needed"),
            (("--season", "2206"), "the exposures are needed"),
            (("938524", "--season", "2206", "--set", "SEASON=2207"), "SEASON is set by the daemon"),
            (("938524", "--season", "2206", "--set", "TWINDOW"), "is no KEY=VALUE"),
            (("938524", "--season", "2206", "--set", "RNUMS=4"), "did you mean RNUM"),
            (("938524", "--season", "2206", "--triggermjd", "nan"), "a number of days, MJD"),
            (("938524", "--season", "2206", "--ligoid", "a; b"), "letters, digits"),
            (("93852", "--season", "2206"), "is no exposure number"),
        ],
    )
    def test_refused(self, house: House, words: tuple[str, ...], said: str) -> None:
        before = rc(house).read_bytes()
        assert said in house.refused("start-event", *words, code=2)
        assert untouched(house, before)

    def test_nothing_queued_while_the_parameters_are_read(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, making="hang"), planned(938525)))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.until(lambda: house.tick() and house.exposure(938524)["state"] == "making", "938524 is made")
        before = rc(house).read_bytes()
        line = house.refused("start-event", "938525", "--season", "2206", "--set", "TWINDOW=6", code=1)
        assert "while a DAGMaker reads it" in line and "938524" in line
        assert len(house.rows("SELECT * FROM v_exposure")) == 1 and rc(house).read_bytes() == before


class TestANewSeason:
    """At random, free everywhere; what cannot be asked is said, and accepted only in so many words."""

    def test_without_the_des_database(self, house: House) -> None:
        before = rc(house).read_bytes()
        words = ("start-event", "938524", "--new-season")
        assert "--accept-unverified des" in house.refused(*words, code=1)
        assert untouched(house, before)
        house.ok(*words, "--accept-unverified", "des")
        (row,) = house.rows("SELECT season, how, unverified, exposures FROM v_season")
        assert 100 <= row["season"] <= 9999 and (row["how"], row["exposures"]) == ("new", 1)
        assert row["unverified"] == '["des"]'

    def test_on_a_terminal(self, house: House) -> None:
        child = asked("start-event", "938524", cwd=house.root)
        child.expect(SEASON)
        child.sendline("")
        child.expect("des is unknown")
        child.expect("Go on without that answer")
        child.sendline("yes")
        while child.expect([RIGHT, "Enter: [^)]*\\)", pexpect.TIMEOUT]) != 0:
            child.sendline("")
        child.sendline("yes")
        assert end(child)[0] == 0
        (row,) = house.rows("SELECT exposures FROM v_season")
        assert row["exposures"] == 1


class TestTwoAtOnce:
    """Whoever is second is told so, and nothing of his is done."""

    def test_the_same_new_season(self, house: House) -> None:
        first, second = (asked("start-event", expnum, cwd=house.root) for expnum in ("938524", "938525"))
        for child, ligoid in ((first, "A1"), (second, "B1")):
            child.expect(SEASON)
            child.sendline("2502")
            child.expect(PARAMETERS)
            child.sendline("TWINDOW=7" if child is second else "")
            child.expect("ligoid:")
            child.sendline(ligoid)
            while child.expect([RIGHT, "Enter: [^)]*\\)"]) != 0:
                child.sendline("")
        before = rc(house).read_bytes()
        first.sendline("yes")
        assert end(first)[0] == 0
        second.sendline("yes")
        code, said = end(second)
        assert code == 1 and "season 2502 was taken meanwhile" in said and "nothing was done" in said
        assert [row["expnum"] for row in house.rows("SELECT expnum FROM v_exposure")] == [938524]
        assert house.rows("SELECT ligoid FROM v_season") == [{"ligoid": "A1"}]
        assert rc(house).read_bytes() == before


class TestTheEventOfASeason:
    """It is changed only by somebody who has seen what it was."""

    def test_not_by_a_slip_in_a_script(self, house: House) -> None:
        house.ok("start-event", "938524", "--season", "2206", "--ligoid", "S1")
        line = house.refused("start-event", "938525", "--season", "2206", "--ligoid", "S2", code=1)
        assert "season 2206 is for ligoid S1, not S2: nothing was done" in line
        assert "desgw-daemon season event 2206 --ligoid S2" in line
        assert len(house.rows("SELECT * FROM v_exposure")) == 1
        said = house.ok("season", "event", "2206", "--ligoid", "S2", "--triggermjd", "58912.5")
        assert "ligoid: S1 -> S2" in said and "not known: triggerid, propid" in said
        assert house.rows("SELECT ligoid, triggermjd FROM v_season") == [{"ligoid": "S2", "triggermjd": 58912.5}]

    def test_shown_on_a_terminal(self, house: House) -> None:
        house.ok("start-event", "938524", "--season", "2206", "--ligoid", "S1")
        child = asked("start-event", "938525", "--season", "2206", "--ligoid", "S2", cwd=house.root)
        while child.expect([RIGHT, "Enter: [^)]*\\)"]) != 0:
            child.sendline("")
        assert "ligoid S1 -> S2" in (child.before or "")
        child.sendline("yes")
        assert end(child)[0] == 0
        assert house.rows("SELECT ligoid FROM v_season") == [{"ligoid": "S2"}]


class TestParametersInUse:
    """A DAGMaker that begins while somebody answers costs him no answer."""

    def test_all_answers_as_one_command(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, making="hang"), planned(938525)))
        house.ok("queue", "add", "938524", "--season", "2206")
        words = ("start-event", "938525", "--season", "2206", "--set", "TWINDOW=6", "--ligoid", "S1")
        child = asked(*words, cwd=house.root)
        while child.expect([RIGHT, "Enter: [^)]*\\)"]) != 0:
            child.sendline("")
        house.until(lambda: house.tick() and house.exposure(938524)["state"] == "making", "938524 is made")
        before = rc(house).read_bytes()
        child.sendline("yes")
        child.expect("while a DAGMaker reads it")
        child.expect("Try again now")
        child.sendline("no")
        code, said = end(child)
        assert code == 1 and "nothing was done" in said
        assert "desgw-daemon start-event 938525 --season 2206 --set TWINDOW=6 --ligoid S1" in said
        assert len(house.rows("SELECT * FROM v_exposure")) == 1 and rc(house).read_bytes() == before
