//! Strategies that are plugins: what comes after a failed attempt.

use super::PluginCalls;
use mainstay_domain::{call::NextStep, plugin::PluginKind, recovery::Decide};
use std::time::Duration;

/// How long a strategy may take; it has no effects to wait for, and a recovery waits for it.
const DECIDE_TIMEOUT: Duration = Duration::from_secs(5);

impl PluginCalls {
    /// What the newest version that fits says. What is not there, or not compiled yet, is not waited for.
    pub(super) async fn next_step(&self, asked: Decide) -> Result<NextStep, String> {
        let found = self.get(PluginKind::RecoveryStrategy, &asked.plugin, &asked.version);
        let plugin = found.map_err(|error| error.to_string())?;
        let next = plugin.next(&asked.situation, DECIDE_TIMEOUT).await;
        let next = next.map_err(|error| error.to_string())?;
        next.map_err(|why| format!("{}: {why}", plugin.identity()))
    }
}
