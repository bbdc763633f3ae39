//! Values of the domain with something in every field, and with nothing where there may be nothing.

use mainstay_domain::{
    backup::{BackupRecord, BackupStatus, BackupType, Hold, Verdict},
    backup_origin::BackupOrigin,
    checkpoint::{Checkpoint, CheckpointKind, Rollback, RollbackStep},
    drilled::Drilled,
    effect::{Answer, Effect, EffectError},
    event::{Event, EventData, EventKind},
    health::{Evidence, Outcome},
    id::{BackupId, IncidentId, OperationId},
    incident::{Acknowledgement, Escalation, Incident, IncidentState},
    name::{CheckName, CheckpointName, FailureType, JobName, PluginName, SignalName, TargetName},
    operation::{
        Approval, Mode, Operation, OperationState, ReceivedSignal, ValidationResult, Vote,
    },
    plugin::{PluginInstanceRow, PluginKind, PluginRow, PluginState},
    record::{EffectEntry, EntryKind},
    severity::Severity,
    time::Timestamp,
};
use semver::Version;
use serde_json::json;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_706_702_400_123);

pub(super) fn operation_id() -> OperationId {
    OperationId::parse("op-01K0000000000000000000000A").unwrap()
}

fn incident_id() -> IncidentId {
    IncidentId::parse("inc-01K0000000000000000000000B").unwrap()
}

fn backup_id() -> BackupId {
    BackupId::parse("ful-01K0000000000000000000000C").unwrap()
}

fn target() -> TargetName {
    TargetName::parse("api").unwrap()
}

fn failure() -> FailureType {
    FailureType::parse("api-gateway-down").unwrap()
}

/// Operations: as short as they come, and with everything.
pub(super) fn operations() -> [Operation; 2] {
    let severity = Severity::High;
    let short = Operation::scheduled(
        operation_id(),
        target(),
        failure(),
        severity,
        Mode::Manual,
        NOW,
    );
    let whole = Operation {
        incident: Some(incident_id()),
        mode: Mode::Automatic,
        state: OperationState::AwaitingManual,
        attempts: 3,
        handler: Some(PluginName::parse("restart-service").unwrap()),
        handler_version: Some(Version::parse("1.2.3-rc.1+build").unwrap()),
        handler_digest: Some("ab".repeat(32)),
        actions: vec!["restarted api".to_owned()],
        error: Some("it is still down".to_owned()),
        started_at: Some(NOW),
        finished_at: Some(NOW),
        recovery_ms: Some(u64::MAX),
        rto_exceeded: true,
        escalated: true,
        dry_run: true,
        revision: 7,
        steps: vec!["look".to_owned(), "restart".to_owned()],
        due: Some(NOW),
        cut_off: true,
        interruptions: 2,
        output: Some("starting\nno space left".to_owned()),
        cancel_asked: Some("cancelled by root: fixed".to_owned()),
        runbook: vec!["assess".to_owned()],
        approval: Some(Approval {
            needed: 2,
            given: vec![Vote {
                by: "root".to_owned(),
                note: Some("ann".to_owned()),
                reason: "seen".to_owned(),
                at: NOW,
            }],
            expires: Some(NOW),
        }),
        signals: vec![ReceivedSignal {
            number: 1,
            name: SignalName::parse("drained").unwrap(),
            text: "{\"left\":0}".to_owned(),
            at: NOW,
            by: "root".to_owned(),
            note: Some("ann".to_owned()),
        }],
        validation_results: vec![ValidationResult {
            check: CheckName::parse("http").unwrap(),
            outcome: Outcome::Degraded,
            message: "200 after 900 ms".to_owned(),
            at: NOW,
        }],
        ..short.clone()
    };
    [short, whole]
}

/// An intent, a result, a failure, and what a dry run planned.
pub(super) fn journal() -> Vec<EffectEntry> {
    let entry = |number, kind, effect: &Effect, result| EffectEntry {
        operation: operation_id(),
        number,
        at: NOW,
        kind,
        effect: effect.clone(),
        result,
        call: None,
        request_hash: None,
        fencing: 0,
        before: None,
        until: None,
    };
    let restart = Effect::TargetRestart {
        target: "api".to_owned(),
    };
    let denied = EffectError::Denied("grant `target:restart`".to_owned());
    vec![
        entry(1, EntryKind::Intent, &restart, None),
        entry(1, EntryKind::Result, &restart, Some(Ok(Answer::Done))),
        entry(2, EntryKind::Result, &restart, Some(Err(denied))),
        entry(
            3,
            EntryKind::Planned,
            &Effect::ClockNow,
            Some(Ok(Answer::Now(NOW))),
        ),
    ]
}

/// Incidents: as short as they come, and with everything.
pub(super) fn incidents() -> [Incident; 2] {
    let evidence = Evidence {
        check: "http".to_owned(),
        observed_at: NOW,
        message: "connection refused".to_owned(),
        value: None,
        output: None,
        score: None,
    };
    let short = Incident::open(
        incident_id(),
        target(),
        failure(),
        Severity::Low,
        evidence.clone(),
        NOW,
        0,
    );
    let whole = Incident {
        severity: Severity::Critical,
        state: IncidentState::SelfHealed,
        by_hand: true,
        closed_at: Some(NOW),
        recurrence: 2,
        evidence: vec![
            evidence.clone(),
            Evidence {
                value: Some(0.5),
                output: Some("starting\nno space left".to_owned()),
                ..evidence
            },
        ],
        escalated: true,
        relapses: 1,
        attempts: 2,
        failures_in_a_row: 3,
        tried_at: Some(NOW),
        relapse_until: Some(NOW),
        missing: Some(PluginName::parse("restart-service").unwrap()),
        openings: vec![NOW, NOW],
        rto_exceeded_at: Some(NOW),
        handed_over: Some("root cancelled its recovery".to_owned()),
        escalation: Escalation {
            told_at: Some(NOW),
            second_level_at: Some(NOW),
            acknowledged: Some(Acknowledgement {
                by: "root".to_owned(),
                note: Some("anna".to_owned()),
                reason: "I look at it".to_owned(),
                at: NOW,
            }),
        },
        ..short.clone()
    };
    [short, whole]
}

/// One event of each kind, and one with everything.
pub(super) fn events() -> Vec<Event> {
    let of = |kind: &EventKind| Event::new(*kind, Severity::Medium, NOW, kind.as_str());
    let mut events: Vec<Event> = EventKind::ALL.iter().map(of).collect();
    let job = JobName::parse("state").unwrap();
    let whole = of(&EventKind::EffectPerformed)
        .with_target(&target())
        .with_plugin("restart-service@1.0.0")
        .with_operation(&operation_id())
        .with_backup(&job, &backup_id())
        .with_data(EventData::Other(
            json!({ "effect": "targets.restart", "took_ms": 3, "list": [null, 1.5] }),
        ));
    events.push(Event { seq: 9, ..whole });
    events
}

/// Backups: as short as they come, and with everything.
pub(super) fn backups() -> [BackupRecord; 2] {
    let short = BackupRecord {
        id: backup_id(),
        job: JobName::parse("state").unwrap(),
        backup_type: BackupType::Full,
        status: BackupStatus::Pending,
        tier: "local".to_owned(),
        created_at: NOW,
        parent: None,
        base: backup_id(),
        documents: 3,
        tombstones: 1,
        size_bytes: 12_345,
        stored_bytes: 2_345,
        root_hash: "cd".repeat(32),
        verified_at: None,
        held: false,
        hold: None,
        suspicious: None,
        drilled: None,
        expires: None,
        reason: None,
        warnings: Vec::new(),
        incomplete: false,
        stored_only: false,
        selection: false,
        key: None,
        checkpoint: None,
        mounts: Vec::new(),
        origin: None,
    };
    let whole = BackupRecord {
        backup_type: BackupType::Incremental,
        status: BackupStatus::InProgress,
        parent: Some(backup_id()),
        verified_at: Some(NOW),
        held: true,
        hold: Some(Hold {
            by: "root".to_owned(),
            reason: Some("the audit".to_owned()),
            until: Some(NOW),
        }),
        suspicious: Some("it has 3 documents".to_owned()),
        drilled: Some(Drilled {
            at: NOW,
            restore_ms: 1_500,
            healthy_ms: Some(500),
            target: Some(target()),
            rto_ms: Some(300_000),
            error: Some("redis: nobody listens there".to_owned()),
        }),
        expires: Some(NOW),
        reason: Some("yearly 2024".to_owned()),
        warnings: vec!["left out /srv/fifo: it is a FIFO".to_owned()],
        incomplete: true,
        stored_only: true,
        selection: true,
        origin: Some(BackupOrigin {
            elapsed_ms: 1_250,
            sources: vec!["/srv/state as state".to_owned()],
            recipients: vec!["age1a".to_owned()],
            signed_by: Some("ab".repeat(32)),
        }),
        checkpoint: Some(Checkpoint {
            kind: CheckpointKind::PreUpgrade,
            name: Some(CheckpointName::parse("before-2").unwrap()),
            rollback: Some(Rollback {
                begun_at: NOW,
                by: "root".to_owned(),
                note: Some("ann".to_owned()),
                step: RollbackStep::PuttingBack,
                saved: Some(backup_id()),
                error: Some("no room".to_owned()),
            }),
        }),
        ..short.clone()
    };
    [short, whole]
}

/// Verdicts: without and with an end.
pub(super) fn verdicts() -> [Verdict; 2] {
    let short = Verdict {
        id: backup_id().to_string(),
        keep: false,
        reason: "older than 30 days".to_owned(),
        expires: None,
    };
    let whole = Verdict {
        keep: true,
        expires: Some(NOW),
        ..short.clone()
    };
    [short, whole]
}

/// Plugins: as short as they come, and with everything.
pub(super) fn plugins() -> [PluginRow; 2] {
    let short = PluginRow {
        name: None,
        version: None,
        kind: None,
        state: PluginState::Rejected,
        contract: None,
        file: None,
        digest: "ab".repeat(32),
        serves: Vec::new(),
        calls: 0,
        failures: 0,
        last_error: None,
        quarantined: false,
        instances: Vec::new(),
    };
    let whole = PluginRow {
        name: Some(PluginName::parse("restart-service").unwrap()),
        version: Some(Version::new(1, 0, 0)),
        kind: Some(PluginKind::RecoveryHandler),
        state: PluginState::Serving,
        contract: Some(Version::new(1, 0, 0)),
        file: Some("restart-service.wasm".to_owned()),
        serves: vec!["api-gateway-down".to_owned()],
        calls: 5,
        failures: 1,
        last_error: Some("no answer".to_owned()),
        quarantined: true,
        instances: vec![PluginInstanceRow {
            name: PluginName::parse("restart-at-night").unwrap(),
            calls: 3,
            failures: 2,
            last_error: Some("no answer at night".to_owned()),
            quarantined: true,
        }],
        ..short.clone()
    };
    [short, whole]
}
