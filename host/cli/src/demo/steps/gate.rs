//! What bounds automatic recovery: a phase that forbids it, and a person who has to approve.

use super::{StepReport, kill_service, newest_success, target};
use crate::demo::host::DemoHost;
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::Value;

async fn must_not_serve(host: &DemoHost) -> anyhow::Result<()> {
    let answer = host.service(Method::GET, "/health", "").await;
    ensure!(answer.is_err(), "the service serves, and nobody let it");
    Ok(())
}

pub(super) async fn phase_forbids(host: &mut DemoHost) -> StepReport {
    host.cli(&["phase", "safe", "--reason", "nobody touches it now"])
        .await?;
    let pid = kill_service(host).await?;
    let held = host
        .wait("the recovery to be held back", async || {
            let status = host.status().await?;
            let held = target(&status)["held"].as_str().map(str::to_owned);
            held.with_context(|| target(&status).to_string())
        })
        .await?;
    must_not_serve(host).await?;
    host.cli(&["phase", "normal"]).await?;
    let operation = newest_success(host, "api-gateway-down").await?;
    let detail = format!(
        "pid {pid} killed, held back: {held}; recovered in the phase normal, by {}",
        operation["handler"].as_str().unwrap_or("?")
    );
    Ok(((), detail))
}

pub(super) async fn approved_by_a_person(host: &mut DemoHost) -> StepReport {
    host.cli(&["policy", "set", "shop", "--ask", "true"])
        .await?;
    let pid = kill_service(host).await?;
    let asked = host
        .wait("the recovery to await a person", async || {
            let history = host.cli(&["history", "--state", "awaiting-manual"]).await?;
            let newest = history.as_array().and_then(|all| all.first()).cloned();
            newest.context("no recovery awaits a person")
        })
        .await?;
    must_not_serve(host).await?;
    let id = asked["id"].as_str().context("it has no id")?.to_owned();
    host.cli(&["approve", &id, "--reason", "seen"]).await?;
    let operation: Value = newest_success(host, "api-gateway-down").await?;
    ensure!(operation["id"] == asked["id"], "{operation}");
    host.cli(&["policy", "set", "shop", "--clear"]).await?;
    let detail = format!("pid {pid} killed; {id} waited until it was approved, then recovered it");
    Ok(((), detail))
}
