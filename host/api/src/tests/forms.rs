//! Each form is the JSON that the domain's own value is, and comes back from JSON as it was.

use super::samples;
use crate::*;
use mainstay_domain::{
    archive, backup, backup_statistics, breaker, checkpoint, event, health, incident,
    name::TargetName, operation, plugin, record, silence,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt::{Debug, Display};

/// The form is this JSON, and is what this JSON is read as.
#[track_caller]
fn check<F>(form: &F, expected: &Value)
where
    F: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let found = serde_json::to_value(form).unwrap();
    assert_eq!(found, *expected);
    let read: F = serde_json::from_value(found).unwrap();
    assert_eq!(read, *form);
}

/// The form of this value is the JSON that the value is.
#[track_caller]
fn check_same<F, D>(value: &D)
where
    F: for<'a> From<&'a D> + Serialize + DeserializeOwned + PartialEq + Debug,
    D: Serialize,
{
    check(&F::from(value), &serde_json::to_value(value).unwrap());
}

/// Every word is the one of the domain, and is shown as it is written.
#[track_caller]
fn check_words<W, D>(words: &[W])
where
    W: Copy + From<D> + Serialize + DeserializeOwned + PartialEq + Debug + Display,
    D: From<W> + Serialize,
{
    for word in words {
        let expected = serde_json::to_value(D::from(*word)).unwrap();
        check(word, &expected);
        assert_eq!(expected, word.to_string().as_str());
        assert_eq!(W::from(D::from(*word)), *word);
    }
}

#[test]
fn words_are_spelt_as_before() {
    check_words::<_, mainstay_domain::severity::Severity>(Severity::ALL);
    check_words::<_, operation::OperationState>(OperationState::ALL);
    check_words::<_, operation::Mode>(Mode::ALL);
    check_words::<_, record::EntryKind>(EntryKind::ALL);
    check_words::<_, incident::IncidentState>(IncidentState::ALL);
    check_words::<_, event::EventKind>(EventKind::ALL);
    check_words::<_, backup::BackupType>(BackupType::ALL);
    check_words::<_, backup::BackupStatus>(BackupStatus::ALL);
    check_words::<_, checkpoint::CheckpointKind>(CheckpointKind::ALL);
    check_words::<_, checkpoint::RollbackStep>(RollbackStep::ALL);
    check_words::<_, archive::DocumentKind>(DocumentKind::ALL);
    check_words::<_, health::Health>(Health::ALL);
    check_words::<_, breaker::CircuitState>(CircuitState::ALL);
    check_words::<_, mainstay_domain::fallback_mode::FallbackMode>(FallbackMode::ALL);
    check_words::<_, plugin::PluginKind>(PluginKind::ALL);
    check_words::<_, plugin::PluginState>(PluginState::ALL);
    assert_eq!(EventKind::ALL.len(), event::EventKind::ALL.len());
}

#[test]
fn what_the_domain_has_is_the_same_json() {
    for operation in samples::operations() {
        check_same::<Operation, _>(&operation);
    }
    for incident in samples::incidents() {
        check_same::<Incident, _>(&incident);
    }
    for event in samples::events() {
        check_same::<Event, _>(&event);
    }
    for backup in samples::backups() {
        let mut expected = serde_json::to_value(&backup).unwrap();
        // What all of a drill took is added for who reads it.
        if let Some(drilled) = &backup.drilled {
            expected["drilled"]["total_ms"] = drilled.total_ms().into();
        }
        check(&Backup::from(&backup), &expected);
    }
    for verdict in samples::verdicts() {
        check_same::<Verdict, _>(&verdict);
    }
    for row in samples::plugins() {
        check_same::<PluginRow, _>(&row);
    }
    let capability = plugin::Capability {
        name: "target:restart".to_owned(),
        why: "it restarts what is down".to_owned(),
    };
    check_same::<Capability, _>(&capability);
}

#[test]
fn the_numbers_of_backups_are_by_the_words_of_their_types_and_the_names_of_their_tiers() {
    let [short, whole] = samples::backups();
    let all = [
        backup::BackupRecord {
            status: backup::BackupStatus::Verified,
            size_bytes: 1_000,
            stored_bytes: 250,
            ..short
        },
        whole,
    ];
    let stats = BackupStats::from(&backup_statistics::BackupStatistics::of(&all));
    let stored = |backups: u64| {
        json!({
            "backups": backups,
            "verified": 1,
            "size_bytes": 1_000,
            "stored_bytes": 250,
            "compression_ratio": 75.0,
            "newest": "2024-01-31T12:00:00.123Z",
        })
    };
    let nothing = json!({
        "backups": 1,
        "verified": 0,
        "size_bytes": 0,
        "stored_bytes": 0,
        "compression_ratio": 0.0,
        "newest": null,
    });
    let expected = json!({
        "total": stored(2),
        "by_type": { "full": stored(1), "incremental": nothing },
        "by_tier": { "local": stored(2) },
    });
    check(&stats, &expected);
}

#[test]
fn the_numbers_of_a_target_say_null_where_nothing_is_known() {
    let stats = Stats {
        since: samples::NOW.to_string(),
        until: samples::NOW.to_string(),
        total: None,
        targets: vec![TargetStats {
            target: "api".to_owned(),
            incidents: 1,
            relapses: 0,
            recoveries: 0,
            failed: 0,
            success_rate: None,
            mean_recovery_ms: None,
            median_recovery_ms: None,
            p95_recovery_ms: None,
            rto_met: None,
            uptime: None,
            known: 0.0,
            known_ms: 0,
        }],
    };
    let at = "2024-01-31T12:00:00.123Z";
    let expected = json!({
        "since": at,
        "until": at,
        "total": null,
        "targets": [{
            "target": "api",
            "incidents": 1,
            "relapses": 0,
            "recoveries": 0,
            "failed": 0,
            "success_rate": null,
            "mean_recovery_ms": null,
            "median_recovery_ms": null,
            "p95_recovery_ms": null,
            "rto_met": null,
            "uptime": null,
            "known": 0.0,
            "known_ms": 0,
        }],
    });
    check(&stats, &expected);
}

#[test]
fn a_tested_alert_says_null_where_there_is_nothing() {
    let refused = TestedAlert {
        alerter: "pager".to_owned(),
        delivered: false,
        by: None,
        reference: None,
        error: Some("no such channel".to_owned()),
    };
    let expected = json!({
        "alerter": "pager",
        "delivered": false,
        "by": null,
        "reference": null,
        "error": "no such channel",
    });
    check(&refused, &expected);
}

#[test]
fn an_operation_in_full_has_its_own_fields_and_its_journal() {
    let [_, operation] = samples::operations();
    let detail = OperationDetail {
        operation: Operation::from(&operation),
        journal: samples::journal().iter().map(JournalEntry::from).collect(),
        notes: vec![Note {
            at: samples::NOW.to_string(),
            by: "root".to_owned(),
            note: None,
            text: "I moved the traffic away".to_owned(),
        }],
        calls: Vec::new(),
    };
    let at = "2024-01-31T12:00:00.123Z";
    let mut expected = serde_json::to_value(&operation).unwrap();
    expected["notes"] = json!([
        { "at": at, "by": "root", "note": null, "text": "I moved the traffic away" },
    ]);
    expected["journal"] = json!([
        {
            "seq": 1,
            "at": at,
            "kind": "intent",
            "effect": "targets.restart",
            "request": { "target": "api" },
            "response": null,
            "outcome": null,
        },
        {
            "seq": 1,
            "at": at,
            "kind": "result",
            "effect": "targets.restart",
            "request": { "target": "api" },
            "response": "done",
            "outcome": "done",
        },
        {
            "seq": 2,
            "at": at,
            "kind": "result",
            "effect": "targets.restart",
            "request": { "target": "api" },
            "response": null,
            "outcome": "denied: grant `target:restart`",
        },
        {
            "seq": 3,
            "at": at,
            "kind": "planned",
            "effect": "clock.now",
            "request": {},
            "response": { "now": at },
            "outcome": "done",
        },
    ]);
    check(&detail, &expected);
}

#[test]
fn the_status_says_null_where_there_is_nothing() {
    let [row, _] = samples::plugins();
    let target = TargetRow {
        name: "api".to_owned(),
        health: Health::Starting,
        degraded: None,
        circuit: CircuitState::HalfOpen,
        incident: None,
        operation: None,
        rests: Some(Rest {
            until: samples::NOW.to_string(),
            why: "the attempt before failed".to_owned(),
        }),
        waits: Some("stopped by hand".to_owned()),
        pause: None,
        held: Some("it waits for its turn".to_owned()),
        unseen: Some(Unseen {
            since: samples::NOW.to_string(),
            why: "no file can be opened".to_owned(),
        }),
        priority: 5,
        paused: true,
        paused_until: Some(samples::NOW.to_string()),
        pid: None,
        service_pid: Some(4_242),
        restarts: 2,
        not_started: Some(NotStarted {
            at: samples::NOW.to_string(),
            why: "`svc start api` exited with code 5: no such unit".to_owned(),
        }),
        unstarted: Some(Unstarted {
            since: samples::NOW.to_string(),
            why: "it waits for db, on which it depends".to_owned(),
        }),
        not_yet: Some("http: connection refused".to_owned()),
        completed: true,
        stopped: Some("stopped by root".to_owned()),
    };
    let status = Status {
        host: HostStatus {
            name: "example".to_owned(),
            version: "0.1.0".to_owned(),
            phase: "normal".to_owned(),
            mode: Some(FallbackMode::Safe),
            charter: Some("cd".repeat(32)),
            backup_key: Some("ab".repeat(32)),
            started_at: samples::NOW.to_string(),
            contract_versions: vec!["1.0.0".to_owned()],
            config_digest: "ef".repeat(32),
            paused: false,
            paused_until: None,
        },
        targets: vec![target],
        plugins: vec![PluginRow::from(&row)],
        jobs: vec![JobRow {
            name: "state".to_owned(),
            last_verified: None,
            last_status: Some(BackupStatus::Verified),
            last_incomplete: true,
            last_error: Some("/data is not there".to_owned()),
            next_due: None,
            rpo_met: None,
            waits: None,
            last_checkpoint: Some(samples::NOW.to_string()),
            next_checkpoint: None,
            last_drill: None,
        }],
        last_reload: None,
        unhandled_routes: vec!["the route for any failure".to_owned()],
        alerters: vec![AlerterRow::from(&mainstay_domain::alert::AlerterState {
            name: mainstay_domain::name::PluginName::parse("webhook").unwrap(),
            serves: true,
            undelivered: 2,
            last_error: Some("answered 503".to_owned()),
            since: Some(samples::NOW),
        })],
        silences: vec![Silence {
            id: "sil-01K0000000000000000000000A".to_owned(),
            target: Some("api".to_owned()),
            alert: None,
            since: samples::NOW.to_string(),
            until: samples::NOW.to_string(),
            reason: "new disks".to_owned(),
            by: "ann".to_owned(),
            note: None,
        }],
        maintenance: vec![OpenWindow::from(
            &mainstay_domain::maintenance::OpenWindow {
                targets: Vec::new(),
                since: samples::NOW,
                until: samples::NOW,
                holds_alerts: true,
                pauses_recovery: false,
            },
        )],
        tiers: vec![TierRow {
            name: "nas".to_owned(),
            failed_at: samples::NOW.to_string(),
            why: "it is not mounted".to_owned(),
            left_alone_until: None,
        }],
    };
    let at = "2024-01-31T12:00:00.123Z";
    let expected = json!({
        "host": {
            "name": "example",
            "version": "0.1.0",
            "phase": "normal",
            "mode": "safe",
            "charter": "cd".repeat(32),
            "backup_key": "ab".repeat(32),
            "started_at": at,
            "contract_versions": ["1.0.0"],
            "config_digest": "ef".repeat(32),
            "paused": false,
            "paused_until": null,
        },
        "targets": [{
            "name": "api",
            "health": "starting",
            "circuit": "half-open",
            "incident": null,
            "operation": null,
            "rests": { "until": at, "why": "the attempt before failed" },
            "waits": "stopped by hand",
            "held": "it waits for its turn",
            "unseen": { "since": at, "why": "no file can be opened" },
            "priority": 5,
            "paused": true,
            "paused_until": at,
            "pid": null,
            "service_pid": 4242,
            "restarts": 2,
            "not_started": { "at": at, "why": "`svc start api` exited with code 5: no such unit" },
            "unstarted": { "since": at, "why": "it waits for db, on which it depends" },
            "not_yet": "http: connection refused",
            "completed": true,
            "stopped": "stopped by root",
        }],
        "plugins": [serde_json::to_value(&row).unwrap()],
        "jobs": [{
            "name": "state",
            "last_verified": null,
            "last_status": "verified",
            "last_incomplete": true,
            "last_error": "/data is not there",
            "next_due": null,
            "rpo_met": null,
            "waits": null,
            "last_checkpoint": at,
        }],
        "last_reload": null,
        "unhandled_routes": ["the route for any failure"],
        "alerters": [{
            "name": "webhook",
            "serves": true,
            "undelivered": 2,
            "last_error": "answered 503",
            "since": at,
        }],
        "silences": [{
            "id": "sil-01K0000000000000000000000A",
            "target": "api",
            "alert": null,
            "since": at,
            "until": at,
            "reason": "new disks",
            "by": "ann",
            "note": null,
        }],
        "maintenance": [{
            "targets": [],
            "since": at,
            "until": at,
            "holds_alerts": true,
            "pauses_recovery": false,
        }],
        "tiers": [{
            "name": "nas",
            "failed_at": at,
            "why": "it is not mounted",
            "left_alone_until": null,
        }],
    });
    check(&status, &expected);
    let reload = ReloadRow {
        at: at.to_owned(),
        ok: false,
        error: Some("mainstay.toml:3:1: no".to_owned()),
    };
    check(
        &reload,
        &json!({ "at": at, "ok": false, "error": "mainstay.toml:3:1: no" }),
    );
}

#[test]
fn a_report_leaves_out_what_does_not_apply() {
    let short = BackupReport {
        backups: Vec::new(),
        elapsed_ms: 7,
        restored_documents: None,
        restored_bytes: None,
        not_put_back_documents: None,
        not_put_back: Vec::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
        verdicts: None,
    };
    check(&short, &json!({ "backups": [], "elapsed_ms": 7 }));
    let [backup, _] = samples::backups();
    let verdicts = samples::verdicts();
    let whole = BackupReport {
        backups: vec![Backup::from(&backup)],
        elapsed_ms: 7,
        restored_documents: Some(3),
        restored_bytes: Some(12_345),
        not_put_back_documents: Some(1),
        not_put_back: vec!["app.sql".to_owned()],
        skipped: vec![Backup::from(&backup)],
        notes: vec!["an index was made anew".to_owned()],
        verdicts: Some(verdicts.iter().map(Verdict::from).collect()),
    };
    let expected = json!({
        "backups": [serde_json::to_value(&backup).unwrap()],
        "elapsed_ms": 7,
        "restored_documents": 3,
        "restored_bytes": 12_345,
        "not_put_back_documents": 1,
        "not_put_back": ["app.sql"],
        "notes": ["an index was made anew"],
        "skipped": [serde_json::to_value(&backup).unwrap()],
        "verdicts": serde_json::to_value(&verdicts).unwrap(),
    });
    check(&whole, &expected);
    check(
        &WorkLine::Result { result: whole },
        &json!({ "result": expected }),
    );
}

#[test]
fn a_line_about_contents_is_told_by_its_one_field() {
    let key = archive::DocumentKey::parse("etc/100%25").unwrap();
    let entry = archive::Entry {
        kind: archive::DocumentKind::Symlink,
        mode: archive::Mode::from_bits(0o777),
        mtime: "2024-01-31T12:00:00.5Z".parse().unwrap(),
        uid: 1,
        gid: 2,
        size: 3,
        hash: archive::ContentHash::of(b"one"),
        extras: None,
    };
    let document = Document::from((&key, &entry));
    let expected = json!({
        "key": "etc/100%25", "kind": "symlink", "mode": "0777", "mtime": "2024-01-31T12:00:00.5Z",
        "uid": 1, "gid": 2, "size_bytes": 3, "hash": archive::ContentHash::of(b"one").to_string()
    });
    check(
        &ContentLine::Document { document },
        &json!({ "document": expected }),
    );
    let name = archive::XattrName::from_bytes(b"user.a").unwrap();
    let value = archive::XattrValue::new(vec![0, 255]);
    let more = entry
        .clone()
        .with_xattrs([(name, value)].into())
        .with_holes(vec![(0, 2).into()])
        .linked_to(archive::DocumentKey::parse("etc/other").unwrap());
    let told = serde_json::to_value(Document::from((&key, &more))).unwrap();
    assert_eq!(
        (&told["xattrs"], &told["link"], &told["hole_bytes"]),
        (&json!({ "user.a": "AP8=" }), &json!("etc/other"), &json!(2))
    );
    let change = archive::DocumentChange {
        key,
        kind: archive::ChangeKind::Added,
        before: None,
        after: Some(entry),
    };
    let change = DocumentChange::from(&change);
    check(
        &ContentLine::Change {
            change: Box::new(change),
        },
        &json!({ "change": {
            "key": "etc/100%25", "change": "added", "before": null, "after": expected
        } }),
    );
    let part = DocumentPart {
        text: None,
        base64: Some("AP8=".to_owned()),
    };
    check(
        &ContentLine::Part { part },
        &json!({ "part": { "base64": "AP8=" } }),
    );
    let done = ContentEnd { notes: Vec::new() };
    check(&ContentLine::Done { done }, &json!({ "done": {} }));
    let error = ErrorBody {
        error: "it is corrupted".to_owned(),
        help: None,
    };
    check(
        &ContentLine::Error(error),
        &json!({ "error": "it is corrupted", "help": null }),
    );
}

#[test]
fn a_line_of_long_work_is_progress_a_result_or_an_error() {
    let progress = Progress {
        documents: 1,
        total: None,
        bytes: 100,
        total_bytes: None,
        per_second_bytes: None,
        remaining_ms: None,
    };
    check(
        &WorkLine::Progress { progress },
        &json!({ "progress": { "documents": 1, "total": null, "bytes": 100 } }),
    );
    let progress = Progress {
        total_bytes: Some(400),
        per_second_bytes: Some(50),
        remaining_ms: Some(6_000),
        ..progress
    };
    check(
        &WorkLine::Progress { progress },
        &json!({ "progress": {
            "documents": 1, "total": null, "bytes": 100, "total_bytes": 400, "per_second_bytes": 50,
            "remaining_ms": 6_000
        } }),
    );
    let error = ErrorBody {
        error: "it is corrupted".to_owned(),
        help: None,
    };
    check(
        &WorkLine::Error(error),
        &json!({ "error": "it is corrupted", "help": null }),
    );
}

#[test]
fn what_only_the_command_line_prints_is_as_before() {
    let problem = Problem {
        severity: ProblemSeverity::Warning,
        file: Some("mainstay.toml".to_owned()),
        line: Some(4),
        column: None,
        message: "this is odd".to_owned(),
        help: "look".to_owned(),
    };
    let told = json!({
        "severity": "warning",
        "file": "mainstay.toml",
        "line": 4,
        "column": null,
        "message": "this is odd",
        "help": "look",
    });
    let report = CheckReport::new(vec![problem.clone()]);
    check(&report, &json!({ "ok": true, "problems": [told] }));
    let severity = ProblemSeverity::Error;
    assert!(
        !CheckReport::new(vec![Problem {
            severity,
            ..problem
        }])
        .ok
    );

    let happened = SimulatedEvent {
        at: "2026-01-01T00:00:10.000Z".to_owned(),
        after_ms: 10_000,
        kind: "handler.called".to_owned(),
        severity: Severity::Low,
        target: Some("api".to_owned()),
        operation: None,
        message: "fix is called".to_owned(),
    };
    let told = json!({
        "at": "2026-01-01T00:00:10.000Z",
        "after_ms": 10_000,
        "kind": "handler.called",
        "severity": "low",
        "target": "api",
        "operation": null,
        "message": "fix is called",
    });
    let simulation = Simulation {
        begin: "2026-01-01T00:00:00.000Z".to_owned(),
        end: "2026-01-01T00:01:00.000Z".to_owned(),
        inputs: 3,
        observations: 1,
        notes: Vec::new(),
        incidents: Vec::new(),
        timeline: vec![happened],
    };
    check(
        &simulation,
        &json!({
            "begin": "2026-01-01T00:00:00.000Z",
            "end": "2026-01-01T00:01:00.000Z",
            "inputs": 3,
            "observations": 1,
            "notes": [],
            "incidents": [],
            "timeline": [told],
        }),
    );

    let step = DemoStep {
        step: "kill".to_owned(),
        ok: true,
        elapsed_ms: 3,
        detail: "pid 7".to_owned(),
    };
    check(
        &step,
        &json!({ "step": "kill", "ok": true, "elapsed_ms": 3, "detail": "pid 7" }),
    );
    let end = DemoEnd {
        ok: true,
        steps: 1,
        elapsed_ms: 3,
    };
    check(&end, &json!({ "ok": true, "steps": 1, "elapsed_ms": 3 }));
    let paused = PauseReport {
        target: None,
        paused: true,
    };
    check(&paused, &json!({ "target": null, "paused": true }));
    let forgotten = ForgottenPlugin {
        name: "fixer".to_owned(),
        version: "1.0.0".to_owned(),
    };
    check(&forgotten, &json!({ "name": "fixer", "version": "1.0.0" }));
    let operation = samples::operation_id().to_string();
    check(
        &Scheduled {
            operation: operation.clone(),
        },
        &json!({ "operation": operation }),
    );
    let written = WrittenPlugin {
        name: "page-me".to_owned(),
        kind: PluginKind::Alerter,
        directory: "/tmp/page-me".to_owned(),
    };
    check(
        &written,
        &json!({ "name": "page-me", "kind": "alerter", "directory": "/tmp/page-me" }),
    );
}

#[test]
fn an_inspection_is_as_before() {
    let inspection = PluginInspection {
        name: "fixer".to_owned(),
        version: "1.0.0".to_owned(),
        kind: PluginKind::RecoveryHandler,
        contract: "1.0.0".to_owned(),
        world: "mainstay:plugin/recovery-handler@1.0.0".to_owned(),
        summary: "fixes".to_owned(),
        handles: vec!["redis-down".to_owned()],
        capabilities: Vec::new(),
        imports: vec!["mainstay:plugin/targets@1.0.0".to_owned()],
        settings_schema: None,
        size_bytes: 7,
        digest: "ab".repeat(32),
        signature: None,
    };
    let expected = json!({
        "name": "fixer",
        "version": "1.0.0",
        "kind": "recovery-handler",
        "contract": "1.0.0",
        "world": "mainstay:plugin/recovery-handler@1.0.0",
        "summary": "fixes",
        "handles": ["redis-down"],
        "capabilities": [],
        "imports": ["mainstay:plugin/targets@1.0.0"],
        "settings_schema": null,
        "size_bytes": 7,
        "digest": "ab".repeat(32),
        "signature": null,
    });
    check(&inspection, &expected);
}

/// A body is read as this JSON, and is written as it with what it leaves out.
#[track_caller]
fn check_request<B: Serialize + DeserializeOwned>(short: Value, whole: Value) {
    let read: B = serde_json::from_value(short.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), whole);
    let again: B = serde_json::from_value(whole.clone()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), whole);
    let mut misspelt = whole;
    misspelt["unknown"] = json!(1);
    assert!(serde_json::from_value::<B>(misspelt).is_err(), "{short}");
}

#[test]
fn a_phase_says_what_it_recovers_where_it_goes_and_how_it_came_to_be() {
    let at = samples::NOW;
    let changed = event::Event::new(
        event::EventKind::PhaseChanged,
        mainstay_domain::severity::Severity::Low,
        at,
        "x",
    )
    .with_data(event::PhaseChanged {
        from: mainstay_domain::policy::Phase::Safe,
        to: mainstay_domain::policy::Phase::Launch,
        by: "root".to_owned(),
        note: Some("ann".to_owned()),
        reason: String::new(),
    });
    let other = event::Event::new(
        event::EventKind::HostStarted,
        mainstay_domain::severity::Severity::Low,
        at,
        "x",
    );
    let phase = mainstay_domain::policy::Phase::Launch;
    let rule = mainstay_domain::spec::PhaseSpec::of(phase);
    check(
        &HostPhase::of(phase, &rule, &[other, changed]),
        &json!({
            "phase": "launch",
            "least": "critical",
            "allowed": null,
            "forbidden": [],
            "multiplier": 2.0,
            "next": ["deployment", "safe"],
            "changes": [{
                "at": at.to_string(),
                "from": "safe",
                "to": "launch",
                "by": "root",
                "note": "ann",
                "reason": "",
            }],
        }),
    );
}

#[test]
fn a_silence_says_which_alerts_it_is_of() {
    let at = "2024-01-31T12:00:00.123Z";
    let id = "sil-01K0000000000000000000000A";
    for of in [
        silence::Silenced::Target(TargetName::parse("api").unwrap()),
        silence::Silenced::Key("db1/config".to_owned()),
    ] {
        let is_of_target = matches!(of, silence::Silenced::Target(_));
        let made = silence::Silence {
            id: mainstay_domain::id::SilenceId::parse(id).unwrap(),
            of,
            since: samples::NOW,
            length: std::time::Duration::ZERO,
            reason: "known".to_owned(),
            by: mainstay_domain::actor::Actor::new("root", "ann"),
        };
        let expected = json!({
            "id": id,
            "target": is_of_target.then_some("api"),
            "alert": (!is_of_target).then_some("db1/config"),
            "since": at,
            "until": at,
            "reason": "known",
            "by": "root",
            "note": "ann",
        });
        check(&Silence::of(&made, samples::NOW), &expected);
    }
}

#[test]
fn a_row_of_the_audit_log_says_nothing_where_there_is_nothing() {
    let record = mainstay_domain::audit::AuditRecord {
        at: samples::NOW,
        seq: 7,
        kind: "host.paused".to_owned(),
        actor: "root".to_owned(),
        note: Some("ann".to_owned()),
        target: Some("api".to_owned()),
        incident: None,
        operation: None,
        plugin: None,
        backup: None,
        job: None,
        phase: String::new(),
        charter: "ab12".to_owned(),
        message: "root (who says: ann) paused api".to_owned(),
    };
    let row = mainstay_domain::audit::AuditRow {
        number: 3,
        digest: "ab".repeat(32),
        record,
    };
    let expected = json!({
        "number": 3,
        "at": "2024-01-31T12:00:00.123Z",
        "kind": "host.paused",
        "actor": "root",
        "note": "ann",
        "target": "api",
        "incident": null,
        "operation": null,
        "plugin": null,
        "backup": null,
        "job": null,
        "phase": null,
        "charter": "ab12",
        "message": "root (who says: ann) paused api",
        "event": 7,
        "digest": "ab".repeat(32),
    });
    check(&AuditRow::from(&row), &expected);
}

#[test]
fn a_request_may_leave_out_what_it_could_before() {
    check_request::<RecoverBody>(
        json!({ "target": "api", "failure": "f", "by": "ann" }),
        json!({ "target": "api", "failure": "f", "dry_run": false, "mode": null, "by": "ann" }),
    );
    check_request::<DecisionBody>(
        json!({ "by": "ann" }),
        json!({ "revision": null, "by": "ann", "reason": "" }),
    );
    check_request::<PauseBody>(
        json!({ "by": "ann" }),
        json!({ "target": null, "for_ms": null, "reason": "", "by": "ann" }),
    );
    check_request::<SilenceBody>(
        json!({ "target": "api", "for_ms": 5, "reason": "known" }),
        json!({ "target": "api", "alert": null, "for_ms": 5, "reason": "known", "by": "" }),
    );
    check_request::<UnsilenceBody>(
        json!({ "id": "sil-01K0000000000000000000000A" }),
        json!({ "id": "sil-01K0000000000000000000000A", "by": "" }),
    );
    check_request::<PhaseBody>(
        json!({ "phase": "safe" }),
        json!({ "phase": "safe", "reason": "", "by": "" }),
    );
    check_request::<NoteBody>(
        json!({ "id": "inc-01K0000000000000000000000B", "text": "t" }),
        json!({ "id": "inc-01K0000000000000000000000B", "text": "t", "by": "" }),
    );
    check_request::<AcknowledgeBody>(json!({ "by": "ann" }), json!({ "by": "ann", "reason": "" }));
    check_request::<AuditQuery>(
        json!({}),
        json!({ "target": null, "since": null, "limit": null, "before": null }),
    );
    check_request::<AlertTestBody>(json!({}), json!({ "alerter": null, "by": "" }));
    check_request::<ForgetPluginBody>(
        json!({ "name": "fixer", "version": "1.0.0", "by": "ann" }),
        json!({ "name": "fixer", "version": "1.0.0", "by": "ann" }),
    );
    check_request::<CreateBody>(
        json!({ "job": "state" }),
        json!({ "job": "state", "type": "full", "asked": null }),
    );
    check_request::<CheckpointBody>(
        json!({ "job": "state" }),
        json!({ "job": "state", "kind": "manual", "name": null, "by": "" }),
    );
    check_request::<RollbackBody>(json!({}), json!({ "by": "" }));
    check_request::<HoldBody>(
        json!({}),
        json!({ "until": null, "reason": null, "by": "" }),
    );
    check_request::<ReleaseBody>(json!({}), json!({ "by": "" }));
    check_request::<AcceptBody>(json!({}), json!({ "by": "" }));
    check_request::<MoveBody>(
        json!({ "tier": "cold" }),
        json!({ "tier": "cold", "by": "" }),
    );
    check_request::<DeleteBody>(json!({}), json!({ "dry_run": false, "by": "" }));
    check_request::<UndeleteBody>(json!({}), json!({ "dry_run": false, "by": "" }));
    check_request::<ResumeJobBody>(
        json!({ "job": "state" }),
        json!({ "job": "state", "by": "" }),
    );
    check_request::<RestoreBody>(
        json!({ "job": "state" }),
        json!({
            "job": "state", "id": null, "type": null, "at": null, "paths": [], "into": null, "replace": false, "merge": false,
            "asked": null
        }),
    );
    check_request::<CancelRestoreBody>(
        json!({ "job": "state" }),
        json!({ "job": "state", "asked": null }),
    );
    check_request::<DocumentsBody>(json!({}), json!({ "path": null, "pattern": null }));
    check_request::<DiffBody>(json!({}), json!({ "to": null }));
    check_request::<ContentBody>(json!({ "key": "a" }), json!({ "key": "a" }));
    check_request::<PruneBody>(json!({}), json!({ "job": null, "dry_run": false }));
    check_request::<RekeyBody>(
        json!({ "job": "state" }),
        json!({ "job": "state", "dry_run": false }),
    );
    check_request::<DrillBody>(json!({ "job": "state" }), json!({ "job": "state" }));
    check_request::<HistoryQuery>(
        json!({}),
        json!({ "target": null, "failure": null, "state": null, "since": null, "limit": null, "before": null }),
    );
    check_request::<IncidentQuery>(
        json!({}),
        json!({ "open": null, "target": null, "since": null, "limit": null, "before": null }),
    );
    check_request::<AlertQuery>(
        json!({}),
        json!({
            "target": null, "alerter": null, "abandoned": null, "since": null, "limit": null, "before": null
        }),
    );
    check_request::<EventQuery>(
        json!({}),
        json!({ "since": null, "from": null, "target": null, "follow": null, "limit": null }),
    );
    check_request::<StatsQuery>(json!({}), json!({ "target": null, "since": null }));
    check_request::<RenameQuery>(json!({}), json!({ "target": null, "limit": null }));
    check_request::<BackupQuery>(json!({}), json!({ "job": null }));
}
