//! Restarts a PostgreSQL that is down, and restores the newest checkpoint or backup where that does not help.
//!
//! Its steps [seed 000]: the latest valid checkpoint is restored, where there is none the latest backup, and where there
//! is none either it fails; what may be lost is told in seconds. Before all of that it is restarted, for a database that
//! only died recovers by its own log, and loses nothing.
//!
//! Invariant: nothing is restored over a database that answers, or that replays its log; that is not restarted either, for
//! it would begin anew.
//! Invariant: nothing is stopped before there is something to restore, and what was stopped for a restore that fails is
//! started again.
//! Invariant: what is restored is older than the detection.

mod decide;

use decide::{Next, describe_loss, is_replaying, left_after_failure, next, operator_steps};
use mainstay_plugin_sdk::host::to_duration_ms;
use mainstay_plugin_sdk::recovery::*;
use mainstay_plugin_sdk::settings::DurationText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt::Display;
use std::time::Duration;

/// Between two looks at a database that was restarted.
const PAUSE: Duration = Duration::from_millis(500);

/// What is restored, and when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// The backup job that holds the data directory. Needs the grant `backup`.
    job: String,
    /// A job whose backups are taken while nothing is written: they go before those of `job`, which may be newer. Needs the
    /// grant `backup`. Default: none.
    #[serde(default)]
    checkpoints: Option<String>,
    /// So many attempts only restart it; the one behind them restores. 0 restores at once; default 1.
    #[serde(default)]
    restarts: Option<u32>,
    /// How long the checks may take to pass after a restart, which replays its log; default 30s.
    #[serde(default)]
    wait: Option<DurationText>,
}

/// Restarts or restores the target.
#[derive(Debug, Default)]
pub struct PostgresRecovery;

impl RecoveryHandler for PostgresRecovery {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: PostgresSettings = host.settings()?;
        let Some(saw) = look(&op.target, host)? else {
            return Ok(Report::action(format!(
                "saw the checks of {} pass, and restored nothing",
                op.target
            )));
        };
        if is_replaying(&saw) {
            return replay(op, host, &settings);
        }
        let restarts = settings.restarts.unwrap_or(1);
        match op.attempt <= restarts {
            true => restart(op, host, &settings, restarts),
            false => restore(op, host, &settings),
        }
    }
}

/// Restarts it and sees whether it answers.
fn restart(
    op: &Operation,
    host: &mut impl Host,
    settings: &PostgresSettings,
    restarts: u32,
) -> Result<Report> {
    let target = &op.target;
    host.target(target).restart()?;
    let report = Report::action(format!("restarted {target}"));
    let next = next(op.attempt, op.max_attempts, restarts);
    if op.dry_run {
        return Ok(match (next, find(op, host, settings)?) {
            (Next::Restores, Some((what, backup))) => report.and(format!(
                "where that does not help, the next attempt restores {what} {}",
                backup.id
            )),
            _ => report,
        });
    }
    let wait = wait(settings);
    let Some(saw) = still_silent(target, host, wait.get())? else {
        return Ok(report.and("saw its checks pass"));
    };
    let next = match is_replaying(&saw) {
        true => "the next attempt waits while it replays its log".to_owned(),
        false => next.to_string(),
    };
    Err(RecoveryFailure::Retryable(format!(
        "restarted {target}, and its checks did not pass within {wait}: {saw}; {next}"
    )))
}

/// Waits while it replays its log.
fn replay(op: &Operation, host: &mut impl Host, settings: &PostgresSettings) -> Result<Report> {
    let target = &op.target;
    if op.dry_run {
        return Ok(Report::action(format!(
            "would wait while {target} replays its log"
        )));
    }
    let wait = wait(settings);
    match still_silent(target, host, wait.get())? {
        None => Ok(
            Report::action(format!("waited while {target} replayed its log"))
                .and("saw its checks pass"),
        ),
        Some(saw) => Err(RecoveryFailure::Retryable(format!(
            "{target} replayed its log, and its checks did not pass within {wait}: {saw}"
        ))),
    }
}

fn wait(settings: &PostgresSettings) -> DurationText {
    settings
        .wait
        .unwrap_or(DurationText::from(Duration::from_secs(30)))
}

/// Waits until it answers; what was seen last where it does not within `wait`.
fn still_silent(
    target: &str,
    host: &mut impl Host,
    wait: Duration,
) -> Result<Option<String>, EffectError> {
    let until = host.now().saturating_add(to_duration_ms(wait));
    loop {
        let saw = match look(target, host) {
            Ok(None) => return Ok(None),
            Ok(Some(saw)) => saw,
            // While its process is only being started nobody can look.
            Err(error) if error.is_temporary() => error.text().to_owned(),
            Err(error) => return Err(error),
        };
        let left = until.saturating_sub(host.now());
        if left == 0 {
            return Ok(Some(saw));
        }
        host.sleep(PAUSE.min(Duration::from_millis(left)));
    }
}

/// Restores what there is from before the failure, and starts it again.
fn restore(op: &Operation, host: &mut impl Host, settings: &PostgresSettings) -> Result<Report> {
    let target = &op.target;
    let Some((what, backup)) = find(op, host, settings)? else {
        let jobs = settings.checkpoints.iter().chain([&settings.job]);
        let jobs: Vec<&str> = jobs.map(String::as_str).collect();
        return Err(RecoveryFailure::NeedsOperator(operator_steps(
            target, &jobs,
        )));
    };
    let mut report = Report::default();
    // Where nobody can tell whether it runs, it is stopped too: a server writes into what is restored.
    let is_stopped = host.target(target).status()?.running == Some(false);
    if !is_stopped {
        host.target(target).stop()?;
        report = report.and(format!("stopped {target}"));
    }
    let restored = match host.backup(&backup.job).restore(&backup.id) {
        Ok(restored) => restored,
        Err(error) => {
            let started = (!is_stopped).then(|| host.target(target).start());
            return Err(left_after_failure(error.into(), started));
        }
    };
    report = report.and(format!(
        "restored {what} {}: {}, {}",
        backup.id,
        counted(restored.documents, "document"),
        counted(restored.bytes, "byte")
    ));
    host.target(target).start()?;
    report = report.and(format!("started {target}"));
    Ok(report.losing(describe_loss(&backup, host.now())))
}

/// The newest checkpoint from before the failure, or else the newest backup, with the word for it.
fn find(
    op: &Operation,
    host: &mut impl Host,
    settings: &PostgresSettings,
) -> Result<Option<(&'static str, Backup)>> {
    let checkpoints = settings.checkpoints.iter().map(|job| ("checkpoint", job));
    for (what, job) in checkpoints.chain([("backup", &settings.job)]) {
        if let Some(backup) = host.backup(job).newest_before(op.detected_at)? {
            return Ok(Some((what, backup)));
        }
    }
    Ok(None)
}

/// What a check that does not pass saw, first of all that the log is replayed; none where all pass.
fn look(target: &str, host: &mut impl Host) -> Result<Option<String>, EffectError> {
    let failing = host.target(target).check()?;
    let mut replaying = failing.iter().filter(|seen| is_replaying(&seen.message));
    let told = replaying.next().or(failing.first());
    Ok(told.map(|seen| format!("{}: {}", seen.check, seen.message)))
}

/// A number of things, by the noun of one of them.
fn counted<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

export_recovery_handler!(
    PostgresRecovery,
    handles = ["postgres-down"],
    capabilities = [
        "target" => "see by its checks whether the database answers (`check`), `restart` it, and `stop` and `start` it around a restore (`status`)",
        "backup" => "find the newest verified checkpoint or backup of its data and restore it",
    ],
    settings = PostgresSettings,
);

#[cfg(test)]
mod tests;
