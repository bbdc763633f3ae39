//! What happens when plugins are dropped: a newer one, a broken one, half of one, one that loops.

use super::{StepReport, kill_and_recover, newest_success};
use crate::demo::{host::DemoHost, plugins::NEWER};
use anyhow::{Context, ensure};
use serde_json::Value;
use std::{fs, time::Instant};

pub(super) async fn newer_plugin(host: &mut DemoHost) -> StepReport {
    host.drop_plugin(&host.built.newer_restart_service)?;
    let dropped = Instant::now();
    let is_newer = |row: &Value| row["name"] == "restart-service" && row["version"] == NEWER;
    host.wait_for_plugin("the newer version to serve", |row| {
        is_newer(row) && row["state"] == "serving"
    })
    .await?;
    let serving = dropped.elapsed();
    fs::remove_file(host.directory.join("plugins/restart-service.wasm"))?;
    host.wait("the old version to be gone", async || {
        let rows = host.cli(&["plugin", "list"]).await?;
        let rows = rows.as_array().context("no rows")?;
        let old = rows
            .iter()
            .find(|row| row["name"] == "restart-service" && row["version"] != NEWER);
        ensure!(old.is_none_or(|row| row["state"] == "retired"), "{old:?}");
        Ok(())
    })
    .await?;
    kill_and_recover(host).await?;
    let operation = newest_success(host, "api-gateway-down").await?;
    ensure!(
        operation["handler_version"] == NEWER,
        "recovered by {}",
        operation["handler_version"]
    );
    Ok((
        (),
        format!(
            "{NEWER} serves after {} ms, the old one is retired, the next recovery used it",
            serving.as_millis()
        ),
    ))
}

/// The handler that served before still does.
async fn still_serving(host: &DemoHost) -> anyhow::Result<()> {
    let serves = |row: &Value| row["version"] == NEWER && row["state"] == "serving";
    host.wait_for_plugin("restart-service still to serve", serves)
        .await
        .map(drop)
}

async fn rejected(host: &DemoHost, file: &str) -> anyhow::Result<String> {
    let is_rejected = |row: &Value| {
        row["file"]
            .as_str()
            .is_some_and(|path| path.ends_with(file))
            && row["state"] == "rejected"
    };
    let row = host.wait_for_plugin("the rejection", is_rejected).await?;
    still_serving(host).await?;
    let reason: String = row["last_error"]
        .as_str()
        .unwrap_or("?")
        .chars()
        .take(100)
        .collect();
    fs::remove_file(host.directory.join("plugins").join(file))?;
    Ok(reason)
}

pub(super) async fn broken_plugin(host: &mut DemoHost) -> StepReport {
    fs::write(
        host.directory.join("plugins/broken.wasm"),
        b"\0asm this is no component",
    )?;
    Ok((
        (),
        format!("rejected: {}", rejected(host, "broken.wasm").await?),
    ))
}

pub(super) async fn half_written_plugin(host: &mut DemoHost) -> StepReport {
    let bytes = fs::read(&host.built.newer_restart_service)?;
    let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
    fs::write(host.directory.join("plugins/half.wasm"), half)?;
    Ok((
        (),
        format!("rejected: {}", rejected(host, "half.wasm").await?),
    ))
}

pub(super) async fn looping_plugin(host: &mut DemoHost) -> StepReport {
    host.drop_plugin(&host.built.looping)?;
    Ok((
        (),
        format!("rejected: {}", rejected(host, "looping.wasm").await?),
    ))
}
