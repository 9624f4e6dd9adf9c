"""From a configuration to the numbers of the rules (domain/policy.py)."""

from __future__ import annotations

from dataclasses import replace

from desgw_daemon.config.model import Config
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.policy import AlertPolicy, Policy


def alert_policy_of(config: Config) -> AlertPolicy:
    """The numbers of the alerts, and the catalogue with what daemon.toml changes of it."""
    alerts = config.alerts
    rules = dict(RULES)
    for name, changed in alerts.rules.items():
        rule = rules[name]
        after = rule.after if changed.after is None else changed.after
        rules[name] = replace(rule, after=after, severity=changed.severity or rule.severity)
    return AlertPolicy(
        repeat_after=alerts.repeat_after,
        repeat_at_most=alerts.repeat_at_most,
        stalled_factor=alerts.stalled_factor,
        step_failures=alerts.step_failures,
        host_failures=alerts.host_failures,
        leftovers_after=alerts.leftovers_after,
        idle_after=alerts.idle_after,
        min_free=alerts.min_free,
        clock_jump=alerts.clock_jump,
        max_restarts=alerts.max_restarts,
        channels=alerts.channels,
        max_per_hour=alerts.max_per_hour,
        send_within=alerts.send_within,
        give_up_after=alerts.give_up_after,
        report_at=alerts.report_at,
        rules=rules,
        on_trial=frozenset(name for name, changed in alerts.rules.items() if not changed.active),
    )


def policy_of(config: Config) -> Policy:
    """The numbers of the rules."""
    readiness, postproc = config.readiness, config.postproc
    return Policy(
        poll_interval=config.poll.interval,
        aside_at_most=config.poll.aside_at_most,
        max_stuck=config.poll.max_stuck,
        recheck=config.poll.recheck,
        dagmaker_max_at_once=config.dagmaker.max_at_once,
        dagmaker_made_ahead=config.dagmaker.made_ahead,
        credential_min_left=config.credential.min_left,
        submit_max_in_flight=config.submit.max_in_flight,
        submit_confirm_absent=config.submit.confirm_absent,
        submit_templates=config.submit.templates,
        submit_max_tries=config.submit.max_tries,
        submit_retry_after=config.submit.retry_after,
        submit_retry_at_most=config.submit.retry_at_most,
        submit_breaker_after=config.submit.breaker_after,
        submit_breaker_probe=config.submit.breaker_probe,
        submit_held_limit=config.submit.held_limit,
        min_complete_ccds=readiness.min_complete_ccds,
        min_forcefile_fraction=readiness.min_forcefile_fraction,
        settle=readiness.settle,
        grace_after_dag=readiness.grace_after_dag,
        adopted_deadline=readiness.adopted_deadline,
        dag_deadline=readiness.dag_deadline,
        zero_size_after=readiness.zero_size_after,
        surplus=readiness.surplus,
        postproc_auto=postproc.auto,
        postproc_quiet_for=postproc.quiet_for,
        postproc_min_exposures=postproc.min_exposures,
        postproc_first_within=postproc.first_within,
        postproc_min_interval=postproc.min_interval,
        postproc_retries=postproc.retries,
        postproc_retry_after=postproc.retry_after,
        postproc_missing_folders=postproc.missing_folders,
        postproc_max_skipto=postproc.max_skipto,
        postproc_skipto=postproc.skipto,
        # Long enough for the tick after the last look; never so short that a slow look is stale at once.
        postproc_look_fresh_for=max(10 * config.poll.interval, 2 * config.poll.look_deadline),
        postproc_silent_after=postproc.silent_after,
        postproc_silent_after_step=postproc.silent_after_step,
        refresh_every=config.databases.refresh_every or None if config.databases.exposures else None,
        alerts=alert_policy_of(config),
    )
