//! A small state disk that is filled to its last byte, again and again, with the daemon's own log on it too.
//!
//! While it is full a killed service must come back and its alert must arrive, whether the daemon still has its reserve
//! or not, and also in a daemon that is started on the full disk. When there is room again the journal must hold all
//! that happened since that daemon was started, in order, and no alert may have been sent twice.

use super::Random;
use crate::{Daemon, Receiver, SmallDisk, plugin, sleeper, wait_for};
use serde_json::Value;
use std::{fs, os::unix::fs::symlink, path::Path};
use tempfile::TempDir;

/// A service is killed at most so often in a round, each time another one: none of them fails again and again.
const KILLS: u32 = 3;

/// What fills the disk.
const FILLER: &str = "filler";

/// What a service that was killed leaves in the journal, in this order.
const TOLD: [&str; 3] = ["process.exited", "incident.opened", "operation.succeeded"];

fn config(state: &Path, receiver: &str, targets: u32) -> String {
    let targets: String = (0..targets).map(|n| sleeper(&format!("t{n}"))).collect();
    let state = state.display();
    format!(
        r#"
[host]
state_dir = "{state}"
plugin_dir = "plugins"
{targets}
[[route]]
failure = "service-down"
strategy = {{ kind = "immediate", max_attempts = 3 }}
chain = [{{ handler = "restart-service" }}]
cooldown = "0s"

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{receiver}"] }}
settings = {{ url = "{receiver}/alerts" }}
"#
    )
}

/// Fills the disk `rounds` times; panics at the first broken promise.
///
/// # Errors
/// No file system can be mounted here, so nothing was tried.
pub fn full_disk(rounds: u32, seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    let place = TempDir::new().unwrap();
    let disk = SmallDisk::mount(place.path(), "32m")?;
    let receiver = Receiver::start();
    let config = config(disk.path(), &receiver.url, rounds * KILLS);
    let mut daemon = Daemon::prepare(&config);
    symlink(disk.path().join("daemon.log"), daemon.path("daemon.log")).unwrap();
    daemon.set_env("RUST_LOG", "info");
    for name in ["restart-service", "webhook"] {
        daemon.drop_plugin(&plugin(name));
    }
    let mut targets = (0..rounds * KILLS).map(|n| format!("t{n}"));
    let mut kill_one = |daemon: &Daemon| {
        let target = targets.next().unwrap();
        recovers(daemon, &receiver, &target);
        target
    };
    start(&mut daemon, rounds * KILLS);
    let (mut crashes, mut killed) = (0, 0);
    for round in 1..=rounds {
        // What happened since the daemon was started, and so may not be lost.
        let mut told = Vec::new();
        disk.fill(FILLER);
        told.push(kill_one(&daemon));
        if round == 1 || random.below(2) == 0 {
            // The reserve is gone as well.
            disk.fill(FILLER);
            told.push(kill_one(&daemon));
        }
        if round > 1 && random.below(3) == 0 {
            crashes += 1;
            daemon.kill();
            start(&mut daemon, rounds * KILLS);
            killed += told.len();
            told = vec![kill_one(&daemon)];
        }
        fs::remove_file(disk.path().join(FILLER)).unwrap();
        wait_for("all that was held to be written", || {
            is_written(&daemon, &told)
        });
        for target in &told {
            let alerts = receiver.received();
            let alerts = alerts
                .iter()
                .filter(|one| is_about(&one.json(), "operation.succeeded", target));
            assert_eq!(alerts.count(), 1, "round {round}, alerts about {target}");
        }
        killed += told.len();
        if random.below(3) == 0 {
            crashes += 1;
            daemon.kill();
            start(&mut daemon, rounds * KILLS);
        }
    }
    let is_full = |one: &crate::Received| one.json()["kind"] == "journal.full";
    receiver.wait_for("the alert that the disk is full", is_full);
    println!("{rounds} rounds, {killed} services killed, {crashes} crashes, seed {seed}");
    Ok(())
}

/// Starts the daemon, on a disk that may be full, and waits until everything runs.
fn start(daemon: &mut Daemon, targets: u32) {
    daemon.run();
    daemon.wait_for_plugins(2);
    wait_for("every service to run", || {
        let running = daemon.pids().len();
        if running == targets as usize {
            Ok(())
        } else {
            Err(format!("{running} of {targets}"))
        }
    });
}

fn is_about(alert: &Value, kind: &str, target: &str) -> bool {
    alert["kind"] == kind && alert["target"] == target
}

/// Kills a service: it is back, and its alert arrives.
fn recovers(daemon: &Daemon, receiver: &Receiver, target: &str) {
    let before = daemon.pids()[target];
    daemon.kill_child(target);
    wait_for(&format!("{target} to be back"), || {
        match daemon.pids().get(target) {
            Some(pid) if *pid != before => Ok(()),
            seen => Err(format!("{seen:?}, before {before}")),
        }
    });
    receiver.wait_for(&format!("the alert about {target}"), |one| {
        is_about(&one.json(), "operation.succeeded", target)
    });
}

/// Whether the journal says that all is written, and holds everything that happened to these targets, without a gap.
fn is_written(daemon: &Daemon, targets: &[String]) -> Result<(), String> {
    let events = daemon.events();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], place as u64 + 1, "the events have a gap");
    }
    let of_journal = events
        .iter()
        .filter_map(|event| event["kind"].as_str())
        .rfind(|kind| kind.starts_with("journal."));
    if of_journal != Some("journal.writable") {
        return Err(format!("the last word on the journal is {of_journal:?}"));
    }
    for target in targets {
        let about = |kind: &str| {
            let is_it = |(_, event): &(usize, &Value)| is_about(event, kind, target);
            let found = events.iter().enumerate().filter(is_it);
            found.map(|(place, _)| place).collect::<Vec<usize>>()
        };
        let places = TOLD.map(|kind| about(kind).first().copied());
        let (queued, delivered) = (about("alert.queued"), about("alert.delivered"));
        if places.contains(&None) || queued.len() < 2 || delivered.len() < queued.len() {
            return Err(format!(
                "{target}: {TOLD:?} are at {places:?}, alerts queued {queued:?}, delivered {delivered:?}"
            ));
        }
        assert!(places.is_sorted(), "{target}: {TOLD:?} are at {places:?}");
        assert_eq!(queued.len(), delivered.len(), "{target}");
        let history = daemon.json(&["history", "--target", target]);
        assert_eq!(history[0]["state"], "succeeded", "{history}");
        let open = daemon.json(&["status"])["targets"].clone();
        let is_open = |row: &Value| row["name"] == *target && !row["incident"].is_null();
        assert!(!open.as_array().unwrap().iter().any(is_open), "{open}");
    }
    Ok(())
}
