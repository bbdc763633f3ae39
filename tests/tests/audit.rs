//! The audit log of the whole program: who decided and did what, and that nobody changes it unseen.

use mainstay_tests::{Daemon, HOST, sleeper, user_name};
use serde_json::Value;
use std::fs;

fn start() -> Daemon {
    let config = format!("{HOST}{}", sleeper("web"));
    let mut daemon = Daemon::prepare(&config);
    daemon.run();
    daemon.wait_for_status("the service to run", |status| {
        status["targets"][0]["pid"].is_u64()
    });
    daemon
}

/// What `history --verify` found, and with which exit code.
fn verified(daemon: &Daemon) -> (Value, Option<i32>) {
    let output = daemon.cli(&["history", "--verify", "--json"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let found =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (found, output.status.code())
}

#[test]
fn a_flipped_byte_of_the_audit_log_is_found_and_named_and_keeps_nothing_from_running() {
    let mut daemon = start();
    for reason in ["new disks", "new cables"] {
        let arguments = ["pause", "web", "--for", "1h", "--reason", reason];
        assert!(daemon.cli(&arguments).status.success());
    }
    assert!(daemon.cli(&["resume", "web"]).status.success());
    let rows = daemon.json(&["audit", "--target", "web"]);
    let rows = rows.as_array().unwrap();
    let kinds: Vec<&str> = rows.iter().filter_map(|row| row["kind"].as_str()).collect();
    assert_eq!(kinds, ["host.resumed", "host.paused", "host.paused"]);
    for row in rows {
        assert_eq!(row["actor"], user_name(), "{row}");
        assert_eq!(row["digest"].as_str().map(str::len), Some(64), "{row}");
    }
    let of_the_host = daemon.json(&["audit"]);
    let mut of_the_host = of_the_host.as_array().unwrap().iter();
    assert!(of_the_host.any(|row| row["kind"] == "host.started" && row["actor"] == "mainstay"));
    // Also while the daemon runs.
    let (whole, code) = verified(&daemon);
    assert_eq!(
        (&whole["whole"], code),
        (&Value::Bool(true), Some(0)),
        "{whole}"
    );
    let second = rows[1]["number"].as_u64().unwrap();
    assert!(daemon.stop());

    let path = daemon.path("state/journal.db");
    let mut bytes = fs::read(&path).unwrap();
    // Of the rows of the log alone, which say it so: events have no actor.
    let needle = "\"kind\":\"host.paused\",\"actor\":\"";
    let places: Vec<usize> = bytes
        .windows(needle.len())
        .enumerate()
        .filter(|(_, window)| *window == needle.as_bytes())
        .map(|(at, _)| at + needle.len())
        .collect();
    let message = "new cables";
    let is_wanted = |at: &usize| {
        let rest = &bytes[*at..(*at + 600).min(bytes.len())];
        let end = rest
            .iter()
            .position(|byte| *byte == b'}')
            .unwrap_or(rest.len());
        rest[..end]
            .windows(message.len())
            .any(|words| words == message.as_bytes())
    };
    let wanted: Vec<usize> = places.into_iter().filter(is_wanted).collect();
    assert!(!wanted.is_empty());
    for at in wanted {
        bytes[at] ^= 1;
    }
    fs::write(&path, bytes).unwrap();

    let (found, code) = verified(&daemon);
    assert_eq!(
        (&found["whole"], code),
        (&Value::Bool(false), Some(1)),
        "{found}"
    );
    let named = found["named"][0].as_str().unwrap();
    assert!(
        named.starts_with(&format!("row {second} is not what was written")),
        "{found}"
    );
    assert_eq!(found["faults"], 1, "{found}");
    // The daemon goes on, and what it adds hides nothing.
    daemon.run();
    assert!(daemon.cli(&["pause", "web"]).status.success());
    let (found, code) = verified(&daemon);
    assert_eq!(
        (&found["faults"], code),
        (&Value::from(1), Some(1)),
        "{found}"
    );
    let output = daemon.cli(&["history", "--verify"]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains(&format!("fault: row {second} ")), "{words}");
}
