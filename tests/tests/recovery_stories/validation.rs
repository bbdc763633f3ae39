//! After the handler: the checks decide, and nothing else does.

use super::{
    RESTART, alerts, alerts_of, deaf, route, shown, start, wait_for_incident, wait_for_rest,
};
use mainstay_tests::{Receiver, guest, plugin, wait_for};
use serde_json::Value;
use std::fs;

/// Its check never passes, and an hour would be waited for that.
#[test]
fn an_exit_during_validation_ends_the_attempt_at_once() {
    let target = deaf(
        "job",
        "run = [\"sh\", \"-c\", \"sleep 0.05; exit 1\"]\nvalidation_timeout = \"1h\"\nexit_failure = \"deaf\"",
    );
    let lines = format!(
        "strategy = {{ kind = \"immediate\", max_attempts = 2 }}\ncooldown = \"1h\"\n{RESTART}"
    );
    let daemon = start(&[&target, &route(&lines)], &[plugin("restart-service")]);
    wait_for_incident(&daemon, "the escalation", |one| one["escalated"] == true);
    let ended = wait_for("the end of the operation", || {
        let history = daemon.json(&["history", "--target", "job"]);
        let mut all = history.as_array().unwrap().iter();
        let ended = all.find(|one| one["state"] == "partial" || one["state"] == "failed");
        ended.cloned().ok_or_else(|| history.to_string())
    });
    assert_eq!(ended["attempts"], 2, "{ended}");
    let why = ended["error"].as_str().unwrap();
    assert!(why.contains("ended after the handler was done"), "{why}");
}

#[test]
fn what_is_done_while_the_checks_still_fail_is_no_success_and_resolves_nothing() {
    let receiver = Receiver::start();
    let target = deaf("job", "validation_timeout = \"100ms\"");
    let lines = "strategy = { kind = \"immediate\", max_attempts = 1 }\ncooldown = \"1h\"\n\
         chain = [{ handler = \"probe\" }]";
    let plugins = [guest("probe", &[]), plugin("webhook")];
    let daemon = start(&[&target, &route(lines), &alerts(&receiver)], &plugins);
    // By itself, then by hand.
    wait_for_rest(&daemon, "job");
    let output = daemon.cli(&["recover", "job", "--failure", "deaf", "--wait", "--json"]);
    let operation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{operation}");
    assert_eq!(operation["state"], "partial");
    assert_eq!(
        operation["actions"][0], "probe 1.0.0",
        "the handler was done"
    );
    let detail = shown(&daemon, &operation["id"]);
    let said = &detail["validation_results"][0];
    assert_eq!(said["check"], "tcp", "{operation}");
    assert_eq!(said["outcome"], "failed", "{operation}");
    assert!(said["at"].is_string(), "{operation}");
    let by_itself = daemon.json(&["history", "--state", "partial"])[1].clone();
    assert_eq!(by_itself["mode"], "automatic", "{by_itself}");

    // Each is queued together with what it is about, so none is still to come.
    wait_for("all alerts", || {
        let [delivered, queued] =
            ["alert.delivered", "alert.queued"].map(|kind| daemon.events_of(kind).len());
        match queued == delivered {
            true => Ok(()),
            false => Err(format!("{delivered} of {queued}")),
        }
    });
    assert_eq!(alerts_of(&receiver, "incident.opened"), 1);
    assert_eq!(alerts_of(&receiver, "operation.escalated"), 1);
    // The escalation says it; an incident pages once.
    assert_eq!(alerts_of(&receiver, "operation.partial"), 0);
    let alerts: Vec<Value> = receiver.received().iter().map(|one| one.json()).collect();
    assert!(
        alerts.iter().all(|one| one["status"] == "firing"),
        "{alerts:?}"
    );
    assert_eq!(daemon.json(&["incidents", "--open"])[0]["target"], "job");
}

#[test]
fn a_failure_that_is_called_otherwise_by_another_config_is_not_said_to_be_healthy() {
    let receiver = Receiver::start();
    let plugins = [plugin("webhook")];
    let daemon = start(&[&deaf("job", ""), &alerts(&receiver)], &plugins);
    wait_for_incident(&daemon, "the incident", |one| one["failure"] == "deaf");
    receiver.wait_for("its alert", |one| one.json()["kind"] == "incident.opened");
    let path = daemon.path("mainstay.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        config.replace("failure = \"deaf\"", "failure = \"mute\""),
    )
    .unwrap();
    daemon.hang_up();
    let closed = daemon.wait_for_event("the end of what it was called", |event| {
        event["kind"] == "incident.closed"
    });
    assert_eq!(closed["data"]["how"], "unseen", "{closed}");
    daemon.wait_for_event("what it is called now", |event| {
        event["kind"] == "incident.opened" && event["data"]["failure"] == "mute"
    });
    receiver.wait_for("the end of the first", |one| {
        one.json()["kind"] == "incident.closed"
    });
    let received = receiver.received();
    let ends = received
        .iter()
        .map(|one| one.json())
        .filter(|alert| alert["status"] == "resolved");
    for alert in ends {
        let text = alert.to_string();
        assert!(
            !text.contains("healthy") && !text.contains("passes"),
            "it fails still: {text}"
        );
    }
    let events = daemon.events_of("circuit.closed");
    let said: Vec<String> = events.iter().map(Value::to_string).collect();
    assert!(!said.concat().contains("every check passes"), "{said:?}");
}
