//! What bounds automatic recovery: `[budget]`, `[group.NAME]` and `[phase.NAME]`, and `mainstay phase`.

use mainstay_domain::{policy::sha256_hex, time::Timestamp};
use mainstay_tests::{Daemon, HOST, free_port, guest, plugin, sleeper, time, user_name};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    time::Duration,
};

/// Each target is started anew by `restart-service`, after a while where `probe` is called first.
fn start(bounds: &str, targets: &[(&str, &str)], slow: bool) -> Daemon {
    let first = match slow {
        true => r#"{ handler = "probe", params = { do = "sleep", length = "2s" } }, "#,
        false => "",
    };
    let targets: String = targets
        .iter()
        .map(|(name, more)| format!("{}{more}\n", sleeper(name)))
        .collect();
    let config = format!(
        r#"{HOST}{targets}{bounds}
[[route]]
relapse_window = "0s"
chain = [{first}{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}

[plugin.probe]
grants = {{ target = ["restart"], kv = "1KiB" }}
"#
    );
    let plugins = [guest("probe", &[]), plugin("restart-service")];
    let daemon = Daemon::start(&config, &plugins.each_ref().map(|path| path.as_path()));
    daemon.wait_for_plugins(2);
    daemon
}

fn row(daemon: &Daemon, name: &str) -> Value {
    let status = daemon.json(&["status"]);
    let rows = status["targets"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name);
    row.unwrap_or_else(|| panic!("no {name}: {status}")).clone()
}

/// Waits until the status says what holds a target's recovery back.
fn wait_for_held(daemon: &Daemon, name: &str, why: &str) -> Value {
    daemon.wait_for_status(&format!("{name} to be held back"), |status| {
        let rows = status["targets"].as_array().unwrap();
        let held = |row: &Value| row["held"].as_str().is_some_and(|held| held.contains(why));
        rows.iter().any(|row| row["name"] == name && held(row))
    });
    row(daemon, name)
}

/// Acts: `budget.per_hour`, `budget.over`
#[test]
fn above_the_budget_of_the_hour_a_person_is_asked_and_a_new_daemon_counts_on() {
    let bounds = "[budget]\nper_hour = 1\nover = \"ask\"\n";
    let mut daemon = start(bounds, &[("a", ""), ("b", ""), ("c", "")], false);
    daemon.kill_child("a");
    daemon.wait_for_successes("a", 1);
    daemon.kill_child("b");
    let asked = daemon.wait_for_operation("b", "awaiting-manual");
    let why = "the budget of the host is 1 recovery an hour, and is used up";
    assert_eq!(asked["error"], why);
    let event = &daemon.events_of("operation.awaiting-manual")[0];
    assert_eq!(event["data"]["error"], why);
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon.kill_child("c");
    let asked = daemon.wait_for_operation("c", "awaiting-manual");
    assert_eq!(asked["error"], why);
    assert!(!daemon.pids().contains_key("c"));
    let id = asked["id"].as_str().unwrap();
    assert!(daemon.cli(&["approve", id]).status.success());
    daemon.wait_for_successes("c", 1);
}

/// Acts: `target.budget.per_hour`, `target.budget.over`
#[test]
fn above_the_budget_of_a_target_its_next_recovery_waits_and_says_until_when() {
    let own = "budget = { per_hour = 1, over = \"wait\" }";
    let mut daemon = start("", &[("a", own), ("b", "")], false);
    daemon.kill_child("a");
    daemon.wait_for_successes("a", 1);
    let began = time(&daemon.events_of("operation.started")[0]["at"]);
    daemon.kill_child("a");
    let why = "the budget of a is 1 recovery an hour, and is used up";
    let ends = |row: &Value| time(&row["rests"]["until"]);
    let until = ends(&wait_for_held(&daemon, "a", why));
    let hour = began + Duration::from_secs(3_600);
    let is_near = |one: Timestamp, other: Timestamp| {
        one.since(other).max(other.since(one)) < Duration::from_secs(5)
    };
    assert!(is_near(until, hour), "{until} is not an hour after {began}");
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(2);
    let again = ends(&wait_for_held(&daemon, "a", why));
    assert!(is_near(again, hour), "{again} is not an hour after {began}");
    // It is nobody else's.
    daemon.kill_child("b");
    daemon.wait_for_successes("b", 1);
    assert_eq!(daemon.wait_for_operation("a", "scheduled")["attempts"], 0);
    assert_eq!(daemon.recover("a", "service-down")["state"], "succeeded");
}

/// Waits until both were recovered, and sees that the second began when the first was over.
fn one_after_the_other(daemon: &Daemon, why: &str) {
    daemon.kill_child("a");
    daemon.wait_for_event("the recovery of a to begin", |event| {
        event["kind"] == "operation.started" && event["target"] == "a"
    });
    daemon.kill_child("b");
    wait_for_held(daemon, "b", why);
    daemon.wait_for_successes("b", 1);
    let seq = |kind: &str, name: &str| {
        let events = daemon.events_of(kind);
        let of_it = events.iter().find(|event| event["target"] == name);
        of_it.map(|event| event["seq"].as_u64().unwrap())
    };
    let (ended, began) = (
        seq("operation.succeeded", "a"),
        seq("operation.started", "b"),
    );
    assert!(ended.is_some() && ended < began, "{ended:?} {began:?}");
}

/// Acts: `budget.concurrent`
#[test]
fn no_more_run_at_one_time_than_the_budget_says() {
    let bounds = "[budget]\nconcurrent = 1\n";
    let daemon = start(bounds, &[("a", ""), ("b", "")], true);
    one_after_the_other(
        &daemon,
        "it is due, and waits for its turn: as many recoveries go on as may",
    );
}

/// Acts: `target.group`, `group.*.concurrent`
#[test]
fn of_a_group_no_more_run_at_one_time_than_its_budget_says() {
    let own = "group = \"web\"";
    let bounds = "[group.web]\nconcurrent = 1\n";
    let daemon = start(bounds, &[("a", own), ("b", own), ("c", "")], true);
    one_after_the_other(
        &daemon,
        "the budget of the group web is 1 recovery at one time",
    );
}

/// Acts: `group.*.per_hour`, `group.*.over`
#[test]
fn a_group_has_a_budget_of_the_hour_of_its_own() {
    let own = "group = \"web\"";
    let bounds = "[group.web]\nper_hour = 1\nover = \"wait\"\n";
    let daemon = start(bounds, &[("a", own), ("b", own), ("c", "")], false);
    daemon.kill_child("a");
    daemon.wait_for_successes("a", 1);
    daemon.kill_child("b");
    wait_for_held(
        &daemon,
        "b",
        "the budget of the group web is 1 recovery an hour",
    );
    daemon.kill_child("c");
    daemon.wait_for_successes("c", 1);
}

/// Acts: `group.*.floor`
#[test]
fn below_the_floor_of_its_group_a_person_is_asked() {
    let own = "group = \"web\"";
    let bounds = "[group.web]\nfloor = 1\n";
    let daemon = start(bounds, &[("a", own), ("b", own)], true);
    daemon.kill_child("a");
    daemon.wait_for_event("the recovery of a to begin", |event| {
        event["kind"] == "operation.started" && event["target"] == "a"
    });
    daemon.kill_child("b");
    let asked = daemon.wait_for_operation("b", "awaiting-manual");
    assert_eq!(
        asked["error"],
        "of the group web 0 others are healthy, and its floor is 1"
    );
}

/// [seed 001] In safe nothing is recovered by itself; the phase is durable, and each change is on the record.
///
/// Acts: `phase.*.severity`
#[test]
fn a_phase_holds_recovery_back_over_restarts_until_another_is_set() {
    let bounds = "[phase.payload]\nseverity = \"critical\"\n";
    let mut daemon = start(
        bounds,
        &[("a", ""), ("b", "exit_severity = \"critical\"")],
        false,
    );
    let set = |daemon: &Daemon, phase: &str| {
        let output = daemon.cli(&[
            "phase",
            phase,
            "--reason",
            "the market opens",
            "--by",
            "anna",
        ]);
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (is_set, stderr) = set(&daemon, "launch");
    assert!(
        !is_set && stderr.contains("from normal it goes to payload, safe"),
        "{stderr}"
    );
    assert!(set(&daemon, "payload").0);
    let changed = daemon.wait_for_event("the change", |event| event["kind"] == "phase.changed");
    let facts = &changed["data"];
    assert_eq!(
        [&facts["from"], &facts["to"], &facts["note"]],
        ["normal", "payload", "anna"]
    );
    daemon.kill_child("a");
    wait_for_held(&daemon, "a", "in the phase payload only what is critical");
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(2);
    let shown = daemon.json(&["phase"]);
    assert_eq!(
        (&shown["phase"], &shown["least"]),
        (&"payload".into(), &"critical".into())
    );
    assert_eq!(shown["next"], json!(["normal", "safe"]));
    assert_eq!(daemon.json(&["status"])["host"]["phase"], "payload");
    daemon.kill_child("b");
    daemon.wait_for_successes("b", 1);
    assert_eq!(daemon.wait_for_operation("a", "scheduled")["attempts"], 0);
    assert!(set(&daemon, "safe").0);
    daemon.kill_child("b");
    wait_for_held(
        &daemon,
        "b",
        "in the phase safe nothing is recovered automatically",
    );
    assert!(set(&daemon, "normal").0);
    daemon.wait_for_successes("a", 1);
    daemon.wait_for_successes("b", 2);
    let changes = &daemon.json(&["phase"])["changes"];
    let ways: Vec<(&str, &str)> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (
                change["from"].as_str().unwrap(),
                change["to"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        ways,
        [
            ("normal", "payload"),
            ("payload", "safe"),
            ("safe", "normal")
        ]
    );
    assert_eq!(changes[0]["by"], user_name());
    assert_eq!(changes[0]["note"], "anna");
    assert_eq!(changes[0]["reason"], "the market opens");
}

/// Acts: `phase.*.forbid`
#[test]
fn a_handler_that_the_phase_forbids_is_called_by_a_person_only() {
    let bounds = "[phase.normal]\nforbid = [\"restart-service\"]\n";
    let daemon = start(bounds, &[("a", "")], false);
    daemon.kill_child("a");
    let failed = daemon.wait_for_event("the recovery to fail", |event| {
        event["kind"] == "operation.failed" && event["target"] == "a"
    });
    let why = "restart-service was not called: it is forbidden in the phase normal [skipped-phase]";
    assert_eq!(failed["data"]["error"], why);
    assert!(!daemon.pids().contains_key("a"));
    assert_eq!(daemon.recover("a", "service-down")["state"], "succeeded");
}

/// Acts: `phase.*.allow`
#[test]
fn a_phase_that_allows_some_handlers_has_no_other_called_but_by_a_person() {
    let bounds = "[phase.normal]\nallow = [\"probe\"]\n";
    let daemon = start(bounds, &[("a", "")], false);
    daemon.kill_child("a");
    let failed = daemon.wait_for_event("the recovery to fail", |event| {
        event["kind"] == "operation.failed" && event["target"] == "a"
    });
    let why = "restart-service was not called: it is none of those that the phase normal allows [skipped-phase]";
    assert_eq!(failed["data"]["error"], why);
    assert_eq!(daemon.json(&["phase"])["allowed"], json!(["probe"]));
    assert!(!daemon.pids().contains_key("a"));
    assert_eq!(daemon.recover("a", "service-down")["state"], "succeeded");
}

/// [seed 001] The threshold multiplier of the phase was configured in the seed's system and never applied.
#[test]
fn in_a_launch_twice_as_many_failures_are_needed() {
    let looks = failed_looks("", &["safe", "launch"]);
    assert!(looks >= 6, "{looks}");
}

/// Acts: `phase.*.multiplier`
#[test]
fn in_a_phase_as_many_failures_are_needed_as_its_multiplier_says() {
    let looks = failed_looks("[phase.normal]\nmultiplier = 2.5\n", &[]);
    assert!(looks >= 8, "{looks}");
}

/// How often a check with `fail_after = 3` fails until its circuit opens, after these changes of the phase.
fn failed_looks(bounds: &str, phases: &[&str]) -> usize {
    let target = "\n[[target]]\nname = \"web\"\n[[target.check]]\nkind = \"exec\"\n\
        run = [\"sh\", \"-c\", \"test -e web.ok || { echo failed >> looks; exit 1; }\"]\n\
        every = \"300ms\"\nfail_after = 3\nfailure = \"web-down\"\n";
    let mut daemon = Daemon::prepare(&[HOST, target, bounds].concat());
    fs::write(daemon.path("web.ok"), "").unwrap();
    daemon.run();
    daemon.wait_for_status("web to be healthy", |status| {
        status["targets"][0]["health"] == "healthy"
    });
    for &phase in phases {
        assert!(daemon.cli(&["phase", phase]).status.success(), "{phase}");
    }
    fs::remove_file(daemon.path("web.ok")).unwrap();
    daemon.wait_for_event("the circuit to open", |event| {
        event["kind"] == "circuit.opened"
    });
    let looks = fs::read_to_string(daemon.path("looks")).unwrap();
    looks.lines().count()
}

/// A target whose recovery two people have to approve: one comes over the socket, one over TCP with the token `door`.
fn start_with_two_people(port: u16, approval: &str, own: &str) -> Daemon {
    let host = HOST.trim_end();
    let config = format!(
        r#"{host}
api = {{ listen = "127.0.0.1:{port}", token = "door" }}

[secrets]
door = {{ file = "door" }}
{}{own}
{approval}
[[route]]
relapse_window = "0s"
strategy = {{ kind = "manual" }}
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}
"#,
        sleeper("web")
    );
    let mut daemon = Daemon::prepare(&config);
    fs::write(daemon.path("door"), "opens").unwrap();
    fs::set_permissions(daemon.path("door"), fs::Permissions::from_mode(0o600)).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_status("web to run", |status| status["targets"][0]["pid"].is_u64());
    daemon
}

/// What `door` is answered.
fn over_tcp(port: u16, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer opens\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Acts: `approval.needed`, `approval.of`
#[test]
fn a_recovery_is_approved_by_two_people_from_two_doors_and_by_nobody_twice() {
    let port = free_port();
    let user = user_name();
    let approval = format!("[approval]\nneeded = 2\nof = [\"{user}\", \"door\"]\n");
    let mut daemon = start_with_two_people(port, &approval, "");
    daemon.kill_child("web");
    let asked = daemon.wait_for_operation("web", "awaiting-manual");
    let id = asked["id"].as_str().unwrap();
    assert!(
        daemon
            .cli(&["approve", id, "--reason", "seen"])
            .status
            .success()
    );
    let twice = daemon.cli(&["approve", id, "--by", "somebody else"]);
    let stderr = String::from_utf8_lossy(&twice.stderr);
    assert!(
        !twice.status.success() && stderr.contains("1 more"),
        "{stderr}"
    );
    // One vote survives the daemon.
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(1);
    let waits = daemon.wait_for_operation("web", "awaiting-manual");
    assert_eq!(waits["approval"]["given"][0]["by"], user);
    assert!(!daemon.pids().contains_key("web"));
    let path = format!("/v1/operations/{id}/approve");
    let answer = over_tcp(port, &path, &json!({ "reason": "me too" }));
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let done = daemon.wait_for_successes("web", 1);
    let votes = &done[0]["approval"]["given"];
    assert_eq!(
        (&votes[0]["by"], &votes[1]["by"]),
        (&json!(user), &json!("door"))
    );
    assert_eq!(
        (&votes[0]["reason"], &votes[1]["reason"]),
        (&json!("seen"), &json!("me too"))
    );
}

/// Acts: `target.approval.of`, `target.approval.needed`
#[test]
fn who_is_not_named_decides_nothing_and_one_who_rejects_is_enough() {
    let port = free_port();
    let own = "approval = { needed = 1, of = [\"door\"] }";
    let daemon = start_with_two_people(port, "", own);
    daemon.kill_child("web");
    let asked = daemon.wait_for_operation("web", "awaiting-manual");
    let id = asked["id"].as_str().unwrap();
    for verb in ["approve", "reject"] {
        let output = daemon.cli(&[verb, id]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains("is none of those"),
            "{stderr}"
        );
    }
    let path = format!("/v1/operations/{id}/reject");
    let answer = over_tcp(port, &path, &json!({ "reason": "not now" }));
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let rejected = daemon.wait_for_operation("web", "cancelled");
    assert_eq!(rejected["error"], "rejected by door: not now");
}

/// Acts: `approval.expires`, `target.approval.expires`
#[test]
fn what_nobody_approves_in_time_is_escalated_and_left_to_people() {
    for (all, own) in [
        ("[approval]\nexpires = \"1s\"\n", ""),
        (
            "[approval]\nexpires = \"1h\"\n",
            "approval = { expires = \"1s\" }",
        ),
    ] {
        let daemon = start_with_two_people(free_port(), all, own);
        daemon.kill_child("web");
        let failed = daemon.wait_for_operation("web", "failed");
        assert_eq!(failed["error"], "nobody approved it in time");
        daemon.wait_for_event("the escalation", |event| {
            event["kind"] == "operation.escalated" && event["operation"] == failed["id"]
        });
        let waits = &daemon.json(&["status"])["targets"][0]["waits"];
        let waits = waits.as_str().unwrap();
        assert!(
            waits.contains("nobody approved its recovery in time"),
            "{waits}"
        );
        assert!(!daemon.pids().contains_key("web"));
    }
}

/// A charter beside the config, pinned; and `a`, `b` and `c`.
fn start_with_charter(charter: &str) -> Daemon {
    let config = format!(
        r#"{HOST}{}{}{}
[charter]
file = "charter.toml"
sha256 = "{}"

[[route]]
relapse_window = "0s"
chain = [{{ handler = "restart-service" }}]

[plugin.restart-service]
grants = {{ target = ["restart"] }}
"#,
        sleeper("a"),
        sleeper("b"),
        sleeper("c"),
        sha256_hex(charter.as_bytes())
    );
    let mut daemon = Daemon::prepare(&config);
    fs::write(daemon.path("charter.toml"), charter).unwrap();
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_status("all to run", |status| {
        let mut rows = status["targets"].as_array().unwrap().iter();
        rows.all(|row| row["pid"].is_u64())
    });
    daemon
}

/// [seed 002] The digest is in the status and before each line of the log.
///
/// Acts: `charter.file`
#[test]
fn what_the_charter_forbids_is_done_by_people_only() {
    let charter = "targets = [\"a\"]\nper_hour = 1\n";
    let daemon = start_with_charter(charter);
    let digest = sha256_hex(charter.as_bytes());
    assert_eq!(daemon.json(&["status"])["host"]["charter"], digest);
    daemon.kill_child("a");
    let told = daemon.wait_for_event("the escalation", |event| {
        event["kind"] == "operation.escalated" && event["target"] == "a"
    });
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains("the charter forbids the automatic recovery of a"),
        "{message}"
    );
    let log = daemon.log();
    let prefix = format!("[{}] ", &digest[..16]);
    assert!(
        log.contains(&format!("{prefix}{}", &message[..20])),
        "{log}"
    );
    assert!(!daemon.pids().contains_key("a"));
    assert_eq!(daemon.recover("a", "service-down")["state"], "succeeded");
    // Its bound holds though the config has no budget.
    daemon.kill_child("b");
    let asked = daemon.wait_for_operation("b", "awaiting-manual");
    assert_eq!(
        asked["error"],
        "the budget of the host is 1 recovery an hour, and is used up"
    );
}

/// [seed 002] The digest is looked at at the start, when something is scheduled, when it is executed, and when a policy is changed.
///
/// Acts: `charter.sha256`
#[test]
fn while_the_charter_is_another_one_than_the_config_is_pinned_to_nothing_is_begun_or_changed() {
    let charter = "handlers = [\"disk-cleanup\"]\n";
    let mut daemon = start_with_charter(charter);
    fs::write(daemon.path("charter.toml"), "handlers = []\n").unwrap();
    daemon.kill_child("a");
    let broken = daemon.wait_for_event("the breach", |event| event["kind"] == "charter.broken");
    assert_eq!(broken["severity"], "critical");
    let audit = daemon.json(&["audit"]);
    let mut rows = audit.as_array().unwrap().iter();
    let row = rows.find(|row| row["kind"] == "charter.broken").unwrap();
    assert_eq!(row["charter"], sha256_hex(charter.as_bytes()), "{row}");
    wait_for_held(&daemon, "a", "[MS-0405]");
    for command in [
        &["recover", "b", "--failure", "service-down"] as &[&str],
        &["phase", "safe"],
        &["policy", "set", "b", "--max-attempts", "2"],
    ] {
        let output = daemon.cli(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains("[MS-0405]"),
            "{stderr}"
        );
    }
    assert!(!daemon.pids().contains_key("a"));
    fs::write(daemon.path("charter.toml"), charter).unwrap();
    daemon.wait_for_successes("a", 1);
    daemon.wait_for_event("the end of it", |event| event["kind"] == "charter.whole");
    // A daemon does not start with another one.
    assert!(daemon.stop());
    fs::write(daemon.path("charter.toml"), "handlers = []\n").unwrap();
    for command in ["check", "run"] {
        let output = daemon.cli(&[command]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            !output.status.success() && said.contains("[MS-0405]"),
            "{command}: {said}"
        );
    }
}

/// [seed 002] In the seed's system a policy that was set was ignored when a recovery was scheduled.
#[test]
fn a_policy_that_is_set_acts_at_once_outlives_the_daemon_and_is_on_the_record_until_it_is_cleared()
{
    let mut daemon = start("", &[("a", ""), ("b", "")], false);
    let before = daemon.json(&["policy", "show", "a"]);
    let route = &before["routes"][0];
    assert_eq!(
        (&route["failure"], &route["max_attempts"]),
        (&json!("service-down"), &json!(5))
    );
    assert_eq!(route["delays_ms"], json!([1_000, 2_000, 4_000, 8_000]));
    assert_eq!(route["handlers"], json!(["restart-service"]));
    let set = daemon.json(&[
        "policy",
        "set",
        "a",
        "--ask",
        "true",
        "--max-attempts",
        "2",
        "--cooldown",
        "5m",
        "--reason",
        "slow",
        "--by",
        "anna",
    ]);
    let route = &set["routes"][0];
    assert_eq!(
        (&route["asks"], &route["max_attempts"]),
        (&json!(true), &json!(2))
    );
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(2);
    daemon.kill_child("a");
    let asked = daemon.wait_for_operation("a", "awaiting-manual");
    daemon.kill_child("b");
    daemon.wait_for_successes("b", 1);
    // What waits follows at once.
    let cleared = daemon.json(&["policy", "set", "a", "--clear", "--cooldown", "1h"]);
    assert_eq!(cleared["routes"][0]["asks"], false);
    let done = daemon.wait_for_successes("a", 1);
    assert_ne!(done[0]["id"], asked["id"]);
    // The cooldown that was set holds, and says how long.
    let shown = daemon.json(&["policy", "show", "a"]);
    let left = shown["routes"][0]["cooling_ms"].as_u64().unwrap();
    assert!((3_000_000..=3_600_000).contains(&left), "{shown}");
    let events = daemon.events_of("policy.changed");
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["target"], "a");
    assert_eq!(events[0]["data"]["by"], user_name());
    assert_eq!(events[0]["data"]["note"], "anna");
    assert_eq!(events[0]["data"]["reason"], "slow");
    assert_eq!(events[0]["data"]["policy"]["max_attempts"], 2);
    for wrong in [
        &["policy", "set", "a", "--max-attempts", "0"] as &[&str],
        &["policy", "set", "a", "--multiplier", "0.5"],
        &["policy", "set", "a"],
        &["policy", "set", "nobody", "--clear"],
    ] {
        assert!(!daemon.cli(wrong).status.success(), "{wrong:?}");
    }
}

/// [seed 001] A cooldown of each handler; of one target, where the seed's system had one clock for all.
///
/// Acts: `cooldown.*`
#[test]
fn a_handler_rests_for_the_target_that_it_recovered_over_restarts_and_for_no_other() {
    let mut daemon = start(
        "[cooldown]\nrestart-service = \"1h\"\n",
        &[("a", ""), ("b", "")],
        false,
    );
    daemon.kill_child("a");
    daemon.wait_for_successes("a", 1);
    daemon.kill_child("a");
    daemon.wait_for_operation("a", "scheduled");
    daemon.kill();
    daemon.run();
    daemon.wait_for_plugins(2);
    let waits = daemon.wait_for_operation("a", "scheduled");
    let until = time(&waits["due"]);
    let left = until.since(time(&waits["detected_at"]));
    assert!(left > Duration::from_secs(3_000), "{waits}");
    let shown = daemon.json(&["policy", "show", "a"]);
    let resting = &shown["routes"][0]["resting"][0];
    assert_eq!(resting["handler"], "restart-service");
    assert!(resting["left_ms"].as_u64().unwrap() > 3_000_000, "{shown}");
    daemon.kill_child("b");
    daemon.wait_for_successes("b", 1);
    assert_eq!(daemon.recover("a", "service-down")["state"], "succeeded");
}
