//! What is said of a target, and what comes next.

use super::{
    headline::{headline, tier_line},
    target::{circuit_words, process_words, target_view},
    urgency::urgency_of,
    view::{Wanted, next, view, why},
};
use crate::cli::{
    layout::{Style, lay_out},
    times::Times,
};
use jiff::tz::TimeZone;
use mainstay_api::{CircuitState, Incident, Status, TargetDetail, TargetRow, TierRow};
use mainstay_domain::time::Timestamp;
use serde_json::{Value, json};

fn times() -> Times {
    let now = Timestamp::parse("2026-03-04T11:22:00Z").unwrap();
    Times::at(now, TimeZone::UTC)
}

/// `web`, with these fields otherwise.
fn web(health: &str, other: Value) -> TargetRow {
    let mut row = json!({
        "name": "web", "health": health, "circuit": "closed", "incident": "inc-01K00000000000000000000001",
        "operation": "op-01K00000000000000000000001", "priority": 5, "paused": false, "pid": 4242, "restarts": 0,
    });
    for (key, value) in other.as_object().unwrap() {
        row[key] = value.clone();
    }
    serde_json::from_value(row).unwrap()
}

/// Its incident, escalated, that was seen healthy since a time where one is given.
fn incident(healthy_since: Option<&str>) -> Incident {
    serde_json::from_value(json!({
        "id": "inc-01K00000000000000000000001", "target": "web", "failure": "service-down", "severity": "high",
        "state": "escalated", "opened_at": "2026-03-04T11:20:00Z", "closed_at": null, "recurrence": 0, "affected": [],
        "evidence": [{"check": "http", "observed_at": "2026-03-04T11:20:00Z", "message": "connection refused",
                      "value": null}],
        "tried_at": healthy_since, "relapse_until": healthy_since.map(|_| "2026-03-04T11:22:40Z"),
    }))
    .unwrap()
}

/// The first line of `status` over this one target.
fn first_line(target: &TargetRow, open: &[&Incident]) -> String {
    let status: Status = serde_json::from_value(json!({
        "host": {
            "name": "db1", "version": "0.1.0", "phase": "normal", "started_at": "2026-03-01T08:00:00Z",
            "contract_versions": ["1.0.0"], "config_digest": "00", "paused": false,
        },
        "targets": [], "plugins": [], "jobs": [], "last_reload": null,
    }))
    .unwrap();
    let targets = [(urgency_of(target, open), target)];
    let block = headline(&status, &targets);
    let style = Style {
        width: None,
        colour: false,
    };
    lay_out(&[block], style).join(" ")
}

#[test]
fn of_what_is_as_urgent_the_worst_comes_first_unless_its_priority_says_otherwise() {
    let named = |name: &str, priority: u32| json!({"name": name, "priority": priority});
    let mut rows = Vec::new();
    for (name, priority) in [("mild", 5), ("worst", 5), ("unknown", 5), ("first", 1)] {
        rows.push(web("failed", named(name, priority)));
    }
    let mut incidents = Vec::new();
    for (name, severity) in [("mild", "low"), ("worst", "critical"), ("first", "low")] {
        let mut row = serde_json::to_value(incident(None)).unwrap();
        row["target"] = json!(name);
        row["severity"] = json!(severity);
        row["state"] = json!("open");
        incidents.push(serde_json::from_value::<Incident>(row).unwrap());
    }
    let status: Status = serde_json::from_value(json!({
        "host": {
            "name": "db1", "version": "0.1.0", "phase": "normal", "started_at": "2026-03-01T08:00:00Z",
            "contract_versions": ["1.0.0"], "config_digest": "00", "paused": false,
        },
        "targets": rows, "plugins": [], "jobs": [], "last_reload": null,
    }))
    .unwrap();
    let wanted = Wanted {
        all: false,
        together: true,
    };
    let style = Style {
        width: None,
        colour: false,
    };
    let lines = lay_out(&view(&status, &incidents, &times(), wanted), style);
    let firsts = lines
        .iter()
        .filter_map(|line| line.split_whitespace().next());
    let named = firsts.filter(|word| ["mild", "worst", "unknown", "first"].contains(word));
    assert_eq!(
        named.collect::<Vec<&str>>(),
        ["first", "worst", "mild", "unknown"]
    );
}

#[test]
fn what_the_phase_holds_back_needs_a_person_and_what_passes_by_itself_does_not() {
    let first = |phase: &str, held: Option<&str>, severity: &str| {
        let status: Status = serde_json::from_value(json!({
            "host": {
                "name": "db1", "version": "0.1.0", "phase": phase, "started_at": "2026-03-01T08:00:00Z",
                "contract_versions": ["1.0.0"], "config_digest": "00", "paused": false,
            },
            "targets": [web("failed", json!({"held": held}))], "plugins": [], "jobs": [], "last_reload": null,
        }))
        .unwrap();
        let mut row = serde_json::to_value(incident(None)).unwrap();
        row["severity"] = json!(severity);
        row["state"] = json!("open");
        let open = vec![serde_json::from_value::<Incident>(row).unwrap()];
        let wanted = Wanted {
            all: false,
            together: true,
        };
        let style = Style {
            width: None,
            colour: false,
        };
        lay_out(&view(&status, &open, &times(), wanted), style).remove(0)
    };
    let held = Some("it is due, and is held back");
    for (phase, held, severity, needs) in [
        ("safe", held, "critical", true),
        ("launch", held, "high", true),
        ("launch", held, "critical", false),
        ("normal", held, "low", false),
        ("safe", None, "critical", false),
    ] {
        let line = first(phase, held, severity);
        let expected = match needs {
            true => "needs a person: the recovery of web; ",
            false => "nothing needs a person; ",
        };
        assert!(line.starts_with(expected), "{phase}, {severity}: {line}");
    }
}

#[test]
fn a_tier_that_took_no_backup_says_why_and_until_when_it_is_left_alone() {
    let (at, until) = ("2026-03-04T11:20:00Z", "2026-03-04T11:23:00Z");
    let line = |until: Option<&str>| {
        let row: TierRow = serde_json::from_value(json!({
            "name": "nas", "failed_at": at, "why": "it is full", "left_alone_until": until,
        }))
        .unwrap();
        let style = Style {
            width: None,
            colour: false,
        };
        lay_out(&[tier_line(&row, &times())], style).join(" ")
    };
    let plain = format!(
        "tier nas did not take a backup, {}: it is full",
        times().both(at)
    );
    assert_eq!(line(None), plain);
    let until_then = format!("{plain}; it is left alone until {}", times().both(until));
    assert_eq!(line(Some(until)), until_then);
}

#[test]
fn what_comes_next_is_what_it_waits_for_and_no_time_that_has_passed() {
    let pause = |of_host: bool, by: Value, until: Value| json!({"pause": {"of_host": of_host, "by": by, "until": until}});
    for (other, expected) in [
        (
            pause(true, json!("ann"), json!("2026-03-04T11:26:56Z")),
            "recovery is paused by ann until 11:26:56; `mainstay resume` lets it go on",
        ),
        (
            pause(false, json!(null), json!(null)),
            "recovery is paused; `mainstay resume web` lets it go on",
        ),
        (
            json!({"rests": {"until": "2026-03-04T11:21:42Z", "why": "between two attempts"}}),
            "recovery begins; it waited: between two attempts",
        ),
        (
            json!({"held": "it is due, and waits until db is recovered, on which it depends"}),
            "it is due, and waits until db is recovered, on which it depends",
        ),
        (json!({}), "an operation is under way"),
    ] {
        let target = web("failed", other);
        assert_eq!(next(&target, &[], &times()), [expected]);
    }
}

#[test]
fn a_failure_that_is_not_recovered_because_of_a_pause_needs_a_person() {
    let pause = json!({"pause": {"of_host": true, "by": "ann", "until": null}});
    let line = first_line(&web("failed", pause), &[]);
    assert!(
        line.starts_with("needs a person: the recovery of web"),
        "{line}"
    );
}

#[test]
fn an_incident_that_may_be_over_needs_nobody_and_says_until_when_it_may_come_back() {
    let healthy = incident(Some("2026-03-04T11:21:40Z"));
    let target = web("healthy", json!({"operation": null}));
    let line = first_line(&target, &[&healthy]);
    assert!(line.starts_with("nothing needs a person"), "{line}");
    assert_eq!(
        why(&target, &[&healthy], &times()),
        ["healthy since 11:21:40, 20 s ago; it had service-down (high)"]
    );
    assert_eq!(
        next(&target, &[&healthy], &times()),
        ["the incident is over at 11:22:40 if it stays so"]
    );
    let failing = incident(None);
    let line = first_line(&target, &[&failing]);
    assert!(
        line.starts_with("needs a person: the recovery of web"),
        "{line}"
    );
    assert_eq!(
        why(&target, &[&failing], &times()),
        ["service-down (high): connection refused"]
    );
}

#[test]
fn what_is_degraded_says_why() {
    let target = web("degraded", json!({"degraded": "http: answered in 900 ms"}));
    assert_eq!(why(&target, &[], &times()), ["http: answered in 900 ms"]);
}

#[test]
fn what_its_commands_did_not_start_says_which_command_failed_and_how() {
    let failing = incident(None);
    let target = web(
        "failed",
        json!({"pid": null, "not_started": {
            "at": "2026-03-04T11:21:30Z", "why": "`svc restart web` exited with code 5: no such unit",
        }}),
    );
    assert_eq!(
        why(&target, &[&failing], &times()),
        [
            "service-down (high): connection refused",
            "it was not started, 11:21:30, 30 s ago: `svc restart web` exited with code 5: no such unit",
        ]
    );
}

/// However it stands, and of a foreign service also where nobody can tell.
#[test]
fn what_is_said_of_its_process_is_true_of_each_kind_of_target() {
    let service = |pid_file: Value, pid: Value, error: Value| json!({"pid_file": pid_file, "pid": pid, "error": error});
    let file = json!("/run/web.pid");
    for (service, pid, expected) in [
        (json!(null), json!(4242), "pid 4242, 1 restart"),
        (
            json!(null),
            json!(null),
            "no process is supervised now, 1 restart",
        ),
        (
            service(file.clone(), json!(77), json!(null)),
            json!(null),
            "pid 77, as /run/web.pid says, 1 restart",
        ),
        (
            service(file.clone(), json!(null), json!(null)),
            json!(null),
            "/run/web.pid names none that lives, 1 restart",
        ),
        (
            service(file, json!(null), json!("/run/web.pid: it is a directory")),
            json!(null),
            "not known: /run/web.pid: it is a directory, 1 restart",
        ),
        (
            service(json!(null), json!(null), json!(null)),
            json!(null),
            "none is known: no `pid_file` names one, 1 restart",
        ),
    ] {
        let detail = TargetDetail {
            target: web("healthy", json!({"pid": pid, "restarts": 1})),
            checks: Vec::new(),
            log: None,
            service: serde_json::from_value(service).unwrap(),
        };
        assert_eq!(process_words(&detail).as_deref(), Some(expected));
    }
    // A disk has none, and no `pid_file` would help.
    let disk = TargetDetail {
        target: web("healthy", json!({"pid": null, "restarts": 0})),
        checks: Vec::new(),
        log: None,
        service: serde_json::from_value(service(json!(null), json!(null), json!(null))).unwrap(),
    };
    assert_eq!(process_words(&disk), None);
}

/// It may be half-open by the time alone, with nobody who tries anything.
#[test]
fn a_half_open_circuit_is_not_said_to_be_tried() {
    let said = circuit_words(CircuitState::HalfOpen);
    assert_eq!(said, "half-open: any failure opens, and successes close it");
}

#[test]
fn what_is_on_the_way_to_its_start_says_what_keeps_it_and_since_when() {
    let nothing = json!({"incident": null, "operation": null, "pid": null});
    let with = |health: &str, key: &str, value: Value| {
        let mut other = nothing.clone();
        other[key] = value;
        web(health, other)
    };
    let since = "2026-03-04T11:21:00Z";
    for words in [
        "it waits for db, on which it depends",
        "its `before_start` runs",
    ] {
        let row = with(
            "unknown",
            "unstarted",
            json!({"since": since, "why": words}),
        );
        let why = why(&row, &[], &times()).join("; ");
        assert_eq!(why, format!("{words}, since {}", times().both(since)));
    }
    let row = with(
        "unknown",
        "unstarted",
        json!({"since": since, "why": "it waits"}),
    );
    let mut detail = serde_json::to_value(&row).unwrap();
    detail["checks"] = json!([]);
    detail["log"] = json!("bye");
    let detail: TargetDetail = serde_json::from_value(detail).unwrap();
    let style = Style {
        width: None,
        colour: false,
    };
    let shown = lay_out(&target_view(&detail, &[], &times()), style).join("\n");
    assert!(shown.contains("none runs yet"), "{shown}");
    assert!(shown.contains("of its process before:"), "{shown}");
    let row = with("starting", "not_yet", json!("http: connection refused"));
    assert_eq!(why(&row, &[], &times()), ["http: connection refused"]);
}
