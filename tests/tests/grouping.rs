//! Alerts that are told together, through the whole program.

use mainstay_tests::{Daemon, HOST, Receiver, plugin, wait_for};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// Targets of which nothing is known.
fn targets(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| {
            format!(
                "\n[[target]]\nname = \"{name}\"\n[[target.check]]\nkind = \"heartbeat\"\n\
                 every = \"12h\"\nfailure = \"silent\"\n"
            )
        })
        .collect()
}

/// These targets; a pause of each is an alert, told together as these lines say.
fn config(receiver: &Receiver, names: &[&str], lines: &str) -> String {
    let url = &receiver.url;
    format!(
        r#"{HOST}{}
[[alert]]
alerter = "webhook"
events = ["host.paused", "host.resumed"]
{lines}

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#,
        targets(names)
    )
}

fn start(receiver: &Receiver, names: &[&str], lines: &str) -> Daemon {
    let mut daemon = Daemon::prepare(&config(receiver, names, lines));
    daemon.drop_plugin(&plugin("webhook"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon
}

fn again(daemon: &mut Daemon) {
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
}

fn pause(daemon: &Daemon, target: &str) {
    let (status, answer) = daemon.post("/v1/pause", &json!({ "target": target }));
    assert_eq!(status, 204, "{answer}");
}

fn resume(daemon: &Daemon, target: &str) {
    let (status, answer) = daemon.post("/v1/resume", &json!({ "target": target }));
    assert_eq!(status, 204, "{answer}");
}

/// The different alerts that came in, in order.
fn told(receiver: &Receiver) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let received = receiver.received().into_iter();
    let alerts = received.map(|one| one.json());
    alerts
        .filter(|alert| seen.insert(alert["id"].to_string()))
        .collect()
}

fn is(alert: &Value, status: &str, count: &str) -> bool {
    let has_count = count.is_empty() || alert["labels"]["alerts"] == count;
    alert["kind"] == "alert.group" && alert["status"] == status && has_count
}

/// Acts: `alert.group_wait`
#[test]
fn what_fires_together_is_one_alert_and_its_end_is_one_whenever_the_daemon_is_killed() {
    let receiver = Receiver::start();
    let mut daemon = start(&receiver, &["t0", "t1", "t2"], "group_wait = \"4s\"");
    for target in ["t0", "t1", "t2"] {
        pause(&daemon, target);
    }
    // Amid the wait.
    again(&mut daemon);
    let fired = receiver.wait_for("the group", |one| is(&one.json(), "firing", "3"));
    let body = fired.json()["body"].as_str().unwrap().to_owned();
    for target in ["t0", "t1", "t2"] {
        assert!(body.contains(&format!(": {target}: ")), "{body}");
    }
    // What it has told, and who is a part of it, is known to the next daemon.
    again(&mut daemon);
    for target in ["t0", "t1"] {
        resume(&daemon, target);
    }
    daemon.wait_for_event("the end of t1 to be the group's", |event| {
        let why = event["data"]["why"].as_str().unwrap_or_default();
        event["kind"] == "alert.grouped" && event["target"] == "t1" && why.contains("not over")
    });
    again(&mut daemon);
    resume(&daemon, "t2");
    let over = receiver.wait_for("the end", |one| is(&one.json(), "resolved", ""));
    assert_eq!(over.json()["dedup_key"], fired.json()["dedup_key"]);
    let told = told(&receiver);
    assert_eq!(told.len(), 2, "{told:#?}");
}

/// Acts: `alert.group_by`
#[test]
fn only_what_has_the_same_of_what_is_grouped_by_is_told_together_and_one_alone_as_itself() {
    let receiver = Receiver::start();
    let lines = "group_wait = \"1s\"\ngroup_by = [\"target\"]";
    let daemon = start(&receiver, &["t0", "t1"], lines);
    for target in ["t0", "t1"] {
        pause(&daemon, target);
    }
    for target in ["t0", "t1"] {
        let alone = receiver.wait_for("it alone", |one| one.json()["target"] == target);
        assert_eq!(alone.json()["kind"], "host.paused");
        resume(&daemon, target);
        receiver.wait_for("its end", |one| {
            one.json()["target"] == target && one.json()["status"] == "resolved"
        });
    }
    assert_eq!(told(&receiver).len(), 4);
}

#[test]
fn what_is_silenced_is_no_part_of_it_until_it_is_not_and_what_the_config_loses_is_over() {
    let receiver = Receiver::start();
    let lines = "group_wait = \"3s\"";
    let daemon = start(&receiver, &["t0", "t1", "t2", "t3"], lines);
    let silence = daemon.json(&["silence", "t3", "--for", "2h", "--reason", "new disks"]);
    for target in ["t3", "t0", "t1"] {
        pause(&daemon, target);
    }
    let fired = receiver.wait_for("the group", |one| is(&one.json(), "firing", "2"));
    let body = fired.json()["body"].as_str().unwrap().to_owned();
    assert!(!body.contains(": t3: "), "{body}");
    let id = silence["id"].as_str().unwrap();
    assert!(daemon.cli(&["unsilence", id]).status.success());
    let joined = receiver.wait_for("who joins", |one| is(&one.json(), "firing", "3"));
    assert_eq!(joined.json()["labels"]["update"], "true");
    assert_eq!(joined.json()["dedup_key"], fired.json()["dedup_key"]);
    resume(&daemon, "t0");
    let less = config(&receiver, &["t0", "t2"], lines);
    fs::write(daemon.path("mainstay.toml"), less).unwrap();
    daemon.hang_up();
    let over = receiver.wait_for("the end", |one| is(&one.json(), "resolved", ""));
    assert_eq!(over.json()["dedup_key"], fired.json()["dedup_key"]);
    wait_for("every delivery to be told of", || {
        let delivered = daemon.events_of("alert.delivered").len();
        let told = told(&receiver).len();
        match told {
            3 if delivered == told => Ok(()),
            _ => Err(format!("{delivered} of {told}")),
        }
    });
}
