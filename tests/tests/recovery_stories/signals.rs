//! Signals to a durable handler: before it waits, while it waits, and over `kill -9`.

use super::{durable::entries, shown, start, wait_until};
use mainstay_tests::{Daemon, plugin, sleeper, wait_for};
use serde_json::Value;
use std::fs;

const DRAINS: &str = r#"
[[route]]
strategy = { kind = "immediate", max_attempts = 1 }
chain = [{ handler = "drain-restart", timeout = "10m" }]

[command.drain]
run = ["/bin/sh", "-c", "echo drained >> drains; until test -e go; do sleep 0.05; done"]

[plugin.drain-restart]
grants = { target = ["restart"], command = ["drain"] }
settings = { command = "drain", pause = "5m", signal = "empty" }
limits = { timeout = "10m" }
"#;

fn draining() -> Daemon {
    let config = format!("{}{DRAINS}", sleeper("job"));
    let daemon = start(&[&config], &[plugin("drain-restart")]);
    daemon.kill_child("job");
    daemon
}

/// The operation, once this is in its journal.
fn once(daemon: &Daemon, effect: &str, kind: &str) -> Value {
    wait_for(&format!("the {kind} of {effect}"), || {
        let history = daemon.json(&["history"]);
        let id = history[0]["id"].clone();
        if id.is_null() {
            return Err("no operation".to_owned());
        }
        let operation = shown(daemon, &id);
        match entries(&operation, effect, kind) {
            0 => Err(operation.to_string()),
            _ => Ok(operation),
        }
    })
}

/// The operation, once its handler has reported what it did.
fn handled(daemon: &Daemon, id: &Value) -> Value {
    wait_for("the report", || {
        let operation = shown(daemon, id);
        match operation["actions"].as_array().unwrap().len() {
            0 => Err(operation.to_string()),
            _ => Ok(operation),
        }
    })
}

fn drains(daemon: &Daemon) -> usize {
    let text = fs::read_to_string(daemon.path("drains")).unwrap_or_default();
    text.lines().count()
}

#[test]
fn a_signal_that_comes_before_the_handler_waits_is_had_when_it_does() {
    let daemon = draining();
    let operation = once(&daemon, "commands.run", "intent");
    let id = operation["id"].as_str().unwrap();
    let signalled = daemon.json(&["operation", "signal", id, "empty", r#"{"left": 0}"#]);
    assert_eq!(signalled["signals"][0]["name"], "empty", "{signalled}");
    fs::write(daemon.path("go"), "").unwrap();
    let ended = wait_until(&daemon, &operation["id"], "succeeded");
    let actions = ended["actions"].to_string();
    assert!(actions.contains("drained it, as was signalled"), "{ended}");
    let effect = "durable.await-signal";
    assert_eq!(entries(&ended, effect, "intent"), 0, "it is there: {ended}");
    let journal = ended["journal"].as_array().unwrap().iter();
    let mut results = journal.filter(|entry| entry["effect"] == effect);
    let answer = &results.next().unwrap()["response"]["signal"];
    assert_eq!(answer["text"], r#"{"left":0}"#, "{ended}");
    let said = daemon.wait_for_event("operation.signalled", |event| {
        event["kind"] == "operation.signalled" && event["operation"] == id
    });
    assert_eq!(said["data"]["signal"], "empty", "{said}");
    let audit = daemon.json(&["audit"]);
    let mut rows = audit.as_array().unwrap().iter();
    let row = rows.find(|row| row["kind"] == "operation.signalled");
    assert!(row.is_some_and(|row| row["actor"].is_string()), "{audit}");
    let late = daemon.cli(&["operation", "signal", id, "empty"]);
    assert_eq!(late.status.code(), Some(1), "it has ended");
}

#[test]
fn a_wait_for_a_signal_is_held_by_nobody_and_the_signal_survives_a_kill() {
    let mut daemon = draining();
    fs::write(daemon.path("go"), "").unwrap();
    let effect = "durable.await-signal";
    let operation = once(&daemon, effect, "intent");
    let id = operation["id"].as_str().unwrap();
    for _ in 0..2 {
        daemon.wait_for_status("that it waits", |status| {
            let mut targets = status["targets"].as_array().unwrap().iter();
            let row = targets.find(|row| row["name"] == "job").unwrap();
            row["rests"]["why"] == "its handler waits for the signal `empty`"
        });
        daemon.kill();
        daemon.run();
    }
    // It is durable once it is answered.
    daemon.json(&["operation", "signal", id, "empty"]);
    daemon.kill();
    daemon.run();
    let ended = handled(&daemon, &operation["id"]);
    assert_eq!(ended["attempts"], 1, "{ended}");
    let actions = ended["actions"].to_string();
    assert!(actions.contains("drained it, as was signalled"), "{ended}");
    assert_eq!(drains(&daemon), 1, "it is drained once");
    assert_eq!(entries(&ended, effect, "intent"), 1, "{ended}");
    assert_eq!(entries(&ended, effect, "result"), 1, "{ended}");
    assert_eq!(ended["signals"].as_array().unwrap().len(), 1, "{ended}");
}
