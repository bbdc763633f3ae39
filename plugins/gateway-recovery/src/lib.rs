//! Restarts an API gateway, clears its rate limits, and sees it serve.
//!
//! Invariant: it succeeds only where the checks that saw the failure pass, after all that it did.
//! Invariant: a gateway that keeps its limits over a restart, and limits who looks at it, has them cleared before it is
//! restarted: its checks cannot pass before.
//! Invariant: each part may be done twice: after a crash of the host it begins anew, and restarts no gateway that serves.

mod decide;

use decide::{cleared, is_limited};
use mainstay_plugin_sdk::recovery::*;
use mainstay_plugin_sdk::settings::{DurationText, UrlText};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// How long the checks may take to pass where the settings do not say.
const WITHIN: Duration = Duration::from_secs(30);

/// What else than a restart a gateway needs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// A command of the config that clears the rate limits in the store that the gateway keeps them in; it runs before the
    /// restart. Needs the grant `command`.
    clear: Option<String>,
    /// A URL to send DELETE to, which clears the rate limits that the gateway keeps itself; it is asked when the gateway
    /// serves again, or where it answers its checks with 429. Needs the grant `http`.
    limits: Option<UrlText>,
    /// Headers of that request by name; values may hold `${secret:NAME}`.
    headers: BTreeMap<String, String>,
    /// How long the checks may take to pass after the restart; default 30s. Needs the grant `target = ["check"]`.
    within: Option<DurationText>,
}

/// Recovers the gateway.
#[derive(Debug, Default)]
pub struct GatewayRecovery;

impl RecoveryHandler for GatewayRecovery {
    fn recover(&self, op: &Operation, host: &mut impl Host) -> Result<Report> {
        let settings: GatewaySettings = host.settings()?;
        // A person who asks for it gets it, and a plan shows all of it.
        let is_asked = op.dry_run || !op.is_seen_by_checks();
        let mut saw = match is_asked {
            true => None,
            false => op.still_seen(host, Duration::ZERO)?,
        };
        let mut report = Report::default();
        if let Some(name) = &settings.clear {
            let output = host.command(name, &[])?;
            if !output.success() {
                return Err(RecoveryFailure::Retryable(format!(
                    "`{name}` ended with {}",
                    output.exit_code
                )));
            }
            report = report.and(format!("ran `{name}`"));
        }
        // It answers. Where it cannot be asked, or that is not all, it is restarted.
        let told = match saw.as_deref().is_some_and(is_limited) {
            true => clear_own(&settings, host).ok().flatten(),
            false => None,
        };
        let mut is_cleared = false;
        if let Some(told) = told {
            report = report.and(told);
            saw = op.still_seen(host, Duration::ZERO)?;
            is_cleared = saw.is_none();
        }
        if is_asked || saw.is_some() {
            host.target(&op.target).restart()?;
            report = report.and(format!("restarted {}", op.target));
            let within = settings.within.map_or(WITHIN, DurationText::get);
            must_serve(op, host, within, &report)?;
        }
        let told = match is_cleared {
            true => None,
            false => clear_own(&settings, host)?,
        };
        if let Some(told) = told {
            report = report.and(told);
        }
        if op.dry_run {
            return Ok(report);
        }
        must_serve(op, host, Duration::ZERO, &report)?;
        Ok(report.and("saw its checks pass"))
    }
}

/// Clears the limits that the gateway keeps itself; none where nobody says how.
fn clear_own(settings: &GatewaySettings, host: &mut impl Host) -> Result<Option<&'static str>> {
    let Some(limits) = &settings.limits else {
        return Ok(None);
    };
    let mut request = Request::new(Method::Delete, limits.as_str());
    for (name, value) in &settings.headers {
        request = request.header(name.as_str(), value.as_str());
    }
    cleared(&host.http(request)?).map(Some)
}

/// The checks that saw the failure pass within this time; a plan is not waited for.
fn must_serve(
    op: &Operation,
    host: &mut impl Host,
    within: Duration,
    report: &Report,
) -> Result<()> {
    if op.dry_run {
        return Ok(());
    }
    match op.still_seen(host, within)? {
        None => Ok(()),
        Some(seen) => Err(RecoveryFailure::Retryable(format!(
            "{}; its checks do not pass: {seen}",
            report.actions.join("; ")
        ))),
    }
}

export_recovery_handler!(
    GatewayRecovery,
    handles = ["api-gateway-down"],
    capabilities = [
        "target" => "see whether the gateway serves (`check`), and `restart` it",
        "http" => "clear the rate limits that it keeps itself, where `limits` is set",
        "command" => "clear the rate limits in its store, where `clear` names the command",
    ],
    settings = GatewaySettings,
);

#[cfg(test)]
mod tests;
