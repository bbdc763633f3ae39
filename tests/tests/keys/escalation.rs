//! Escalation: `[escalation]` and `[[runbook]]`.

use mainstay_tests::{Daemon, HOST, Receiver, plugin, sleeper, user_name, wait_for};
use serde_json::Value;
use std::fs;

/// Healthy while a file of its name is there.
fn check_of(name: &str) -> String {
    format!(
        "\n[[target.check]]\nkind = \"exec\"\nrun = [\"test\", \"-e\", \"{name}.ok\"]\nevery = \"100ms\"\n\
         fail_after = 1\nrecover_after = 1\nfailure = \"{name}-down\"\n"
    )
}

fn by_file(name: &str) -> String {
    format!("\n[[target]]\nname = \"{name}\"\n{}", check_of(name))
}

/// All is healthy.
fn start(config: &str, names: &[&str], plugins: &[&str]) -> Daemon {
    let mut daemon = Daemon::prepare(config);
    for name in names {
        fs::write(daemon.path(&format!("{name}.ok")), "").unwrap();
    }
    for name in plugins {
        daemon.drop_plugin(&plugin(name));
    }
    daemon.run();
    daemon.wait_for_plugins(plugins.len());
    daemon.wait_until_all_are_healthy();
    daemon
}

/// Acts: `escalation.after`, `runbook.failure`, `runbook.steps`
#[test]
fn what_lasts_is_told_with_the_runbook_of_its_failure_in_the_alert_and_with_the_operation() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let more = format!(
        r#"
[[route]]
strategy = {{ kind = "manual" }}
chain = [{{ handler = "restart-service" }}]

[escalation]
after = "1s"

[[runbook]]
failure = "web-down"
steps = ["look at the disk", "call the owner"]

[[alert]]
alerter = "webhook"

[plugin.webhook]
grants = {{ http = ["{url}"] }}
settings = {{ url = "{url}/alerts" }}
"#
    );
    let config = [HOST, &by_file("web"), &more].concat();
    let daemon = start(&config, &["web"], &["restart-service", "webhook"]);
    daemon.remove_ok("web");
    let told = daemon.wait_for_event_of("incident.overdue", "web");
    let steps = serde_json::json!(["look at the disk", "call the owner"]);
    assert_eq!(told["data"]["runbook"], steps, "{told}");
    assert!(told["data"]["open_ms"].as_u64().unwrap() >= 1_000, "{told}");
    let id = told["operation"].as_str().unwrap();
    let shown = daemon.json(&["operation", "show", id]);
    assert_eq!(shown["runbook"], steps, "{shown}");
    let output = daemon.cli(&["operation", "show", id]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains("look at the disk"), "{words}");
    wait_for("the alert with the runbook", || {
        let received = receiver.received();
        let texts: Vec<String> = received.iter().map(|one| one.json().to_string()).collect();
        let has_it = |text: &String| {
            text.contains("incident.overdue") && text.contains("Runbook, step 2: call the owner")
        };
        match texts.iter().any(has_it) {
            true => Ok(()),
            false => Err(texts.join("\n")),
        }
    });
}

/// Acts: `escalation.second_level_after`
#[test]
fn what_nobody_takes_on_is_told_once_more_and_what_somebody_takes_on_is_not() {
    let config = [
        HOST,
        &by_file("api"),
        &by_file("web"),
        "\n[escalation]\nsecond_level_after = \"5s\"\n",
    ]
    .concat();
    let daemon = start(&config, &["api", "web"], &[]);
    daemon.remove_ok("api");
    // No route fits it.
    let escalated = daemon.wait_for_event_of("operation.escalated", "api");
    let id = escalated["data"]["incident"].as_str().unwrap();
    let arguments = ["ack", id, "--by", "anna", "--reason", "I look at it"];
    let taken = daemon.json(&arguments);
    let by = &taken["escalation"]["acknowledged"];
    assert_eq!(by["by"], user_name(), "{taken}");
    assert_eq!(by["note"], "anna", "{taken}");
    let told = daemon.wait_for_event_of("incident.acknowledged", "api");
    assert_eq!(told["data"]["reason"], "I look at it", "{told}");
    let again = daemon.cli(&["ack", id]);
    let stderr = String::from_utf8(again.stderr).unwrap();
    assert!(
        !again.status.success() && stderr.contains("was taken on by"),
        "{stderr}"
    );
    let output = daemon.cli(&["incident", "show", id]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains("taken on"), "{words}");

    daemon.remove_ok("web");
    let told = daemon.wait_for_event_of("incident.unacknowledged", "web");
    assert!(told["data"]["told_ms"].as_u64().unwrap() >= 5_000, "{told}");
    // That of api was due before that of web.
    let events = daemon.events();
    let of_api =
        |event: &&Value| event["kind"] == "incident.unacknowledged" && event["target"] == "api";
    assert_eq!(events.iter().find(of_api), None);
    // Who took it on is in the audit log.
    let rows = daemon.json(&["audit", "--target", "api"]);
    let mut rows = rows.as_array().unwrap().iter();
    let row = rows
        .find(|row| row["kind"] == "incident.acknowledged")
        .unwrap();
    assert_eq!(row["actor"], user_name(), "{row}");
    assert_eq!(row["incident"], id, "{row}");
}

/// Acts: `escalation.attempts`
#[test]
fn after_so_many_attempts_people_are_told_while_others_follow() {
    let config = [
        HOST,
        &sleeper("web"),
        "validation_timeout = \"500ms\"\n",
        &check_of("web"),
        r#"
[[route]]
strategy = { kind = "exponential", max_attempts = 3, initial_delay = "10ms", max_delay = "10ms" }
chain = [{ handler = "restart-service" }]

[escalation]
after = "0s"
attempts = 2

[plugin.restart-service]
grants = { target = ["restart"] }
"#,
    ]
    .concat();
    let daemon = start(&config, &["web"], &["restart-service"]);
    daemon.remove_ok("web");
    let told = daemon.wait_for_event_of("incident.overdue", "web");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("2 attempts to recover web"), "{told}");
    let escalated = daemon.wait_for_event_of("operation.escalated", "web");
    assert!(
        told["seq"].as_u64() < escalated["seq"].as_u64(),
        "{escalated}"
    );
}
