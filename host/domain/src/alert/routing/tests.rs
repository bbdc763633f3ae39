//! Which events become which alerts.

use super::*;
use crate::{
    event::{
        CheckFailed, CheckRecovered, CircuitOpened, EffectPerformed, EventData, OperationEnded,
        OperationFacts, OperationScheduled, tests::examples,
    },
    id::{BackupId, OperationId},
    name::{CheckName, FailureType, JobName, TargetName},
    operation::{Mode, Operation},
    severity::Severity,
    time::Timestamp,
};
use semver::VersionReq;

fn route(alerter: &str, min_severity: Severity) -> AlertRoute {
    AlertRoute {
        min_severity,
        events: Vec::new(),
        target: None,
        alerter: PluginName::parse(alerter).unwrap(),
        version: VersionReq::STAR,
        grouping: None,
    }
}

fn operation() -> Operation {
    Operation::scheduled(
        OperationId::parse("op-01K0000000000000000000000A").unwrap(),
        TargetName::parse("cache").unwrap(),
        FailureType::parse("redis-down").unwrap(),
        Severity::High,
        Mode::Automatic,
        Timestamp::from_millis(1_700_000_000_000),
    )
}

/// Whatever its kind, its data names the failure and nothing else.
fn event(kind: EventKind) -> Event {
    let at = Timestamp::from_millis(1_700_000_000_000);
    Event::new(kind, Severity::High, at, "redis does not answer")
        .with_target(&TargetName::parse("cache").unwrap())
        .with_data(CircuitOpened {
            failure: Some(operation().failure),
        })
}

fn operation_event(kind: EventKind) -> Event {
    event(kind).with_operation(&operation().id)
}

fn sent(event: &Event, routes: &[AlertRoute]) -> Vec<OutboxEntry> {
    alerts_for(event, routes, "db1", &mut IdSource::new(1))
}

fn check(event: &Event, routes: &[AlertRoute], alerters: &[&str]) {
    let entries = sent(event, routes);
    let found: Vec<_> = entries.iter().map(|e| e.alerter.as_str()).collect();
    assert_eq!(found, alerters, "{event:?}");
}

#[test]
fn every_route_that_fits_sends_and_each_alerter_is_told_once() {
    let of_web = AlertRoute {
        target: Some(TargetName::parse("web").unwrap()),
        ..route("pager", Severity::Low)
    };
    let routes = [
        route("webhook", Severity::High),
        route("mail", Severity::Critical),
        route("webhook", Severity::Low),
        of_web,
        route("log", Severity::Low),
    ];
    let failed = operation_event(EventKind::OperationFailed);
    check(&failed, &routes, &["webhook", "log"]);
    let entries = sent(&failed, &routes);
    assert!(
        entries
            .windows(2)
            .all(|pair| pair[0].alert == pair[1].alert)
    );
}

#[test]
fn an_alert_is_for_the_version_of_the_route_that_sends_it() {
    let version = |text: &str| VersionReq::parse(text).unwrap();
    let of = |target: &str, text: &str| AlertRoute {
        target: Some(TargetName::parse(target).unwrap()),
        version: version(text),
        ..route("webhook", Severity::Low)
    };
    let entry = &sent(
        &operation_event(EventKind::OperationFailed),
        &[of("cache", "^1")],
    )[0];
    let check = |routes: &[AlertRoute], expected: &str| {
        assert_eq!(version_for(entry, routes), version(expected), "{routes:?}");
    };
    check(
        &[of("web", "^9"), of("cache", "^1"), of("cache", "^2")],
        "^1",
    );
    // Routes that have changed since: the alert still finds its way.
    check(&[of("web", "^9")], "^9");
    check(&[route("mail", Severity::Low)], "*");
}

#[test]
fn a_route_that_names_kinds_gets_those_and_no_others() {
    let routes = [AlertRoute {
        events: vec![EventKind::CheckFailed],
        ..route("log", Severity::Low)
    }];
    check(&event(EventKind::CheckFailed), &routes, &["log"]);
    check(&event(EventKind::OperationFailed), &routes, &[]);
}

#[test]
fn an_event_about_an_alert_never_becomes_one_even_where_it_is_asked_for() {
    let routes = [
        AlertRoute {
            events: EventKind::ALL.to_vec(),
            ..route("log", Severity::Low)
        },
        route("webhook", Severity::Low),
    ];
    let about_alerts: Vec<_> = EventKind::ALL
        .iter()
        .filter(|k| never_alerts(**k))
        .collect();
    assert_eq!(about_alerts.len(), 7);
    for kind in about_alerts {
        check(&event(*kind), &routes, &[]);
    }
}

#[test]
fn a_dry_run_is_no_alert_even_where_its_kind_is_asked_for() {
    let routes = [
        AlertRoute {
            events: EventKind::ALL.to_vec(),
            ..route("log", Severity::Low)
        },
        route("webhook", Severity::Low),
    ];
    let of = |kind: EventKind, dry_run: bool| {
        let operation = Operation {
            dry_run,
            ..operation()
        };
        let data = match kind {
            EventKind::OperationScheduled => EventData::from(OperationScheduled {
                about: OperationFacts::of(&operation),
                due: None,
            }),
            _ => OperationEnded::of(&operation, false, false).into(),
        };
        operation_event(kind).with_data(data)
    };
    for kind in [
        EventKind::OperationScheduled,
        EventKind::OperationSucceeded,
        EventKind::OperationFailed,
    ] {
        check(&of(kind, true), &routes, &[]);
        assert!(!sent(&of(kind, false), &routes).is_empty(), "{kind}");
    }
    let effect = |planned: bool| {
        operation_event(EventKind::EffectPerformed).with_data(EffectPerformed {
            effect: "targets.restart".to_owned(),
            outcome: "done".to_owned(),
            planned,
        })
    };
    check(&effect(true), &routes, &[]);
    check(&effect(false), &routes, &["log"]);
}

#[test]
fn by_default_only_what_somebody_should_know_is_an_alert() {
    let default: Vec<_> = EventKind::ALL
        .iter()
        .filter(|kind| is_alert_by_default(&event(**kind)))
        .map(|kind| kind.as_str())
        .collect();
    assert_eq!(
        default,
        [
            "journal.full",
            "journal.writable",
            "journal.damaged",
            "record.set-aside",
            "monitor.blind",
            "monitor.sees",
            "charter.broken",
            "config.rejected",
            "circuit.flapping",
            "incident.opened",
            "incident.worsened",
            "incident.overdue",
            "incident.unacknowledged",
            "incident.closed",
            "rto.exceeded",
            "operation.awaiting-manual",
            "operation.succeeded",
            "operation.partial",
            "operation.failed",
            "operation.escalated",
            "plugin.rejected",
            "plugin.quarantined",
            "plugin.released",
            "route.unhandled",
            "alerter.failing",
            "backup.failed",
            "backup.rpo-missed",
            "backup.corrupted",
            "backup.suspicious",
            "backup.fell-over",
            "retention.failed",
            "rollback.failed",
            "drill.failed",
        ]
    );
    let by_operation = operation_event(EventKind::IncidentClosed);
    assert!(!is_alert_by_default(&by_operation), "the operation says it");
}

#[test]
fn what_is_said_of_one_failure_has_one_key_and_its_end_resolves_it() {
    let routes = [route("log", Severity::Low)];
    let opened = sent(&event(EventKind::IncidentOpened), &routes);
    let done = sent(&operation_event(EventKind::OperationSucceeded), &routes);
    assert_eq!(opened[0].alert.dedup_key, "db1/incident/cache/redis-down");
    assert_eq!(opened[0].alert.dedup_key, done[0].alert.dedup_key);
    assert_eq!(opened[0].alert.status, AlertStatus::Firing);
    assert_eq!(done[0].alert.status, AlertStatus::Resolved);
}

#[test]
fn each_check_of_a_target_is_an_alert_of_its_own() {
    let routes = [AlertRoute {
        events: vec![EventKind::CheckFailed, EventKind::CheckRecovered],
        ..route("log", Severity::Low)
    }];
    let check = |name: &str| CheckName::parse(name).unwrap();
    let failed = |name: &str| {
        event(EventKind::CheckFailed).with_data(CheckFailed {
            check: check(name),
            in_a_row: 1,
            value: None,
        })
    };
    let recovered = event(EventKind::CheckRecovered).with_data(CheckRecovered {
        check: check("ping"),
        value: None,
    });
    let key = |event: &Event| sent(event, &routes)[0].alert.dedup_key.clone();
    assert_eq!(key(&failed("ping")), "db1/check/cache/ping");
    assert_eq!(key(&recovered), key(&failed("ping")));
    assert_ne!(key(&recovered), key(&failed("memory")));
}

#[test]
fn a_full_disk_is_one_alert_that_is_resolved_when_the_journal_is_written_again() {
    let routes = [route("log", Severity::Critical)];
    let at = Timestamp::from_millis(0);
    let event = |kind| Event::new(kind, Severity::Critical, at, "x");
    let full = sent(&event(EventKind::JournalFull), &routes);
    let writable = sent(&event(EventKind::JournalWritable), &routes);
    assert_eq!(full[0].alert.dedup_key, "db1/journal");
    assert_eq!(writable[0].alert.dedup_key, full[0].alert.dedup_key);
    assert_eq!(full[0].alert.status, AlertStatus::Firing);
    assert_eq!(writable[0].alert.status, AlertStatus::Resolved);
    let damaged = sent(&event(EventKind::JournalDamaged), &routes);
    assert_eq!(damaged[0].alert.dedup_key, "db1/journal-damage");
    assert_eq!(damaged[0].alert.status, AlertStatus::Firing);
}

#[test]
fn a_blind_monitor_is_one_alert_that_is_resolved_when_it_sees_again() {
    let routes = [route("log", Severity::High)];
    let at = Timestamp::from_millis(0);
    let event = |kind| Event::new(kind, Severity::High, at, "x");
    let blind = sent(&event(EventKind::MonitorBlind), &routes);
    let sees = sent(&event(EventKind::MonitorSees), &routes);
    assert_eq!(blind[0].alert.dedup_key, "db1/monitor");
    assert_eq!(sees[0].alert.dedup_key, blind[0].alert.dedup_key);
    assert_eq!(blind[0].alert.status, AlertStatus::Firing);
    assert_eq!(sees[0].alert.status, AlertStatus::Resolved);
}

#[test]
fn plugins_and_jobs_have_keys_of_their_own() {
    let routes = [route("log", Severity::Low)];
    let at = Timestamp::from_millis(0);
    let plugin = |kind, name: &str| Event::new(kind, Severity::High, at, "x").with_plugin(name);
    let key = |event: &Event| sent(event, &routes)[0].alert.dedup_key.clone();
    assert_eq!(
        key(&plugin(EventKind::PluginQuarantined, "page@1.0.0")),
        key(&plugin(EventKind::PluginReleased, "page@1.0.1")),
    );
    let job = JobName::parse("state").unwrap();
    let backup = BackupId::parse("ful-01K0000000000000000000000A").unwrap();
    let corrupted =
        Event::new(EventKind::BackupCorrupted, Severity::High, at, "x").with_backup(&job, &backup);
    assert_eq!(key(&corrupted), "db1/backup/state");
    let config = Event::new(EventKind::ConfigRejected, Severity::High, at, "x");
    assert_eq!(key(&config), "db1/config");
}

#[test]
fn an_alert_says_what_happened_to_what_what_was_done_and_what_to_do() {
    let operation = Operation {
        error: Some("connection refused".to_owned()),
        attempts: 3,
        actions: vec!["restarted".to_owned()],
        handler: Some(PluginName::parse("restart-service").unwrap()),
        ..operation()
    };
    let event = operation_event(EventKind::OperationFailed)
        .with_data(OperationEnded::of(&operation, false, false));
    let alert = sent(&event, &[route("log", Severity::Low)]).remove(0).alert;
    insta::assert_snapshot!(format!("{}\n{}", alert.title, alert.body), @r"
    [db1] cache: redis-down: its recovery failed
    What happened: redis does not answer
    Why: connection refused
    To what: cache on db1, high, at 2023-11-14T22:13:20.000Z
    What the host did: it tried what the route says; `mainstay status` shows what follows; attempts: 3; actions: restarted
    What to do next: `mainstay operation show op-01K0000000000000000000000A` says what became of it; repair it by hand; to try again: `mainstay recover cache --failure redis-down`
    ");
}

#[test]
fn every_kind_has_words_and_no_data_makes_it_panic() {
    let routes = [AlertRoute {
        events: EventKind::ALL.to_vec(),
        ..route("log", Severity::Low)
    }];
    for kind in EventKind::ALL.iter().filter(|kind| !never_alerts(**kind)) {
        let of_kind = examples().into_iter().filter(|event| event.kind == *kind);
        let odd = [EventData::Nothing, EventData::Other(serde_json::json!(7))];
        // A rehearsal alerts nobody.
        let of_kind = of_kind
            .map(|event| event.data)
            .filter(|data| !data.is_dry_run());
        for data in of_kind.chain(odd) {
            let odd =
                Event::new(*kind, Severity::Low, Timestamp::from_millis(0), "m").with_data(data);
            let alert = sent(&odd, &routes).remove(0).alert;
            assert!(alert.body.contains("What to do next: "), "{kind}");
            assert!(!alert.title.contains('\n'), "{kind}");
        }
    }
}

#[test]
fn only_what_nothing_ends_is_marked_as_news() {
    let routes = [AlertRoute {
        events: EventKind::ALL.to_vec(),
        ..route("log", Severity::Low)
    }];
    for event in examples() {
        for entry in sent(&event, &routes) {
            let is_news = entry.alert.labels.contains(&news_label());
            let expected = concern(event.kind) == Concern::Tells;
            assert_eq!(is_news, expected, "{}", event.kind);
        }
    }
}

#[test]
fn one_incident_fires_once_and_is_resolved_when_it_is_over() {
    let is_alert = |kind: EventKind, unproved: bool, again: bool| {
        let data = OperationEnded::of(&operation(), unproved, again);
        is_alert_by_default(&operation_event(kind).with_data(data))
    };
    for (kind, unproved, again) in [
        (EventKind::OperationSucceeded, true, false),
        (EventKind::OperationFailed, false, true),
        (EventKind::OperationPartial, false, true),
    ] {
        assert!(is_alert(kind, false, false), "{kind}");
        assert!(!is_alert(kind, unproved, again), "{kind}");
    }
}

#[test]
fn an_alerter_that_fails_is_told_of_by_the_others_and_not_by_itself() {
    let routes = [
        route("webhook", Severity::Low),
        route("mail", Severity::Low),
    ];
    let failing = event(EventKind::AlerterFailing).with_plugin("webhook");
    check(&failing, &routes, &["mail"]);
}
