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

fn wait_for_row(
    daemon: &Daemon,
    target: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
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
        wait_for_row(&daemon, target, "it to be healthy", |row| {
            row["health"] == "healthy"
        });
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
        let event = daemon.wait_for_event("the start", |event| {
            event["kind"] == "target.started" && event["target"] == target
        });
        assert_eq!(event["data"]["by"], user_name());
        assert_eq!(event["data"]["outcome"], "done");
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
        (open == json!([]))
            .then_some(())
            .ok_or_else(|| open.to_string())
    });
    done(&daemon, &["resume", "job"]);
    let recovered = daemon.recover("job", "gone");
    assert_ne!(recovered["state"], "succeeded", "{recovered}");
    let refused = &daemon.journal(&recovered, "result")[0]["outcome"];
    assert!(
        refused.as_str().unwrap().contains("mainstay start job"),
        "{recovered}"
    );
    assert!(!daemon.pids().contains_key("job"));
}

#[test]
fn what_was_open_is_let_go_of_where_the_daemon_was_killed_before_it_did_the_stop() {
    let mut daemon = start();
    done(&daemon, &["pause", "job"]);
    fs::remove_file(daemon.path("there")).unwrap();
    daemon.wait_for_operation("job", "scheduled");
    daemon.kill();
    // An order is written down before it is done.
    let order = json!({
        "target": "job", "by": "root", "note": null, "reason": "moved", "at": "2026-03-01T04:00:00.000Z",
    });
    let orders = json!({ "stopped": [order], "reported": [] });
    fs::write(daemon.path("state/orders.json"), orders.to_string()).unwrap();
    daemon.run();
    daemon.wait_for_operation("job", "cancelled");
    wait_for("nothing to be open", || {
        let open = daemon.json(&["incidents", "--open"]);
        (open == json!([]))
            .then_some(())
            .ok_or_else(|| open.to_string())
    });
    wait_for_row(&daemon, "job", "it to be stopped", |row| {
        row["stopped"] == "stopped by root: moved" && row["pid"].is_null()
    });
}

#[test]
fn a_restart_is_audited_and_no_incident() {
    let daemon = start();
    let before = daemon.pids()["job"];
    let output = daemon.cli(&[
        "restart",
        "job",
        "--reason",
        "new certificate",
        "--by",
        "anna",
    ]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("web depends on it"),
        "{said}"
    );
    let event = daemon.wait_for_event("the restart", |event| event["kind"] == "target.restarted");
    assert_eq!(event["target"], "job");
    assert_eq!(event["data"]["note"], "anna");
    assert_eq!(event["data"]["reason"], "new certificate");
    assert_eq!(event["data"]["dependents"], json!(["web"]));
    let row = wait_for_row(&daemon, "job", "it to be healthy again", |row| {
        row["pid"].is_u64() && row["health"] == "healthy"
    });
    assert_ne!(row["pid"], before);
    let output = daemon.cli(&["restart", "job", "--wait"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.starts_with("restart of job is under way; web depends on it\n"),
        "{said}"
    );
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
    assert!(
        refused["error"].as_str().unwrap().contains("runs already"),
        "{refused}"
    );
    assert_eq!(daemon.post(&path("stop"), &body).0, 202);
    let (status, refused) = daemon.post(&path("stop"), &body);
    assert_eq!(status, 409, "{refused}");
    assert!(
        refused["error"].as_str().unwrap().contains("stopped by"),
        "{refused}"
    );
    assert_eq!(daemon.post("/v1/targets/nobody/stop", &body).0, 404);
    wait_for_row(&daemon, "job", "who stopped it", |row| {
        row["stopped"].is_string()
    });
    let (status, refused) = daemon.post(&path("check"), &json!({}));
    assert_eq!(status, 409, "nothing of it is looked at: {refused}");
}

#[test]
fn a_probe_runs_each_check_now_and_says_what_it_saw_and_how_long_it_took() {
    let daemon = start();
    let output = daemon.cli(&["probe", "job", "--json"]);
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["target"], &report["healthy"]),
        (&"job".into(), &true.into())
    );
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

/// A target with a route for `slow`, written so.
fn slow(lines: &str) -> Daemon {
    let route = format!(
        "\n[[route]]\nfailure = \"slow\"\nrelapse_window = \"0s\"\n{lines}\n\
         [plugin.restart-service]\ngrants = {{ target = [\"restart\"] }}\n"
    );
    let config = [HOST, &sleeper("job"), &route].concat();
    let daemon = Daemon::start(&config, &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    wait_for_row(&daemon, "job", "it to run", |row| row["pid"].is_u64());
    daemon
}

const RESTARTS: &str = "chain = [{ handler = \"restart-service\" }]\n";

#[test]
fn a_reported_failure_holds_over_restarts_until_it_is_cleared() {
    let mut daemon = slow(&format!("strategy = {{ kind = \"manual\" }}\n{RESTARTS}"));
    let report = [
        "report",
        "job",
        "--failure",
        "slow",
        "--severity",
        "high",
        "--confidence",
        "0.8",
        "--message",
        "p99 above 2 s",
        "--by",
        "nightly",
    ];
    done(&daemon, &report);
    daemon.wait_for_operation("job", "awaiting-manual");
    let incident = daemon.json(&["incidents", "--open"])[0].clone();
    assert_eq!(
        (&incident["failure"], &incident["severity"]),
        (&"slow".into(), &"high".into())
    );
    let seen = &incident["evidence"][0];
    assert_eq!(
        (&seen["check"], &seen["value"]),
        (&"report".into(), &json!(0.8))
    );
    let by = format!(
        "{} (who says: nightly) reported slow, confidence 0.8: p99 above 2 s",
        user_name()
    );
    assert_eq!(seen["message"], by.as_str(), "{incident}");
    let event = &daemon.events_of("failure.reported")[0];
    assert_eq!(
        (&event["data"]["confidence"], &event["data"]["note"]),
        (&json!(0.8), &"nightly".into())
    );

    assert!(daemon.stop());
    daemon.run();
    daemon.wait_for_plugins(1);
    wait_for_row(&daemon, "job", "that it is reported still", |row| {
        row["health"] == "failed"
    });
    assert_eq!(
        daemon.json(&["incidents", "--open"])[0]["id"],
        incident["id"]
    );

    done(&daemon, &["report", "job", "--failure", "slow", "--clear"]);
    wait_for("nothing to be open", || {
        let open = daemon.json(&["incidents", "--open"]);
        (open == json!([]))
            .then_some(())
            .ok_or_else(|| open.to_string())
    });
    wait_for_row(&daemon, "job", "that it is over", |row| {
        row["health"] != "failed"
    });
    let again = daemon.cli(&["report", "job", "--failure", "slow", "--clear"]);
    assert_eq!(again.status.code(), Some(1), "it is cleared already");
}

#[test]
fn what_is_over_or_of_no_target_any_more_at_a_start_is_let_go_of_and_not_acted_on() {
    let mut daemon = slow(RESTARTS);
    assert!(daemon.stop());
    let order = json!({
        "target": "gone", "by": "root", "note": null, "reason": "", "at": "2026-03-01T04:00:00.000Z",
    });
    let report = json!({
        "target": "job", "failure": "slow", "severity": "high", "confidence": null, "message": "",
        "by": "root", "note": null, "at": "2026-03-01T04:00:00.000Z",
        "until": "2026-03-01T05:00:00.000Z",
    });
    let file = daemon.path("state/orders.json");
    let orders = json!({ "stopped": [order], "reported": [report] });
    fs::write(&file, orders.to_string()).unwrap();
    daemon.run();
    daemon.wait_for_plugins(1);
    daemon.wait_for_event("its end", |event| event["kind"] == "failure.cleared");
    assert_eq!(daemon.json(&["incidents"]), json!([]));
    wait_for("nothing to be ordered", || {
        let orders: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let nothing = json!({ "stopped": [], "reported": [] });
        (orders == nothing)
            .then_some(())
            .ok_or_else(|| orders.to_string())
    });
}

/// As on a disk that the process to be stopped has filled.
#[test]
fn what_people_order_is_done_where_it_cannot_be_written_down_and_written_down_when_it_can() {
    let mut daemon = slow(RESTARTS);
    let in_the_way = daemon.path("state/orders.json.new");
    fs::create_dir(&in_the_way).unwrap();
    done(&daemon, &["report", "job", "--failure", "slow"]);
    daemon.wait_for_event("the report", |event| event["kind"] == "failure.reported");
    done(&daemon, &["stop", "job", "--reason", "it fills the disk"]);
    wait_for_row(&daemon, "job", "it to be stopped", |row| {
        row["stopped"].is_string() && row["pid"].is_null()
    });
    fs::remove_dir(&in_the_way).unwrap();
    wait_for("the order to be written down", || {
        let orders = fs::read_to_string(daemon.path("state/orders.json")).unwrap_or_default();
        let is_there = orders.contains("it fills the disk");
        is_there.then_some(()).ok_or(orders)
    });
    daemon.kill();
    daemon.run();
    wait_for_row(&daemon, "job", "it to be kept stopped", |row| {
        row["stopped"].is_string() && row["pid"].is_null()
    });
}

#[test]
fn a_reported_failure_is_recovered_and_not_over_before_it_is_cleared() {
    let daemon = slow(RESTARTS);
    let before = daemon.pids()["job"];
    done(&daemon, &["report", "job", "--failure", "slow"]);
    daemon.wait_for_operation("job", "validating");
    wait_for_row(&daemon, "job", "another process", |row| {
        row["pid"].is_u64() && row["pid"] != before
    });
    done(&daemon, &["report", "job", "--failure", "slow", "--clear"]);
    let ended = daemon.wait_for_operation("job", "succeeded");
    assert_eq!(ended["handler"], "restart-service");
}

#[test]
fn a_report_that_is_for_a_while_ends_with_it_and_what_nothing_names_is_refused() {
    let daemon = slow(&format!("strategy = {{ kind = \"manual\" }}\n{RESTARTS}"));
    done(
        &daemon,
        &["report", "job", "--failure", "slow", "--for", "1s"],
    );
    daemon.wait_for_operation("job", "awaiting-manual");
    let cleared = daemon.wait_for_event("its end", |event| event["kind"] == "failure.cleared");
    assert_eq!(
        cleared["data"]["by"],
        Value::Null,
        "nobody says that it is over"
    );
    daemon.wait_for_operation("job", "cancelled");
    let output = daemon.cli(&["report", "job", "--failure", "sloww"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.contains("named are") && stderr.contains("slow"),
        "{stderr}"
    );
    for body in [
        json!({ "failure": "slow", "confidence": 1.5 }),
        json!({ "failure": "slow", "score": 1.5 }),
        json!({ "failure": "slow", "score": 0.5, "severity": "low" }),
        json!({ "failure": "slow", "for_ms": 0 }),
    ] {
        assert_eq!(
            daemon.post("/v1/targets/job/report", &body).0,
            400,
            "{body}"
        );
    }
    assert_eq!(
        daemon
            .post("/v1/targets/nobody/report", &json!({ "failure": "slow" }))
            .0,
        404
    );
}

#[test]
fn a_start_whose_program_ends_at_once_fails_with_its_exit_code_and_its_last_words() {
    let config = format!(
        "{HOST}\n[[target]]\nname = \"dies\"\nrestart = \"never\"\n\
         run = [\"/bin/sh\", \"-c\", \"echo no database; exit 4\"]\n\
         [[target]]\nname = \"done\"\nrestart = \"never\"\nrun = [\"/bin/true\"]\n"
    );
    let daemon = Daemon::start(&config, &[]);
    for target in ["dies", "done"] {
        daemon.wait_for_event("its first end", |event| {
            event["kind"] == "process.exited" && event["target"] == target
        });
    }
    for verb in ["start", "restart"] {
        let output = daemon.cli(&[verb, "dies", "--wait"]);
        let said = [&output.stdout, &output.stderr];
        let said = said.map(|bytes| String::from_utf8_lossy(bytes)).concat();
        assert_eq!(output.status.code(), Some(1), "{verb}: {said}");
        for words in ["code 4", "no database"] {
            assert!(said.contains(words), "{verb}: {said}");
        }
        // An end that is expected is none that fails.
        done(&daemon, &[verb, "done", "--wait"]);
    }
}

#[test]
fn what_a_command_says_that_is_waited_for_is_true_however_the_target_stood() {
    let once = "\n[[target]]\nname = \"once\"\nrestart = \"never\"\nrun = [\"/bin/true\"]\n";
    let daemon = Daemon::start(&[HOST, &sleeper("job"), once].concat(), &[]);
    daemon.wait_for_event_of("process.exited", "once");
    wait_for_row(&daemon, "job", "it to run", |row| row["pid"].is_u64());
    for (verb, target, expected) in [
        ("restart", "job", "restarted job"),
        ("stop", "job", "stopped job"),
        ("restart", "job", "started job, which did not run"),
        ("stop", "job", "stopped job"),
        ("start", "job", "started job"),
        (
            "start",
            "once",
            "started once, which has ended as its config expects",
        ),
        (
            "restart",
            "once",
            "started once, which did not run, and has ended as its config expects",
        ),
        ("stop", "once", "keeps once, which did not run, stopped"),
    ] {
        let output = daemon.cli(&[verb, target, "--wait"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let expected = format!("  {} {expected}", user_name());
        assert!(said.trim_end().ends_with(&expected), "{verb}: {said}");
        assert_eq!(output.status.code(), Some(0), "{verb}: {said}");
    }
}

#[test]
fn a_report_with_a_score_is_as_bad_as_that_and_conditions_are_about_it() {
    let chain = "chain = [\n    { handler = \"restart-service\", when = \"severity >= 0.8 and confidence < 1\" },\n]\n";
    let daemon = slow(chain);
    done(
        &daemon,
        &[
            "report",
            "job",
            "--failure",
            "slow",
            "--score",
            "0.85",
            "--confidence",
            "0.9",
        ],
    );
    daemon.wait_for_operation("job", "validating");
    let incident = daemon.json(&["incidents", "--open"])[0].clone();
    assert_eq!(incident["severity"], "high", "{incident}");
    let said = incident["evidence"][0]["message"].as_str().unwrap();
    assert!(said.contains("score 0.85, confidence 0.9"), "{said}");
}
