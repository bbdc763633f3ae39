//! Between the shapes that 1.1.0 brought and the words of the domain.

use super::{
    convert::Convert,
    wit::exports::mainstay::plugin::{collection, detection, strategy},
};
use mainstay_domain::{
    call::{
        AttemptRecord, CollectFailure, CollectRequest, Condition, Cursor, NextStep, Page, Part,
        ProbeRequest, Seen, Situation,
    },
    time::millis,
};
use std::time::Duration;

/// A request with the parameters that the guest sees.
pub(super) fn probe_request(request: &ProbeRequest, params: &str) -> detection::ProbeRequest {
    detection::ProbeRequest {
        target: request.target.to_string(),
        check: request.check.to_string(),
        params: params.to_owned(),
        now: request.now.as_millis(),
        timeout: millis(request.timeout),
        memory: request.memory.clone(),
    }
}

impl Convert<Seen> for detection::Observation {
    fn convert(self) -> Seen {
        Seen {
            condition: match self.condition {
                detection::Condition::Healthy => Condition::Healthy,
                detection::Condition::Degraded => Condition::Degraded,
                detection::Condition::Failed => Condition::Failed,
            },
            message: self.message,
            value: self.value,
            failure: self.failure,
            confidence: self.confidence,
            memory: self.memory,
        }
    }
}

/// A situation with the parameters that the guest sees.
pub(super) fn situation(situation: &Situation, params: &str) -> strategy::Situation {
    strategy::Situation {
        target: situation.target.to_string(),
        failure: situation.failure.to_string(),
        severity: situation.severity.convert(),
        recurrence: situation.recurrence,
        phase: situation.phase.clone(),
        now: situation.now.as_millis(),
        detected_at: situation.detected_at.as_millis(),
        remaining: situation.remaining.map(millis),
        attempts: situation.attempts.iter().map(Convert::convert).collect(),
        params: params.to_owned(),
    }
}

impl Convert<strategy::AttemptRecord> for &AttemptRecord {
    fn convert(self) -> strategy::AttemptRecord {
        strategy::AttemptRecord {
            number: self.number,
            began: self.began.as_millis(),
            ended: self.ended.as_millis(),
            handler: self.handler.clone(),
            version: self.version.clone(),
            error: self.error.clone(),
        }
    }
}

impl Convert<NextStep> for strategy::NextStep {
    fn convert(self) -> NextStep {
        match self {
            strategy::NextStep::AttemptAfter(wait) => {
                NextStep::AttemptAfter(Duration::from_millis(wait))
            }
            strategy::NextStep::Escalate(why) => NextStep::Escalate(why),
            strategy::NextStep::GiveUp(why) => NextStep::GiveUp(why),
        }
    }
}

impl Convert<collection::CollectRequest> for &CollectRequest {
    fn convert(self) -> collection::CollectRequest {
        collection::CollectRequest {
            job: self.job.to_string(),
            type_: self.backup_type.convert(),
            started_at: self.started_at.as_millis(),
            since: self.since.clone(),
            at: collection::Cursor {
                run: self.at.run.clone(),
                position: self.at.position.clone(),
            },
            page_bytes: self.page_bytes,
        }
    }
}

impl Convert<Page> for collection::Page {
    fn convert(self) -> Page {
        let part = |part: collection::Part| Part {
            key: part.key,
            offset: part.offset,
            bytes: part.bytes,
            last: part.last,
        };
        Page {
            parts: self.parts.into_iter().map(part).collect(),
            removed: self.removed,
            next: self.next.map(|next| Cursor {
                run: next.run,
                position: next.position,
            }),
            watermark: self.watermark,
        }
    }
}

impl Convert<CollectFailure> for collection::CollectFailure {
    fn convert(self) -> CollectFailure {
        match self {
            collection::CollectFailure::Retryable(why) => CollectFailure::Retryable(why),
            collection::CollectFailure::Permanent(why) => CollectFailure::Permanent(why),
            collection::CollectFailure::ChangedUnderneath(why) => {
                CollectFailure::ChangedUnderneath(why)
            }
        }
    }
}
