//! What is known before a recovery: a dry run.

use super::{StepReport, target};
use crate::demo::host::DemoHost;
use anyhow::{Context, ensure};
use serde_json::Value;

/// What the steps recover from.
const FAILURE: &str = "api-gateway-down";

async fn pid_of_service(host: &DemoHost) -> anyhow::Result<i64> {
    host.wait("the service to run", async || {
        let status = host.status().await?;
        target(&status)["pid"].as_i64().context("it has no pid")
    })
    .await
}

/// How many entries of this kind the journal of an operation has of a restart.
fn restarts(operation: &Value, kind: &str) -> usize {
    let journal = operation["journal"].as_array();
    let is_it = |entry: &&Value| entry["effect"] == "targets.restart" && entry["kind"] == kind;
    journal.map_or(0, |journal| journal.iter().filter(is_it).count())
}

pub(super) async fn dry_run(host: &mut DemoHost) -> StepReport {
    let before = pid_of_service(host).await?;
    let planned = host
        .cli(&["recover", "shop", "--failure", FAILURE, "--dry-run"])
        .await?;
    ensure!(planned["state"] == "succeeded", "{planned}");
    let id = planned["id"].as_str().context("it has no id")?;
    let shown = host.cli(&["operation", "show", id]).await?;
    ensure!(restarts(&shown, "planned") == 1, "{shown}");
    let after = pid_of_service(host).await?;
    ensure!(after == before, "pid {before} was restarted as {after}");
    let detail = format!("a recovery would restart the service; pid {after} goes on");
    Ok(((), detail))
}
