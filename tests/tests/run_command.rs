//! The first-party handler `run-command` with real commands: what an operator repairs by a few lines of the config.

use mainstay_tests::{Daemon, HOST, plugin, sleeper};
use serde_json::{Value, json};
use std::fs;

/// `role` is who answers, `primary-exit` how the look at the primary exits; each command leaves a line in `ran`.
const REST: &str = r#"
[command.check-primary]
run = ["/bin/sh", "-c", "echo \"check $0\" >> ran; echo \"primary $0 is silent\" >&2; exit $(cat primary-exit)", "{host}"]
placeholders = ["host"]

[command.promote]
run = ["/bin/sh", "-c", "echo promote >> ran; echo replica > role; echo promoted"]

[command.never]
run = ["/bin/sh", "-c", "echo never >> ran"]

[plugin.run-command]
grants = { command = ["check-primary", "promote"] }
settings = { steps = [{ command = "promote" }] }

[[route]]
failure = "primary-down"
relapse_window = "0s"
strategy = { kind = "linear", max_attempts = 2, initial_delay = "1ms", max_delay = "1ms" }

[[route.chain]]
handler = "run-command"
params = { steps = [
    { command = "check-primary", placeholders = { host = "{target}-1" }, on_exit = { 0 = "done", 1 = "continue", 2 = "retry", 3 = "ask", other = "fail" }, ask = ["promote by hand"] },
    { command = "promote" },
] }

[[route]]
failure = "by-settings"
chain = [{ handler = "run-command" }]

[[route]]
failure = "not-granted"
chain = [{ handler = "run-command", params = { steps = [{ command = "never" }] } }]
"#;

struct Cluster(Daemon);

impl Cluster {
    fn start() -> Self {
        let mut daemon = Daemon::prepare(&[HOST, &sleeper("db"), REST].concat());
        fs::write(daemon.path("primary-exit"), "1").unwrap();
        daemon.drop_plugin(&plugin("run-command"));
        daemon.run();
        daemon.wait_for_plugins(1);
        Self(daemon)
    }

    /// Recovers from a failure, with a look at the primary that exits so; gives the operation and what was run.
    fn recover(&self, failure: &str, exit: &str) -> (Value, Vec<String>) {
        let Self(daemon) = self;
        fs::write(daemon.path("primary-exit"), exit).unwrap();
        fs::write(daemon.path("ran"), "").unwrap();
        let operation = daemon.recover("db", failure);
        let ran = fs::read_to_string(daemon.path("ran")).unwrap();
        (operation, ran.lines().map(str::to_owned).collect())
    }
}

#[test]
fn a_replica_is_promoted_where_the_look_at_the_primary_says_so() {
    let cluster = Cluster::start();
    let (operation, ran) = cluster.recover("primary-down", "1");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(operation["handler"], "run-command");
    assert_eq!(
        operation["actions"],
        json!([
            "ran `check-primary`: exit 1: primary db-1 is silent",
            "ran `promote`: exit 0: promoted"
        ])
    );
    assert_eq!(ran, ["check db-1", "promote"]);
    let role = fs::read_to_string(cluster.0.path("role")).unwrap();
    assert_eq!(role, "replica\n");

    // It answers again: nothing is promoted.
    let (operation, ran) = cluster.recover("primary-down", "0");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(ran, ["check db-1"]);
}

#[test]
fn an_exit_decides_about_further_attempts() {
    let cluster = Cluster::start();
    let (operation, ran) = cluster.recover("primary-down", "2");
    assert_eq!(operation["state"], "failed", "{operation}");
    assert_eq!(ran, ["check db-1", "check db-1"], "both attempts");
    let error = operation["error"].as_str().unwrap();
    assert!(
        error.contains("`check-primary`: exit 2: primary db-1 is silent"),
        "{error}"
    );

    let cluster = Cluster::start();
    let (operation, ran) = cluster.recover("primary-down", "77");
    assert_eq!(operation["state"], "failed", "{operation}");
    assert_eq!(ran.first().map(String::as_str), Some("check db-1"));
    assert!(!ran.contains(&"promote".to_owned()), "{ran:?}");
}

#[test]
fn a_person_is_asked_with_the_steps_of_the_config() {
    let cluster = Cluster::start();
    let Cluster(daemon) = &cluster;
    fs::write(daemon.path("primary-exit"), "3").unwrap();
    daemon.json(&["recover", "db", "--failure", "primary-down"]);
    let waiting = daemon.wait_for_operation("db", "awaiting-manual");
    assert_eq!(waiting["steps"], json!(["promote by hand"]));
}

#[test]
fn steps_of_the_settings_run_where_the_chain_has_none_and_no_other_than_the_granted() {
    let cluster = Cluster::start();
    let (operation, ran) = cluster.recover("by-settings", "1");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(ran, ["promote"]);

    let (operation, ran) = cluster.recover("not-granted", "1");
    assert_eq!(operation["state"], "failed", "{operation}");
    let error = operation["error"].as_str().unwrap();
    assert!(error.contains("`never`"), "{error}");
    assert!(ran.is_empty(), "{ran:?}");
}

#[test]
fn a_dry_run_shows_the_commands_and_runs_none() {
    let cluster = Cluster::start();
    let Cluster(daemon) = &cluster;
    let arguments = [
        "recover",
        "db",
        "--failure",
        "primary-down",
        "--dry-run",
        "--wait",
        "--json",
    ];
    let output = daemon.cli(&arguments);
    let operation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        operation["actions"],
        json!([
            "would run `check-primary`",
            "would run `promote`",
            "step 1, run-command, was only planned [dry-run]",
        ])
    );
    assert!(!daemon.path("ran").exists());
}
