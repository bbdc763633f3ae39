//! What an operation waits for, and what ends the wait.

use super::{GRANTS, RESTART, change, route, start, wait_for_row, wait_until};
use mainstay_tests::{Daemon, plugin, sleeper};
use serde_json::Value;

/// Two deaths, the second right after the recovery from the first; the operation that follows it.
fn dies_twice(daemon: &Daemon, target: &str) -> Value {
    daemon.kill_child(target);
    let first = daemon.wait_for_successes(target, 1)[0].clone();
    daemon.kill_child(target);
    let is_its = |event: &Value| {
        event["kind"] == "operation.scheduled"
            && event["target"] == target
            && event["operation"] != first["id"]
    };
    daemon.wait_for_event("the second operation", is_its)
}

#[test]
fn a_second_death_is_recovered_at_once_where_no_cooldown_is_written() {
    let lines = format!("relapse_window = \"0s\"\n{RESTART}");
    let daemon = start(
        &[&sleeper("job"), &route(&lines)],
        &[plugin("restart-service")],
    );
    let second = dies_twice(&daemon, "job");
    assert_eq!(second["data"]["due"], Value::Null, "{second}");
    wait_until(&daemon, &second["operation"], "succeeded");
}

#[test]
fn a_cooldown_shows_until_when_it_holds_and_a_person_does_not_wait_for_it() {
    let routes: String = [("job", "60s"), ("apart", "0s")]
        .map(|(target, window)| {
            format!(
                "\n[[route]]\ntarget = \"{target}\"\nrelapse_window = \"{window}\"\ncooldown = \"1h\"\n{RESTART}\n"
            )
        })
        .concat();
    let config = [sleeper("job"), sleeper("apart"), routes, GRANTS.to_owned()].concat();
    let daemon = start(&[&config], &[plugin("restart-service")]);
    for target in ["job", "apart"] {
        wait_for_row(&daemon, target, "nothing to rest", |row| {
            row["rests"].is_null()
        });
        let second = dies_twice(&daemon, target);
        let due = &second["data"]["due"];
        assert!(due.is_string(), "{second}");
        let row = wait_for_row(&daemon, target, "until when it rests", |row| {
            row["rests"]["until"] == *due
        });
        assert_ne!(row["rests"]["why"].as_str().unwrap(), "");
        assert_eq!(row["operation"], second["operation"]);

        let recovered = daemon.recover(target, "service-down");
        assert_eq!(
            recovered["id"], second["operation"],
            "it is the one that rested"
        );
        assert_eq!(
            (&recovered["state"], &recovered["mode"]),
            (&"succeeded".into(), &"manual".into())
        );
        wait_for_row(&daemon, target, "its rest to end", |row| {
            row["rests"].is_null()
        });
    }
}

#[test]
fn a_dead_target_that_a_pause_keeps_down_is_what_needs_a_person() {
    let daemon = start(
        &[&sleeper("job"), &route(RESTART)],
        &[plugin("restart-service")],
    );
    assert!(daemon.cli(&["pause"]).status.success());
    daemon.kill_child("job");
    let row = wait_for_row(&daemon, "job", "what keeps it down", |row| {
        row["pause"]["of_host"] == true
    });
    assert!(row["pause"]["by"].is_string(), "{row}");
    assert_eq!(
        (&row["pause"]["until"], &row["rests"]),
        (&Value::Null, &Value::Null)
    );
    let status = daemon.cli(&["status"]).stdout;
    let status = String::from_utf8(status).unwrap();
    assert!(
        status.starts_with("needs a person: the recovery of job"),
        "{status}"
    );
    let operation = daemon.json(&["operation", "show", row["operation"].as_str().unwrap()]);
    let waits = operation["waits"].as_str().unwrap();
    assert!(waits.contains("`mainstay resume` lets it go on"), "{waits}");
    let listed = daemon.json(&["history"]);
    assert_eq!(listed[0]["waits"], operation["waits"], "{listed}");
    let listed = String::from_utf8(daemon.cli(&["history"]).stdout).unwrap();
    assert!(listed.contains(&format!(" waits: {waits}")), "{listed}");
    assert!(daemon.cli(&["resume"]).status.success());
    daemon.wait_for_successes("job", 1);
}

#[test]
fn a_pause_follows_the_config() {
    let lines = format!("strategy = {{ kind = \"immediate\" }}\ncooldown = \"1h\"\n{RESTART}");
    let daemon = start(
        &[&sleeper("job"), &route(&lines)],
        &[plugin("restart-service")],
    );
    let second = dies_twice(&daemon, "job");
    assert!(second["data"]["due"].is_string(), "{second}");
    change(&daemon, "cooldown = \"1h\"", "cooldown = \"0s\"");
    let recovered = wait_until(&daemon, &second["operation"], "succeeded");
    assert_eq!(recovered["mode"], "automatic");
}
