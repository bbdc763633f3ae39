//! What waits, and in which order it goes on.

use super::{
    GRANTS, RESTART, deaf, decide, prepare, route_of, shown, start, wait_for_newest, wait_until,
};
use mainstay_tests::{guest, plugin, sleeper};
use serde_json::Value;
use std::fs;

/// A foreign service whose failures are files that are not there.
fn files(more: &str, failures: &[(&str, &str)]) -> String {
    let check = |(failure, keys): &(&str, &str)| {
        format!(
            "[[target.check]]\nkind = \"file\"\npath = \"files/{failure}\"\nfail_after = 1\nrecover_after = 1\n\
             failure = \"{failure}\"\n{keys}\n"
        )
    };
    let checks: String = failures.iter().map(check).collect();
    format!("\n[[target]]\nname = \"job\"\n{more}\n{checks}")
}

/// Nobody looks at it for an hour but the operation itself.
#[test]
fn what_waited_looks_afresh_and_calls_nobody_where_it_healed_meanwhile() {
    let target = files(
        "breaker.open_for = \"1ms\"",
        &[("gone", "every = \"1h\"\ntimeout = \"1m\"")],
    );
    let route = route_of(
        "gone",
        "chain = [{ handler = \"probe\", params = { do = \"count\" } }]",
    );
    let mut daemon = prepare(&[&target, &route, GRANTS], &[guest("probe", &[])]);
    fs::write(daemon.path("files/gone"), "").unwrap();
    daemon.run();
    assert!(daemon.cli(&["pause"]).status.success());
    assert!(daemon.stop());
    fs::remove_file(daemon.path("files/gone")).unwrap();
    daemon.run();
    daemon.wait_for_plugins(1);
    let waiting = daemon.wait_for_operation("job", "scheduled");

    fs::write(daemon.path("files/gone"), "").unwrap();
    assert!(daemon.cli(&["resume"]).status.success());
    let ended = wait_until(&daemon, &waiting["id"], "cancelled");
    assert_eq!(ended["attempts"], 0, "{ended}");
    assert_eq!(
        (&ended["handler"], &ended["started_at"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(ended["journal"].as_array().unwrap().len(), 0, "{ended}");
    let incident = daemon.json(&["incidents"])[0].clone();
    assert_eq!(incident["state"], "self-healed", "{incident}");
}

/// Two checks of one failure, of which the worse fails later.
#[test]
fn an_incident_that_gets_worse_stays_one_and_says_how_bad_it_was() {
    let check = |(name, severity): (&str, &str)| {
        format!(
            "[[target.check]]\nname = \"{name}\"\nkind = \"file\"\npath = \"files/{name}\"\nevery = \"1s\"\n\
             fail_after = 1\nfailure = \"odd\"\nseverity = \"{severity}\"\n"
        )
    };
    let checks = [("little", "low"), ("much", "critical")].map(check);
    let target = format!("\n[[target]]\nname = \"job\"\n{}", checks.concat());
    let asks = "strategy = { kind = \"manual\" }\nchain = [{ handler = \"probe\", params = { do = \"count\" } }]";
    let route = route_of("odd", asks);
    let mut daemon = prepare(&[&target, &route, GRANTS], &[guest("probe", &[])]);
    for name in ["little", "much"] {
        fs::write(daemon.path("files").join(name), "").unwrap();
    }
    daemon.run();
    daemon.wait_for_status("it to be healthy", |status| {
        status["targets"][0]["health"] == "healthy"
    });
    fs::remove_file(daemon.path("files/little")).unwrap();
    let opened = daemon.wait_for_event("the incident", |event| event["kind"] == "incident.opened");
    assert_eq!(opened["severity"], "low", "{opened}");
    fs::remove_file(daemon.path("files/much")).unwrap();
    let worse = daemon.wait_for_event("that it is worse", |event| {
        event["kind"] == "incident.worsened"
    });
    assert_eq!(
        (&worse["severity"], &worse["data"]["was"]),
        (&"critical".into(), &"low".into()),
        "{worse}"
    );
    let incidents = daemon.json(&["incidents"]);
    assert_eq!(incidents.as_array().unwrap().len(), 1, "{incidents}");
    assert_eq!(incidents[0]["severity"], "critical", "{incidents}");
}

#[test]
fn the_more_severe_failure_of_a_target_goes_between_the_attempts_of_the_lesser() {
    let target = files(
        "",
        &[
            ("slow", "every = \"1s\"\nseverity = \"low\""),
            ("torn", "every = \"1s\"\nseverity = \"critical\""),
            ("odd", "every = \"1s\"\nseverity = \"low\""),
        ],
    );
    let mends = |file: &str| {
        format!(
            "strategy = {{ kind = \"immediate\" }}\n\
             chain = [{{ handler = \"probe\", params = {{ do = \"write\", name = \"files/{file}\", word = \"whole\" }} }}]"
        )
    };
    let waits = "strategy = { kind = \"linear\", initial_delay = \"1h\", max_delay = \"1h\" }\n\
         chain = [{ handler = \"probe\", params = { do = \"retryable\" } }]";
    let routes = [
        route_of("slow", waits),
        route_of("torn", &mends("torn")),
        route_of("odd", &mends("odd")),
    ];
    let config = [target, routes.concat(), GRANTS.to_owned()].concat();
    let mut daemon = prepare(&[&config], &[guest("probe", &[])]);
    for file in ["slow", "torn", "odd"] {
        fs::write(daemon.path("files").join(file), "whole").unwrap();
    }
    daemon.run();
    daemon.wait_for_plugins(1);
    let fails = |file: &str| fs::remove_file(daemon.path("files").join(file)).unwrap();
    fails("slow");
    let retrying = daemon.wait_for_event("the first attempt to fail", |event| {
        event["kind"] == "operation.retrying" && event["data"]["failure"] == "slow"
    });
    // As little as the one that waits, so it has to wait too.
    fails("odd");
    let held = wait_for_newest(&daemon, "job", "the other lesser one", |one| {
        one["failure"] == "odd"
    });
    fails("torn");
    let mended = wait_for_newest(&daemon, "job", "the more severe one", |one| {
        one["failure"] == "torn" && one["state"] == "succeeded"
    });
    assert!(daemon.path("files/torn").exists());
    let lesser = shown(&daemon, &retrying["operation"]);
    assert_eq!(
        (&lesser["state"], &lesser["attempts"]),
        (&"in-progress".into(), &1.into()),
        "{lesser}"
    );
    assert!(lesser["due"].is_string(), "{lesser}");
    assert!(mended["started_at"].as_str() > lesser["started_at"].as_str());
    assert_eq!(shown(&daemon, &held["id"])["state"], "scheduled");

    // The end of what it waited for lets it go on.
    let (status, answer) = decide(&daemon, "cancel", &lesser["id"], None);
    assert_eq!(
        (status, &answer["state"]),
        (202, &"cancelled".into()),
        "{answer}"
    );
    let (status, answer) = decide(&daemon, "cancel", &lesser["id"], None);
    assert_eq!(status, 409, "it is over: {answer}");
    wait_until(&daemon, &held["id"], "succeeded");
}

/// As many as may run at one time each wait an hour for a check to pass, so what comes after them has to queue.
#[test]
fn of_equally_urgent_ones_the_more_severe_is_recovered_first() {
    const RUNNING: usize = 16;
    let running = |number: usize| deaf(&format!("b{number}"), "validation_timeout = \"1h\"");
    let waits = |(target, severity): (&str, &str)| {
        let keys = format!("exit_failure = \"down\"\nexit_severity = \"{severity}\"\n");
        sleeper(target) + &keys
    };
    let waiting = [("mild", "low"), ("plain", "medium"), ("grave", "critical")];
    let once = "strategy = { kind = \"immediate\", max_attempts = 1 }";
    let config = [
        (0..RUNNING).map(running).collect::<String>(),
        waiting.map(waits).concat(),
        route_of(
            "deaf",
            &format!("{once}\nchain = [{{ handler = \"probe\" }}]"),
        ),
        route_of("down", &format!("{once}\n{RESTART}")),
        GRANTS.to_owned(),
    ];
    let plugins = [guest("probe", &[]), plugin("restart-service")];
    let daemon = start(&[&config.concat()], &plugins);
    let event_of = |target: &str, kind: &str| {
        daemon.wait_for_event(&format!("{kind} of {target}"), |event| {
            event["target"] == target && event["kind"] == kind
        })
    };
    for number in 0..RUNNING {
        event_of(&format!("b{number}"), "operation.validating");
    }
    for (target, _) in waiting {
        event_of(target, "process.started");
        daemon.kill_child(target);
        event_of(target, "operation.scheduled");
    }
    assert_eq!(daemon.events_of("operation.started").len(), RUNNING);
    // One gives its place to the next, which gives it to the one after it.
    let freed = event_of("b0", "operation.started");
    let (status, answer) = decide(&daemon, "cancel", &freed["operation"], None);
    assert_eq!(status, 202, "{answer}");
    for (target, _) in waiting {
        daemon.wait_for_operation(target, "succeeded");
    }
    let started = daemon.events_of("operation.started");
    let order: Vec<_> = started[RUNNING..]
        .iter()
        .map(|event| &event["target"])
        .collect();
    assert_eq!(order, ["grave", "plain", "mild"]);
}
