//! What the monitor takes that no check sees.

use mainstay_domain::{
    health::Evidence,
    name::{FailureType, TargetName},
    severity::Severity,
};

/// Takes what people and other programs report of targets.
pub trait Reports: Send + Sync {
    /// This failure holds until it is taken back. Told again it is seen again.
    fn reported(
        &self,
        target: &TargetName,
        failure: &FailureType,
        severity: Severity,
        evidence: Evidence,
    );
    /// It is not reported any more; `is_over`: somebody says that the failure is over.
    fn taken_back(&self, target: &TargetName, failure: &FailureType, is_over: bool);
}
