//! What is known before a recovery and after it: a dry run, `kill -9` of the daemon inside a handler, and a rehearsal of another
//! build on what was recorded.

use super::{StepReport, newest_success, target};
use crate::demo::host::DemoHost;
use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
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

pub(super) async fn killed_in_a_recovery(host: &mut DemoHost) -> StepReport {
    let before = pid_of_service(host).await?;
    // A process that stands still hears no stop signal: its restart takes as long as its grace.
    let raw = Pid::from_raw(i32::try_from(before)?).context("no pid")?;
    kill_process(raw, Signal::STOP)?;
    let id = host
        .wait("the handler to be in the middle of a restart", async || {
            let history = host.cli(&["history", "--failure", FAILURE]).await?;
            let newest = history[0]["id"].as_str();
            let id = newest.context("the history is empty")?.to_owned();
            let operation = host.cli(&["operation", "show", &id]).await?;
            let begun = (
                restarts(&operation, "intent"),
                restarts(&operation, "result"),
            );
            ensure!(begun == (1, 0), "{operation}");
            Ok(id)
        })
        .await?;
    host.kill_daemon().await?;
    host.start_daemon().await?;
    let operation = newest_success(host, FAILURE).await?;
    ensure!(operation["id"] == id.as_str(), "{operation}");
    ensure!(operation["attempts"] == 1, "{operation}");
    let shown = host.cli(&["operation", "show", &id]).await?;
    for kind in ["intent", "result"] {
        ensure!(restarts(&shown, kind) == 1, "{shown}");
    }
    let after = pid_of_service(host).await?;
    ensure!(after != before, "pid {before} was not restarted");
    let detail = format!(
        "the daemon was killed while its handler restarted pid {before}; the next one went on with {id}, in its first attempt"
    );
    Ok(((), detail))
}

pub(super) async fn replayed(host: &mut DemoHost) -> StepReport {
    let before = pid_of_service(host).await?;
    let operation = newest_success(host, FAILURE).await?;
    let id = operation["id"].as_str().context("it has no id")?;
    let build = host.built.restart_service.to_string_lossy().into_owned();
    let told = host
        .cli(&["operation", "replay", id, "--plugin", &build])
        .await?;
    ensure!(told["first_difference"].is_null(), "{told}");
    let after = pid_of_service(host).await?;
    ensure!(after == before, "pid {before} was restarted as {after}");
    let text = |key: &str| told[key].as_str().unwrap_or("?").to_owned();
    let detail = format!(
        "{} rehearsed on {id}, which {} did: {}; nothing acted",
        text("plugin"),
        operation["handler_version"].as_str().unwrap_or("?"),
        text("class")
    );
    Ok(((), detail))
}
