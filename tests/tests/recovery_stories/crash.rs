//! `kill -9` of the daemon: the next one goes on where it stood.

use super::{
    GRANTS, RESTART, deaf, decide, route, shown, start, wait_for_incident, wait_for_rest,
    wait_until,
};
use mainstay_tests::{Daemon, Gate, guest, millis_between, plugin, sleeper, time};
use serde_json::Value;
use std::collections::BTreeSet;

/// A target whose handler counts, then waits at the gate, then restarts.
fn start_with(gate: &Gate) -> Daemon {
    let url = &gate.url;
    let route = format!(
        r#"
[[route]]
strategy = {{ kind = "immediate", max_attempts = 1 }}
chain = [
    {{ handler = "probe", params = {{ do = "count" }} }},
    {{ handler = "probe", params = {{ do = "http", name = "{url}/" }} }},
    {{ handler = "probe", params = {{ do = "restart" }} }},
]

[plugin.probe]
grants = {{ target = ["restart"], kv = "1KiB", http = ["{url}"] }}
"#
    );
    start(&[&sleeper("job"), &route], &[guest("probe", &[])])
}

#[test]
fn an_operation_that_is_cut_off_before_its_call_did_anything_goes_on_as_the_same_at_its_step() {
    let gate = Gate::start();
    let mut daemon = start_with(&gate);
    daemon.kill_child("job");
    let cut_off = gate.next("the call");
    let key = cut_off.header("idempotency-key").unwrap().to_owned();
    let before = daemon.json(&["history"])[0].clone();
    assert_eq!(before["state"], "in-progress", "{before}");
    daemon.kill();
    drop(cut_off);

    daemon.run();
    let again = gate.next("the call again");
    // It is the same effect of the same operation.
    assert_eq!(again.header("idempotency-key").unwrap(), key);
    again.answer();
    let ended = wait_until(&daemon, &before["id"], "succeeded");
    assert_eq!(ended["interruptions"], 0, "its call was answered: {ended}");
    assert_eq!(ended["attempts"], 1, "it is the same attempt: {ended}");
    assert_eq!(ended["started_at"], before["started_at"]);
    assert!(daemon.pids().contains_key("job"));
    let history = daemon.json(&["history"]);
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
    let resumed = daemon.events_of("operation.resumed");
    assert_eq!(resumed.len(), 1, "{resumed:?}");
    assert_eq!(resumed[0]["operation"], ended["id"]);
    assert_eq!(resumed[0]["data"]["interruptions"], 1);
    assert_eq!(daemon.events_of("incident.opened").len(), 1);

    let journal = ended["journal"].as_array().unwrap();
    let numbers: BTreeSet<String> = journal
        .iter()
        .map(|entry| format!("{} {}", entry["seq"], entry["kind"]))
        .collect();
    assert_eq!(numbers.len(), journal.len(), "a number twice: {journal:?}");
    let counted = journal
        .iter()
        .filter(|entry| entry["effect"] == "kv.compare-and-set" && entry["kind"] == "intent");
    assert_eq!(counted.count(), 1, "the first step is done: {journal:?}");
}

#[test]
fn an_operation_whose_calls_the_daemon_never_outlives_waits_for_a_person() {
    let gate = Gate::start();
    let mut daemon = start_with(&gate);
    daemon.kill_child("job");
    for _ in 0..3 {
        let cut_off = gate.next("the call");
        // On the disk: what is begun and asks nothing of it is there some milliseconds later.
        daemon.wait_for_operation("job", "in-progress");
        daemon.kill();
        drop(cut_off);
        daemon.run();
    }
    let asking = daemon.wait_for_operation("job", "awaiting-manual");
    assert_eq!(asking["interruptions"], 3, "{asking}");
    assert!(!asking["steps"].as_array().unwrap().is_empty(), "{asking}");
    let (status, answer) = decide(&daemon, "approve", &asking["id"], None);
    assert_eq!(status, 202, "{answer}");
    gate.next("the call that is approved").answer();
    wait_until(&daemon, &asking["id"], "succeeded");
    let history = daemon.json(&["history"]);
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
}

/// How long it rests after a round that did not help, milliseconds.
fn rest_of(operation: &Value) -> u64 {
    millis_between(&operation["tried"], &operation["due"])
}

#[test]
fn rounds_that_did_not_help_are_counted_on_by_the_next_daemon() {
    let lines = "strategy = { kind = \"immediate\", max_attempts = 1 }\ncooldown = \"10m\"\n\
         chain = [{ handler = \"probe\", params = { do = \"permanent\" } }]";
    let mut daemon = start(&[&deaf("job", ""), &route(lines)], &[guest("probe", &[])]);
    let rest = |daemon: &Daemon, rounds: u64| {
        let incident = wait_for_incident(daemon, "the rounds", |one| {
            one["failures_in_a_row"] == rounds
        });
        let mut resting = wait_for_rest(daemon, "job");
        resting["tried"] = incident["tried_at"].clone();
        (incident, resting)
    };
    let (_, first) = rest(&daemon, 1);
    assert_eq!(daemon.recover("job", "deaf")["state"], "failed");
    let (incident, second) = rest(&daemon, 2);
    assert_ne!(first["id"], second["id"]);
    assert!(rest_of(&second) > rest_of(&first), "{first} {second}");

    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
    let (after, resting) = rest(&daemon, 2);
    for field in [
        "id",
        "opened_at",
        "escalated",
        "failures_in_a_row",
        "tried_at",
        "openings",
    ] {
        assert_eq!(after[field], incident[field], "{field}");
    }
    for field in ["id", "state", "due", "detected_at"] {
        assert_eq!(resting[field], second[field], "{field}");
    }
    assert_eq!(daemon.recover("job", "deaf")["id"], second["id"]);
    let (_, third) = rest(&daemon, 3);
    assert!(rest_of(&third) > rest_of(&second), "{second} {third}");
}

#[test]
fn a_target_that_flaps_rests_on_under_the_next_daemon() {
    let lines = |target: &str, delay: &str| {
        format!(
            "\n[[route]]\ntarget = \"{target}\"\nrelapse_window = \"0s\"\n\
             strategy = {{ kind = \"exponential\", initial_delay = \"{delay}\", max_delay = \"{delay}\" }}\n{RESTART}\n"
        )
    };
    let config = [
        sleeper("job"),
        sleeper("other"),
        lines("job", "1h"),
        lines("other", "1ms"),
        GRANTS.to_owned(),
    ];
    let mut daemon = start(&[&config.concat()], &[plugin("restart-service")]);
    for count in 1..=5 {
        daemon.kill_child("job");
        daemon.wait_for_successes("job", count);
    }
    daemon.kill_child("job");
    let resting = wait_for_rest(&daemon, "job");
    assert!(time(&resting["due"]) > time(&resting["detected_at"]));
    assert_eq!(daemon.events_of("circuit.flapping").len(), 1);

    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
    // A whole recovery, after which this one would have been made too.
    daemon.kill_child("other");
    daemon.wait_for_successes("other", 1);
    let now = shown(&daemon, &resting["id"]);
    for field in ["state", "due", "attempts"] {
        assert_eq!(now[field], resting[field], "{field} of {now}");
    }
    assert!(!daemon.pids().contains_key("job"));
    assert_eq!(
        daemon.events_of("circuit.flapping").len(),
        1,
        "it is told once"
    );
}
