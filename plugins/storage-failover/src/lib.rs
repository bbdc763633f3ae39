//! Stores locally while an object store is away, and goes back to it when it is healthy.
//!
//! Its steps [seed 000]: the object store is marked as away, and local storage takes its place; here they end with the way
//! back, which the seed lacks. Whatever ends the host meanwhile: it is switched once, and the store is waited for on.
//!
//! Invariant: where things are stored is what a command says of the world, and nothing that is remembered here; a switch
//! that it does not see has failed.
//! Invariant: an operation that has switched to local storage ends by the way back, or with a person who is asked for it. A
//! way back that fails is tried again by the same call: the checks may pass meanwhile, and an attempt that is over, of a
//! target that is healthy, is followed by no other.

mod decide;

use decide::{Place, Step, Waiting, operator_steps, said, went_back};
use mainstay_plugin_sdk::durable::*;
use mainstay_plugin_sdk::settings::DurationText;
use schemars::JsonSchema;
use serde::Deserialize;
use std::num::NonZeroU32;
use std::time::Duration;

/// How it is switched, and when it goes back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailoverSettings {
    /// The command that prints where things are stored now: `store` or `local`. Needs the grant `command`.
    serving: String,
    /// The command by which they are stored locally. Needs the grant `command`.
    to_local: String,
    /// The command by which they are stored in the object store again, with what was stored locally meanwhile. Needs the
    /// grant `command`.
    to_store: String,
    /// How long after the switch the object store is looked at again. Each look that fails makes the next pause longer by
    /// half, up to ten minutes, and to more where `wait` is longer than a day. Default 10s.
    #[serde(default)]
    every: Option<DurationText>,
    /// How many looks in a row have to pass before it goes back, from 1; default 3.
    #[serde(default)]
    passes: Option<NonZeroU32>,
    /// How long things may be stored locally before a person is asked; default 24h. The timeouts of the step and of the
    /// plugin have to be longer.
    #[serde(default)]
    wait: Option<DurationText>,
}

/// Switches to local storage and back.
#[derive(Debug, Default)]
pub struct StorageFailover;

impl DurableRecoveryHandler for StorageFailover {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: FailoverSettings = host.settings()?;
        if op.dry_run {
            return plan(op, host, &settings);
        }
        let place = place(host, &settings)?;
        let saw = look(&op.target, host)?;
        let report = match (place, saw) {
            (Place::Store, None) => {
                return Ok(Report::action(format!(
                    "saw the checks of {} pass, and stayed with it",
                    op.target
                )));
            }
            (Place::Store, Some(saw)) => {
                switch(host, &settings, Place::Local)?;
                Report::action(format!("switched to local storage: {saw}"))
            }
            (Place::Local, _) => Report::action("found things stored locally"),
        };
        let since = host.now();
        let failed = go_back(op, host, &settings, since)?;
        let after = host.now().saturating_sub(since);
        Ok(report.and(went_back(&op.target, after, failed.as_deref())))
    }
}

/// What would be done, for nobody knows how the commands will end.
fn plan(op: &Operation, host: &mut impl Host, settings: &FailoverSettings) -> Result<Report> {
    host.command(&settings.serving, &[])?;
    let saw = look(&op.target, host)?;
    host.command(&settings.to_local, &[])?;
    let (every, passes) = (every(settings), passes(settings));
    let until = host.now().saturating_add(to_duration_ms(every.get()));
    host.sleep_until(until);
    host.command(&settings.to_store, &[])?;
    let saw = saw.unwrap_or_else(|| "where its checks do not pass".to_owned());
    Ok(Report::action(format!(
        "would switch to local storage by `{}`: {saw}",
        settings.to_local
    ))
    .and(format!(
        "would look at {} from {every} on, until its checks pass {passes} times in a row",
        op.target
    ))
    .and(format!("would go back by `{}`", settings.to_store)))
}

/// Goes back when the object store is healthy; why that failed the last time, where it did. A person is asked where it was
/// not gone back to within the time that it has.
fn go_back(
    op: &Operation,
    host: &mut impl Host,
    settings: &FailoverSettings,
    since: Timestamp,
) -> Result<Option<String>> {
    let wait = settings
        .wait
        .map_or(Duration::from_secs(86_400), DurationText::get);
    let every = to_duration_ms(every(settings).get());
    let mut waiting = Waiting::new(since, every, passes(settings), to_duration_ms(wait));
    let mut step = waiting.first();
    let mut failed = None;
    loop {
        step = match step {
            Step::LookAt(moment) => {
                host.sleep_until(moment);
                let passes = match look(&op.target, host) {
                    Ok(saw) => saw.is_none(),
                    // Whether it passes nobody saw.
                    Err(error) if error.is_temporary() => false,
                    Err(error) => return Err(error.into()),
                };
                waiting.after(host.now(), passes)
            }
            Step::GoBack => match switch(host, settings, Place::Store) {
                Ok(()) => return Ok(failed),
                Err(RecoveryFailure::Retryable(why)) => {
                    failed = Some(why);
                    waiting.after_failed_return(host.now())
                }
                Err(failure) => return Err(failure),
            },
            Step::GiveUp => {
                return Err(RecoveryFailure::NeedsOperator(operator_steps(
                    &op.target,
                    &settings.to_store,
                    failed.as_deref(),
                )));
            }
        };
    }
}

fn every(settings: &FailoverSettings) -> DurationText {
    settings
        .every
        .unwrap_or(DurationText::from(Duration::from_secs(10)))
}

fn passes(settings: &FailoverSettings) -> u32 {
    settings.passes.map_or(3, NonZeroU32::get)
}

/// What the first check that does not pass saw; none where all pass.
fn look(target: &str, host: &mut impl Host) -> Result<Option<String>, EffectError> {
    let failing = host.target(target).check()?;
    let first = failing.first();
    Ok(first.map(|seen| format!("{}: {}", seen.check, seen.message)))
}

/// Where things are stored now.
fn place(host: &mut impl Host, settings: &FailoverSettings) -> Result<Place> {
    let output = host.command(&settings.serving, &[])?;
    let serving = &settings.serving;
    if !output.success() {
        let how = said(&output);
        return Err(RecoveryFailure::Retryable(format!(
            "`{serving}` ended with {how}"
        )));
    }
    Place::read(&output.text()).ok_or_else(|| {
        let how = said(&output);
        RecoveryFailure::Permanent(format!(
            "`{serving}` has to print `store` or `local`, and ended with {how}"
        ))
    })
}

/// Switches, and sees that it is switched.
fn switch(host: &mut impl Host, settings: &FailoverSettings, to: Place) -> Result<()> {
    let command = match to {
        Place::Store => &settings.to_store,
        Place::Local => &settings.to_local,
    };
    let output = host.command(command, &[])?;
    if !output.success() {
        let how = said(&output);
        return Err(RecoveryFailure::Retryable(format!(
            "`{command}` ended with {how}"
        )));
    }
    match place(host, settings)? == to {
        true => Ok(()),
        false => Err(RecoveryFailure::Retryable(format!(
            "`{command}` ended well and changed nothing: {}",
            to.is_not_reached()
        ))),
    }
}

export_durable_recovery_handler!(
    StorageFailover,
    handles = ["s3-unavailable"],
    capabilities = [
        "target" => "see by its checks whether the object store is healthy (`check`)",
        "command" => "see where things are stored, and switch between local storage and the object store",
    ],
    settings = FailoverSettings,
);

#[cfg(test)]
mod tests;
