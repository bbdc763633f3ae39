//! What happens when the config changes: a setting of a policy, and a mistake.

use super::{StepReport, backups::backup};
use crate::demo::host::DemoHost;
use anyhow::{Context, ensure};
use std::{fs, time::Instant};

pub(super) async fn retention_changed(host: &mut DemoHost) -> StepReport {
    let kept = async || {
        let pruned = host
            .cli(&["backup", "prune", "--job", "shop-data", "--dry-run"])
            .await?;
        let verdicts = pruned["verdicts"]
            .as_array()
            .context("no verdicts")?
            .clone();
        anyhow::Ok((
            verdicts
                .iter()
                .filter(|verdict| verdict["keep"] == true)
                .count(),
            verdicts.len(),
        ))
    };
    // Whatever the policy says, the host keeps the newest verified chain; snapshots stand alone.
    for _ in 0..2 {
        backup(host, "snapshot").await?;
    }
    let (before, all) = kept().await?;
    fs::write(host.config_path(), host.config(1))?;
    let changed = Instant::now();
    let after = host
        .wait("the new setting to act", async || {
            let (after, _) = kept().await?;
            ensure!(after < before, "{after} of {all} are kept, as before");
            Ok(after)
        })
        .await?;
    let detail = format!(
        "{before} of {all} backups kept, {after} after the change, applied within {} ms",
        changed.elapsed().as_millis()
    );
    Ok(((), detail))
}

pub(super) async fn invalid_config(host: &mut DemoHost) -> StepReport {
    let digest = host.status().await?["host"]["config_digest"].clone();
    let broken = host
        .config(1)
        .replace("every = \"200ms\"", "every = \"soon\"");
    fs::write(host.config_path(), &broken)?;
    let error = host
        .wait("the refusal", async || {
            // Not through `--config`: the file is broken, and the command line would say so itself.
            let socket = host.directory.join("state/mainstay.sock");
            let status = host
                .cli(&["status", "--socket", &socket.to_string_lossy()])
                .await?;
            let reload = &status["last_reload"];
            ensure!(reload["ok"] == false, "{reload}");
            ensure!(
                status["host"]["config_digest"] == digest,
                "the config was changed"
            );
            reload["error"]
                .as_str()
                .map(str::to_owned)
                .context("no reason is given")
        })
        .await?;
    let place = error
        .lines()
        .find(|line| line.contains("mainstay.toml:"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    ensure!(!place.is_empty(), "no line and column: {error}");
    fs::write(host.config_path(), host.config(1))?;
    let what = error.lines().next().unwrap_or_default();
    Ok((
        (),
        format!("refused ({what}; {place}), the one before still applies"),
    ))
}
