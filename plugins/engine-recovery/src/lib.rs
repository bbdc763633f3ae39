//! Cancels the pending orders of a trading engine, removes its invalid positions and restarts it, over its own HTTP API.
//!
//! Its steps [seed 000]: pending orders are cancelled with a reason, in one batch; the portfolio is looked for; positions
//! without symbol, quantity or entry price are removed in one batch; the engine goes on, here by a restart, and whether it
//! serves say its checks.
//!
//! Invariant: what is cancelled is cancelled by the engine, which tells the exchange, and is looked at again: what is still
//! pending then was not cancelled.
//! Invariant: nothing is removed before a verified backup holds it.
//! Invariant: nothing here calls the engine recovered.

mod decide;
mod settings;

use decide::{Invalid, Orders, Positions, body, listed, listing};
use mainstay_plugin_sdk::host::to_duration_ms;
use mainstay_plugin_sdk::recovery::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
pub use settings::EngineSettings;
use std::time::Duration;

/// Between two looks at an engine that was restarted.
const PAUSE: Duration = Duration::from_millis(500);

/// Brings the engine into order.
#[derive(Debug, Default)]
pub struct EngineRecovery;

impl RecoveryHandler for EngineRecovery {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: EngineSettings = host.settings()?;
        let mut report = Report::default();
        let saw = silence(host, &settings)?;
        let was_silent = saw.is_some();
        if let Some(saw) = saw {
            host.target(&op.target).restart()?;
            report = report.and(format!(
                "restarted {}, which did not answer: {saw}",
                op.target
            ));
            if op.dry_run {
                return Ok(report.and("would see then what is to be cancelled and removed"));
            }
            answers(op, host, &settings)?;
        }
        report = report.and(cancel(op, host, &settings)?);
        report = report.and(portfolio(host, &settings)?);
        let removed = remove(op, host, &settings, &report)?;
        let is_as_it_read = removed.is_none();
        report = match removed {
            None => report.and("found no invalid position"),
            Some(Removed { what, backup }) => report
                .and(format!("saved the positions in backup {backup}"))
                .and(format!("removed {what}"))
                .losing(format!("{what}; kept in backup {backup}")),
        };
        if was_silent && is_as_it_read {
            return Ok(report);
        }
        host.target(&op.target).restart()?;
        Ok(report.and(format!("restarted {}", op.target)))
    }
}

/// Why the engine does not answer; none where it does.
fn silence(host: &mut impl Host, settings: &EngineSettings) -> Result<Option<String>> {
    match send(host, settings, Request::get(settings.api.below("orders"))) {
        Ok(response) if response.status >= 500 => Ok(Some(refused("GET /orders", &response))),
        Ok(_) => Ok(None),
        Err(error) if error.is_temporary() => Ok(Some(error.text().to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// Waits until it answers.
fn answers(op: &Operation, host: &mut impl Host, settings: &EngineSettings) -> Result<()> {
    let wait = settings.wait();
    let until = host.now().saturating_add(to_duration_ms(wait.get()));
    while let Some(saw) = silence(host, settings)? {
        let left = until.saturating_sub(host.now());
        if left == 0 {
            return Err(RecoveryFailure::Retryable(format!(
                "restarted {}, and it did not answer within {wait}: {saw}",
                op.target
            )));
        }
        host.sleep(PAUSE.min(Duration::from_millis(left)));
    }
    Ok(())
}

/// Has pending orders cancelled, and says so.
fn cancel(op: &Operation, host: &mut impl Host, settings: &EngineSettings) -> Result<String> {
    let ids = pending(host, settings)?;
    if ids.is_empty() {
        return Ok("found no pending order".to_owned());
    }
    let reason = format!("recovery {} of {}", op.id, op.target);
    post(host, settings, "orders/cancel", &ids, &reason)?;
    let orders = counted(ids.len(), "pending order");
    if !op.dry_run {
        let mut left = pending(host, settings)?;
        left.retain(|id| ids.contains(id));
        if !left.is_empty() {
            return Err(RecoveryFailure::Retryable(format!(
                "{} of {} orders still pending after they were cancelled: {}",
                left.len(),
                ids.len(),
                listed(&left)
            )));
        }
    }
    Ok(format!("cancelled {orders}: {}", listed(&ids)))
}

/// The ids of the orders that are pending now.
fn pending(host: &mut impl Host, settings: &EngineSettings) -> Result<Vec<Value>> {
    let orders: Orders = read(host, settings, "orders")?;
    Ok(orders.pending(|status| settings.is_pending(status)))
}

/// Looks for the portfolio, and says whether there is one.
fn portfolio(host: &mut impl Host, settings: &EngineSettings) -> Result<String> {
    let response = send(
        host,
        settings,
        Request::get(settings.api.below("portfolio")),
    )?;
    if response.status == 404 {
        return Ok("found no portfolio".to_owned());
    }
    let portfolio: Map<String, Value> = of_answer("portfolio", &response)?;
    Ok(match portfolio.is_empty() {
        true => "found an empty portfolio".to_owned(),
        false => "found the portfolio".to_owned(),
    })
}

/// What was removed.
struct Removed {
    /// The positions, for people.
    what: String,
    /// The id of the backup that holds them.
    backup: String,
}

/// Removes what is no position, after a backup of it; none where there is nothing to remove.
fn remove(
    op: &Operation,
    host: &mut impl Host,
    settings: &EngineSettings,
    done: &Report,
) -> Result<Option<Removed>> {
    let invalid = read::<Positions>(host, settings, "positions")?.invalid();
    if invalid.is_empty() {
        return Ok(None);
    }
    let shown = listing(invalid.iter().map(Invalid::shown).collect());
    let what = format!("{}: {shown}", counted(invalid.len(), "invalid position"));
    let ids: Vec<Value> = invalid.iter().filter_map(|one| one.id.clone()).collect();
    let job = settings.job.as_ref().filter(|_| ids.len() == invalid.len());
    let Some(job) = job else {
        return Err(RecoveryFailure::NeedsOperator(vec![
            format!("done so far: {}", done.actions.join(", ")),
            format!(
                "{} has {what}; nothing is removed without a backup `job` and an id of each: remove or repair them",
                op.target
            ),
            format!("restart {}", op.target),
            "approve this operation when its checks pass".to_owned(),
        ]));
    };
    let backup = host.backup(job).create(BackupType::Emergency)?;
    let reason = format!("recovery {} of {}: no position", op.id, op.target);
    post(host, settings, "positions/remove", &ids, &reason)?;
    if !op.dry_run {
        let left = read::<Positions>(host, settings, "positions")?.invalid();
        let left = left.into_iter().filter_map(|one| one.id);
        let left: Vec<Value> = left.filter(|id| ids.contains(id)).collect();
        if !left.is_empty() {
            return Err(RecoveryFailure::Retryable(format!(
                "{} of {} invalid positions still there after they were removed: {}",
                left.len(),
                ids.len(),
                listed(&left)
            )));
        }
    }
    Ok(Some(Removed {
        what,
        backup: backup.id,
    }))
}

/// What the API gives by this path.
fn read<T: DeserializeOwned>(
    host: &mut impl Host,
    settings: &EngineSettings,
    path: &str,
) -> Result<T> {
    let response = send(host, settings, Request::get(settings.api.below(path)))?;
    of_answer(path, &response)
}

fn of_answer<T: DeserializeOwned>(path: &str, response: &Response) -> Result<T> {
    let what = format!("GET /{path}");
    if !response.success() {
        return Err(failed(&what, response));
    }
    serde_json::from_slice(&response.body).map_err(|error| {
        RecoveryFailure::Permanent(format!(
            "{what} gave something else than the API that is asked for: {error}"
        ))
    })
}

/// Has something done to all of these at one time.
fn post(
    host: &mut impl Host,
    settings: &EngineSettings,
    path: &str,
    ids: &[Value],
    reason: &str,
) -> Result<()> {
    let request = Request::post_json(settings.api.below(path), body(ids, reason));
    let response = send(host, settings, request)?;
    match response.success() {
        true => Ok(()),
        false => Err(failed(&format!("POST /{path}"), &response)),
    }
}

fn send(
    host: &mut impl Host,
    settings: &EngineSettings,
    mut request: Request,
) -> Result<Response, EffectError> {
    for (name, value) in &settings.headers {
        request = request.header(name, value);
    }
    host.http(request.timeout(settings.timeout()))
}

/// An answer that is no success: some pass.
fn failed(what: &str, response: &Response) -> RecoveryFailure {
    let why = refused(what, response);
    match response.may_work_later() {
        true => RecoveryFailure::Retryable(why),
        false => RecoveryFailure::Permanent(why),
    }
}

fn refused(what: &str, response: &Response) -> String {
    format!("{what} was answered with {}", response.summary())
}

/// A number of things, by the noun of one of them.
fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

export_recovery_handler!(
    EngineRecovery,
    handles = ["trading-engine-crash"],
    capabilities = [
        "http" => "see the engine's orders, portfolio and positions, and have orders cancelled and positions removed",
        "target" => "`restart` the engine",
        "backup" => "back up its positions before any is removed",
    ],
    settings = EngineSettings,
);

#[cfg(test)]
mod tests;
