//! A recovery outlives its daemon: `kill -9` inside a handler, and a rehearsal of another build on what was recorded.

use super::{StepReport, pid_of_service};
use crate::demo::{host::DemoHost, plugins::NEWER};
use anyhow::{Context, ensure};
use serde_json::Value;
use std::fs;

/// What is recovered from by a command that lasts as long as the file `hold` is there.
const FAILURE: &str = "stuck-queue";

/// The keys with which the command was begun, one for each time.
fn begun(host: &DemoHost) -> Vec<String> {
    let text = fs::read_to_string(host.directory.join("begun")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Waits until the command was begun so often.
async fn wait_for_command(host: &DemoHost, times: usize) -> anyhow::Result<Vec<String>> {
    host.wait("the command to begin", async || {
        let keys = begun(host);
        ensure!(keys.len() == times, "it has begun {} times", keys.len());
        Ok(keys)
    })
    .await
}

pub(super) async fn killed_in_a_recovery(host: &mut DemoHost) -> StepReport {
    let hold = host.directory.join("hold");
    fs::write(&hold, "")?;
    let asked = host.cli(&["recover", "shop", "--failure", FAILURE]).await?;
    let id = asked["operation"].as_str().context("it has no id")?;
    wait_for_command(host, 1).await?;
    host.kill_daemon().await?;
    host.start_daemon().await?;
    // The first copy is ended before the second one begins.
    let keys = wait_for_command(host, 2).await?;
    let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
    ensure!(distinct.len() == 1, "it has another key: {keys:?}");
    fs::remove_file(&hold)?;
    let operation = host
        .wait("the operation to succeed", async || {
            let operation = host.cli(&["operation", "show", id]).await?;
            ensure!(operation["state"] == "succeeded", "{operation}");
            Ok(operation)
        })
        .await?;
    ensure!(operation["attempts"] == 1, "{operation}");
    let calls = operation["calls"].as_array().map_or(0, Vec::len);
    ensure!(calls == 1, "{operation}");
    let detail = format!(
        "the daemon was killed while a command of {id} ran; the next one went on with the same call, and the command has its \
         key again"
    );
    Ok(((), detail))
}

pub(super) async fn replayed(host: &mut DemoHost) -> StepReport {
    let before = pid_of_service(host).await?;
    let history = host
        .cli(&[
            "history",
            "--failure",
            "api-gateway-down",
            "--state",
            "succeeded",
        ])
        .await?;
    // By its id: the newest one is a dry run, which has no call on record.
    let is_of_older = |operation: &&Value| {
        let version = operation["handler_version"].as_str();
        operation["dry_run"] == false && version.is_some_and(|version| version != NEWER)
    };
    let operation = history
        .as_array()
        .and_then(|all| all.iter().find(is_of_older));
    let operation = operation.with_context(|| format!("no build before {NEWER}: {history}"))?;
    let id = operation["id"].as_str().context("it has no id")?;
    let build = host
        .built
        .newer_restart_service
        .to_string_lossy()
        .into_owned();
    let told = host
        .cli(&["operation", "replay", id, "--plugin", &build])
        .await?;
    ensure!(told["first_difference"].is_null(), "{told}");
    let after = pid_of_service(host).await?;
    ensure!(after == before, "pid {before} was restarted as {after}");
    let text = |key: &str| told[key].as_str().unwrap_or("?").to_owned();
    let detail = format!(
        "{} rehearsed on {id}, which version {} did: {}; nothing acted",
        text("plugin"),
        operation["handler_version"].as_str().unwrap_or("?"),
        text("class")
    );
    Ok(((), detail))
}
