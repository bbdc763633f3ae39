//! What is known of every backup, in memory, in step with the journal.

use mainstay_domain::{
    backup::{BackupRecord, BackupStatus, BackupType},
    chain::by_age,
    id::{BackupId, IdSource},
    name::JobName,
    schedule::LastSlots,
    time::Timestamp,
};
use std::collections::{BTreeMap, HashMap};

/// So many records of failed backups are kept for each job.
const FAILED_KEPT: usize = 50;

/// Records, slots and identifiers.
pub(super) struct Catalog {
    records: BTreeMap<BackupId, BackupRecord>,
    slots: HashMap<JobName, LastSlots>,
    ids: IdSource,
}

impl Catalog {
    pub(super) fn new(
        records: Vec<BackupRecord>,
        slots: Vec<(JobName, BackupType, Timestamp)>,
        ids: IdSource,
    ) -> Self {
        let mut by_job: HashMap<JobName, LastSlots> = HashMap::new();
        for (job, backup_type, slot) in slots {
            by_job.entry(job).or_default().insert(backup_type, slot);
        }
        let records = records
            .into_iter()
            .map(|record| (record.id.clone(), record))
            .collect();
        Self {
            records,
            slots: by_job,
            ids,
        }
    }

    /// Gives what was there before.
    pub(super) fn put(&mut self, record: BackupRecord) -> Option<BackupRecord> {
        self.records.insert(record.id.clone(), record)
    }

    pub(super) fn remove(&mut self, id: &BackupId) {
        self.records.remove(id);
    }

    pub(super) fn get(&self, id: &BackupId) -> Option<BackupRecord> {
        self.records.get(id).cloned()
    }

    /// The records of a job, or all, oldest first.
    pub(super) fn of(&self, job: Option<&JobName>) -> Vec<BackupRecord> {
        let found = self
            .records
            .values()
            .filter(|record| job.is_none_or(|job| &record.job == job));
        let mut found: Vec<BackupRecord> = found.cloned().collect();
        found.sort_by(by_age);
        found
    }

    pub(super) fn new_id(&mut self, backup_type: BackupType, now: Timestamp) -> BackupId {
        BackupId::new(backup_type, self.ids.next(now))
    }

    pub(super) fn slots(&self, job: &JobName) -> LastSlots {
        self.slots.get(job).cloned().unwrap_or_default()
    }

    pub(super) fn take_slots(&mut self, job: &JobName, slots: &[(BackupType, Timestamp)]) {
        self.slots
            .entry(job.clone())
            .or_default()
            .extend(slots.iter().copied());
    }

    /// What a crash interrupted.
    pub(super) fn unfinished(&self) -> Vec<BackupRecord> {
        self.with_status(|status| {
            matches!(status, BackupStatus::Pending | BackupStatus::InProgress)
        })
    }

    /// What lies in the trash.
    pub(super) fn expired(&self) -> Vec<BackupRecord> {
        self.with_status(|status| status == BackupStatus::Expired)
    }

    /// The records of failed backups that are too many.
    pub(super) fn too_many_failed(&self, job: &JobName) -> Vec<BackupId> {
        let mut failed = self.of(Some(job));
        failed.retain(|record| record.status == BackupStatus::Failed);
        failed.truncate(failed.len().saturating_sub(FAILED_KEPT));
        failed.into_iter().map(|record| record.id).collect()
    }

    fn with_status(&self, is_wanted: impl Fn(BackupStatus) -> bool) -> Vec<BackupRecord> {
        self.records
            .values()
            .filter(|record| is_wanted(record.status))
            .cloned()
            .collect()
    }
}
