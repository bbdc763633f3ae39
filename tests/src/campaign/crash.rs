//! `kill -9` of the daemon at random moments of a busy run.
//!
//! After each kill the next daemon must start, the journal must be readable, no operation may be lost or go on after its
//! end, no target may have two, no supervised process may run twice, and every backup that was ever reported verified
//! must be there and be right. In the end every operation that was ever seen must have an end, or wait for a person or
//! for its time.

use super::Random;
use crate::{Daemon, plugin, wait_for};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

const CONFIG: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"

[[target]]
name = "one"
run = ["/bin/sh", "-c", "echo $$ > one.pid; exec sleep 1.31"]
[[target]]
name = "two"
run = ["/bin/sh", "-c", "echo $$ > two.pid; exec sleep 0.17"]
[[target]]
name = "three"
run = ["/bin/sh", "-c", "echo $$ > three.pid; exec sleep 1000"]

[[route]]
failure = "service-down"
strategy = { kind = "immediate", max_attempts = 3 }
chain = [{ handler = "restart-service" }]
relapse_window = "0s"

# One that never runs for as long as it takes to be healthy: it is escalated and rests longer and longer.
[[route]]
failure = "service-down"
target = "two"
strategy = { kind = "immediate", max_attempts = 3 }
chain = [{ handler = "restart-service" }]
relapse_window = "1h"

[plugin.restart-service]
grants = { target = ["restart"] }

[[job]]
name = "data"
source = [{ kind = "directory", path = "data" }]
full = "2s"
incremental = "200ms"
encryption = "none"
"#;

/// Kills `count` times; panics at the first broken promise.
pub fn crash(count: u32, seed: u64) {
    let mut random = Random::new(seed);
    let mut daemon = Daemon::prepare(CONFIG);
    fs::create_dir(daemon.path("data")).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    let stop = Arc::new(AtomicBool::new(false));
    let changes = keep_changing(daemon.path("data"), Arc::clone(&stop), random.number());
    let mut verified: BTreeSet<String> = BTreeSet::new();
    let mut operations = Operations::default();
    daemon.run();
    for kill in 1..=count {
        // The moment is what is random: it is not waited for anything. Some are late enough for operations to end.
        let latest = if random.below(3) == 0 { 3_000 } else { 400 };
        thread::sleep(Duration::from_millis(random.below(latest)));
        if random.below(2) == 0 {
            verified.extend(ids(&daemon.json(&["backup", "list"]), "status", "verified"));
        }
        daemon.kill();
        daemon.run();
        operations.look(&daemon, kill);
        check(&daemon, &mut verified, kill);
    }
    stop.store(true, Ordering::Relaxed);
    changes.join().unwrap();
    operations.must_end(&daemon);
    let listed = ids(&daemon.json(&["backup", "list"]), "status", "verified");
    for id in &verified {
        assert!(
            listed.contains(id),
            "{id} was reported verified and is gone"
        );
    }
    for id in listed.iter().rev().take(40) {
        let output = daemon.cli(&["backup", "verify", id]);
        assert!(
            output.status.success(),
            "{id}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    println!(
        "{count} kills, {} operations, {} verified backups, seed {seed}",
        operations.ended.len(),
        listed.len()
    );
}

fn ids(rows: &Value, key: &str, wanted: &str) -> BTreeSet<String> {
    let rows = rows
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row[key] == wanted);
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The operations that were seen.
#[derive(Default)]
struct Operations {
    ended: BTreeSet<String>,
    /// Seen without an end.
    open: BTreeSet<String>,
}

impl Operations {
    /// What the daemon has of them after a kill.
    fn look(&mut self, daemon: &Daemon, kill: u32) {
        let history = daemon.json(&["history", "--limit", "1000"]);
        let mut targets = BTreeSet::new();
        for operation in history.as_array().unwrap() {
            let id = operation["id"].as_str().unwrap().to_owned();
            if is_final(operation) {
                self.open.remove(&id);
                self.ended.insert(id);
                continue;
            }
            let target = operation["target"].as_str().unwrap();
            assert!(
                targets.insert(target.to_owned()),
                "after kill {kill}, {target} has two operations: {history}"
            );
            assert!(
                !self.ended.contains(&id),
                "after kill {kill} an operation goes on after its end: {operation}"
            );
            self.open.insert(id);
        }
        // One that is lost is not shown, which is an error.
        for id in self.open.clone() {
            if is_final(&daemon.json(&["operation", "show", &id])) {
                self.open.remove(&id);
                self.ended.insert(id);
            }
        }
    }

    /// Each comes to its end, or waits for what takes longer than a campaign.
    fn must_end(&self, daemon: &Daemon) {
        for id in &self.open {
            wait_for(&format!("{id} to end"), || {
                let operation = daemon.json(&["operation", "show", id]);
                let waits = operation["state"] == "awaiting-manual" || operation["due"].is_string();
                match is_final(&operation) || waits {
                    true => Ok(()),
                    false => Err(operation.to_string()),
                }
            });
        }
    }
}

fn is_final(operation: &Value) -> bool {
    let state = operation["state"].as_str().unwrap();
    matches!(state, "succeeded" | "failed" | "partial" | "cancelled")
}

fn check(daemon: &Daemon, verified: &mut BTreeSet<String>, kill: u32) {
    let listed = daemon.json(&["backup", "list"]);
    let present = ids(&listed, "status", "verified");
    for id in verified.iter() {
        assert!(
            present.contains(id),
            "after kill {kill}, {id} was reported verified and is gone: {listed}"
        );
    }
    verified.extend(present);
    for target in ["one", "two", "three"] {
        assert!(
            copies(daemon, target) <= 1,
            "after kill {kill}, {target} runs twice"
        );
    }
}

/// How many processes run a target's command in this daemon's directory.
fn copies(daemon: &Daemon, target: &str) -> usize {
    let root = daemon.directory.path();
    let marks = |pid: &str| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let inside = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == root);
        inside
            && environment.split(|byte| *byte == 0).any(|entry| {
                entry.starts_with(b"MAINSTAY_TARGET=")
                    && entry.ends_with(format!("/{target}").as_bytes())
            })
    };
    let processes = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    processes
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && marks(name))
        .count()
}

fn keep_changing(
    directory: std::path::PathBuf,
    stop: Arc<AtomicBool>,
    seed: u64,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut random = Random::new(seed);
        while !stop.load(Ordering::Relaxed) {
            let file = directory.join(format!("file {}", random.below(50)));
            if random.below(4) == 0 {
                let _ = fs::remove_file(file);
            } else {
                fs::write(file, random.number().to_string().repeat(100)).unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        }
    })
}
