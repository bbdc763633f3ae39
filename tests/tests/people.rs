//! What people order for a while.

use mainstay_domain::time::Timestamp;
use mainstay_tests::{Daemon, HOST, plugin, sleeper, time, wait_for};
use serde_json::Value;
use std::time::Duration;

/// One target that restart-service recovers.
fn start() -> Daemon {
    let config = format!(
        r#"{HOST}{}
[[route]]
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}
"#,
        sleeper("web")
    );
    let mut daemon = Daemon::prepare(&config);
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_status("the service to run", |status| {
        status["targets"][0]["pid"].is_u64()
    });
    daemon
}

fn ends_of_pauses(daemon: &Daemon) -> Vec<Value> {
    daemon.events_of("host.resumed")
}

#[test]
fn a_pause_for_a_while_ends_by_itself_also_over_kill_minus_nine_and_status_says_when() {
    let mut daemon = start();
    let output = daemon.cli(&["pause", "web", "--for", "6s", "--reason", "new disks"]);
    assert!(output.status.success(), "{output:?}");
    let paused = daemon.json(&["status"])["targets"][0].clone();
    assert_eq!(paused["paused"], true);
    let until: Timestamp = time(&paused["paused_until"]);
    let told = daemon.wait_for_event("the pause", |event| event["kind"] == "host.paused");
    assert_eq!(told["data"]["reason"], "new disks");
    assert_eq!(told["data"]["length_ms"], 6_000);
    daemon.kill_child("web");
    daemon.kill();
    daemon.run();
    let still = daemon.json(&["status"])["targets"][0].clone();
    if still["paused"] == true {
        let drift = time(&still["paused_until"]).since(until);
        assert!(drift.as_secs() < 2, "{still}");
    }
    let resumed = wait_for("the end of the pause", || {
        let resumed = ends_of_pauses(&daemon);
        resumed.first().cloned().ok_or_else(|| "none".to_owned())
    });
    // The two clocks are not one.
    let ended = time(&resumed["at"]) + Duration::from_millis(100);
    assert!(ended >= until, "{resumed}");
    daemon.wait_for_status("the service to be back", |status| {
        let row = &status["targets"][0];
        row["pid"].is_u64() && row["paused"] == false && row["paused_until"].is_null()
    });
    let (status, answer) = daemon.post("/v1/resume", &serde_json::json!({ "for_ms": 5 }));
    assert_eq!(status, 400, "{answer}");
    for wrong in ["0s", "31d", "soon"] {
        assert!(!daemon.cli(&["pause", "--for", wrong]).status.success());
    }
}
