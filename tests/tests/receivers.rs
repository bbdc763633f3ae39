//! The alerters that speak to a service of somebody else, against a receiver that answers as that service does.

use mainstay_tests::{Daemon, HOST, Received, Receiver, plugin, sleeper};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt};

const SECRET: &str = "s3cr3tZq7OfTheReceiver";

/// A supervised service that is restarted, and an alerter that has a secret.
fn start(alerter: &str, settings: &str, receiver: &Receiver) -> Daemon {
    let url = &receiver.url;
    let rest = format!(
        r#"
[secrets]
token = {{ file = "token" }}

[[route]]
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[[alert]]
alerter = "{alerter}"
min_severity = "high"

[plugin.{alerter}]
grants = {{ http = ["{url}"] }}
settings = {{ {settings} }}
"#
    );
    let mut daemon = Daemon::prepare(&[HOST, &sleeper("job"), &rest].concat());
    let token = daemon.path("token");
    fs::write(&token, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.drop_plugin(&plugin(alerter));
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon
}

fn slack(receiver: &Receiver) -> Daemon {
    let url = &receiver.url;
    let settings = format!("url = \"{url}/services/T0/B0/${{secret:token}}\"");
    start("slack", &settings, receiver)
}

/// The attachment of a message to Slack, where it begins with this mark.
fn marked(one: &Received, mark: &str) -> Option<Value> {
    let attachment = one.json()["attachments"][0].clone();
    let is_it = attachment["title"].as_str()?.starts_with(mark);
    is_it.then_some(attachment)
}

/// The values of what has this mark, one for each request.
fn all_marked(receiver: &Receiver, mark: &str) -> Vec<Value> {
    let received = receiver.received();
    received
        .iter()
        .filter_map(|one| marked(one, mark))
        .collect()
}

fn said(event: &Value) -> &str {
    event["message"].as_str().unwrap()
}

fn must_not_tell_the_secret(daemon: &Daemon) {
    let told = format!("{:?}{}", daemon.events(), daemon.log());
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn a_failure_and_its_end_are_a_message_each_in_slack_whose_address_is_a_secret() {
    let receiver = Receiver::start();
    receiver.answer_with("200 OK", "", "ok");
    let daemon = slack(&receiver);
    daemon.kill_child("job");
    let fired = receiver.wait_for("the page", |one| marked(one, "🚨").is_some());
    assert_eq!(fired.line, format!("POST /services/T0/B0/{SECRET}"));
    assert_eq!(fired.header("content-type"), "application/json");
    let page = marked(&fired, "🚨").unwrap();
    assert_eq!(page["color"], "#FF0000", "{page}");
    assert_eq!(page["footer"], "Mainstay");
    assert!(page["ts"].as_u64().unwrap() > 1_700_000_000, "{page}");
    let fields = page["fields"].as_array().unwrap();
    let value_of = |title: &str| {
        let mut fields = fields.iter();
        fields
            .find(|field| field["title"] == title)
            .map(|field| field["value"].clone())
    };
    assert_eq!(value_of("Severity"), Some("HIGH".into()));
    assert_eq!(value_of("Target"), Some("job".into()));
    assert_eq!(value_of("Failure"), Some("service-down".into()));
    let over = receiver.wait_for("its end", |one| marked(one, "✅").is_some());
    assert_eq!(marked(&over, "✅").unwrap()["color"], "#008000");
    assert_eq!(
        all_marked(&receiver, "🚨").len(),
        1,
        "one page of one incident"
    );
    must_not_tell_the_secret(&daemon);
}

#[test]
fn slack_that_is_asked_too_often_gets_the_same_message_again() {
    let receiver = Receiver::start();
    receiver.answer_with(
        "429 Too Many Requests",
        "retry-after: 1\r\n",
        "rate_limited",
    );
    let daemon = slack(&receiver);
    daemon.kill_child("job");
    let delayed = daemon.wait_for_event("the delay", |event| event["kind"] == "alert.delayed");
    assert!(
        said(&delayed).contains("Slack answered 429: rate_limited"),
        "{delayed}"
    );
    receiver.answer_with("200 OK", "", "ok");
    daemon.wait_for_event("the delivery", |event| event["kind"] == "alert.delivered");
    let pages = all_marked(&receiver, "🚨");
    assert!(pages.len() >= 2, "{pages:?}");
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
}

#[test]
fn a_webhook_that_slack_does_not_know_is_told_with_what_to_do() {
    let receiver = Receiver::start();
    receiver.answer_with("404 Not Found", "", "no_service");
    let daemon = slack(&receiver);
    daemon.kill_child("job");
    let ended = daemon.wait_for_event("the refusal", |event| event["kind"] == "alert.abandoned");
    let told = said(&ended);
    assert!(
        told.contains("no_service") && told.contains("make a new one"),
        "{told}"
    );
    must_not_tell_the_secret(&daemon);
}
