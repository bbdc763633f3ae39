//! What is told where a backup is in another tier than it should be.

use super::BackupService;
use mainstay_domain::{
    backup::BackupRecord,
    event::{Event, EventKind},
    name::TierName,
    severity::Severity,
};

impl BackupService {
    /// Of a backup that was stored, and a tier that was wanted before the one that took it, with the reason.
    pub(super) fn fell_over(
        &self,
        record: &BackupRecord,
        (wanted, why): &(TierName, String),
    ) -> Event {
        let BackupRecord { id, job, tier, .. } = record;
        let message = format!(
            "backup {id} of job {job} is in the tier {tier}, and not in the tier {wanted}: {why}"
        );
        let event = self.event(EventKind::BackupFellOver, Severity::High, message);
        event.with_backup(job, id)
    }
}
