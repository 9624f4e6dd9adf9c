"""Words that stand in the program's source."""

from __future__ import annotations

import ast
from typing import Final

from .pages import ROOT

PACKAGE: Final = ROOT / "desgw_daemon"


def alert_rules() -> set[str]:
    """The rule of every alert that the program can raise."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "AlertWanted":
                if all(keyword.arg is None for keyword in node.keywords):
                    # Read back from the database.
                    continue
                (rule,) = (keyword.value for keyword in node.keywords if keyword.arg == "rule")
                assert isinstance(rule, ast.Constant), f"{path}: the rule of an alert is no plain word"
                found.add(str(rule.value))
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "RULES":
                # One that is told without the database, since it is about that.
                found |= {str(node.slice.value)} if isinstance(node.slice, ast.Constant) else set()
    return found
