//! What people command of targets by hand: start, stop, restart, a look at once.

use mainstay_tests::{Daemon, HOST, plugin, sleeper, user_name, wait_for};
use serde_json::{Value, json};
use std::fs;

const RECOVERS: &str = r#"
[[route]]
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["restart", "start"] }
"#;

fn row(daemon: &Daemon, target: &str) -> Value {
    let status = daemon.json(&["status"]);
    let mut rows = status["targets"].as_array().unwrap().iter();
    rows.find(|row| row["name"] == target).unwrap().clone()
}

fn wait_for_row(daemon: &Daemon, target: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || {
        let row = row(daemon, target);
        match is_so(&row) {
            true => Ok(row),
            false => Err(row.to_string()),
        }
    })
}

fn done(daemon: &Daemon, arguments: &[&str]) {
    let output = daemon.cli(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
}

/// A supervised target whose file has to be there, and a foreign one that its commands bring and take away.
fn watched() -> String {
    let check = |path: &str| {
        format!(
            "[[target.check]]\nkind = \"file\"\npath = \"{path}\"\nevery = \"50ms\"\nfail_after = 1\n\
             failure = \"gone\"\n"
        )
    };
    let foreign = "\n[[target]]\nname = \"foreign\"\nstart_period = \"0s\"\n\
         commands.start = [\"/bin/touch\", \"up\"]\ncommands.stop = [\"/bin/rm\", \"up\"]\n";
    let dependent = sleeper("web") + "depends_on = [\"job\"]\n";
    [
        HOST,
        &sleeper("job"),
        &check("there"),
        foreign,
        &check("up"),
        &dependent,
        RECOVERS,
    ]
    .concat()
}

fn start() -> Daemon {
    let mut daemon = Daemon::prepare(&watched());
    for file in ["there", "up"] {
        fs::write(daemon.path(file), "").unwrap();
    }
    daemon.drop_plugin(&plugin("restart-service"));
    daemon.run();
    daemon.wait_for_plugins(1);
    for target in ["job", "foreign"] {
        wait_for_row(&daemon, target, "it to be healthy", |row| row["health"] == "healthy");
    }
    daemon
}

#[test]
fn what_a_person_stops_stays_stopped_over_restarts_and_fails_nobody() {
    let mut daemon = start();
    for target in ["job", "foreign"] {
        done(&daemon, &["stop", target, "--reason", "moved", "--wait"]);
    }
    assert!(!daemon.path("up").exists(), "its own command took it away");
    // What its checks would see is a failure now.
    fs::remove_file(daemon.path("there")).unwrap();
    let is_stopped = |row: &Value| {
        let words = row["stopped"].as_str().unwrap_or_default();
        words == format!("stopped by {}: moved", user_name()) && row["pid"].is_null()
    };
    for target in ["job", "foreign"] {
        let row = wait_for_row(&daemon, target, "who stopped it", is_stopped);
        assert_eq!(row["health"], "unknown", "{row}");
        let event = daemon.wait_for_event("the stop", |event| {
            event["kind"] == "target.stopped" && event["target"] == target
        });
        assert_eq!(event["data"]["by"], user_name());
        assert_eq!(event["data"]["outcome"], "done");
    }
    assert!(daemon.stop());
    daemon.run();
    daemon.wait_for_plugins(1);
    for target in ["job", "foreign"] {
        wait_for_row(&daemon, target, "that it is stopped still", is_stopped);
    }
    // By now each check of a target that is not stopped has looked.
    wait_for_row(&daemon, "web", "it to run", |row| row["pid"].is_u64());
    assert_eq!(daemon.json(&["incidents"]), json!([]));
    assert!(!daemon.pids().contains_key("job"));

    fs::write(daemon.path("there"), "").unwrap();
    for target in ["job", "foreign"] {
        done(&daemon, &["start", target, "--wait"]);
        let row = wait_for_row(&daemon, target, "it to be healthy", |row| {
            row["health"] == "healthy"
        });
        assert_eq!(row["stopped"], Value::Null);
    }
    assert!(daemon.path("up").exists());
    assert!(daemon.pids().contains_key("job"));
    assert!(daemon.stop());
    daemon.run();
    wait_for_row(&daemon, "job", "it to run", |row| row["pid"].is_u64());
    assert_eq!(daemon.json(&["incidents"]), json!([]));
}

#[test]
fn a_stop_lets_go_of_what_is_open_and_no_handler_starts_it() {
    let daemon = start();
    done(&daemon, &["pause", "job"]);
    fs::remove_file(daemon.path("there")).unwrap();
    daemon.wait_for_operation("job", "scheduled");
    done(&daemon, &["stop", "job", "--wait"]);
    daemon.wait_for_operation("job", "cancelled");
    wait_for("nothing to be open", || {
        let open = daemon.json(&["incidents", "--open"]);
        (open == json!([])).then_some(()).ok_or_else(|| open.to_string())
    });
    done(&daemon, &["resume", "job"]);
    let recovered = daemon.recover("job", "gone");
    assert_ne!(recovered["state"], "succeeded", "{recovered}");
    let refused = &daemon.journal(&recovered, "result")[0]["outcome"];
    assert!(refused.as_str().unwrap().contains("mainstay start job"), "{recovered}");
    assert!(!daemon.pids().contains_key("job"));
}

#[test]
fn a_restart_is_audited_and_no_incident() {
    let daemon = start();
    let before = daemon.pids()["job"];
    let output = daemon.cli(&["restart", "job", "--reason", "new certificate", "--by", "anna"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("web depends on it"), "{said}");
    let event = daemon.wait_for_event("the restart", |event| event["kind"] == "target.restarted");
    assert_eq!(event["target"], "job");
    assert_eq!(event["data"]["note"], "anna");
    assert_eq!(event["data"]["reason"], "new certificate");
    assert_eq!(event["data"]["dependents"], json!(["web"]));
    let row = wait_for_row(&daemon, "job", "it to be healthy again", |row| {
        row["pid"].is_u64() && row["health"] == "healthy"
    });
    assert_ne!(row["pid"], before);
    done(&daemon, &["restart", "foreign", "--wait"]);
    assert_eq!(daemon.json(&["incidents"]), json!([]));
    assert_eq!(daemon.json(&["history"]), json!([]));
}

#[test]
fn what_the_state_of_a_target_does_not_allow_is_refused_with_what_it_is() {
    let daemon = start();
    let body = json!({ "by": "anna" });
    let path = |verb: &str| format!("/v1/targets/job/{verb}");
    let (status, refused) = daemon.post(&path("start"), &body);
    assert_eq!(status, 409, "it runs: {refused}");
    assert!(refused["error"].as_str().unwrap().contains("runs already"), "{refused}");
    assert_eq!(daemon.post(&path("stop"), &body).0, 202);
    let (status, refused) = daemon.post(&path("stop"), &body);
    assert_eq!(status, 409, "{refused}");
    assert!(refused["error"].as_str().unwrap().contains("stopped by"), "{refused}");
    assert_eq!(daemon.post("/v1/targets/nobody/stop", &body).0, 404);
    wait_for_row(&daemon, "job", "who stopped it", |row| row["stopped"].is_string());
    let (status, refused) = daemon.post(&path("check"), &json!({}));
    assert_eq!(status, 409, "nothing of it is looked at: {refused}");
}

#[test]
fn a_probe_runs_each_check_now_and_says_what_it_saw_and_how_long_it_took() {
    let daemon = start();
    let output = daemon.cli(&["probe", "job", "--json"]);
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["target"], &report["healthy"]), (&"job".into(), &true.into()));
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2, "{report}");
    for check in checks {
        assert_eq!(check["outcome"], "healthy", "{report}");
        assert!(check["elapsed_ms"].as_f64().is_some(), "{report}");
    }
    done(&daemon, &["pause"]);
    fs::remove_file(daemon.path("up")).unwrap();
    for command in ["probe", "check"] {
        let output = daemon.cli(&[command, "foreign"]);
        assert_eq!(output.status.code(), Some(1), "{command}");
    }
}
