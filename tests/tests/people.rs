//! What people are told, and what they order for a while.

use mainstay_domain::time::Timestamp;
use mainstay_tests::{Daemon, HOST, Receiver, plugin, sleeper, time, wait_for};
use serde_json::Value;
use std::{fs, time::Duration};

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

/// A target that is healthy while a file with its name is there.
fn by_file(name: &str, more: &str) -> String {
    format!(
        "\n[[target]]\nname = \"{name}\"\n{more}\n[[target.check]]\nkind = \"exec\"\n\
         run = [\"test\", \"-e\", \"{name}.ok\"]\nevery = \"100ms\"\nfail_after = 1\nrecover_after = 1\n\
         failure = \"{name}-down\"\n"
    )
}

/// Everything about these targets goes to the receiver; all are healthy.
fn start_watching(receiver: &Receiver, targets: &[(&str, &str)]) -> Daemon {
    let url = &receiver.url;
    let targets_text: String = targets
        .iter()
        .map(|(name, more)| by_file(name, more))
        .collect();
    let config = format!(
        r#"{HOST}{targets_text}
[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    );
    let mut daemon = Daemon::prepare(&config);
    for (name, _) in targets {
        fs::write(daemon.path(&format!("{name}.ok")), "").unwrap();
    }
    daemon.drop_plugin(&plugin("webhook"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_until_all_are_healthy();
    daemon
}

fn is_well(daemon: &Daemon, name: &str) {
    fs::write(daemon.path(&format!("{name}.ok")), "").unwrap();
}

fn wait_for_kind(daemon: &Daemon, kind: &str, target: &str) -> Value {
    daemon.wait_for_event(&format!("{kind} of {target}"), |event| {
        event["kind"] == kind && event["target"] == target
    })
}

/// How many alerts about a target came in.
fn told_of(receiver: &Receiver, target: &str) -> usize {
    let received = receiver.received();
    let about = received.iter().filter(|one| one.json()["target"] == target);
    about.count()
}

#[test]
fn alerts_of_dependents_wait_for_what_they_depend_on_and_are_sent_only_where_it_still_fails() {
    let receiver = Receiver::start();
    let targets = [
        ("redis", ""),
        // Not directly, either.
        ("cache", "depends_on = [\"redis\"]"),
        ("app", "depends_on = [\"cache\"]"),
        ("web", "depends_on = [\"redis\"]"),
        ("alone", ""),
    ];
    let mut daemon = start_watching(&receiver, &targets);
    daemon.remove_ok("redis");
    receiver.wait_for("that redis is failing", |one| {
        one.json()["target"] == "redis"
    });
    for name in ["app", "web"] {
        daemon.remove_ok(name);
        let held = wait_for_kind(&daemon, "alert.held", name);
        assert_eq!(held["data"]["why"], "redis is failing");
    }
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.remove_ok("alone");
    receiver.wait_for("what depends on nothing", |one| {
        one.json()["target"] == "alone"
    });
    is_well(&daemon, "web");
    wait_for_kind(&daemon, "alert.lapsed", "web");
    assert_eq!(
        (told_of(&receiver, "app"), told_of(&receiver, "web")),
        (0, 0)
    );
    is_well(&daemon, "redis");
    let sent = receiver.wait_for("what still fails", |one| one.json()["target"] == "app");
    assert_eq!(sent.json()["status"], "firing");
    let over = wait_for_kind(&daemon, "incident.closed", "redis");
    let delivered = wait_for_kind(&daemon, "alert.delivered", "app");
    assert!(
        delivered["seq"].as_u64() > over["seq"].as_u64(),
        "{delivered} {over}"
    );
    assert_eq!(told_of(&receiver, "web"), 0);
    is_well(&daemon, "app");
    receiver.wait_for("that it is over", |one| {
        one.json()["target"] == "app" && one.json()["status"] == "resolved"
    });
}

#[test]
fn what_is_silenced_is_recorded_and_what_still_fires_at_the_end_is_delivered_then() {
    let receiver = Receiver::start();
    let mut daemon = start_watching(&receiver, &[("web", ""), ("db", ""), ("other", "")]);
    let silence = |daemon: &Daemon, of: &[&str], length: &str| {
        let rest = ["--for", length, "--reason", "new disks"];
        let arguments = [&["silence"][..], of, &rest].concat();
        daemon.json(&arguments)
    };
    let long = silence(&daemon, &["web"], "2h");
    let host = daemon.json(&["status"])["host"]["name"].clone();
    let key = format!("{}/incident/db/db-down", host.as_str().unwrap());
    let by_key = silence(&daemon, &["--alert", &key], "2h");
    let short = silence(&daemon, &["other"], "15s");
    let began = wait_for_kind(&daemon, "silence.began", "other");
    assert_eq!(began["data"]["silence"], short["id"]);
    assert_eq!(long["target"], "web");
    assert_eq!(by_key["alert"], key.as_str());
    // First the one whose silence is short.
    for name in ["other", "web", "db"] {
        daemon.remove_ok(name);
        let held = wait_for_kind(&daemon, "alert.held", name);
        let why = held["data"]["why"].as_str().unwrap();
        assert!(
            why.starts_with("silenced by ") && why.ends_with(": new disks"),
            "{held}"
        );
    }
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
    let held = daemon.json(&["silences"]);
    let status = daemon.json(&["status"]);
    let mut silences = status["silences"].as_array().unwrap().iter();
    assert!(silences.any(|one| one["id"] == long["id"]), "{status}");
    let shown = daemon.cli(&["status"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("silence of web by "), "{shown}");
    let held: Vec<&Value> = held
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert!(
        held.contains(&&long["id"]) && held.contains(&&by_key["id"]),
        "{held:?}"
    );
    // It ends by itself.
    let late = receiver.wait_for("what still fires", |one| one.json()["target"] == "other");
    assert_eq!(late.json()["status"], "firing");
    let over = wait_for_kind(&daemon, "silence.ended", "other");
    assert_eq!(over["data"]["silence"], short["id"]);
    assert_eq!(over["data"]["by"], Value::Null);
    // It is over before it was told.
    is_well(&daemon, "web");
    wait_for_kind(&daemon, "alert.lapsed", "web");
    // It is ended by hand.
    let id = by_key["id"].as_str().unwrap();
    assert!(daemon.cli(&["unsilence", id]).status.success());
    receiver.wait_for("what is silenced no more", |one| {
        one.json()["target"] == "db"
    });
    assert_eq!(told_of(&receiver, "web"), 0);
    assert!(!daemon.cli(&["unsilence", id]).status.success());
    for wrong in [
        &["silence", "nobody", "--for", "1h", "--reason", "x"][..],
        &["silence", "web", "--for", "1h"],
        &["silence", "--for", "1h", "--reason", "x"],
        &[
            "silence", "web", "--alert", "x", "--for", "1h", "--reason", "x",
        ],
        &["silence", "web", "--for", "31d", "--reason", "x"],
    ] {
        assert!(!daemon.cli(wrong).status.success(), "{wrong:?}");
    }
}
