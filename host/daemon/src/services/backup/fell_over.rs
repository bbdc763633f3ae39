//! What is told where a backup is in another tier than it should be.

use super::BackupService;
use mainstay_domain::{
    backup::BackupRecord,
    event::{BackupFellOver, Event, EventKind},
    name::TierName,
    severity::Severity,
    spec::JobSpec,
    tier_order::tier_order,
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
        let tier = wanted.clone();
        event.with_backup(job, id).with_data(BackupFellOver {
            tier,
            moving: false,
        })
    }

    /// The tier that a backup is in, and those that it would have been tried in after that one.
    pub(super) fn tiers_from(&self, job: &JobSpec, record: &BackupRecord) -> Vec<TierName> {
        let order = tier_order(job, &self.core.spec.borrow().tiers, record.backup_type);
        let is_before = |tier: &TierName| tier.as_str() != record.tier;
        order.into_iter().skip_while(is_before).collect()
    }
}
