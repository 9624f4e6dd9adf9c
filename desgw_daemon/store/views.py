"""The views for people and for the reading commands: names spelt out, times as text, counts made.

`db check` compares what stands in the file with what stands here: a view is never edited in place, but
changed by a migration that calls `create_views`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from desgw_daemon.domain.decam import EXPECTED_CCDS


def _utc(column: str) -> str:
    name = column.rsplit(".", 1)[-1]
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {column}) AS {name}"


def _last_try(column: str) -> str:
    """Of the newest time that a submission was handed to the engine."""
    of = "submit_try t WHERE t.submission_id = s.id ORDER BY t.number DESC LIMIT 1"
    return f"(SELECT t.{column} FROM {of}) AS last_{column}"


#: Shown with every row that belongs to an exposure.
_WHOSE: Final = "e.season, e.nite, e.expnum, e.band"

#: v_exposure is grouped by what people ask for, so that SQLite counts the CCDs of those exposures only (measured with
#: 36,000 exposures: one nite in 2 ms; 800 ms with the counts in a subquery of their own).
VIEWS: Final[Mapping[str, str]] = {
    "v_exposure": f"""
SELECT {_WHOSE}, e.state, e.held <> 0 AS held, e.hold_reason, e.watch_only <> 0 AS watch_only, e.priority, e.attempt,
  e.reason, e.ready,
  {EXPECTED_CCDS} AS ccds_expected,
  coalesce(sum(c.state = 'complete'), 0) AS ccds_complete,
  coalesce(sum(c.state = 'failed'), 0) AS ccds_failed,
  {EXPECTED_CCDS} - coalesce(sum(c.state <> 'pending'), 0) AS ccds_pending,
  coalesce(sum(c.state = 'missing'), 0) AS ccds_missing,
  coalesce(sum(c.state = 'broken'), 0) AS ccds_broken,
  coalesce(sum(c.state = 'lost'), 0) AS ccds_lost,
  e.forcefiles_expected, e.forcefiles_found, e.forcefiles_missing, e.forcefiles_surplus,
  {_utc("e.since")}, {_utc("e.queued_at")}, e.added_by, {_utc("e.news_at")}, {_utc("e.as_of")},
  {_utc("e.unseen_since")}, e.unseen_problem, {_utc("e.hung_at")}, {_utc("e.unlisted_since")},
  {_utc("e.blacklisted_since")},
  e.disagreement, {_utc("e.disagreement_since")},
  e.id AS exposure_id
FROM exposure e LEFT JOIN ccd c ON c.exposure_id = e.id
GROUP BY e.season, e.nite, e.expnum, e.id
""",
    "v_night": """
SELECT e.season, e.nite, count(*) AS exposures,
  sum(e.state = 'queued') AS queued, sum(e.state = 'making') AS making, sum(e.state = 'submitting') AS submitting,
  sum(e.state = 'processing') AS processing, sum(e.state = 'ready') AS ready,
  sum(e.state = 'postprocessing') AS postprocessing, sum(e.state = 'done') AS done,
  sum(e.state = 'attention') AS attention, sum(e.held <> 0) AS held,
  strftime('%Y-%m-%dT%H:%M:%SZ', max(e.news_at)) AS news_at
FROM exposure e WHERE e.state <> 'removed' GROUP BY e.season, e.nite
""",
    "v_failures": f"""
SELECT {_WHOSE}, c.ccd, c.state, c.step, c.reason, c.job, c.host, {_utc("c.changed_at")}, {_utc("c.as_of")}
FROM ccd c JOIN exposure e ON e.id = c.exposure_id
WHERE c.state IN ('failed', 'missing', 'broken', 'lost')
""",
    "v_attention": f"""
SELECT {_WHOSE}, 'attention' AS kind, e.state, e.reason, {_utc("e.since")}
FROM exposure e WHERE e.state = 'attention'
UNION ALL
SELECT {_WHOSE}, 'disagreement', e.state, e.disagreement, {_utc("e.disagreement_since")}
FROM exposure e WHERE e.disagreement IS NOT NULL
""",
    "v_ccd": f"""
SELECT {_WHOSE}, c.ccd, c.state, c.step, c.fails, c.stale, c.job, c.host, c.tarball_size, c.foreign_files,
  c.reason, {_utc("c.changed_at")}, {_utc("c.settled_at")}, {_utc("c.as_of")}, c.exposure_id
FROM (SELECT *, "foreign" AS foreign_files FROM ccd) c JOIN exposure e ON e.id = c.exposure_id
""",
    "v_submission": f"""
SELECT {_WHOSE}, s.attempt, s.tag, s.engine, s.state, s.job_id, s.nodes_total, s.nodes_waiting, s.nodes_running,
  s.nodes_done, s.nodes_failed, s.nodes_held, s.hold_reason, {_utc("s.held_since")}, s.exit_code, s.reason,
  {_utc("s.intent_at")}, {_utc("s.submitted_at")}, {_utc("s.ended_at")}, {_utc("s.as_of")},
  (SELECT count(*) FROM submit_try t WHERE t.submission_id = s.id) AS tries,
  {_last_try("outcome")}, {_last_try("cause")}, {_last_try("text")},
  s.templates, {_utc("s.nodes_at")}, s.id AS submission_id, s.exposure_id
FROM submission s JOIN exposure e ON e.id = s.exposure_id
""",
    "v_submit_try": f"""
SELECT {_WHOSE}, s.attempt, s.tag, s.engine, t.number, t.outcome, t.cause, t.text, {_utc("t.started_at")},
  {_utc("t.ended_at")}, t.submission_id, s.exposure_id
FROM submit_try t JOIN submission s ON s.id = t.submission_id JOIN exposure e ON e.id = s.exposure_id
""",
    "v_dag_node": f"""
SELECT {_WHOSE}, s.attempt, s.tag, s.engine, s.job_id, n.name, n.process, n.ccd, n.state, n.exit_code, n.signal,
  n.hold_reason, n.host, n.submission_id, s.exposure_id
FROM dag_node n JOIN submission s ON s.id = n.submission_id JOIN exposure e ON e.id = s.exposure_id
""",
    "v_foreign_dag": f"""
SELECT f.tag, f.job_id, f.expnum, f.state, f.owner, {_utc("f.first_seen")}, {_utc("f.as_of")},
  EXISTS (SELECT 1 FROM submission s WHERE s.tag = f.tag) AS ours
FROM foreign_dag f
""",
    "v_dagmaker": f"""
SELECT {_WHOSE}, m.attempt, m.state, m.exit_code, m.reason, m.folder, {_utc("m.intent_at")}, {_utc("m.ended_at")},
  m.rc_sha256, m.templates, m.id AS run_id, m.exposure_id
FROM dagmaker_run m JOIN exposure e ON e.id = m.exposure_id
""",
    "v_postproc": f"""
SELECT r.season, r.number, r.state, r.skipto, r.skipto_reason, r.evidence, r.step, r.exit_code, r.reason, r.bands,
  (SELECT count(*) FROM postproc_exposure p WHERE p.run_id = r.id) AS exposures,
  (SELECT group_concat(e.expnum, ' ') FROM postproc_exposure p JOIN exposure e ON e.id = p.exposure_id
   WHERE p.run_id = r.id) AS expnums,
  r.folder, r.asked_by, {_utc("r.intent_at")}, {_utc("r.started_at")}, {_utc("r.ended_at")}, {_utc("r.step_at")},
  r.result, r.signal, r.last_words, r.list_name, r.left_out, r.retry_of, r.stage, r.notes, r.stopped_by,
  {_utc("r.stopped_at")}, r.stop_reason,
  r.id AS run_id
FROM postproc_run r
""",
    "v_postproc_step": f"""
SELECT s.season, s.number, s.step, {_utc("s.at")}, {_utc("s.until")},
  max(0, CAST(round(86400 * (julianday(s.until) - julianday(s.at))) AS INTEGER)) AS seconds, s.run_id
FROM (SELECT r.season, r.number, t.step, t.at, t.run_id,
  coalesce(lead(t.at) OVER (PARTITION BY t.run_id ORDER BY t.step), r.ended_at) AS until
  FROM postproc_step t JOIN postproc_run r ON r.id = t.run_id) s
""",
    "v_postproc_exposure": f"""
SELECT {_WHOSE}, r.number, r.state, r.result, {_utc("r.started_at")}, {_utc("r.ended_at")}, p.run_id, p.exposure_id
FROM postproc_exposure p JOIN postproc_run r ON r.id = p.run_id JOIN exposure e ON e.id = p.exposure_id
""",
    "v_request": f"""
SELECT q.kind, q.season, q.skipto, {_utc("q.asked_at")}, q.asked_by, {_utc("q.answered_at")}, q.answer
FROM request q
""",
    "v_pause": f"""
SELECT s.value AS reason, s.who, {_utc("s.at")}
FROM setting s WHERE s.key = 'paused'
""",
    "v_alert": f"""
SELECT a.id, a.key, a.rule, a.severity, a.text, a.season, a.nite, a.expnum, {_utc("a.since")}, {_utc("a.raised_at")},
  {_utc("a.cleared_at")}, a.active, a.times_told, {_utc("a.told_at")}, a.told_text, {_utc("a.acked_at")}, a.acked_by,
  a.ack_reason
FROM alert a
""",
    "v_alert_pending": f"""
SELECT p.key, p.rule, p.severity, p.text, {_utc("p.since")}, p.muted_by
FROM alert_pending p
""",
    "v_silence": f"""
SELECT s.id, s.what, {_utc("s.at")}, {_utc("s.until")}, {_utc("s.ended_at")}, s.who, s.reason
FROM silence s
""",
    "v_delivery": f"""
SELECT d.id, d.channel, d.kind, d.alert_id, a.key, d.severity, d.title, d.body, {_utc("d.at")}, d.state, d.tries,
  {_utc("d.next_at")}, {_utc("d.ended_at")}, d.problem, d.digest_id
FROM delivery d LEFT JOIN alert a ON a.id = d.alert_id
""",
    "v_checkup": f"""
SELECT c.name, c.outcome, c.text, c.todo, {_utc("c.at")}
FROM checkup c
""",
    "v_daemon_run": f"""
SELECT d.id, {_utc("d.started_at")}, {_utc("d.stopped_at")}, d.pid, d.version, d.stopped
FROM daemon_run d
""",
    "v_stuck_process": f"""
SELECT s.pid, s.tree, s.what, {_utc("s.since")}
FROM stuck_process s
""",
    "v_history": f"""
SELECT t.id, {_utc("t.at")}, t.kind, t.subject, coalesce(e.season, t.season) AS season, e.nite, e.expnum, t.ccd,
  t.before, t.after, t.why, t.who, t.exposure_id
FROM "transition" t LEFT JOIN exposure e ON e.id = t.exposure_id
""",
    "v_poll": f"""
SELECT p.id, {_utc("p.started_at")}, {_utc("p.ended_at")}, p.exposures, p.listings, p.stats, p.reads,
  p.look_seconds, p.unseen, p.pnfs_problem, p.engine_problem, p.engine_calls, p.workflow_problem,
  p.making_problem, p.credential_problem, p.actions, p.error, p.postprocessing_problem, p.part_errors, p.seconds,
  p.clock_jump, p.free_bytes, p.stuck
FROM poll p
""",
    "v_season": f"""
SELECT s.season, {_utc("s.taken_at")}, s.taken_by, s.how, s.answers, s.unverified, {_utc("s.reused_at")}, s.reused_by,
  s.ligoid, s.triggerid, s.propid, s.triggermjd,
  (SELECT count(*) FROM exposure e WHERE e.season = s.season AND e.state <> 'removed') AS exposures
FROM season s
""",
    "v_rc_version": f"""
SELECT v.sha256, {_utc("v.first_read_at")}, v.text
FROM rc_version v
""",
    "v_rc_change": f"""
SELECT c.id, {_utc("c.at")}, c.who, c.path, c."key", c.before, c.after, c.why
FROM rc_change c
""",
    "v_refresh": f"""
SELECT r.id, r.state, {_utc("r.started_at")}, {_utc("r.ended_at")}, r.who, r.why, r.folder, r.exposures, r.reason
FROM refresh r
""",
    "v_output": f"""
SELECT o.season, o.path, o.text, {_utc("o.written_at")}
FROM output o
""",
}


def create_views(connection: Connection) -> None:
    """Drop the daemon's views and make them anew."""
    drop_views(connection)
    for name, select in VIEWS.items():
        connection.execute(text(f"CREATE VIEW {name} AS{select}"))


def drop_views(connection: Connection) -> None:
    """Drop all views whose name begins with ``v_``: tables cannot be altered under them."""
    rows = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'view' AND substr(name, 1, 2) = 'v_'"))
    for (name,) in rows.fetchall():
        connection.execute(text(f'DROP VIEW "{name}"'))


def view_drift(connection: Connection) -> tuple[str, ...]:
    """Names of the views that differ from those above, or are missing or superfluous."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'view'")).fetchall()
    have = {str(name): str(sql) for name, sql in rows}
    want = {name: f"CREATE VIEW {name} AS{select}" for name, select in VIEWS.items()}
    return tuple(
        sorted(name for name in have.keys() | want.keys() if have.get(name, "").strip() != want.get(name, "").strip())
    )
