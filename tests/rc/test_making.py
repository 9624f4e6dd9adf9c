"""The season that DAGMaker reads, and what it read, with the daemon at work."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256

from desgw_daemon.sandbox.build import Sandbox
from tests.night.house import House, planned

_SLOWLY = 700


def note_what_is_read(sandbox: Sandbox) -> None:
    """Each DAGMaker writes down which season it has read, when it begins and when it ends."""
    script = sandbox.workflow / "DAGMaker.sh"
    text = script.read_text().replace(
        "source ./dagmaker.rc\n",
        'source ./dagmaker.rc\necho "begin $EXPNUM $SEASON" >>"$sandbox/read"\n'
        'trap \'(source ./dagmaker.rc; echo "end $EXPNUM $SEASON") >>"$sandbox/read"\' EXIT\n',
    )
    script.write_text(text)


class TestTheSeason:
    """Before DAGMaker is started, SEASON is that of its exposure; two seasons take turns, each DAG has its own."""

    def test_two_lists(self, make_house: Callable[..., House]) -> None:
        house = make_house(*(planned(number) for number in (938524, 938525, 938526, 938527)), dagmaker=_SLOWLY)
        note_what_is_read(house.sandbox)
        house.ok("queue", "add", "938524", "938525", "--season", "2208")
        house.ok("queue", "add", "938526", "938527", "--season", "2206")
        house.start()
        why = "DAGMaker reads the season from dagmaker.rc, and 2 exposures of season 2208 are being made since %"
        waits = "SELECT 1 FROM v_exposure WHERE season = 2206 AND state = 'queued' AND reason LIKE ?"
        house.until(lambda: house.rows(waits, why), "the second season waits, and says for what")
        house.until(
            lambda: len(house.rows("SELECT 1 FROM v_dagmaker WHERE state = 'made'")) == 4, "all four have been made"
        )
        lines = (house.root / "read").read_text().splitlines()
        seasons = {"938524": "2208", "938525": "2208", "938526": "2206", "938527": "2206"}
        assert len(lines) == 8
        assert all(line.split()[2] == seasons[line.split()[1]] for line in lines), "not changed under one that runs"
        assert [line.split()[2] for line in lines] == ["2208"] * 4 + ["2206"] * 4
        changes = house.rows('SELECT who, "key", before, after, why FROM v_rc_change ORDER BY id')
        assert [(c["who"], c["key"], c["before"], c["after"]) for c in changes] == [
            ("daemon", "SEASON", "2206", "2208"),
            ("daemon", "SEASON", "2208", "2206"),
        ]
        assert changes[0]["why"] == "for exposure 938524 i (season 2208, nite 20200304), attempt 1"

    def test_what_it_read_is_kept(self, house: House) -> None:
        """With which parameters an exposure was made can be seen after they have been changed."""
        rc = house.sandbox.workflow / "dagmaker.rc"
        house.ok("rc", "set", "TWINDOW_AFTER=31")
        house.ok("queue", "add", "938524", "--season", "2206")
        assert "has not been made" in house.refused("rc", "show", "--exposure", "938524", code=1)
        read = rc.read_bytes()
        made = "SELECT 1 FROM v_dagmaker WHERE state = 'made'"
        house.until(lambda: house.tick() and house.rows(made), "it is made")
        house.ok("rc", "set", "TWINDOW_AFTER=32")
        said = json.loads(house.ok("rc", "show", "--exposure", "938524", "--attempt", "1", "--json"))
        assert [key["value"] for key in said["keys"] if key["key"] == "TWINDOW_AFTER"] == ["31"]
        assert said["made"]["rc_sha256"] == sha256(read).hexdigest()
        assert "938524 i (season 2206, nite 20200304), attempt 1: what its DAGMaker of" in house.ok(
            "rc", "show", "--exposure", "938524"
        )
        (version,) = house.rows("SELECT v.text FROM v_dagmaker m JOIN v_rc_version v ON v.sha256 = m.rc_sha256")
        assert version["text"].encode() == read
        assert "as attempt 2" in house.refused("rc", "show", "--exposure", "938524", "--attempt", "2", code=1)


class TestWhileDagmakerRuns:
    """A person cannot change what a DAGMaker reads; when it has ended, he can."""

    def test_refused(self, make_house: Callable[..., House]) -> None:
        house = make_house(planned(938524, making="hang"))
        rc = house.sandbox.workflow / "dagmaker.rc"
        house.ok("queue", "add", "938524", "--season", "2206")
        house.until(lambda: house.tick() and house.exposure(938524)["state"] == "making", "it is being made")
        before = rc.read_bytes()
        for words in (["set", "WRITEDB=on"], ["unset", "WRITEDB"]):
            line = house.refused("rc", *words, code=1)
            since = house.rows("SELECT intent_at FROM v_dagmaker")[0]["intent_at"]
            assert f"exposure 938524 i (season 2206, nite 20200304) is being made since {since}" in line
        assert rc.read_bytes() == before
        assert house.rows("SELECT * FROM v_rc_change") == []
        (folder,) = house.state.glob("attempts/*/dagmaker-1")
        house.kill_child(folder)
        house.until(lambda: house.command("rc", "set", "WRITEDB=on").returncode == 0, "nothing reads it any more")


class TestAFileThatCannotBeEdited:
    """Making stops with an alert that says why, the rest goes on, and making starts again when the file is mended."""

    def test_said_and_mended(self, make_house: Callable[..., House]) -> None:
        house = make_house(planned(938524), planned(938525))
        rc = house.sandbox.workflow / "dagmaker.rc"
        good = rc.read_text()
        rc.write_text(good.replace("SEASON=2206", "[[ $EXPNUM == 938524 ]] && SEASON=2206"))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.until(lambda: "no DAG can be made since" in str(house.exposure(938524)["reason"]), "it says why it waits")
        reason = str(house.exposure(938524)["reason"])
        assert f"{rc}: SEASON: line 10 is more than an assignment; edit it by hand" in reason
        house.until(lambda: house.alerts("making_blocked"), "an alert")
        assert house.made(938524) == 0 and house.history(938524, "dagmaker_run") == []
        rc.write_text(good)
        house.wait_for("done", 938524)
        house.until(lambda: house.alerts("making_blocked")[0]["cleared_at"], "the alert is over")
        # One that is gone stops only what has not been made yet.
        rc.rename(rc.with_name("away"))
        house.ok("queue", "add", "938525", "--season", "2206")
        house.until(lambda: "dagmaker.rc cannot be read" in str(house.exposure(938525)["reason"]), "it says why")
        rc.with_name("away").rename(rc)
        house.wait_for("done", 938525)
