//! Backups that go to another tier.
//!
//! Invariant: the record says where a backup is only after it is there; where that cannot be written down it is found all the same.

use super::{BackupError, BackupService};
use mainstay_domain::{
    actor::Actor,
    backup::{BackupRecord, BackupStatus},
    event::{BackupMoved, EventKind},
    id::BackupId,
    name::TierName,
    record::Change,
    severity::Severity,
    text::list,
};
use std::mem;

impl BackupService {
    /// Moves a backup to a tier, as a person wants it; the caller has the job's turn.
    pub(super) async fn move_now(
        self,
        id: BackupId,
        tier: TierName,
        by: Actor,
    ) -> Result<BackupRecord, BackupError> {
        let record = self.known(&id)?;
        let why_not = match record.status {
            BackupStatus::Completed | BackupStatus::Verified => "",
            BackupStatus::Expired => "lies in the trash",
            BackupStatus::Corrupted => "is corrupted",
            BackupStatus::Failed | BackupStatus::Pending | BackupStatus::InProgress => {
                "is not stored"
            }
        };
        if !why_not.is_empty() {
            return Err(BackupError::Refused(format!(
                "backup {id} {why_not}, and cannot be moved; `mainstay backup list` shows those that can be"
            )));
        }
        self.check_tier(&tier)?;
        self.move_record(record, &tier, Some(by)).await
    }

    fn check_tier(&self, tier: &TierName) -> Result<(), BackupError> {
        let spec = self.core.spec.borrow();
        if tier.is_local() || spec.tiers.contains_key(tier) {
            return Ok(());
        }
        let local = TierName::local();
        let known = list(spec.tiers.keys().chain([&local]), "none");
        Err(BackupError::Refused(format!(
            "there is no tier `{tier}` in the config; its tiers are: {known}"
        )))
    }

    /// Moves a stored backup; one that is there already is not told of. Where nobody wanted it, it has the age for it.
    pub(super) async fn move_record(
        &self,
        mut record: BackupRecord,
        tier: &TierName,
        by: Option<Actor>,
    ) -> Result<BackupRecord, BackupError> {
        let (job, id, to) = (record.job.clone(), record.id.clone(), tier.clone());
        let moved = self
            .with_store(move |store| store.move_to(&job, &id, &to))
            .await;
        self.mark_if_corrupted(moved).await?;
        let from = mem::replace(&mut record.tier, tier.to_string());
        if from == record.tier {
            return Ok(record);
        }
        let why = match &by {
            Some(by) => format!("as {by} wanted"),
            None => "for its age".to_owned(),
        };
        let message = format!(
            "backup {} of job {} was moved from the tier {from} to the tier {tier}, {why}",
            record.id, record.job
        );
        let (by, note) = by.map_or((None, None), |by| (Some(by.name), by.note));
        let event = self
            .event(EventKind::BackupMoved, Severity::Low, message)
            .with_backup(&record.job, &record.id)
            .with_data(BackupMoved {
                from: TierName::parse(&from).unwrap_or_else(|_| TierName::local()),
                tier: tier.clone(),
                by,
                note,
            });
        self.commit(vec![record.clone()], vec![Change::Event(event)])
            .await?;
        Ok(record)
    }
}
