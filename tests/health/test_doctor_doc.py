"""docs/doctor.md has a row for each check, in the order in which they are shown."""

from __future__ import annotations

from desgw_daemon.daemon.doctor.examine import checks
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.checkup import TOLD_BY
from tests.docs.pages import names, page, sections


class TestThePage:
    """Each check has a row, and each row is a check."""

    def test_rows(self) -> None:
        (section,) = (section for section in sections(page("doctor.md")) if section.title == "The checks")
        assert [names(row[0])[0] for row in section.table] == [check.name for check in checks()]

    def test_what_rules_tell(self) -> None:
        assert set(TOLD_BY) <= {check.name for check in checks()}
        assert {rule for rules in TOLD_BY.values() for rule in rules} <= set(RULES)
