//! Where a person has a say: approval, cancelling, pausing, dry runs.

use mainstay_tests::{Daemon, HOST, guest, plugin, sleeper, user_name};
use serde_json::Value;

/// `job`, as the route says, and `other`, which is recovered at once.
fn start(route: &str) -> Daemon {
    let routes = format!(
        r#"
[[route]]
target = "job"
relapse_window = "0s"
{route}

[[route]]
target = "other"
relapse_window = "0s"
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[plugin.probe]
grants = {{ target = ["restart"], kv = "1KiB" }}
"#
    );
    let config = [HOST, &sleeper("job"), &sleeper("other"), &routes].concat();
    let plugins = [guest("probe", &[]), plugin("restart-service")];
    let daemon = Daemon::start(&config, &plugins.each_ref().map(|path| path.as_path()));
    daemon.wait_for_plugins(2);
    daemon
}

/// The whole recovery of `other`, after which `job` would have been recovered too.
fn let_time_pass(daemon: &Daemon) {
    let before = daemon.json(&["history", "--target", "other", "--state", "succeeded"]);
    daemon.kill_child("other");
    daemon.wait_for_successes("other", before.as_array().unwrap().len() + 1);
}

fn decide(daemon: &Daemon, verb: &str, operation: &Value, reason: &str) {
    let id = operation["id"].as_str().unwrap();
    let output = daemon.cli(&[verb, id, "--by", "anna", "--reason", reason]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{verb}: {stderr}");
}

/// Acts: `route.strategy(manual)`
#[test]
fn a_manual_operation_does_what_a_person_decides() {
    let daemon = start(
        "strategy = { kind = \"manual\" }\nchain = [{ handler = \"probe\", params = { do = \"restart\" } }]",
    );
    daemon.kill_child("job");
    let first = daemon.wait_for_operation("job", "awaiting-manual");
    let_time_pass(&daemon);
    assert!(!daemon.pids().contains_key("job"), "nobody approved it yet");

    // A pause is one of automatic recovery; who approves knows of it.
    daemon.cli(&["pause", "job"]);
    decide(&daemon, "approve", &first, "traffic is moved away");
    let approved = daemon.wait_for_operation("job", "succeeded");
    daemon.cli(&["resume", "job"]);
    assert_eq!(approved["id"], first["id"]);
    assert!(daemon.pids().contains_key("job"));
    let event = &daemon.events_of("operation.approved")[0];
    assert_eq!(event["operation"], first["id"]);
    assert_eq!(event["data"]["by"], user_name());
    assert_eq!(event["data"]["note"], "anna");
    assert_eq!(event["data"]["reason"], "traffic is moved away");
    assert!(daemon.events_of("operation.escalated").is_empty());

    daemon.kill_child("job");
    let second = daemon.wait_for_operation("job", "awaiting-manual");
    decide(&daemon, "reject", &second, "planned work");
    let rejected = daemon.wait_for_operation("job", "cancelled");
    assert_eq!(rejected["id"], second["id"]);
    let by = format!("{} (who says: anna)", user_name());
    assert_eq!(rejected["error"], format!("rejected by {by}: planned work"));
    daemon.wait_for_event("the escalation", |event| {
        event["kind"] == "operation.escalated" && event["operation"] == second["id"]
    });
    let_time_pass(&daemon);
    assert!(!daemon.pids().contains_key("job"), "it was rejected");
    assert_eq!(daemon.json(&["incidents", "--open"])[0]["target"], "job");

    // By hand nobody has to approve what a person asked for.
    assert_eq!(daemon.recover("job", "service-down")["state"], "succeeded");
    assert_eq!(daemon.json(&["incidents", "--open"]), serde_json::json!([]));

    daemon.kill_child("job");
    let third = daemon.wait_for_operation("job", "awaiting-manual");
    decide(&daemon, "cancel", &third, "done by hand");
    let cancelled = daemon.wait_for_operation("job", "cancelled");
    assert_eq!(cancelled["id"], third["id"]);
    assert_eq!(
        cancelled["error"],
        format!("cancelled by {by}: done by hand")
    );
    let_time_pass(&daemon);
    assert!(!daemon.pids().contains_key("job"), "it was cancelled");
    assert_eq!(daemon.events_of("operation.escalated").len(), 1);
}

#[test]
fn a_cancelled_operation_makes_no_further_attempt() {
    let daemon = start(
        "strategy = { kind = \"linear\", initial_delay = \"1h\", max_delay = \"1h\" }\n\
         chain = [{ handler = \"probe\", params = { do = \"retryable\" } }]",
    );
    let scheduled = daemon.json(&["recover", "job", "--failure", "service-down"]);
    let id = scheduled["operation"].as_str().unwrap();
    daemon.wait_for_event("the first attempt to fail", |event| {
        event["kind"] == "operation.retrying"
    });
    daemon.cli(&["cancel", id, "--reason", "fixed by hand"]);
    let operation = daemon.wait_for_operation("job", "cancelled");
    assert_eq!(
        (&operation["id"], &operation["attempts"]),
        (&id.into(), &1.into())
    );
}

#[test]
fn a_paused_target_is_recovered_only_by_hand() {
    let daemon = start("chain = [{ handler = \"probe\", params = { do = \"restart\" } }]");
    let is_paused = || daemon.json(&["status"])["targets"][0]["paused"].clone();
    daemon.cli(&["pause", "job", "--by", "anna"]);
    assert_eq!(is_paused(), true);
    daemon.kill_child("job");
    daemon.wait_for_operation("job", "scheduled");
    let_time_pass(&daemon);
    assert_eq!(daemon.wait_for_operation("job", "scheduled")["attempts"], 0);
    assert!(!daemon.pids().contains_key("job"));

    assert_eq!(daemon.recover("job", "service-down")["state"], "succeeded");
    assert!(daemon.pids().contains_key("job"));

    daemon.kill_child("job");
    daemon.wait_for_operation("job", "scheduled");
    daemon.cli(&["resume", "job", "--by", "anna"]);
    assert_eq!(is_paused(), false);
    let operation = daemon.wait_for_operation("job", "succeeded");
    assert_eq!(operation["mode"], "automatic");
    assert!(daemon.pids().contains_key("job"));
}

#[test]
fn a_dry_run_plans_what_a_real_one_does_and_does_nothing() {
    let daemon =
        start("failure = \"slow\"\nchain = [{ handler = \"probe\", params = { do = \"steps\" } }]");
    let before = daemon.pids()["job"];
    let planned = daemon.json(&["recover", "job", "--failure", "slow", "--dry-run"]);
    assert_eq!(planned["dry_run"], true);
    assert_eq!(planned["state"], "succeeded");
    assert_eq!(daemon.pids()["job"], before, "nothing was restarted");
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));

    let done = daemon.recover("job", "slow");
    assert_eq!(
        done["actions"][1], "run 1",
        "the dry run counted nothing: {done}"
    );
    assert_ne!(daemon.pids()["job"], before);
    let effects = |operation: &Value, kind| -> Vec<Value> {
        let journal = daemon.journal(operation, kind);
        journal
            .iter()
            .map(|entry| entry["effect"].clone())
            .collect()
    };
    let executed = effects(&done, "result");
    assert!(executed.contains(&"targets.restart".into()), "{executed:?}");
    assert_eq!(effects(&planned, "planned"), executed);
}

/// Acts: `route.simulate`
#[test]
fn a_route_that_simulates_shows_what_it_would_do_and_leaves_the_failure_to_people() {
    let daemon =
        start("simulate = true\nchain = [{ handler = \"probe\", params = { do = \"restart\" } }]");
    daemon.kill_child("job");
    let told = daemon.wait_for_event("people to be told", |event| {
        event["kind"] == "operation.escalated" && event["target"] == "job"
    });
    assert!(told["message"].as_str().unwrap().contains("only simulates"));
    let ended = daemon.wait_for_event("the dry run to end", |event| {
        event["kind"] == "operation.succeeded" && event["target"] == "job"
    });
    let history = daemon.json(&["history", "--target", "job"]);
    let planned = &history[0];
    assert_eq!(planned["id"], ended["operation"]);
    assert_eq!(
        (&planned["dry_run"], &planned["mode"]),
        (&Value::from(true), &Value::from("automatic"))
    );
    let effects = daemon.journal(planned, "planned");
    let restarts = effects
        .iter()
        .any(|entry| entry["effect"] == "targets.restart");
    assert!(restarts, "{effects:?}");
    let_time_pass(&daemon);
    assert!(!daemon.pids().contains_key("job"));
    let shown = daemon.json(&["policy", "show", "job"]);
    assert_eq!(shown["routes"][0]["simulates"], true);
    assert_eq!(daemon.recover("job", "service-down")["state"], "succeeded");
}

#[test]
fn a_recovery_is_asked_for_in_a_mode_that_stays_on_record() {
    let daemon = start("failure = \"slow\"\nchain = [{ handler = \"probe\" }]");
    let ask = ["recover", "job", "--failure", "slow", "--wait", "--mode"];
    let done = daemon.json(&[ask.as_slice(), &["emergency"]].concat());
    assert_eq!(
        (&done["state"], &done["mode"]),
        (&Value::from("succeeded"), &Value::from("emergency"))
    );
    let refused = daemon.cli(&[ask.as_slice(), &["automatic"]].concat());
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(
        stderr.contains("manual, emergency and maintenance are"),
        "{stderr}"
    );
}

#[test]
fn a_recovery_without_a_route_is_refused_and_leaves_nothing() {
    let daemon = start("failure = \"slow\"\nchain = [{ handler = \"probe\" }]");
    let output = daemon.cli(&["recover", "job", "--failure", "odd"]);
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("no route fits odd of job"), "{stderr}");
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
    assert_eq!(daemon.json(&["history"]), serde_json::json!([]));
}
