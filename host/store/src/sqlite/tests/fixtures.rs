//! Domain values to write, made from a number.

use super::super::{SqliteJournal, StateDirectory, queue::Work};
use crate::port::{DiskState, HistoryFilter, IncidentFilter, StoreError};
use mainstay_domain::{
    alert::{Alert, AlertStatus, OutboxEntry},
    backup::{BackupRecord, BackupStatus, BackupType},
    call::RecoverRequest,
    call_record::{CALL_FORMAT, CallRecord, CallSeed, RecordedLimits},
    effect::{Answer, Effect},
    event::{CheckFailed, Event, EventKind},
    health::Evidence,
    id::{AlertId, BackupId, IdSource, IncidentId, OperationId},
    incident::{Incident, IncidentState},
    name::{CheckName, FailureType, JobName, PluginName, TargetName},
    operation::{Mode, Operation, OperationState},
    record::{EffectEntry, EntryKind, ProcessIdentity},
    severity::Severity,
    spec::Limits,
    time::Timestamp,
};
use std::{path::Path, time::Duration};

impl SqliteJournal {
    /// Runs something on the writer's connection.
    pub(super) async fn on_connection(
        &self,
        change: fn(&rusqlite::Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        self.submit(|ack| Work::Connection(change, ack)).await
    }
}

/// Opens the journal of a directory that it is the owner of.
pub(super) fn open(directory: &Path) -> Result<SqliteJournal, StoreError> {
    SqliteJournal::open(StateDirectory::take(directory)?)
}

/// What hangs fails the test instead.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

pub(super) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("should end within the deadline")
}

/// Waits until the room is as wanted.
pub(super) async fn room(journal: &SqliteJournal, wanted: fn(&DiskState) -> bool) {
    within(journal.room().wait_for(wanted)).await.unwrap();
}

pub(super) fn at(n: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + n)
}

macro_rules! id {
    ($n:expr) => {
        IdSource::new($n).next(at($n))
    };
}

pub(super) fn target(name: &str) -> TargetName {
    TargetName::parse(name).unwrap()
}

pub(super) fn failure(name: &str) -> FailureType {
    FailureType::parse(name).unwrap()
}

pub(super) fn job(name: &str) -> JobName {
    JobName::parse(name).unwrap()
}

pub(super) fn plugin(name: &str) -> PluginName {
    PluginName::parse(name).unwrap()
}

/// The newest incidents, at most so many.
pub(super) fn incidents(limit: u32) -> IncidentFilter {
    IncidentFilter {
        limit,
        ..IncidentFilter::default()
    }
}

pub(super) fn everything() -> HistoryFilter {
    HistoryFilter {
        limit: u32::MAX,
        ..HistoryFilter::default()
    }
}

/// The check has failed so often in a row, so that tests can tell events apart.
pub(super) fn event(n: u64) -> Event {
    Event::new(
        EventKind::CheckFailed,
        Severity::High,
        at(n),
        format!("message {n}"),
    )
    .with_target(&target("api"))
    .with_data(CheckFailed {
        check: CheckName::parse("http").unwrap(),
        in_a_row: u32::try_from(n).unwrap(),
        value: None,
    })
}

pub(super) fn numbered(mut event: Event, seq: u64) -> Event {
    event.seq = seq;
    event
}

/// `attempts` is the number, so that tests can tell operations apart; the failure is named after the target.
pub(super) fn operation(n: u64, name: &str, state: OperationState) -> Operation {
    Operation {
        id: OperationId::new(id!(n)),
        incident: Some(IncidentId::new(id!(n))),
        target: target(name),
        failure: failure(&format!("{name}-down")),
        severity: Severity::High,
        mode: Mode::Automatic,
        state,
        attempts: u32::try_from(n).unwrap(),
        handler: Some(plugin("restart-service")),
        handler_version: Some(semver::Version::new(1, 2, 3)),
        handler_digest: Some("ab".repeat(32)),
        actions: vec!["restarted".to_owned()],
        error: None,
        detected_at: at(n),
        started_at: Some(at(n + 1)),
        finished_at: None,
        recovery_ms: None,
        rto_exceeded: false,
        escalated: false,
        dry_run: false,
        revision: 1,
        steps: Vec::new(),
        due: None,
        cut_off: false,
        interruptions: 0,
        acted_by: None,
        output: None,
        cancel_asked: None,
        runbook: Vec::new(),
        approval: None,
        chain: None,
        doubt: None,
        signals: Vec::new(),
        validation_results: Vec::new(),
    }
}

pub(super) fn incident(n: u64, name: &str, state: IncidentState) -> Incident {
    Incident {
        id: IncidentId::new(id!(n)),
        target: target(name),
        failure: failure(&format!("{name}-down")),
        severity: Severity::Critical,
        state,
        by_hand: n.is_multiple_of(2),
        opened_at: at(n),
        closed_at: None,
        recurrence: 1,
        evidence: vec![Evidence {
            check: "http".to_owned(),
            observed_at: at(n),
            message: "connection refused".to_owned(),
            value: Some(0.25),
            output: None,
            score: None,
        }],
        affected: vec!["checkout".to_owned()],
        escalated: false,
        relapses: 0,
        attempts: 0,
        failures_in_a_row: 0,
        tried_at: None,
        relapse_until: None,
        missing: None,
        openings: Vec::new(),
        rto_exceeded_at: None,
        handed_over: None,
        calm_ms: None,
        attempts_before: None,
        escalation: Default::default(),
    }
}

pub(super) fn intent(operation: &OperationId, number: u32) -> EffectEntry {
    EffectEntry {
        operation: operation.clone(),
        number,
        at: at(3),
        kind: EntryKind::Intent,
        effect: Effect::KvSet {
            key: "k".to_owned(),
            value: vec![0, 255].into(),
        },
        result: None,
        call: None,
        request_hash: None,
        fencing: 0,
        before: None,
        until: None,
    }
}

pub(super) fn result(operation: &OperationId, number: u32) -> EffectEntry {
    EffectEntry {
        kind: EntryKind::Result,
        result: Some(Ok(Answer::Done)),
        ..intent(operation, number)
    }
}

/// The call with this number, of a handler that began with the effect of this number.
pub(super) fn call(operation: &Operation, call: u32, first_number: u32) -> CallRecord {
    CallRecord {
        format: CALL_FORMAT,
        operation: operation.id.clone(),
        call,
        step: 0,
        attempt: 1,
        plugin: plugin("restart-service"),
        version: semver::Version::new(1, 2, 3),
        digest: "ab".repeat(32),
        contract: "1.0.0".to_owned(),
        input: RecoverRequest {
            operation: operation.id.clone(),
            incident: operation.incident.clone(),
            target: operation.target.clone(),
            failure: operation.failure.clone(),
            severity: Severity::High,
            recurrence: 0,
            attempt: 1,
            max_attempts: 3,
            phase: "normal".to_owned(),
            detected_at: at(1),
            remaining: Some(Duration::from_secs(9)),
            evidence: Vec::new(),
            fencing: 1,
            dry_run: false,
            params: serde_json::json!({}),
        },
        settings: serde_json::json!({ "token": "${secret:hook}" }),
        limits: RecordedLimits::from(&Limits::default()),
        seed: CallSeed([7; 32]),
        first_number,
        began_at: at(2),
        timeout_ms: 30_000,
        wake_at: None,
        replays: 0,
        fencing: 1,
    }
}

pub(super) fn outbox_entry(n: u64) -> OutboxEntry {
    OutboxEntry {
        alert: Alert {
            id: AlertId::new(id!(n)),
            dedup_key: "api/api-down".to_owned(),
            status: AlertStatus::Firing,
            severity: Severity::High,
            at: at(n),
            kind: "operation.failed".to_owned(),
            title: "api is down".to_owned(),
            body: String::new(),
            target: Some(target("api")),
            operation: None,
            labels: vec![("a".to_owned(), "b".to_owned())],
        },
        alerter: plugin("webhook"),
        attempts: 2,
        tried_for: std::time::Duration::from_secs(3),
        due: at(n + 5),
        last_error: Some("503".to_owned()),
        follows: false,
        begun: false,
        part_of: None,
        in_place_of: Vec::new(),
    }
}

pub(super) fn backup(n: u64) -> BackupRecord {
    let id = BackupId::new(BackupType::Full, id!(n));
    BackupRecord {
        status: BackupStatus::Verified,
        documents: 3,
        size_bytes: 4_096,
        stored_bytes: 900,
        root_hash: "cd".repeat(32),
        verified_at: Some(at(n + 1)),
        ..BackupRecord::begun(id.clone(), job("state"), BackupType::Full, at(n))
    }
}

pub(super) fn process_identity() -> ProcessIdentity {
    ProcessIdentity {
        pid: 4_242,
        start_ticks: 1_000_000,
        boot_id: "f00".to_owned(),
        started_at: at(1),
        restarts: 3,
        config: None,
        ended: None,
        completed: false,
        marked_as: None,
        output: None,
    }
}
