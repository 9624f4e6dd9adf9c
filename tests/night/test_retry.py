"""Exposures that are tried again, removed or held while something of them lives, through the running daemon."""

from __future__ import annotations

from collections.abc import Callable

from desgw_daemon.sandbox.moves import fails_at

from .house import House, night_of, planned

#: Twelve failing CCDs leave 47: too few.
HOPELESS = dict.fromkeys(range(3, 15), fails_at(18))


class TestANewAttempt:
    """A retry has a new tag and a DAG of its own; what the old attempt left on /pnfs does not count."""

    def test_after_too_many_failures(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, ccds=HOPELESS)))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("attention", 938524)
        row = house.exposure(938524)
        assert (row["ccds_complete"], row["ccds_failed"]) == (47, 12)
        assert "50 complete ones are needed" in row["reason"] and "desgw-daemon queue retry 938524" in row["reason"]
        # Whatever was wrong is mended: the next jobs do well, but take their time.
        orders = house.root / ".sandbox" / "orders"
        text = (orders / "938524.sh").read_text()
        mended = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("moves_"))
        (orders / "938524.sh").write_text(mended + "job_ms='700'\n")
        said = house.ok("queue", "retry", "938524")
        assert "queued as attempt 2" in said
        house.wait_for("processing", 938524)
        house.until(lambda: house.exposure(938524)["ccds_complete"] > 5, "new results come")
        row = house.exposure(938524)
        assert row["state"] == "processing" and row["ccds_failed"] == 0, "the old FAILs do not count"
        assert row["ccds_complete"] < 47 and row["ccds_pending"] > 0, "nor do the old tarballs"
        stale = house.rows("SELECT ccd, stale FROM v_ccd WHERE stale <> '[]'")
        assert {entry["ccd"] for entry in stale} <= set(HOPELESS) and stale
        house.wait_for("done", 938524)
        assert house.exposure(938524)["ccds_complete"] == 59
        tags = [row["tag"] for row in house.rows("SELECT tag FROM v_submission ORDER BY attempt")]
        assert tags == ["dp2206_20200304_938524_a1", "dp2206_20200304_938524_a2"]
        assert house.made(938524) == 2

    def test_of_one_that_was_never_made(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, making="crash")))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("attention", 938524)
        orders = house.root / ".sandbox" / "orders" / "938524.sh"
        orders.write_text(orders.read_text().replace("making='crash'", "making='good'"))
        house.ok("queue", "retry", "938524")
        house.wait_for("done", 938524)
        assert house.alerts("exposure_attention")[0]["cleared_at"] is not None


class TestWhileSomethingLives:
    """Nothing is removed or tried again while a DAGMaker, a DAG or a run of it may still live; hold always works."""

    def test_a_dag(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, default=("hang",))))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("processing", 938524)
        for command in ("remove", "retry"):
            line = house.refused("queue", command, "938524", code=1)
            assert "its DAG dp2206_20200304_938524_a1 is" in line and "may still run" in line
        assert "held; what runs goes on" in house.ok("queue", "hold", "938524")
        assert house.exposure(938524)["state"] == "processing"

    def test_a_dagmaker(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, making="hang")))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("making", 938524)
        house.until(lambda: house.made(938524), "DAGMaker runs")
        for command in ("remove", "retry"):
            assert "its DAGMaker runs since" in house.refused("queue", command, "938524", code=1)

    def test_a_run(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), step=3000))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("postprocessing", 938524)
        for command in ("remove", "retry"):
            assert "it is in a run of post-processing" in house.refused("queue", command, "938524", code=1)
        line = house.refused("postproc", "run", "--season", "2206", code=1)
        assert "run 1 of season 2206 goes on since" in line


class TestHeldInTheMiddle:
    """One that is held while its DAGMaker runs is not submitted until it is released."""

    def test_is_not_submitted(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        gate = house.root / "gate"
        script = house.sandbox.workflow / "setup_img_proc.sh"
        script.write_text(script.read_text() + f"while [ -e {gate} ]; do sleep 0.1; done\n")
        house.ok("pause")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.until(lambda: list(house.state.glob("setup/*/environment")), "the set-up is captured")
        gate.touch()
        house.ok("resume")
        house.wait_for("making", 938524)
        house.ok("queue", "hold", "938524")
        assert house.exposure(938524)["state"] == "making"
        gate.unlink()
        house.wait_for("submitting", 938524)
        house.until(lambda: "queue release 938524" in str(house.exposure(938524)["reason"]), "it says until when")
        assert house.history(938524, "submission") == []
        house.ok("queue", "release", "938524")
        house.wait_for("done", 938524)


class TestTwoSeasons:
    """The same exposure in two seasons: the second waits until the DAG of the first has ended, then goes on."""

    def test_one_after_the_other(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), job=100))
        for season in ("2206", "2208"):
            house.ok("queue", "add", "938524", "--season", season)
        house.start()
        house.wait_for("processing", 938524)
        reasons = set()

        def second_is_done() -> bool:
            row = house.exposure(938524, 2208)
            reasons.add(str(row["reason"]))
            return bool(row["state"] == "done")

        house.until(second_is_done, "the second is done")
        assert any("the same exposure is" in reason and "season 2206" in reason for reason in reasons), reasons
        assert house.exposure(938524)["state"] == "done"
        assert [run.argv for run in house.runs("DAGMaker.sh")] == [("938524",)] * 2
