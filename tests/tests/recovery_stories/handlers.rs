//! What a handler answers, and what becomes of the operation then.

use super::{RESTART, decide, route, shown, start, wait_for_incident, wait_for_rest, wait_until};
use mainstay_tests::{Daemon, guest, plugin, sleeper};
use serde_json::{Value, json};

/// A handler that needs a person for its first attempt, and restarts in the second.
fn needs_a_person() -> Daemon {
    let lines = "relapse_window = \"0s\"\nstrategy = { kind = \"immediate\", max_attempts = 1 }\n\
         chain = [{ handler = \"probe\", params = { do = \"needs-operator\", until = 2 } }]";
    start(&[&sleeper("job"), &route(lines)], &[guest("probe", &[])])
}

fn killed_and_asked(daemon: &Daemon) -> Value {
    daemon.kill_child("job");
    let asking = daemon.wait_for_operation("job", "awaiting-manual");
    let operation = shown(daemon, &asking["id"]);
    assert_eq!(operation["steps"], json!(["look", "act"]), "{operation}");
    operation
}

#[test]
fn what_needs_a_person_waits_with_its_steps_and_runs_again_when_it_is_approved() {
    let daemon = needs_a_person();
    let operation = killed_and_asked(&daemon);
    let (id, revision) = (&operation["id"], operation["revision"].as_u64().unwrap());
    assert!(!daemon.pids().contains_key("job"), "it waits for a person");

    let (status, answer) = decide(&daemon, "approve", id, Some(revision - 1));
    assert_eq!(
        status, 409,
        "what has moved on is not decided about: {answer}"
    );
    let why = answer["error"].as_str().unwrap();
    assert!(why.contains(&format!("revision {}", revision - 1)), "{why}");
    assert_eq!(shown(&daemon, id)["state"], "awaiting-manual");

    let (status, answer) = decide(&daemon, "approve", id, Some(revision));
    assert_eq!((status, &answer["id"]), (202, id), "{answer}");
    let (status, answer) = decide(&daemon, "approve", id, None);
    assert_eq!(status, 409, "it is approved already: {answer}");
    let succeeded = wait_until(&daemon, id, "succeeded");
    assert_eq!(succeeded["attempts"], 2);
    assert!(daemon.pids().contains_key("job"));
    assert_eq!(daemon.events_of("operation.approved").len(), 1);
    let (status, answer) = decide(&daemon, "approve", id, None);
    assert_eq!(status, 409, "it is over: {answer}");
}

#[test]
fn what_needs_a_person_and_is_rejected_is_escalated() {
    let daemon = needs_a_person();
    let operation = killed_and_asked(&daemon);
    let id = &operation["id"];
    let (status, answer) = decide(&daemon, "reject", id, operation["revision"].as_u64());
    assert_eq!((status, &answer["id"]), (202, id), "{answer}");
    assert_eq!(answer["state"], "cancelled");
    let incident = wait_for_incident(&daemon, "the escalation", |one| one["escalated"] == true);
    assert_eq!(
        (&incident["state"], &incident["by_hand"]),
        (&"escalated".into(), &true.into())
    );
    let escalated = daemon.wait_for_event("the escalation", |event| {
        event["kind"] == "operation.escalated"
    });
    assert_eq!(escalated["operation"], *id);
    let (status, answer) = decide(&daemon, "reject", id, None);
    assert_eq!(status, 409, "it is rejected already: {answer}");
}

#[test]
fn what_has_moved_on_is_not_cancelled_and_a_repeat_is_a_conflict() {
    let daemon = needs_a_person();
    let operation = killed_and_asked(&daemon);
    let (id, revision) = (&operation["id"], operation["revision"].as_u64().unwrap());
    for other in [revision - 1, revision + 1] {
        let (status, answer) = decide(&daemon, "cancel", id, Some(other));
        assert_eq!(status, 409, "revision {other}: {answer}");
    }
    assert_eq!(shown(&daemon, id)["state"], "awaiting-manual");
    assert!(daemon.events_of("operation.cancelled").is_empty());

    let (status, answer) = decide(&daemon, "cancel", id, Some(revision));
    assert_eq!((status, &answer["id"]), (202, id), "{answer}");
    daemon.wait_for_event("the event that follows", |event| {
        event["kind"] == "operation.cancelled" && event["operation"] == *id
    });
    for again in [None, Some(revision)] {
        let (status, answer) = decide(&daemon, "cancel", id, again);
        assert_eq!(status, 409, "it is cancelled already: {answer}");
    }
    assert_eq!(daemon.events_of("operation.cancelled").len(), 1);
    assert_eq!(shown(&daemon, id)["attempts"], 1);
}

#[test]
fn a_chain_goes_on_after_a_step_that_no_attempt_will_help() {
    let lines = "strategy = { kind = \"immediate\", max_attempts = 1 }\n\
         chain = [{ handler = \"probe\", params = { do = \"permanent\" } }, { handler = \"restart-service\" }]";
    let plugins = [guest("probe", &[]), plugin("restart-service")];
    let daemon = start(&[&sleeper("job"), &route(lines)], &plugins);
    daemon.kill_child("job");
    let operation = &daemon.wait_for_successes("job", 1)[0];
    assert_eq!(operation["handler"], "restart-service", "{operation}");
    assert_eq!(operation["attempts"], 1);
    assert_eq!(operation["error"], Value::Null);
}

#[test]
fn a_step_that_no_attempt_will_help_is_not_tried_again() {
    let lines = "strategy = { kind = \"immediate\", max_attempts = 5 }\ncooldown = \"1h\"\n\
         chain = [{ handler = \"probe\", params = { do = \"permanent\" } }]";
    let daemon = start(&[&sleeper("job"), &route(lines)], &[guest("probe", &[])]);
    daemon.kill_child("job");
    wait_for_rest(&daemon, "job");
    let history = daemon.json(&["history", "--state", "failed"]);
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
    assert_eq!(history[0]["attempts"], 1, "{history}");
}

/// It would wait an hour for its second attempt, and an hour for its second round.
#[test]
fn a_missing_handler_fails_at_once_and_its_return_ends_the_pause() {
    let lines = format!(
        "strategy = {{ kind = \"linear\", initial_delay = \"1h\", max_delay = \"1h\" }}\ncooldown = \"1h\"\n{RESTART}"
    );
    let daemon = start(&[&sleeper("job"), &route(&lines)], &[]);
    daemon.kill_child("job");
    let resting = wait_for_rest(&daemon, "job");
    let history = daemon.json(&["history", "--target", "job"]);
    let failed = &history[1];
    assert_eq!(
        (&failed["state"], &failed["attempts"]),
        (&"failed".into(), &1.into())
    );
    let why = failed["error"].as_str().unwrap();
    assert!(why.contains("restart-service"), "{why}");
    wait_for_incident(&daemon, "the escalation", |one| one["escalated"] == true);

    daemon.drop_plugin(&plugin("restart-service"));
    let recovered = wait_until(&daemon, &resting["id"], "succeeded");
    assert_eq!(recovered["mode"], "automatic");
    assert!(daemon.pids().contains_key("job"));
}
