//! Stored events, read and written again.

use super::*;
use crate::tests::corpus::{EVENTS, records};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Events of every kind, in every form that this version writes.
pub(crate) fn examples() -> Vec<Event> {
    known().iter().map(read).collect()
}

/// Every event of the corpus.
fn stored() -> Vec<Value> {
    records(EVENTS)
        .map(|(_, record)| serde_json::from_str(record).unwrap())
        .collect()
}

/// Those of them whose data this version knows.
fn known() -> Vec<Value> {
    let mut stored = stored();
    stored.retain(|stored| !matches!(read(stored).data, EventData::Other(_)));
    stored
}

fn read(stored: &Value) -> Event {
    serde_json::from_str(&stored.to_string()).unwrap_or_else(|error| panic!("{error}: {stored}"))
}

/// It is read, whatever its data, and written as it was.
fn check(stored: &Value) -> EventData {
    let event = read(stored);
    assert_eq!(serde_json::to_value(&event).unwrap(), *stored);
    event.data
}

/// The same event with other data.
fn with_data(stored: &Value, data: Value) -> Value {
    let mut stored = stored.clone();
    stored["data"] = data;
    stored
}

fn variant(data: &EventData) -> String {
    let text = format!("{data:?}");
    text.split('(').next().unwrap().to_owned()
}

#[test]
fn what_is_stored_is_read_as_what_its_kind_says_and_written_as_it_was() {
    let mut found: Vec<(String, String)> = Vec::new();
    for stored in stored() {
        let kind = stored["kind"].as_str().unwrap().to_owned();
        found.push((kind, variant(&check(&stored))));
    }
    found.dedup();
    let expected = [
        ("host.started", "Nothing"),
        ("host.stopping", "Nothing"),
        ("journal.full", "Nothing"),
        ("journal.writable", "Nothing"),
        ("record.set-aside", "RecordSetAside"),
        ("host.paused", "Other"),
        ("host.resumed", "Other"),
        ("config.applied", "ConfigApplied"),
        ("config.rejected", "ConfigRejected"),
        ("process.started", "ProcessFacts"),
        ("process.adopted", "ProcessFacts"),
        ("process.exited", "ProcessFacts"),
        ("process.exited", "Nothing"),
        ("process.stopped", "ProcessFacts"),
        ("process.stopped", "Nothing"),
        ("check.failed", "CheckFailed"),
        ("check.recovered", "CheckRecovered"),
        ("circuit.opened", "CircuitOpened"),
        ("circuit.half-opened", "Nothing"),
        ("circuit.closed", "Nothing"),
        ("circuit.flapping", "Nothing"),
        ("incident.opened", "IncidentOpened"),
        ("incident.reopened", "IncidentReopened"),
        ("incident.closed", "IncidentClosed"),
        ("operation.scheduled", "OperationScheduled"),
        ("operation.scheduled", "Other"),
        ("operation.awaiting-manual", "OperationAwaitingManual"),
        ("operation.approved", "Other"),
        ("operation.started", "OperationStarted"),
        ("operation.resumed", "OperationResumed"),
        ("operation.retrying", "OperationRetrying"),
        ("operation.validating", "OperationValidating"),
        ("operation.succeeded", "OperationEnded"),
        ("operation.partial", "OperationEnded"),
        ("operation.failed", "OperationEnded"),
        ("operation.cancelled", "OperationCancelled"),
        ("operation.escalated", "OperationEscalated"),
        ("effect.performed", "EffectPerformed"),
        ("alert.queued", "AlertQueued"),
        ("alert.delivered", "AlertDelivery"),
        ("alert.delayed", "AlertDelivery"),
        ("alert.abandoned", "AlertDelivery"),
        ("plugin.serving", "PluginServing"),
        ("plugin.rejected", "PluginRejected"),
        ("plugin.draining", "Nothing"),
        ("plugin.retired", "Nothing"),
        ("plugin.quarantined", "Nothing"),
        ("plugin.released", "Nothing"),
        ("plugin.logged", "Nothing"),
        ("backup.started", "Nothing"),
        ("backup.verified", "BackupTaken"),
        ("backup.verified", "Nothing"),
        ("backup.failed", "Nothing"),
        ("backup.corrupted", "Nothing"),
        ("backup.expired", "Nothing"),
        ("backup.deleted", "BackupDeleted"),
        ("backup.recorded", "Nothing"),
        ("backup.restored", "BackupRestored"),
        ("retention.failed", "Nothing"),
        ("drill.passed", "BackupRestored"),
        ("drill.failed", "Nothing"),
        // Forms that earlier versions wrote, and this one does not.
        ("operation.escalated", "Other"),
        ("operation.scheduled", "Other"),
        ("operation.resumed", "Other"),
        ("operation.approved", "Other"),
        ("incident.closed", "Other"),
        ("operation.succeeded", "Other"),
        // What came later.
        ("journal.damaged", "JournalDamaged"),
        ("target.warned", "Nothing"),
        ("circuit.steady", "Nothing"),
        ("backup.rpo-missed", "Nothing"),
        ("backup.waiting", "Nothing"),
        ("retention.judged", "Nothing"),
        ("host.paused", "PausedBy"),
        ("host.resumed", "PausedBy"),
        ("operation.scheduled", "OperationAskedFor"),
        ("operation.approved", "OperationApproved"),
        ("monitor.blind", "MonitorBlind"),
        ("monitor.sees", "Nothing"),
        ("alert.queued", "AlertQueued"),
        ("plugin.withdrawn", "PluginWithdrawn"),
        ("check.degraded", "CheckDegraded"),
        ("target.renamed", "TargetRenamed"),
        ("incident.opened", "IncidentOpened"),
        ("incident.worsened", "IncidentWorsened"),
        ("rto.exceeded", "RtoExceeded"),
        ("operation.succeeded", "OperationEnded"),
        ("incident.opened", "IncidentOpened"),
        ("operation.escalated", "OperationEscalated"),
        ("operation.failed", "OperationEnded"),
        ("operation.cancelling", "OperationApproved"),
        ("target.started", "TargetCommanded"),
        ("target.stopped", "TargetCommanded"),
        ("target.restarted", "TargetCommanded"),
        ("failure.reported", "FailureReported"),
        ("failure.cleared", "FailureCleared"),
        ("target.reloaded", "TargetCommanded"),
        ("route.unhandled", "Nothing"),
        ("route.handled", "Nothing"),
        ("host.paused", "PausedFor"),
        ("alert.held", "AlertHeld"),
        ("alert.lapsed", "AlertHeld"),
        ("silence.began", "SilenceBegan"),
        ("silence.ended", "SilenceEnded"),
        ("note.added", "NoteAdded"),
        ("alerter.failing", "Nothing"),
        ("alerter.recovered", "Nothing"),
        ("operation.escalated", "OperationEscalated"),
        ("incident.closed", "IncidentClosed"),
        ("alert.grouped", "AlertHeld"),
        ("operation.escalated", "OperationEscalated"),
        ("incident.overdue", "IncidentOverdue"),
        ("incident.acknowledged", "IncidentAcknowledged"),
        ("incident.unacknowledged", "IncidentUnacknowledged"),
        ("target.broken", "TargetBroken"),
        ("target.drilled", "TargetDrilled"),
        ("phase.changed", "PhaseChanged"),
        ("charter.broken", "CharterBroken"),
        ("charter.whole", "Nothing"),
        ("policy.changed", "PolicyChanged"),
        ("operation.suspended", "OperationSuspended"),
        ("operation.diverged", "OperationDiverged"),
        ("effect.in-doubt", "EffectInDoubt"),
        ("effect.resolved", "EffectResolved"),
        ("operation.signalled", "OperationSignalled"),
        ("backup.verified", "BackupTaken"),
        ("mode.changed", "ModeChanged"),
        ("checkpoint.taken", "CheckpointTaken"),
        ("rollback.started", "RollbackFacts"),
        ("rollback.succeeded", "RollbackFacts"),
        ("rollback.failed", "RollbackFacts"),
        ("rollback.resumed", "RollbackFacts"),
        ("backup.held", "BackupHeld"),
        ("backup.released", "BackupReleased"),
        ("backup.suspicious", "Nothing"),
        ("backup.accepted", "BackupAccepted"),
        ("backup.suspicious", "BackupSuspected"),
        ("drill.passed", "BackupRestored"),
        ("backup.fell-over", "BackupFellOver"),
        ("backup.verified", "BackupTaken"),
        ("backup.moved", "BackupMoved"),
        ("backup.fell-over", "BackupFellOver"),
        ("backup.trashed", "BackupTrashed"),
        ("backup.undeleted", "BackupUndeleted"),
        ("config.applied", "ConfigApplied"),
    ]
    .map(|(kind, variant)| (kind.to_owned(), variant.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn every_kind_is_in_the_corpus() {
    let found: BTreeSet<EventKind> = examples().iter().map(|event| event.kind).collect();
    let all: BTreeSet<EventKind> = EventKind::ALL.iter().copied().collect();
    assert_eq!(found, all);
}

#[test]
fn what_an_earlier_version_wrote_is_kept_as_it_was() {
    for stored in stored() {
        if let EventData::Other(data) = check(&stored) {
            assert_eq!(data, stored["data"]);
        }
    }
}

#[test]
fn data_of_an_odd_shape_fail_no_event_and_are_kept_as_they_were() {
    for stored in known() {
        for odd in [
            json!(null),
            json!(7),
            json!("text"),
            json!([]),
            json!({"unknown": 1}),
        ] {
            let data = check(&with_data(&stored, odd.clone()));
            assert_eq!(data, EventData::Other(odd), "{stored}");
        }
    }
}

#[test]
fn a_fact_more_or_less_or_of_another_type_is_not_lost() {
    for stored in known() {
        let facts = stored["data"].as_object().unwrap();
        let mut more = facts.clone();
        more.insert("unknown".to_owned(), json!([1]));
        let data = check(&with_data(&stored, more.into()));
        assert!(matches!(data, EventData::Other(_)), "{stored}: {data:?}");
        for name in facts.keys() {
            let mut less = facts.clone();
            less.remove(name);
            check(&with_data(&stored, less.into()));
            let mut other_type = facts.clone();
            other_type.insert(name.clone(), json!([{}]));
            let data = check(&with_data(&stored, other_type.into()));
            assert!(matches!(data, EventData::Other(_)), "{stored}: {name}");
            let mut absent = facts.clone();
            absent.insert(name.clone(), Value::Null);
            check(&with_data(&stored, absent.into()));
        }
    }
}

#[test]
fn an_event_of_an_unknown_kind_is_an_error() {
    let mut stored = stored().remove(0);
    stored["kind"] = json!("host.dreaming");
    let error = serde_json::from_value::<Event>(stored).unwrap_err();
    assert!(error.to_string().contains("host.dreaming"), "{error}");
}

#[test]
fn every_event_of_an_incident_or_an_operation_names_its_failure() {
    for event in examples() {
        let (kind, data) = (event.kind.as_str(), &event.data);
        let is_escalation = event.kind == EventKind::OperationEscalated;
        let is_of_operation = kind.starts_with("operation.") && !is_escalation;
        let is_objective = event.kind == EventKind::RtoExceeded;
        let is_of_incident = kind.starts_with("incident.") || is_escalation || is_objective;
        assert_eq!(data.operation().is_some(), is_of_operation, "{kind}");
        assert_eq!(data.incident().is_some(), is_of_incident, "{kind}");
        if is_of_operation || is_of_incident {
            let failure = data.failure().map(|failure| failure.as_str());
            assert_eq!(failure, Some("redis-down"), "{kind}");
        }
    }
}

/// Where serde_json reads numbers without its feature `float_roundtrip`, every sixth or so of these loses its last bit.
#[test]
fn a_number_that_was_measured_is_read_back_to_its_last_bit() {
    let mut known = known().into_iter();
    let measured = known.find(|stored| stored["data"]["value"].is_f64());
    let mut stored = measured.unwrap();
    for sevenths in 1..=1_000 {
        stored["data"]["value"] = json!(f64::from(sevenths) / 7.0);
        check(&stored);
    }
}

#[test]
fn of_other_data_nothing_is_read() {
    let data = EventData::Other(json!({
        "failure": "redis-down", "error": "x", "actions": ["x"], "steps": ["x"], "attempts": 3,
        "dry_run": true, "planned": true, "unproved": true, "again": true,
    }));
    assert_eq!((data.failure(), data.error()), (None, None));
    assert!(data.actions().is_empty() && data.steps().is_empty());
    assert_eq!(data.attempts(), 0);
    assert!(!data.is_dry_run() && !data.is_unproved() && !data.is_again());
}
