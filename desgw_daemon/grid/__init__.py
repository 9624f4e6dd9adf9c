"""What runs DAGs: the contract of an engine, the engines, and the grammar of a DAG file.

Engines say what they saw as values. They must not decide (no retries, no caps) and know no database.
"""
