"""Addresses of databases are shown without their passwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.config.secrets import masked

SECRET = "s3cr3t"


class TestMasked:
    """What may be a password is ***, also where somebody has not escaped it; the rest stays."""

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            (f"postgresql://me:{SECRET}@host:5432/name", "postgresql://me:***@host:5432/name"),
            (f"postgresql://me:{SECRET}/@{SECRET} x@host/name", "postgresql://me:***@host/name"),
            (
                f"postgresql://host/name?user=me&password={SECRET}&x=1",
                "postgresql://host/name?user=me&password=***&x=1",
            ),
            (f"postgresql://me:{SECRET}", "postgresql://me:***"),
            (f"postgresql://me:{SECRET}/name", "postgresql://me:***/name"),
            ("postgresql://me@host:5432/name", "postgresql://me@host:5432/name"),
            ("postgresql://host:5432/name", "postgresql://host:5432/name"),
            ("postgresql://[::1]:5432/name", "postgresql://[::1]:5432/name"),
            ("desservices:des", "desservices:des"),
            ("", ""),
        ],
    )
    def test_each(self, url: str, shown: str) -> None:
        assert masked(url) == shown

    @given(st.text(), st.text("abc.", min_size=1))
    def test_any_password(self, password: str, host: str) -> None:
        assert masked(f"oracle://me:{password}@{host}:1521/name") == f"oracle://me:***@{host}:1521/name"
