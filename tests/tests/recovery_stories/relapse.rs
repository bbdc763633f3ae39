//! What comes back right after its recovery was never over.

use super::{GRANTS, RESTART, alerts, alerts_of, route, start, wait_for_incident};
use mainstay_tests::{Daemon, Receiver, guest, millis_between, plugin, sleeper, time};
use serde_json::Value;

/// A process that ends by itself, for ever, and who hears of it.
fn ends_again_and_again(run: &str) -> (Daemon, Receiver) {
    ends_though(run, "")
}

/// The same, with more checks.
fn ends_though(run: &str, checks: &str) -> (Daemon, Receiver) {
    let receiver = Receiver::start();
    let target = format!(
        "\n[[target]]\nname = \"job\"\nrun = [\"sh\", \"-c\", \"{run}\"]\n[[target.check]]\nkind = \"process\"\n\
         every = \"1h\"\nrecover_after = 1\nfailure = \"service-down\"\n{checks}"
    );
    let lines = format!(
        "strategy = {{ kind = \"immediate\", max_attempts = 3 }}\nrelapse_window = \"60s\"\n{RESTART}"
    );
    let plugins = [plugin("restart-service"), plugin("webhook")];
    let daemon = start(&[&target, &route(&lines), &alerts(&receiver)], &plugins);
    (daemon, receiver)
}

/// One incident from the first end on, and people hear of it, and that it needs them, once.
fn is_told_once(daemon: &Daemon, receiver: &Receiver, incident: &Value) {
    let incidents = daemon.json(&["incidents"]);
    assert_eq!(incidents.as_array().unwrap().len(), 1, "{incidents}");
    assert_eq!(incidents[0]["id"], incident["id"]);
    assert_eq!(daemon.events_of("incident.opened").len(), 1);
    assert_eq!(daemon.events_of("operation.escalated").len(), 1);
    // In the order of one alerter: what was said before the escalation has come before it.
    receiver.wait_for("the escalation", |one| {
        one.json()["kind"] == "operation.escalated"
    });
    assert_eq!(alerts_of(receiver, "incident.opened"), 1);
    assert_eq!(alerts_of(receiver, "operation.escalated"), 1);
}

#[test]
fn what_ends_at_once_for_ever_is_one_incident_that_is_escalated_once() {
    let (daemon, receiver) = ends_again_and_again("exit 1");
    let first = wait_for_incident(&daemon, "the incident", |one| one["id"].is_string());
    wait_for_incident(&daemon, "two rounds that did not help", |one| {
        one["escalated"] == true && one["failures_in_a_row"].as_u64() >= Some(2)
    });
    is_told_once(&daemon, &receiver, &first);
}

#[test]
fn what_ends_within_a_moment_of_each_start_never_recovers_though_its_checks_pass_meanwhile() {
    let passes = "[[target.check]]\nname = \"stranger\"\nkind = \"exec\"\nrun = [\"true\"]\nevery = \"100ms\"\n\
                  recover_after = 1\nfailure = \"service-down\"\n";
    let (daemon, receiver) = ends_though("sleep 0.3; exit 1", passes);
    let first = wait_for_incident(&daemon, "the incident", |one| one["id"].is_string());
    wait_for_incident(&daemon, "two rounds that did not help", |one| {
        one["escalated"] == true && one["failures_in_a_row"].as_u64() >= Some(2)
    });
    is_told_once(&daemon, &receiver, &first);
    for kind in [
        "operation.succeeded",
        "incident.closed",
        "incident.reopened",
        "circuit.closed",
    ] {
        let told = daemon.events_of(kind);
        assert!(told.is_empty(), "it has recovered from nothing: {told:?}");
    }
}

#[test]
fn what_dies_soon_after_each_recovery_is_one_incident_and_its_recoveries_are_no_news() {
    let (daemon, receiver) = ends_again_and_again("sleep 1.5; exit 1");
    let first = wait_for_incident(&daemon, "the incident", |one| one["id"].is_string());
    let escalated = wait_for_incident(&daemon, "the escalation", |one| {
        one["escalated"] == true && one["relapses"].as_u64() >= Some(3)
    });
    assert!(escalated["openings"].as_array().unwrap().len() > 3);
    // It goes on, and nobody hears more of it.
    wait_for_incident(&daemon, "one relapse more", |one| {
        one["relapses"].as_u64() > escalated["relapses"].as_u64()
    });
    is_told_once(&daemon, &receiver, &first);
    let succeeded = daemon.events_of("operation.succeeded").len();
    assert!(succeeded >= 3, "{succeeded}");
    let told = alerts_of(&receiver, "operation.succeeded");
    assert!(told <= 1, "only the first recovery was one: {told}");
    let reopened = daemon.events_of("incident.reopened");
    assert!(reopened.len() >= 3, "{reopened:?}");
}

/// Acts: `route.relapse_window`
#[test]
fn what_comes_back_within_the_relapse_window_is_the_same_incident_and_later_a_new_one() {
    let lines = |target: &str, window: &str| {
        format!(
            "\n[[route]]\ntarget = \"{target}\"\nrelapse_window = \"{window}\"\n\
             strategy = {{ kind = \"immediate\" }}\n{RESTART}\n"
        )
    };
    let config = [
        sleeper("within"),
        sleeper("without"),
        lines("within", "1h"),
        lines("without", "0s"),
        GRANTS.to_owned(),
    ];
    let daemon = start(&[&config.concat()], &[plugin("restart-service")]);
    for target in ["within", "without"] {
        for count in 1..=2 {
            daemon.kill_child(target);
            daemon.wait_for_successes(target, count);
        }
    }
    let incidents = daemon.json(&["incidents"]);
    let of = |target: &str| -> Vec<Value> {
        let all = incidents.as_array().unwrap().iter();
        all.filter(|one| one["target"] == target).cloned().collect()
    };
    let (within, without) = (of("within"), of("without"));
    assert_eq!((within.len(), without.len()), (1, 2), "{incidents}");
    assert_eq!(within[0]["relapses"], 1);
    // It is healthy, and said to be over only when it has lasted.
    assert_eq!(within[0]["state"], "open");
    assert!(within[0]["relapse_until"].is_string(), "{incidents}");
    let over = |one: &Value| one["state"] == "recovered" && one["relapses"] == 0;
    assert!(without.iter().all(over), "{incidents}");
}

/// A number among what the probe prints of the operation that it was given.
fn given(operation: &Value, field: &str) -> u64 {
    let mut actions = operation["actions"].as_array().unwrap().iter();
    let printed = actions
        .find_map(|action| {
            action
                .as_str()
                .filter(|text| text.starts_with("Operation "))
        })
        .unwrap_or_else(|| panic!("{operation}"));
    let (_, after) = printed.split_once(&format!("{field}: ")).unwrap();
    let after = after.trim_start_matches("Some(");
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn detection_is_once_for_all_operations_of_an_incident() {
    const HOUR: u64 = 3_600_000;
    let target = sleeper("job").replace("name", "rto = \"1h\"\nname");
    let lines = "strategy = { kind = \"immediate\" }\n\
         chain = [{ handler = \"probe\", params = { do = \"operation\" } }, { handler = \"restart-service\" }]";
    let plugins = [guest("probe", &[]), plugin("restart-service")];
    let daemon = start(&[&target, &route(lines)], &plugins);
    for count in 1..=2 {
        daemon.kill_child("job");
        daemon.wait_for_successes("job", count);
    }
    let operations = daemon.wait_for_successes("job", 2);
    let (first, second) = (&operations[0], &operations[1]);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["incident"], second["incident"]);
    assert_eq!(first["detected_at"], second["detected_at"]);
    let incident = wait_for_incident(&daemon, "the incident", |one| one["id"].is_string());
    assert_eq!(incident["opened_at"], first["detected_at"]);

    let detected_at = time(&first["detected_at"]).as_millis();
    for operation in [first, second] {
        assert_eq!(given(operation, "detected-at"), detected_at);
    }
    // What is left of the objective in the second is what the first one left of it, or less.
    let spent = millis_between(&first["detected_at"], &first["finished_at"]);
    assert!(given(second, "remaining") <= HOUR - spent, "{second}");
    assert!(second["recovery_ms"].as_u64() >= Some(spent), "{second}");
}
