//! The demo's steps, in order. Each does one thing and sees it happen.

#![allow(
    clippy::indexing_slicing,
    reason = "an index into a JSON value answers null where there is nothing"
)]

mod backups;
mod config;
mod dry_run;
mod durable;
mod gate;
mod plugins;

use super::{host::DemoHost, timeline::Timeline};
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::Value;
use std::time::{Duration, Instant};

/// What a step gives: nothing but what it saw.
type StepReport = anyhow::Result<((), String)>;

/// Plays all steps; stops at the first that fails.
pub(super) async fn run_steps(host: &mut DemoHost, timeline: &mut Timeline) {
    macro_rules! steps {
        ($($name:literal => $step:expr),* $(,)?) => {
            $(
                if timeline.has_failed() {
                    return;
                }
                timeline.step($name, $step).await;
            )*
        };
    }
    steps! {
        "start" => start(host),
        "steady-state" => wait_until_stable(host),
        "kill-and-recover" => kill_and_recover(host),
        "alert-received" => alert_received(host, "operation.succeeded"),
        "backup-full" => backups::backup(host, "full"),
        "change-and-increment" => backups::change_and_increment(host),
        "delete-and-increment" => backups::delete_and_increment(host),
        "corrupt-and-restore" => backups::corrupt_and_restore(host),
        "backup-drill" => backups::drill(host),
        "newer-plugin" => plugins::newer_plugin(host),
        "broken-plugin" => plugins::broken_plugin(host),
        "half-written-plugin" => plugins::half_written_plugin(host),
        "looping-plugin" => plugins::looping_plugin(host),
        "phase-that-forbids" => gate::phase_forbids(host),
        "approval" => gate::approved_by_a_person(host),
        "dry-run" => dry_run::dry_run(host),
        "kill-in-recovery" => durable::killed_in_a_recovery(host),
        "replay" => durable::replayed(host),
        "retention-changed" => config::retention_changed(host),
        "invalid-config" => config::invalid_config(host),
        "shutdown" => shutdown(host),
    }
}

async fn start(host: &mut DemoHost) -> StepReport {
    host.start_daemon().await?;
    let rows = host
        .wait("five plugins to serve", async || {
            let rows = host.cli(&["plugin", "list"]).await?;
            let serving = rows.as_array().map_or(0, |rows| {
                rows.iter().filter(|row| row["state"] == "serving").count()
            });
            ensure!(serving == 5, "{serving} of 5 serve: {rows}");
            Ok(serving)
        })
        .await?;
    Ok(((), format!("the daemon answers, {rows} plugins serve")))
}

fn target(status: &Value) -> &Value {
    &status["targets"][0]
}

async fn wait_until_stable(host: &mut DemoHost) -> StepReport {
    let orders = backups::orders();
    for (name, body) in [
        ("apples", "12"),
        ("pears", "7"),
        ("plums", "0"),
        ("quinces", "3"),
        ("orders", orders.as_str()),
    ] {
        let put = async || {
            host.service(Method::PUT, &format!("/documents/{name}"), body)
                .await
        };
        let status = host.wait("the service", put).await?;
        ensure!(status == 204, "the service answered {status}");
    }
    let pid = host
        .wait("the service to be healthy", async || {
            let status = host.status().await?;
            ensure!(
                target(&status)["health"] == "healthy",
                "{}",
                target(&status)
            );
            target(&status)["pid"].as_i64().context("it has no pid")
        })
        .await?;
    Ok(((), format!("pid {pid} serves and is healthy")))
}

async fn pid_of_service(host: &DemoHost) -> anyhow::Result<i64> {
    host.wait("the service to run", async || {
        let status = host.status().await?;
        target(&status)["pid"].as_i64().context("it has no pid")
    })
    .await
}

/// Ends the service, whatever it is doing.
async fn kill_service(host: &DemoHost) -> anyhow::Result<i64> {
    let pid = pid_of_service(host).await?;
    let raw = rustix::process::Pid::from_raw(i32::try_from(pid)?).context("no pid")?;
    rustix::process::kill_process(raw, rustix::process::Signal::KILL)?;
    Ok(pid)
}

/// The newest operation against a failure, once it has succeeded.
async fn newest_success(host: &DemoHost, failure: &str) -> anyhow::Result<Value> {
    host.wait("the operation to succeed", async || {
        let history = host.cli(&["history", "--failure", failure]).await?;
        let newest = history
            .as_array()
            .and_then(|history| history.first())
            .cloned();
        let operation = newest.context("the history is empty")?;
        ensure!(operation["state"] == "succeeded", "{operation}");
        Ok(operation)
    })
    .await
}

async fn kill_and_recover(host: &mut DemoHost) -> StepReport {
    let pid = kill_service(host).await?;
    let killed = Instant::now();
    // Only a new process can answer: the old one is dead.
    while !matches!(host.service(Method::GET, "/health", "").await, Ok(200)) {
        ensure!(
            killed.elapsed() < Duration::from_secs(30),
            "it does not serve again"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let serving = killed.elapsed();
    let operation = newest_success(host, "api-gateway-down").await?;
    let text = |key: &str| operation[key].as_str().unwrap_or("?").to_owned();
    let detail = format!(
        "pid {pid} killed, serving again after {} ms; recovered by {} {}, verified {} ms after detection",
        serving.as_millis(),
        text("handler"),
        text("handler_version"),
        operation["recovery_ms"]
    );
    Ok(((), detail))
}

async fn alert_received(host: &mut DemoHost, kind: &str) -> StepReport {
    let alert = host
        .wait("the alert", async || {
            let alerts = host.receiver.alerts();
            let seen: Vec<String> = alerts
                .iter()
                .map(|alert| alert["kind"].to_string())
                .collect();
            alerts
                .into_iter()
                .find(|alert| alert["kind"] == kind)
                .with_context(|| format!("received {seen:?}"))
        })
        .await?;
    Ok((
        (),
        format!(
            "the receiver has: {}",
            alert["title"].as_str().unwrap_or_default()
        ),
    ))
}

async fn shutdown(host: &mut DemoHost) -> StepReport {
    let code = host.stop_daemon().await?;
    ensure!(code == 0, "the daemon exited with {code}");
    ensure!(
        host.service(Method::GET, "/health", "").await.is_err(),
        "the service still runs"
    );
    Ok(((), "exit code 0, nothing left running".to_owned()))
}
