//! To which backup corrupt data goes back.

use super::{prepare, wait_for_incident, wait_for_rest, wait_until};
use mainstay_tests::{Daemon, plugin, time};
use serde_json::Value;
use std::fs;

const CONFIG: &str = r#"
[[target]]
name = "store"
[[target.check]]
kind = "file"
path = "data/state.txt"
contains = "sound"
every = "1s"
fail_after = 1
recover_after = 1
failure = "data-corruption"

[[job]]
name = "data"
encryption = "none"
source = [{ kind = "directory", path = "data" }]

[[route]]
failure = "data-corruption"
strategy = { kind = "immediate", max_attempts = 1 }
cooldown = "1h"
chain = [{ handler = "corruption-restore" }]

[plugin.corruption-restore]
grants = { target = ["status", "start", "stop"], backup = ["data"] }
settings = { job = "data" }
"#;

/// Takes a full backup; gives the newest one.
fn back_up(daemon: &Daemon) -> Value {
    daemon.json(&["backup", "create", "data"]);
    let backups = daemon.json(&["backup", "list", "--job", "data"]);
    assert_eq!(backups[0]["status"], "verified", "{backups}");
    backups[0].clone()
}

/// The first operation of the incident finds no handler. Until the second one, the corrupt data is backed up.
#[test]
fn data_goes_back_to_before_the_first_detection_though_it_was_backed_up_meanwhile() {
    let mut daemon = prepare(&[CONFIG], &[]);
    let state = daemon.path("data/state.txt");
    fs::create_dir(daemon.path("data")).unwrap();
    fs::write(&state, "sound").unwrap();
    daemon.run();
    let sound = back_up(&daemon);

    fs::write(&state, "torn").unwrap();
    let incident = wait_for_incident(&daemon, "the incident", |one| one["id"].is_string());
    let second = wait_for_rest(&daemon, "store");
    let torn = back_up(&daemon);
    assert_ne!(torn["id"], sound["id"]);
    let (before, after) = (time(&sound["created_at"]), time(&torn["created_at"]));
    let detected_at = time(&incident["opened_at"]);
    assert!(before < detected_at && detected_at < after, "{incident}");
    assert_eq!(second["detected_at"], incident["opened_at"], "{second}");

    daemon.drop_plugin(&plugin("corruption-restore"));
    let recovered = wait_until(&daemon, &second["id"], "succeeded");
    assert_eq!(fs::read_to_string(&state).unwrap(), "sound", "{recovered}");
    let actions = recovered["actions"].to_string();
    assert!(actions.contains(sound["id"].as_str().unwrap()), "{actions}");
    let history = daemon.json(&["history", "--target", "store"]);
    let operations = history.as_array().unwrap();
    assert_eq!(operations.len(), 2, "{history}");
    assert_eq!(operations[1]["state"], "failed", "{history}");
    assert_eq!(operations[1]["detected_at"], second["detected_at"]);
}
