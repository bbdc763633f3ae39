//! Encrypted backups of the service's state: all of it, what changed, what went; a restore, and a drill.

use super::{StepReport, newest_success};
use crate::demo::{host::DemoHost, service};
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

/// A document of more than one part: a line for each order, of digits that compress to a half.
pub(super) fn orders() -> String {
    let line = |number: u32| {
        let hash = blake3::hash(&number.to_le_bytes());
        format!("{number:05} {}\n", hash.to_hex())
    };
    (0..28_000).map(line).collect()
}

/// The same with another byte in the middle.
fn changed_orders() -> String {
    orders().replace("14000 ", "14000+")
}

/// Takes a backup, and sees that what lies there is encrypted, and that the daemon has read its content back; its record.
async fn take(host: &DemoHost, backup_type: &str) -> anyhow::Result<Value> {
    let made = host
        .cli(&["backup", "create", "shop-data", "--type", backup_type])
        .await?;
    let made = made["backups"][0].clone();
    ensure!(made["status"] == "verified", "{made}");
    ensure!(made["stored_only"].is_null(), "{made}");
    let id = made["id"].as_str().context("it has no id")?;
    let archive = format!("state/backups/shop-data/{id}.jsonl.zst.age");
    let stored = fs::read(host.directory.join(&archive))
        .with_context(|| format!("cannot read {archive}"))?;
    ensure!(
        stored.starts_with(b"age-encryption.org/v1\n"),
        "{archive} is not encrypted"
    );
    Ok(made)
}

fn described(made: &Value) -> String {
    format!(
        "{}: {} documents, {} tombstones, {} bytes stored, encrypted, verified",
        made["id"].as_str().unwrap_or("?"),
        made["documents"],
        made["tombstones"],
        made["stored_bytes"]
    )
}

pub(super) async fn backup(host: &DemoHost, backup_type: &str) -> StepReport {
    let made = take(host, backup_type).await?;
    Ok(((), described(&made)))
}

pub(super) async fn change_and_increment(host: &mut DemoHost) -> StepReport {
    host.service(Method::PUT, "/documents/apples", "13").await?;
    let orders = changed_orders();
    let status = host
        .service(Method::PUT, "/documents/orders", &orders)
        .await?;
    ensure!(status == 204, "the service answered {status}");
    let made = take(host, "incremental").await?;
    let size = orders.len() as u64;
    let stored = made["stored_bytes"].as_u64();
    // All of it would take about half of that.
    ensure!(
        stored.is_some_and(|stored| stored < size / 4),
        "one byte of {size} changed: {made}"
    );
    let detail = format!(
        "{}; one of them has {size} bytes, of which one changed",
        described(&made)
    );
    Ok(((), detail))
}

pub(super) async fn delete_and_increment(host: &mut DemoHost) -> StepReport {
    host.service(Method::DELETE, "/documents/pears", "").await?;
    host.service(Method::DELETE, "/documents/plums", "").await?;
    backup(host, "incremental").await
}

/// Every file of the service's state.
fn state_of(host: &DemoHost) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut state = BTreeMap::new();
    for entry in fs::read_dir(host.directory.join("data"))? {
        let path = entry?.path();
        state.insert(path.to_string_lossy().into_owned(), fs::read(&path)?);
    }
    Ok(state)
}

pub(super) async fn corrupt_and_restore(host: &mut DemoHost) -> StepReport {
    let before = state_of(host)?;
    fs::write(host.directory.join("data/apples.json"), "\u{0}garbage")?;
    let corrupted = Instant::now();
    let operation = newest_success(host, "data-corruption").await?;
    let elapsed = corrupted.elapsed();
    ensure!(state_of(host)? == before, "the restored state differs");
    service::verify(&host.directory.join("data")).map_err(anyhow::Error::msg)?;
    let handler = operation["handler"].as_str().unwrap_or("?");
    Ok((
        (),
        format!(
            "{handler} restored {} files, equal, {} ms after the corruption",
            before.len(),
            elapsed.as_millis()
        ),
    ))
}

/// The daemon restores the newest backup into a scratch directory, reads that again and compares its root hash.
pub(super) async fn drill(host: &mut DemoHost) -> StepReport {
    let report = host.cli(&["backup", "drill", "shop-data"]).await?;
    let chain = report["backups"].as_array().context("no backups")?;
    let newest = chain.last().context("no backup was restored")?;
    let drilled = &newest["drilled"];
    ensure!(
        drilled.is_object() && drilled["error"].is_null(),
        "{newest}"
    );
    // The service holds what the newest backup does, for that was put back.
    let held: usize = state_of(host)?.values().map(Vec::len).sum();
    ensure!(
        report["restored_bytes"] == held,
        "the service holds {held} bytes: {report}"
    );
    let took = report["elapsed_ms"].as_u64().context("no time is told")?;
    let root_hash = newest["root_hash"]
        .as_str()
        .context("it has no root hash")?;
    let detail = format!(
        "{}: {} documents restored from {} archives and read again in {:.3} s, root hash {}… is right",
        newest["id"].as_str().unwrap_or("?"),
        report["restored_documents"],
        chain.len(),
        Duration::from_millis(took).as_secs_f64(),
        root_hash.get(..12).unwrap_or(root_hash)
    );
    Ok(((), detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::archive::PART_BYTES;

    #[test]
    fn orders_come_in_parts_and_one_byte_of_them_changes() {
        let (before, after) = (orders(), changed_orders());
        assert!(before.len() > PART_BYTES, "{}", before.len());
        assert_eq!(before.len(), after.len());
        let pairs = before.bytes().zip(after.bytes());
        assert_eq!(pairs.filter(|(before, after)| before != after).count(), 1);
    }
}
