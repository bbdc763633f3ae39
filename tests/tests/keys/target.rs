//! Targets: `[[target]]`. What is said of them all here, of supervised children in [`process`], [`start`],
//! [`ends`] and [`resources`], of foreign services in [`foreign`].

mod ends;
mod foreign;
mod process;
mod resources;
mod start;

use mainstay_tests::{Daemon, guest, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;

/// The least that a config needs; targets follow.
pub(crate) const HOST: &str = "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n";

/// A target's row of the status.
pub(crate) fn row_of<'a>(status: &'a Value, target: &str) -> &'a Value {
    let mut rows = status["targets"].as_array().unwrap().iter();
    rows.find(|row| row["name"] == target).unwrap()
}

/// Waits until a target is so.
pub(crate) fn wait_for_health(daemon: &Daemon, target: &str, health: &str) {
    daemon.wait_for_status(&format!("{target} to be {health}"), |status| {
        row_of(status, target)["health"] == health
    });
}

/// Waits for an incident of a target.
pub(crate) fn incident_of(daemon: &Daemon, target: &str) -> Value {
    wait_for(&format!("an incident of {target}"), || {
        let incidents = daemon.json(&["incidents"]);
        let mut all = incidents.as_array().unwrap().iter();
        let found = all.find(|incident| incident["target"] == target);
        found.cloned().ok_or_else(|| incidents.to_string())
    })
}

/// The variables that a process was started with.
pub(crate) fn environment(pid: u32) -> BTreeMap<String, String> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Waits for an event about a target.
/// Recovers by hand, to the end; the operation.
/// Ends a supervised child as if it had crashed.
pub(crate) fn crash(daemon: &Daemon, target: &str) {
    let pid = wait_for("the child", || {
        daemon
            .pids()
            .get(target)
            .copied()
            .ok_or_else(|| target.to_owned())
    });
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Milliseconds of a time as it is printed.
fn millis(time: &Value) -> u64 {
    let time: mainstay_domain::time::Timestamp = serde_json::from_value(time.clone()).unwrap();
    time.as_millis()
}

/// A route by failure to the probe, which does as `params` say, once.
fn route(failure: &str, params: &str) -> String {
    format!(
        "[[route]]\nfailure = \"{failure}\"\ncooldown = \"0s\"\nstrategy = {{ kind = \"immediate\", max_attempts = 1 }}\n\
         chain = [{{ handler = \"probe\", params = {params} }}]\n"
    )
}

/// A daemon with the probe, which may do all with targets.
fn start(config: &str) -> Daemon {
    let grants = "[plugin.probe]\ngrants = { target = [\"status\", \"start\", \"stop\", \"restart\", \"check\"] }\n";
    let daemon = Daemon::start(&format!("{HOST}{config}{grants}"), &[&guest("probe", &[])]);
    daemon.wait_for_plugins(1);
    daemon
}

fn sleeper(name: &str, more: &str) -> String {
    format!("[[target]]\nname = \"{name}\"\nrun = [\"sleep\", \"1000\"]\n{more}\n")
}

/// Acts: `target.name`, `target.priority`
#[test]
fn of_all_that_wait_the_most_urgent_is_recovered_first() {
    // As many as may run at one time each wait an hour for a check to pass, so what comes after them has to queue.
    let blocked = "exit_failure = \"blocked\"\npriority = 10";
    let blocker = |number| {
        format!(
            "[[target]]\nname = \"b{number}\"\nvalidation_timeout = \"1h\"\n[[target.check]]\nkind = \"tcp\"\n\
             address = \"127.0.0.1:1\"\nevery = \"1h\"\nfail_after = 1\nfailure = \"blocked\"\n"
        )
    };
    let config = [
        (0..16).map(blocker).collect::<String>(),
        sleeper("late", blocked),
        sleeper("middle", "exit_failure = \"blocked\""),
        sleeper("urgent", "exit_failure = \"blocked\"\npriority = 1"),
        r#"
[[route]]
failure = "blocked"
strategy = { kind = "immediate", max_attempts = 1 }
cooldown = "1h"
chain = [{ handler = "probe" }]
"#
        .to_owned(),
    ];
    let daemon = start(&config.concat());
    for number in 0..16 {
        daemon.wait_for_event_of("operation.validating", &format!("b{number}"));
    }
    for target in ["late", "middle", "urgent"] {
        crash(&daemon, target);
        daemon.wait_for_event_of("operation.scheduled", target);
    }
    assert_eq!(daemon.events_of("operation.started").len(), 16);
    // Each gives its place to the next: its child is down, so it ends at once.
    let freed = daemon.wait_for_event_of("operation.started", "b0");
    let id = freed["operation"].as_str().unwrap();
    daemon.cli(&["cancel", id, "--reason", "to make room"]);
    daemon.wait_for_event_of("operation.escalated", "late");
    let started = daemon.events_of("operation.started");
    let order: Vec<_> = started[16..].iter().map(|event| &event["target"]).collect();
    assert_eq!(order, ["urgent", "middle", "late"]);
    let status = daemon.json(&["status"]);
    let priorities = ["urgent", "middle", "late"].map(|name| &row_of(&status, name)["priority"]);
    assert_eq!(priorities, [1, 5, 10]);
}

/// Acts: `target.depends_on`
#[test]
fn what_depends_on_a_failing_target_waits_for_it() {
    let config = [
        sleeper("store", "exit_failure = \"store-down\""),
        sleeper(
            "dependent",
            "exit_failure = \"down\"\ndepends_on = [\"store\"]",
        ),
        sleeper("free", "exit_failure = \"down\""),
        route("down", "{ do = \"restart\" }"),
        "[[route]]\nfailure = \"store-down\"\nstrategy = { kind = \"manual\", max_attempts = 1 }\n\
         chain = [{ handler = \"probe\", params = { do = \"restart\" } }]\n"
            .to_owned(),
    ];
    let daemon = start(&config.concat());
    crash(&daemon, "store");
    let awaiting = daemon.wait_for_event_of("operation.awaiting-manual", "store");
    for target in ["dependent", "free"] {
        crash(&daemon, target);
        daemon.wait_for_event_of("operation.scheduled", target);
    }
    daemon.wait_for_event_of("operation.succeeded", "free");
    let id = awaiting["operation"].as_str().unwrap();
    assert!(
        daemon
            .cli(&["approve", id, "--reason", "tested"])
            .status
            .success()
    );
    daemon.wait_for_event_of("operation.succeeded", "dependent");
    let begun = daemon.wait_for_event_of("operation.started", "dependent");
    let over = daemon.wait_for_event_of("incident.closed", "store");
    assert!(
        begun["seq"].as_u64() > over["seq"].as_u64(),
        "{begun} {over}"
    );
}

/// Acts: `target.rto`
#[test]
fn a_recovery_that_takes_longer_than_its_objective_is_marked() {
    let config = [
        "[[target]]\nname = \"tight\"\nrto = \"5ms\"\n[[target]]\nname = \"wide\"\n".to_owned(),
        route("late", "{ do = \"sleep\", length = \"20ms\" }"),
    ];
    let daemon = start(&config.concat());
    for (target, exceeded) in [("tight", true), ("wide", false)] {
        let operation = daemon.recover(target, "late");
        assert_eq!(operation["state"], "succeeded", "{operation}");
        assert_eq!(operation["rto_exceeded"], exceeded, "{operation}");
    }
}

/// Acts: `target.validation_timeout`, `target.breaker.open_for`
#[test]
fn what_stays_ill_is_validated_and_left_open_for_as_long_as_it_says() {
    let target = |name: &str, more: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\n{more}\n[[target.check]]\nkind = \"tcp\"\naddress = \"127.0.0.1:1\"\n\
             every = \"1h\"\nfail_after = 1\nfailure = \"deaf\"\n"
        )
    };
    let config = [
        target("brief", "breaker.open_for = \"400ms\""),
        target("long", "breaker.open_for = \"300d\""),
        target("hasty", "validation_timeout = \"150ms\""),
        target("patient", "validation_timeout = \"1h\""),
        route("still-deaf", "{}"),
    ];
    let daemon = start(&config.concat());
    let half_opened = daemon.wait_for_event_of("circuit.half-opened", "brief");
    let opened = daemon.wait_for_event_of("circuit.opened", "brief");
    let open_for = millis(&half_opened["at"]) - millis(&opened["at"]);
    // The clock of records counts whole milliseconds.
    assert!(open_for >= 399, "{open_for} ms");
    let status = daemon.json(&["status"]);
    assert_eq!(row_of(&status, "long")["circuit"], "open");

    daemon.cli(&["recover", "patient", "--failure", "still-deaf"]);
    daemon.wait_for_event_of("operation.validating", "patient");
    let operation = daemon.recover("hasty", "still-deaf");
    assert_eq!(operation["state"], "partial", "{operation}");
    let validating = daemon.wait_for_event_of("operation.validating", "hasty");
    let validated = millis(&operation["finished_at"]) - millis(&validating["at"]);
    assert!(validated >= 149, "{validated} ms");
    let history = daemon.json(&["history", "--target", "patient"]);
    assert_eq!(history[0]["state"], "validating", "{history}");
}

/// Acts: `target.commands.start`, `target.commands.stop`, `target.commands.restart`, `target.commands.reload`
#[test]
fn a_foreign_service_is_controlled_by_its_commands() {
    let command = |name: &str, verb: &str| {
        format!("commands.{verb} = [\"sh\", \"-c\", \"echo {verb} >> $0\", \"{name}.calls\"]\n")
    };
    let target = |name: &str, verbs: &[&str]| {
        let commands: String = verbs.iter().map(|verb| command(name, verb)).collect();
        format!("[[target]]\nname = \"{name}\"\n{commands}")
    };
    let config = [
        target("full", &["start", "stop", "restart", "reload"]),
        target("plain", &["start", "stop"]),
        route("again", "{ do = \"restart\" }"),
        route("anew", "{ do = \"stop-start\" }"),
    ];
    let daemon = start(&config.concat());
    for (target, failure, expected) in [
        ("full", "again", "restart"),
        ("plain", "again", "stop start"),
        ("full", "anew", "restart stop start"),
    ] {
        let operation = daemon.recover(target, failure);
        assert_eq!(operation["state"], "succeeded", "{operation}");
        let calls = std::fs::read_to_string(daemon.path(&format!("{target}.calls"))).unwrap();
        assert_eq!(calls.lines().collect::<Vec<_>>().join(" "), expected);
    }
    assert!(daemon.cli(&["reload", "full", "--wait"]).status.success());
    let calls = std::fs::read_to_string(daemon.path("full.calls")).unwrap();
    assert_eq!(calls.lines().last(), Some("reload"));
    assert!(
        !daemon.cli(&["reload", "plain"]).status.success(),
        "it has none"
    );
}
