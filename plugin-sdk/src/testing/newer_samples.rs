//! What tests hand to the kinds of plugins that contract 1.1.0 brought.

use super::samples::NOW;
use crate::collection::{CollectRequest, Cursor};
use crate::detection::ProbeRequest;
use crate::host::{BackupType, Severity};
use crate::strategy::{AttemptRecord, Situation};

/// The first look of a check, which may take a second.
pub fn probe(target: &str, check: &str) -> ProbeRequest {
    ProbeRequest {
        target: target.into(),
        check: check.into(),
        params: "{}".into(),
        now: NOW,
        timeout: 1_000,
        memory: Vec::new(),
    }
}

/// A first attempt has just failed, at a failure of high severity that was detected two seconds ago.
pub fn situation(target: &str, failure: &str) -> Situation {
    Situation {
        target: target.into(),
        failure: failure.into(),
        severity: Severity::High,
        recurrence: 0,
        phase: "normal".into(),
        now: NOW,
        detected_at: NOW - 2_000,
        remaining: Some(28_000),
        attempts: vec![AttemptRecord {
            number: 1,
            began: NOW - 1_000,
            ended: NOW,
            handler: "restart-service".into(),
            version: "1.0.0".into(),
            error: "it did not start".into(),
        }],
        params: "{}".into(),
    }
}

/// The first page of a full backup, of 64 KiB at most.
pub fn collect(job: &str) -> CollectRequest {
    CollectRequest {
        job: job.into(),
        type_: BackupType::Full,
        started_at: NOW,
        since: None,
        at: Cursor {
            run: "run-1".into(),
            position: Vec::new(),
        },
        page_bytes: 64 << 10,
    }
}
