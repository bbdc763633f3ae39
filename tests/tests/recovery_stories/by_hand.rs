//! What people stop, and how it goes on.

use super::{
    GRANTS, RESTART, decide, prepare, route, route_of, shown, start, wait_for_row, wait_until,
};
use mainstay_tests::{Daemon, guest, plugin, sleeper, user_name, wait_for};
use serde_json::Value;

/// A handler that is called for as long as a test needs, and then has restarted nothing.
fn sleeps(length: &str) -> String {
    let chain = format!(
        "chain = [{{ handler = \"probe\", params = {{ do = \"sleep\", length = \"{length}\" }} }}]"
    );
    route(&format!(
        "relapse_window = \"0s\"\nstrategy = {{ kind = \"immediate\", max_attempts = 1 }}\n{chain}"
    ))
}

fn waits_of(row: &Value) -> String {
    row["waits"].as_str().unwrap_or_default().to_owned()
}

/// Its child is killed, and the operation that comes of it waits for a person.
fn killed_and_asked(daemon: &Daemon) -> Value {
    daemon.kill_child("job");
    daemon.wait_for_operation("job", "awaiting-manual")
}

const ASKS: &str = "relapse_window = \"0s\"\nstrategy = { kind = \"manual\" }";

#[test]
fn a_cancel_of_what_is_called_is_an_event_and_on_record_and_a_repeat_says_where_it_stands() {
    let daemon = start(&[&sleeper("job"), &sleeps("3s")], &[guest("probe", &[])]);
    daemon.kill_child("job");
    let running = daemon.wait_for_operation("job", "in-progress");
    let id = &running["id"];
    let (status, taken) = decide(&daemon, "cancel", id, None);
    assert_eq!((status, &taken["id"]), (202, id), "{taken}");
    assert_eq!(taken["state"], "in-progress", "its call is not torn off");
    let asked = &daemon.events_of("operation.cancelling")[0];
    assert_eq!(asked["operation"], *id);
    assert_eq!(asked["data"]["by"], user_name());
    assert_eq!(asked["data"]["reason"], "as the story goes");
    assert_eq!(asked["data"]["revision"], taken["revision"]);

    for revision in [
        None,
        taken["revision"].as_u64(),
        running["revision"].as_u64(),
    ] {
        let (status, repeated) = decide(&daemon, "cancel", id, revision);
        assert_eq!(status, 409, "{repeated}");
        let stands = repeated["help"].as_str().unwrap();
        assert!(stands.contains("is in-progress, at revision"), "{repeated}");
    }
    let (status, refused) = decide(&daemon, "approve", id, None);
    assert_eq!(status, 409, "{refused}");

    let ended = wait_until(&daemon, id, "cancelled");
    let by = format!(
        "cancelled by {} (who says: anna): as the story goes",
        user_name()
    );
    assert_eq!(ended["cancel_asked"], by.as_str(), "{ended}");
    let (status, refused) = decide(&daemon, "cancel", id, None);
    assert_eq!(status, 409);
    let stands = refused["help"].as_str().unwrap();
    assert!(stands.contains("is cancelled"), "{refused}");
}

#[test]
fn what_recovers_in_the_call_in_which_it_was_cancelled_says_so() {
    let lines = "relapse_window = \"0s\"\nchain = [{ handler = \"probe\", params = { do = \"sleep\", length = \"2s\" } }, \
         { handler = \"restart-service\", when = \"always\" }]";
    let daemon = start(
        &[&sleeper("job"), &route(lines)],
        &[guest("probe", &[]), plugin("restart-service")],
    );
    daemon.kill_child("job");
    let running = daemon.wait_for_operation("job", "in-progress");
    assert_eq!(decide(&daemon, "cancel", &running["id"], None).0, 202);
    let ended = wait_until(&daemon, &running["id"], "succeeded");
    let asked = ended["cancel_asked"].as_str().unwrap();
    assert!(asked.starts_with("cancelled by "), "{ended}");
    let told = daemon.wait_for_event("its end", |event| event["kind"] == "operation.succeeded");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("it was to be cancelled by "), "{message}");
}

#[test]
fn a_decision_goes_by_the_revision_of_its_if_match() {
    let lines = format!("{ASKS}\n{RESTART}");
    let daemon = start(
        &[&sleeper("job"), &route(&lines)],
        &[plugin("restart-service")],
    );
    let asking = killed_and_asked(&daemon);
    let (id, now) = (asking["id"].as_str().unwrap(), &asking["revision"]);
    let path = format!("/v1/operations/{id}/approve");
    let body = serde_json::json!({ "by": "anna" });
    for (revision, expected) in [
        (format!("\"{}\"", now.as_u64().unwrap() + 1), 409),
        ("odd".to_owned(), 400),
        (format!("\"{now}\""), 202),
        (format!("\"{now}\""), 409),
    ] {
        let (status, answer) = daemon.post_with(&path, &body, &[("if-match", &revision)]);
        assert_eq!(status, expected, "{revision}: {answer}");
    }
    wait_until(&daemon, &asking["id"], "succeeded");
}

#[test]
fn what_a_person_stopped_says_so_over_restarts_and_resume_takes_it_up() {
    let lines = format!("{ASKS}\n{RESTART}");
    let mut daemon = prepare(
        &[&sleeper("job"), &route(&lines)],
        &[plugin("restart-service")],
    );
    daemon.run();
    daemon.wait_for_plugins(1);
    let asking = killed_and_asked(&daemon);
    let id = asking["id"].as_str().unwrap();
    let row = wait_for_row(&daemon, "job", "whom it waits for", |row| {
        !waits_of(row).is_empty()
    });
    assert!(
        waits_of(&row).contains(&format!("mainstay approve {id}")),
        "{row}"
    );

    let output = daemon.cli(&["cancel", id, "--reason", "planned work"]);
    assert!(output.status.success());
    let is_stopped = |row: &Value| {
        let waits = waits_of(row);
        waits.contains("stopped by hand: ")
            && waits.contains(&format!(
                "{} cancelled its recovery: planned work",
                user_name()
            ))
            && waits.contains("`mainstay resume job` takes it up")
    };
    wait_for_row(&daemon, "job", "who stopped it", is_stopped);
    let shown_waits = shown(&daemon, &asking["id"])["waits"].clone();
    assert!(
        shown_waits
            .as_str()
            .unwrap()
            .contains("mainstay resume job")
    );
    let told = daemon.wait_for_event("its end", |event| event["kind"] == "operation.cancelled");
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains("`mainstay resume job` takes it up"),
        "{message}"
    );

    // A clean stop and start would start it, as all else.
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_for_row(&daemon, "job", "that it is stopped still", is_stopped);
    assert!(!daemon.pids().contains_key("job"));

    assert!(daemon.cli(&["resume", "job"]).status.success());
    let next = daemon.wait_for_operation("job", "awaiting-manual");
    assert_ne!(next["id"], asking["id"]);
    let id = next["id"].as_str().unwrap();
    assert!(daemon.cli(&["approve", id]).status.success());
    wait_until(&daemon, &next["id"], "succeeded");
    let row = wait_for_row(&daemon, "job", "it to be over", |row| {
        row["waits"].is_null()
    });
    assert!(row["pid"].is_u64(), "{row}");
    assert_eq!(shown(&daemon, &asking["id"])["waits"], Value::Null);
}

#[test]
fn a_resume_of_what_would_recover_by_itself_does_so_at_once() {
    let lines = "relapse_window = \"0s\"\nstrategy = { kind = \"linear\", initial_delay = \"1h\", max_delay = \"1h\" }\n\
         chain = [{ handler = \"probe\", params = { do = \"retryable\", until = 2 } }]";
    let daemon = start(
        &[&sleeper("job"), &route_of("service-down", lines), GRANTS],
        &[guest("probe", &[])],
    );
    daemon.kill_child("job");
    let retrying = daemon.wait_for_event("the first attempt to fail", |event| {
        event["kind"] == "operation.retrying"
    });
    assert_eq!(
        decide(&daemon, "cancel", &retrying["operation"], None).0,
        202
    );
    wait_for_row(&daemon, "job", "that it is stopped", |row| {
        waits_of(row).contains("stopped by hand")
    });
    assert!(daemon.cli(&["resume", "job"]).status.success());
    daemon.wait_for_event("another first attempt to fail", |event| {
        event["kind"] == "operation.retrying" && event["operation"] != retrying["operation"]
    });
}

#[test]
fn who_asks_for_a_recovery_a_second_time_is_told_which_one_goes_on_and_no_other_begins() {
    let daemon = start(&[&sleeper("job"), &sleeps("30s")], &[guest("probe", &[])]);
    let ask = ["recover", "job", "--failure", "service-down"];
    assert!(daemon.cli(&ask).status.success());
    let first = daemon.wait_for_operation("job", "in-progress");
    let second = daemon.cli(&ask);
    assert!(!second.status.success(), "{second:?}");
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    let id = first["id"].as_str().unwrap();
    for words in [
        "the recovery of job from service-down was asked for already, or goes on",
        &format!("mainstay operation show {id}"),
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let history = daemon.json(&["history", "--target", "job"]);
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
    assert_eq!(history[0]["attempts"], 1, "{history}");
}

#[test]
fn what_was_cancelled_is_not_counted_among_what_waits() {
    let lines = "strategy = { kind = \"linear\", initial_delay = \"1h\", max_delay = \"1h\" }\n\
         chain = [{ handler = \"probe\", params = { do = \"retryable\", until = 2 } }]";
    let daemon = start(
        &[&sleeper("job"), &sleeper("other"), &route(lines)],
        &[guest("probe", &[])],
    );
    let waiting = |count: u32| {
        let series = format!("recovery_operations_waiting{{reason=\"time\"}} {count}");
        wait_for(&series, || {
            let text = daemon.metrics();
            let is_there = text.lines().any(|line| line == series);
            is_there.then_some(()).ok_or(text)
        });
    };
    let retrying = ["job", "other"].map(|target| {
        daemon.kill_child(target);
        daemon.wait_for_event("its first attempt to fail", |event| {
            event["kind"] == "operation.retrying" && event["target"] == target
        })
    });
    waiting(2);
    let (status, answer) = decide(&daemon, "cancel", &retrying[0]["operation"], None);
    assert_eq!(
        (status, &answer["state"]),
        (202, &Value::from("cancelled")),
        "{answer}"
    );
    waiting(1);
}
