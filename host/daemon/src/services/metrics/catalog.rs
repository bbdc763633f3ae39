//! Every number that is exported, with what it is: what is in no line here has no help and no buckets, which a test sees.
//!
//! Names are the seeds' [seed 002, 003] with `_` for `.`; what counts ends in `_total`, and nothing else does, as
//! Prometheus has it. The names of a seed that end otherwise are there beside, see `seed_names`.
//!
//! Length: it is one table.

/// What kind of number one is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A distribution, with the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// One number, or one for each set of its labels' values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Described {
    /// What it is called.
    pub(super) name: &'static str,
    /// What kind of number it is.
    pub(super) kind: Kind,
    /// All its labels.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the tests hold every series to it")
    )]
    pub(super) labels: &'static [&'static str],
    /// What it says, one line.
    pub(super) help: &'static str,
}

/// Of an operation.
const OPERATION: &[&str] = &["target", "failure", "handler", "handler_version"];
const BUDGET: &[&str] = &["scope", "name"];
const JOB: &[&str] = &["backup_job"];
const ALERTER: &[&str] = &["alerter"];
const PLUGIN: &[&str] = &["plugin", "version"];

/// How long recoveries take [seed 002].
const MTTR: &[f64] = &[1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
const ATTEMPTS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 5.0, 10.0];
const BACKUPS: &[f64] = &[0.1, 1.0, 10.0, 60.0, 300.0, 1_800.0, 7_200.0];
/// From 1 kB to 1 TB.
const SIZES: &[f64] = &[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];
const REMOVED: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
const SHORT: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
const COMPILES: &[f64] = &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0];

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    described(name, Kind::Counter, labels, help)
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    described(name, Kind::Gauge, labels, help)
}

const fn described(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described {
        name,
        kind,
        labels,
        help,
    }
}

/// All of them.
pub(super) const CATALOG: &[Described] = &[
    gauge(
        "mainstay_build_info",
        &["version"],
        "The version that runs; always 1.",
    ),
    gauge(
        "mainstay_start_time_seconds",
        &[],
        "When the daemon started, in seconds since 1970.",
    ),
    counter(
        "mainstay_events_total",
        &["kind"],
        "Events since the daemon started, by kind.",
    ),
    gauge(
        "mainstay_targets",
        &["health"],
        "Targets of the config in use, by how they do.",
    ),
    gauge(
        "mainstay_fallback_mode",
        &[],
        "The mode of the host: 0 primary, 1 heuristic, 2 safe.",
    ),
    gauge(
        "mainstay_health_score",
        &[],
        "How the host as a whole does, from 0 to 1.",
    ),
    counter(
        "mainstay_incidents_total",
        &["severity"],
        "Incidents opened, by how bad they were then.",
    ),
    gauge(
        "mainstay_incidents_open",
        &["severity"],
        "Incidents open now, by how bad they are.",
    ),
    counter(
        "mainstay_config_reloads_total",
        &["outcome"],
        "Reloads of the config: applied, or rejected.",
    ),
    gauge("mainstay_silences", &[], "Silences that hold now."),
    counter(
        "mainstay_alerts_queued_total",
        ALERTER,
        "Alerts put into the outbox.",
    ),
    counter(
        "mainstay_alerts_held_total",
        ALERTER,
        "Alerts held back: silenced, or a dependency of the target is failing.",
    ),
    counter(
        "mainstay_alerts_lapsed_total",
        ALERTER,
        "Alerts that were over while they were held back, and were not sent.",
    ),
    counter(
        "mainstay_alerts_grouped_total",
        ALERTER,
        "Alerts that the alert of a group tells of in their place.",
    ),
    counter(
        "mainstay_alerts_delivered_total",
        ALERTER,
        "Alerts delivered.",
    ),
    counter(
        "mainstay_alerts_delayed_total",
        ALERTER,
        "Attempts to deliver an alert that failed and are made again.",
    ),
    counter(
        "mainstay_alerts_abandoned_total",
        ALERTER,
        "Alerts given up without being delivered.",
    ),
    gauge(
        "mainstay_alerts_waiting",
        &[],
        "Alerts in the outbox that are not yet delivered, without those held back or told in a group.",
    ),
    gauge(
        "mainstay_alerts_in_flight",
        &[],
        "Deliveries of alerts under way.",
    ),
    gauge(
        "mainstay_journal_size_bytes",
        &[],
        "Size of the journal on disk with its write-ahead log.",
    ),
    counter(
        "mainstay_journal_writes_total",
        &[],
        "Transactions of the journal.",
    ),
    gauge(
        "mainstay_journal_waiting_changes",
        &[],
        "Changes that wait to be written to the journal.",
    ),
    described(
        "mainstay_journal_lag_seconds",
        Kind::Histogram(SHORT),
        &[],
        "From an event until it was durable and told.",
    ),
    counter(
        "recovery_operations_started_total",
        OPERATION,
        "Recovery operations begun, under the handler that is called first.",
    ),
    counter(
        "recovery_operations_completed_total",
        OPERATION,
        "Recovery operations ended, however they did.",
    ),
    counter(
        "recovery_operations_completed_success_total",
        OPERATION,
        "Recovery operations verified healthy.",
    ),
    counter(
        "recovery_operations_completed_partial_total",
        OPERATION,
        "Recovery operations whose handler was done and whose checks still failed.",
    ),
    counter(
        "recovery_operations_completed_failed_total",
        OPERATION,
        "Recovery operations of which no attempt worked.",
    ),
    counter(
        "recovery_operations_escalated_total",
        OPERATION,
        "Escalations to people.",
    ),
    counter(
        "recovery_operation_rto_exceeded_total",
        OPERATION,
        "Recovery operations that took longer than the recovery time objective.",
    ),
    described(
        "recovery_operation_duration_seconds",
        Kind::Histogram(MTTR),
        OPERATION,
        "From the detection of the failure to the end of its recovery.",
    ),
    described(
        "recovery_operation_retry_attempts",
        Kind::Histogram(ATTEMPTS),
        OPERATION,
        "Attempts that an operation took; 1 where the first worked, 0 where there was no handler.",
    ),
    gauge(
        "recovery_operations_waiting",
        &["reason"],
        "Recovery operations that wait now, by what for.",
    ),
    counter(
        "recovery_gate_refusals_total",
        &["reason"],
        "Looks of the gate at an operation that it did not let go on, by why; what is held back again counts again.",
    ),
    gauge(
        "recovery_gate_running",
        BUDGET,
        "Recoveries that run now, by the budget that they count in.",
    ),
    gauge(
        "recovery_gate_running_limit",
        BUDGET,
        "Recoveries that may run at one time, by budget.",
    ),
    gauge(
        "recovery_gate_begun",
        BUDGET,
        "Recoveries that have begun within the hour, by the budget that they count in.",
    ),
    gauge(
        "recovery_gate_begun_limit",
        BUDGET,
        "Recoveries that may begin within an hour, by budget.",
    ),
    gauge(
        "recovery_gate_healthy",
        &["group"],
        "Members of a group with a floor that neither fail nor are being recovered.",
    ),
    gauge(
        "recovery_gate_floor",
        &["group"],
        "Members of a group that have to be well beside the one that is recovered.",
    ),
    gauge(
        "recovery_gate_cooldowns",
        &[],
        "Failures that were recovered of late and cool down now.",
    ),
    counter("backup_operations_created_total", JOB, "Backups begun."),
    counter(
        "backup_operations_created_success_total",
        JOB,
        "Backups taken, read back and found right.",
    ),
    counter(
        "backup_operations_created_failed_total",
        JOB,
        "Backups that could not be taken.",
    ),
    described(
        "backup_operations_duration_seconds",
        Kind::Histogram(BACKUPS),
        JOB,
        "How long a backup took, whether it could be taken or not.",
    ),
    described(
        "backup_operations_size_bytes",
        Kind::Histogram(SIZES),
        JOB,
        "Bytes of the documents of a backup, before compression.",
    ),
    counter(
        "backup_retention_cleaned_total",
        JOB,
        "Cleanups by the retention policy begun.",
    ),
    counter(
        "backup_retention_cleaned_success_total",
        JOB,
        "Cleanups that came to their end, also where nothing was removed.",
    ),
    counter(
        "backup_retention_cleaned_failed_total",
        JOB,
        "Cleanups that failed.",
    ),
    described(
        "backup_retention_removed",
        Kind::Histogram(REMOVED),
        JOB,
        "Backups that a cleanup removed, of those that removed any.",
    ),
    gauge(
        "backup_newest_verified_age_seconds",
        JOB,
        "Age of the newest verified backup of a job.",
    ),
    gauge(
        "backup_last_drill_seconds",
        JOB,
        "How long the last restore drill of a job took that gave the right state.",
    ),
    gauge(
        "backup_drill_restore_seconds",
        JOB,
        "How long the last drill that passed took to write what was stored.",
    ),
    gauge(
        "backup_drill_healthy_seconds",
        JOB,
        "How long what it started on that took to be healthy.",
    ),
    gauge(
        "backup_drill_rto_seconds",
        JOB,
        "The recovery time objective of the target that it was held against.",
    ),
    counter(
        "backup_checkpoints_total",
        &["backup_job", "kind"],
        "Checkpoints taken, by their kind.",
    ),
    counter(
        "backup_rollbacks_total",
        &["backup_job", "outcome"],
        "Rollbacks that ended, by how.",
    ),
    counter(
        "backup_store_operations_total",
        &["operation", "outcome"],
        "What the store of backups was asked for, by how it ended.",
    ),
    described(
        "backup_store_operation_seconds",
        Kind::Histogram(BACKUPS),
        &["operation"],
        "How long it took to do what the store of backups was asked for.",
    ),
    counter(
        "checks_total",
        &["target", "check", "outcome"],
        "Runs of checks, by what they saw.",
    ),
    counter(
        "checks_skipped_total",
        &["target", "check"],
        "Runs of checks left out: the one before still ran, or the machine slept.",
    ),
    described(
        "check_duration_seconds",
        Kind::Histogram(SHORT),
        &["kind"],
        "How long a run of a check took.",
    ),
    described(
        "check_lateness_seconds",
        Kind::Histogram(SHORT),
        &[],
        "How much later than due a run of a check began.",
    ),
    counter("plugin_calls_total", PLUGIN, "Calls of a plugin begun."),
    counter(
        "plugin_failures_total",
        PLUGIN,
        "Calls of a plugin that trapped, timed out, broke a limit or answered with an error.",
    ),
    counter(
        "plugin_compiles_total",
        &["outcome"],
        "Plugins compiled, by outcome; what comes from the cache is not counted.",
    ),
    described(
        "plugin_compile_duration_seconds",
        Kind::Histogram(COMPILES),
        &[],
        "How long it took to compile a plugin, its wait for a place included.",
    ),
];
