//! What tests hand to a plugin, with every field filled; change the fields that the test is about.

use crate::alerting::{Alert, AlertStatus};
use crate::host::{Backup, BackupType, Evidence, Severity, Timestamp};
use crate::recovery::Operation;

/// The time at which a scripted host starts: 2024-02-29T12:00:00Z.
pub(super) const NOW: Timestamp = 1_709_208_000_000;

/// The first attempt to recover a target, of high severity, detected a second ago.
pub fn operation(target: &str, failure: &str) -> Operation {
    Operation {
        id: "op-1".into(),
        incident: "in-1".into(),
        target: target.into(),
        failure: failure.into(),
        severity: Severity::High,
        recurrence: 0,
        attempt: 1,
        max_attempts: 5,
        phase: "normal".into(),
        detected_at: NOW - 1_000,
        remaining: Some(29_000),
        evidence: vec![evidence("http", "connection refused")],
        fencing: 1,
        dry_run: false,
        params: "{}".into(),
    }
}

/// What a check saw a second ago.
pub fn evidence(check: &str, message: &str) -> Evidence {
    Evidence {
        check: check.into(),
        observed_at: NOW - 1_000,
        message: message.into(),
        value: None,
    }
}

/// A firing alert of high severity about an event of this kind.
pub fn alert(kind: &str) -> Alert {
    Alert {
        id: "al-1".into(),
        dedup_key: "api/service-down".into(),
        status: AlertStatus::Firing,
        severity: Severity::High,
        at: NOW,
        kind: kind.into(),
        title: "api: service-down".into(),
        body: "connection refused".into(),
        target: Some("api".into()),
        operation: Some("op-1".into()),
        labels: vec![("phase".into(), "normal".into())],
        attempt: 1,
    }
}

/// A verified local backup of the job `state`, 1 kB, standing alone.
pub fn backup(id: &str, kind: BackupType, created_at: Timestamp) -> Backup {
    Backup {
        id: id.into(),
        job: "state".into(),
        type_: kind,
        created_at,
        verified_at: Some(created_at),
        tier: "local".into(),
        stored_bytes: 1_000,
        parent: None,
        base: id.into(),
        held: false,
    }
}
