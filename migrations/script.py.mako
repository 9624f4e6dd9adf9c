"""${message}

Revision: ${up_revision}
Before it: ${down_revision | comma,n}
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel.sql.sqltypes import AutoString
from alembic import op

from desgw_daemon.store.columns import UtcDateTime
from desgw_daemon.store.views import create_views, drop_views
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Go forward. Views are dropped first: tables cannot be altered under them."""
    drop_views(op.get_bind())
    ${upgrades if upgrades else "pass"}
    create_views(op.get_bind())
