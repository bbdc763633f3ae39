//! Between the shapes of contract 1.0.0 and the words of the domain.

use super::{
    RawDescriptor,
    wit::{
        exports::mainstay::plugin::{alerting, plugin, recovery, retention},
        mainstay::plugin::{http, log, targets, types},
    },
};
use crate::effects::LogLevel;
use mainstay_domain::{
    alert::AlertStatus,
    backup::{BackupSummary, BackupType, Verdict},
    call::{DeliverRequest, DeliveryFailure, Receipt, RecoverRequest, RecoveryFailure, Report},
    effect::{EffectError, HttpMethod, Signal, TargetStatus},
    health::{Evidence, Health},
    plugin::Capability,
    severity::Severity,
    time::{Timestamp, millis},
};

/// Turns one side's shape into the other's. Never fails: each side can say what the other can.
pub(super) trait Convert<T> {
    fn convert(self) -> T;
}

/// Enums with the same cases on both sides.
macro_rules! same_cases {
    ($from:ty => $to:ty: $($case:ident)*) => {
        impl Convert<$to> for $from {
            fn convert(self) -> $to {
                match self {
                    $(<$from>::$case => <$to>::$case,)*
                }
            }
        }
    };
}

same_cases!(Severity => types::Severity: Low Medium High Critical);
same_cases!(BackupType => types::BackupType: Full Incremental Differential Snapshot Emergency);
same_cases!(types::BackupType => BackupType: Full Incremental Differential Snapshot Emergency);
same_cases!(targets::Signal => Signal: Hup Int Term Kill Usr1 Usr2);
same_cases!(http::Method => HttpMethod: Get Head Post Put Patch Delete Options);
same_cases!(log::Level => LogLevel: Trace Debug Info Warn Error);
same_cases!(AlertStatus => alerting::AlertStatus: Firing Resolved);

impl Convert<targets::Health> for Health {
    fn convert(self) -> targets::Health {
        match self {
            // The contract has no word for a start: of what starts nothing is known yet.
            Health::Unknown | Health::Starting => targets::Health::Unknown,
            Health::Healthy => targets::Health::Healthy,
            Health::Degraded => targets::Health::Degraded,
            Health::Failed => targets::Health::Failed,
        }
    }
}

impl Convert<types::EffectError> for EffectError {
    fn convert(self) -> types::EffectError {
        match self {
            EffectError::Denied(text) => types::EffectError::Denied(text),
            EffectError::Limited(text) => types::EffectError::Limited(text),
            EffectError::TimedOut(text) => types::EffectError::TimedOut(text),
            EffectError::Unavailable(text) => types::EffectError::Unavailable(text),
            EffectError::Failed(text) => types::EffectError::Failed(text),
        }
    }
}

impl Convert<types::Evidence> for Evidence {
    fn convert(self) -> types::Evidence {
        // The contract has no place of its own for the last lines.
        let message = match self.output {
            Some(output) => format!("{}\n{output}", self.message),
            None => self.message,
        };
        types::Evidence {
            check: self.check,
            observed_at: self.observed_at.as_millis(),
            message,
            value: self.value,
        }
    }
}

impl Convert<types::Backup> for BackupSummary {
    fn convert(self) -> types::Backup {
        types::Backup {
            id: self.id,
            job: self.job,
            type_: self.backup_type.convert(),
            created_at: self.created_at.as_millis(),
            verified_at: self.verified_at.map(Timestamp::as_millis),
            tier: self.tier,
            stored_bytes: self.stored_bytes,
            parent: self.parent,
            base: self.base,
            held: self.held,
        }
    }
}

impl Convert<types::Backup> for &BackupSummary {
    fn convert(self) -> types::Backup {
        self.clone().convert()
    }
}

impl Convert<targets::TargetStatus> for TargetStatus {
    fn convert(self) -> targets::TargetStatus {
        targets::TargetStatus {
            health: self.health.convert(),
            running: self.running,
            pid: self.pid,
            started_at: self.started_at.map(Timestamp::as_millis),
            restarts: self.restarts,
        }
    }
}

impl Convert<RawDescriptor> for plugin::Descriptor {
    fn convert(self) -> RawDescriptor {
        let capability = |asked: plugin::Capability| Capability {
            name: asked.name,
            why: asked.why,
        };
        RawDescriptor {
            name: self.name,
            version: self.version,
            summary: self.summary,
            handles: self.handles,
            capabilities: self.capabilities.into_iter().map(capability).collect(),
            settings_schema: self.settings_schema,
        }
    }
}

impl Convert<recovery::Operation> for &RecoverRequest {
    fn convert(self) -> recovery::Operation {
        recovery::Operation {
            id: self.operation.to_string(),
            incident: self
                .incident
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            target: self.target.to_string(),
            failure: self.failure.to_string(),
            severity: self.severity.convert(),
            recurrence: self.recurrence,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            phase: self.phase.clone(),
            detected_at: self.detected_at.as_millis(),
            remaining: self.remaining.map(millis),
            evidence: self
                .evidence
                .iter()
                .cloned()
                .map(Convert::convert)
                .collect(),
            fencing: self.fencing,
            dry_run: self.dry_run,
            params: self.params.to_string(),
        }
    }
}

impl Convert<Result<Report, RecoveryFailure>>
    for Result<recovery::Report, recovery::RecoveryFailure>
{
    fn convert(self) -> Result<Report, RecoveryFailure> {
        match self {
            Ok(report) => Ok(Report {
                actions: report.actions,
                data_loss: report.data_loss,
            }),
            Err(recovery::RecoveryFailure::Retryable(reason)) => {
                Err(RecoveryFailure::Retryable(reason))
            }
            Err(recovery::RecoveryFailure::Permanent(reason)) => {
                Err(RecoveryFailure::Permanent(reason))
            }
            Err(recovery::RecoveryFailure::NeedsOperator(steps)) => {
                Err(RecoveryFailure::NeedsOperator(steps))
            }
        }
    }
}

impl Convert<alerting::Alert> for &DeliverRequest {
    fn convert(self) -> alerting::Alert {
        let alert = self.alert.clone();
        alerting::Alert {
            id: alert.id.to_string(),
            dedup_key: alert.dedup_key,
            status: alert.status.convert(),
            severity: alert.severity.convert(),
            at: alert.at.as_millis(),
            kind: alert.kind,
            title: alert.title,
            body: alert.body,
            target: alert.target.map(String::from),
            operation: alert.operation.map(|id| id.to_string()),
            labels: alert.labels,
            attempt: self.attempt,
        }
    }
}

impl Convert<Result<Receipt, DeliveryFailure>>
    for Result<alerting::Receipt, alerting::DeliveryFailure>
{
    fn convert(self) -> Result<Receipt, DeliveryFailure> {
        match self {
            Ok(receipt) => Ok(Receipt {
                reference: receipt.reference,
            }),
            Err(alerting::DeliveryFailure::RetryAfter((reason, after_ms))) => {
                Err(DeliveryFailure::RetryAfter { reason, after_ms })
            }
            Err(alerting::DeliveryFailure::Permanent(reason)) => {
                Err(DeliveryFailure::Permanent(reason))
            }
        }
    }
}

impl Convert<Verdict> for retention::Verdict {
    fn convert(self) -> Verdict {
        Verdict {
            id: self.id,
            keep: self.keep,
            reason: self.reason,
            expires: self.expires.map(Timestamp::from_millis),
        }
    }
}
