//! Restarts a Redis that is down and warms it from the rows of the store behind it.
//!
//! Its steps [seed 000]: ping, by the target's own checks; read the rows that were accessed in the last five minutes, at
//! most a thousand, those of the last access first; leave out what is no JSON; write the rest in one batch, or in as few
//! as arguments of a program allow. No row is a failure.
//!
//! Invariant: nothing is read or written before the checks pass, so a Redis that is down is never called warm.
//! Invariant: what counts as written is what the command says is there, not what it was given.

mod decide;

use decide::{Rows, keys_there, said};
use mainstay_plugin_sdk::host::to_duration_ms;
use mainstay_plugin_sdk::recovery::*;
use mainstay_plugin_sdk::settings::DurationText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::time::Duration;

/// Between two looks at a Redis that was restarted.
const PAUSE: Duration = Duration::from_millis(250);

/// How it is warmed, and from where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarmSettings {
    /// The command that prints the rows, those of the last access first, one a line: `{"key": "…", "data": "…"}`, with
    /// JSON as the text of `data`. Its placeholders are `seconds`, how long ago a row may have been accessed, and `most`,
    /// how many it may print. Needs the grant `command`.
    rows: String,
    /// The command that writes a batch. Its placeholder is `rows`, the JSON `[["key", "data"], …]` in less than 100 KiB. It
    /// prints how many of these keys are there then. Needs the grant `command`.
    write: String,
    /// How long the checks may take to pass after a restart; default 30s.
    #[serde(default)]
    wait: Option<DurationText>,
    /// How long before the detection of the failure a row may have been accessed; default 5m.
    #[serde(default)]
    within: Option<DurationText>,
    /// How many rows are written at most, from 1; default 1000.
    #[serde(default)]
    most: Option<NonZeroU32>,
}

/// Warms the target.
#[derive(Debug, Default)]
pub struct RedisRecovery;

impl RecoveryHandler for RedisRecovery {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: WarmSettings = host.settings()?;
        let report = answering(op, host, settings.wait)?;
        let within = settings
            .within
            .map_or(Duration::from_secs(300), DurationText::get);
        // Nothing was accessed in a Redis that was down.
        let down = host.now().saturating_sub(op.detected_at);
        let seconds = down.saturating_add(to_duration_ms(within)).div_ceil(1_000);
        let most = settings.most.map_or(1_000, NonZeroU32::get);
        let (age, count) = (seconds.to_string(), most.to_string());
        let arguments = [("seconds", age.as_str()), ("most", count.as_str())];
        let output = run(host, &settings.rows, &arguments)?;
        if op.dry_run {
            run(host, &settings.write, &[("rows", "[]")])?;
            return Ok(report
                .and(format!(
                    "would read at most {most} rows of the last {seconds} s by `{}`",
                    settings.rows
                ))
                .and(format!("would write them by `{}`", settings.write)));
        }
        let mut rows = Rows::read(&output.text(), most);
        rows.is_cut = output.truncated;
        let batches = rows.batches();
        if batches.is_empty() {
            return Err(RecoveryFailure::Permanent(format!(
                "{} answers and stays cold: `{}` gave no row of the last {seconds} s{}",
                op.target,
                settings.rows,
                rows.left_out()
            )));
        }
        let mut there = 0_u64;
        for batch in &batches {
            let output = run(host, &settings.write, &[("rows", batch)])?;
            let count = keys_there(&output.stdout).ok_or_else(|| {
                RecoveryFailure::Retryable(format!(
                    "`{}` has to print how many keys are there, and ended with {}",
                    settings.write,
                    said(&output)
                ))
            })?;
            there = there.saturating_add(count);
        }
        if there == 0 {
            return Err(RecoveryFailure::Retryable(format!(
                "{} stays cold: none of {} is there after `{}`{}",
                op.target,
                counted(rows.good.len(), "row"),
                settings.write,
                rows.left_out()
            )));
        }
        Ok(report
            .and(format!(
                "read {} of the last {seconds} s{}",
                counted(rows.good.len(), "row"),
                rows.left_out()
            ))
            .and(format!(
                "wrote them in {}: {} there",
                counted_in(batches.len(), "batch", "batches"),
                counted_in(there, "key is", "keys are")
            )))
    }
}

/// Sees that it answers; restarts it where it does not.
fn answering(op: &Operation, host: &mut impl Host, wait: Option<DurationText>) -> Result<Report> {
    if look(&op.target, host)?.is_none() {
        return Ok(Report::action(format!("pinged {}: it answers", op.target)));
    }
    host.target(&op.target).restart()?;
    if op.dry_run {
        return Ok(Report::action(format!(
            "would restart {}, which does not answer, and wait until it does",
            op.target
        )));
    }
    let wait = wait.unwrap_or(DurationText::from(Duration::from_secs(30)));
    if let Some(saw) = still_silent(&op.target, host, wait.get())? {
        return Err(RecoveryFailure::Retryable(format!(
            "restarted {}, and its checks did not pass within {wait}: {saw}",
            op.target
        )));
    }
    Ok(Report::action(format!("restarted {}", op.target))
        .and(format!("pinged {}: it answers", op.target)))
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

/// What the first check that does not pass saw; none where all pass.
fn look(target: &str, host: &mut impl Host) -> Result<Option<String>, EffectError> {
    let failing = host.target(target).check()?;
    let first = failing.first();
    Ok(first.map(|seen| format!("{}: {}", seen.check, seen.message)))
}

/// Runs a command; another exit than 0 is a failure that may pass.
fn run(host: &mut impl Host, command: &str, arguments: &[(&str, &str)]) -> Result<Output> {
    let output = host.command(command, arguments)?;
    match output.success() {
        true => Ok(output),
        false => Err(RecoveryFailure::Retryable(format!(
            "`{command}` ended with {}",
            said(&output)
        ))),
    }
}

/// A number of things, by the noun of one of them.
fn counted(number: usize, noun: &str) -> String {
    counted_in(number, noun, &format!("{noun}s"))
}

/// A number of things, by the words for one and for several of them.
fn counted_in<N: Display + PartialEq + From<u8>>(number: N, one: &str, several: &str) -> String {
    let noun = if number == N::from(1) { one } else { several };
    format!("{number} {noun}")
}

export_recovery_handler!(
    RedisRecovery,
    handles = ["redis-down"],
    capabilities = [
        "target" => "see by its checks whether Redis answers (`check`), and `restart` it",
        "command" => "read the rows of the store, and write them",
    ],
    settings = WarmSettings,
);

#[cfg(test)]
mod tests;
