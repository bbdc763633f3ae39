//! What a recovery would do is known before it: a dry run.

use super::{StepReport, pid_of_service};
use crate::demo::host::DemoHost;
use anyhow::{Context, ensure};
use serde_json::Value;

pub(super) async fn dry_run(host: &mut DemoHost) -> StepReport {
    let before = pid_of_service(host).await?;
    let failure = "api-gateway-down";
    let planned = host
        .cli(&["recover", "shop", "--failure", failure, "--dry-run"])
        .await?;
    ensure!(planned["state"] == "succeeded", "{planned}");
    let id = planned["id"].as_str().context("it has no id")?;
    let shown = host.cli(&["operation", "show", id]).await?;
    let journal = shown["journal"].as_array();
    let is_planned =
        |entry: &&Value| entry["effect"] == "targets.restart" && entry["kind"] == "planned";
    let planned = journal.map_or(0, |journal| journal.iter().filter(is_planned).count());
    ensure!(planned == 1, "{shown}");
    let after = pid_of_service(host).await?;
    ensure!(after == before, "pid {before} was restarted as {after}");
    let detail = format!("a recovery would restart the service; pid {after} goes on");
    Ok(((), detail))
}
