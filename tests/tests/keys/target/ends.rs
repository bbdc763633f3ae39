//! Children that end by themselves, and may.

use super::{incident_of, route, row_of, start};
use mainstay_tests::wait_for;
use serde_json::json;
use std::fs;

/// Writes down that it was started, and exits.
fn job(name: &str, code: u8, more: &str) -> String {
    format!(
        "[[target]]\nname = \"{name}\"\nrun = [\"sh\", \"-c\", \"echo >> {name}.starts; exit {code}\"]\n\
         exit_failure = \"ended\"\n{more}\n"
    )
}

/// Acts: `target.restart`, `target.expected_exit`
#[test]
fn an_end_is_a_failure_that_is_recovered_as_its_target_says() {
    let on_failure = "restart = \"on-failure\"";
    let config = [
        job("done", 0, on_failure),
        job("told", 3, "expected_exit = [0, 3]"),
        job("once", 0, "restart = \"never\""),
        job("torn", 4, on_failure),
        job("left", 4, "restart = \"never\""),
        job("service", 0, "restart = \"always\""),
        route("ended", "{ do = \"restart\" }"),
    ];
    let mut daemon = start(&config.concat());
    for name in ["torn", "left", "service"] {
        assert_eq!(incident_of(&daemon, name)["failure"], "ended");
    }
    for name in ["torn", "service"] {
        daemon.wait_for_event_of("operation.started", name);
    }
    let escalated = daemon.wait_for_event_of("operation.escalated", "left");
    let message = escalated["message"].as_str().unwrap();
    assert!(message.contains("`restart` is \"never\""), "{message}");
    let completed = ["done", "told", "once"];
    let are_completed = |daemon: &mainstay_tests::Daemon| {
        daemon.wait_for_status("the jobs to be done", |status| {
            let is_well = |name| {
                let row = row_of(status, name);
                row["completed"] == true && row["health"] == "healthy"
            };
            completed.map(is_well) == [true; 3]
        });
        let incidents = daemon.json(&["incidents"]);
        let incidents = incidents.as_array().unwrap().iter();
        let theirs = incidents.filter(|one| completed.contains(&one["target"].as_str().unwrap()));
        assert_eq!(theirs.count(), 0);
    };
    are_completed(&daemon);
    for name in completed {
        let exited = daemon.wait_for_event_of("process.exited", name);
        assert_eq!(exited["severity"], "low", "{exited}");
        let message = exited["message"].as_str().unwrap();
        assert!(message.ends_with(", as expected"), "{message}");
    }
    assert_eq!(
        row_of(&daemon.json(&["status"]), "left")["completed"],
        json!(false)
    );

    // What is done stays done, and what is left to people is left to them, also where the next daemon finds it so.
    daemon.kill();
    daemon.run();
    are_completed(&daemon);
    for name in ["done", "told", "once", "left"] {
        let starts = fs::read_to_string(daemon.path(&format!("{name}.starts"))).unwrap();
        assert_eq!(starts.lines().count(), 1, "{name}");
    }
    // A person may.
    daemon.recover("left", "ended");
    wait_for("a second start", || {
        let starts = fs::read_to_string(daemon.path("left.starts")).unwrap();
        (starts.lines().count() == 2)
            .then_some(())
            .ok_or_else(|| daemon.log())
    });
}
