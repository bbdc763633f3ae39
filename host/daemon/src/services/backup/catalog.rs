//! What is known of every backup, in memory, in step with the journal.
//!
//! Invariant: what is asked of one job costs what that job has, not what all have.

use mainstay_domain::{
    backup::{BackupRecord, BackupStatus, BackupType},
    backup_chain::by_age,
    backup_schedule::LastSlots,
    id::{BackupId, IdSource},
    name::JobName,
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many records of failed backups are kept for each job.
const FAILED_KEPT: usize = 50;

/// Records, slots and identifiers.
pub(super) struct Catalog {
    records: BTreeMap<BackupId, BackupRecord>,
    /// Which of them each job has.
    of_jobs: HashMap<JobName, BTreeSet<BackupId>>,
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
        let mut catalog = Self {
            records: BTreeMap::new(),
            of_jobs: HashMap::new(),
            slots: by_job,
            ids,
        };
        for record in records {
            catalog.put(record);
        }
        catalog
    }

    /// Those that have records.
    pub(super) fn jobs(&self) -> Vec<JobName> {
        self.of_jobs.keys().cloned().collect()
    }

    /// Gives what was there before.
    pub(super) fn put(&mut self, record: BackupRecord) -> Option<BackupRecord> {
        let (id, job) = (record.id.clone(), record.job.clone());
        let before = self.records.insert(id.clone(), record);
        if let Some(before) = before.as_ref().filter(|before| before.job != job) {
            self.forget_of(&before.job, &id);
        }
        self.of_jobs.entry(job).or_default().insert(id);
        before
    }

    pub(super) fn remove(&mut self, id: &BackupId) {
        if let Some(record) = self.records.remove(id) {
            self.forget_of(&record.job, id);
        }
    }

    fn forget_of(&mut self, job: &JobName, id: &BackupId) {
        if let Some(ids) = self.of_jobs.get_mut(job) {
            ids.remove(id);
            if ids.is_empty() {
                self.of_jobs.remove(job);
            }
        }
    }

    pub(super) fn get(&self, id: &BackupId) -> Option<BackupRecord> {
        self.records.get(id).cloned()
    }

    /// The records of a job, or all, oldest first.
    pub(super) fn of(&self, job: Option<&JobName>) -> Vec<BackupRecord> {
        let mut found: Vec<BackupRecord> = match job {
            None => self.records.values().cloned().collect(),
            Some(job) => {
                let ids = self.of_jobs.get(job).into_iter().flatten();
                ids.filter_map(|id| self.get(id)).collect()
            }
        };
        found.sort_by(by_age);
        found
    }

    /// The verified backup of a job that the effect with this key asked for.
    pub(super) fn made_for(&self, job: &JobName, key: &str) -> Option<BackupRecord> {
        let mut all = self.of(Some(job)).into_iter();
        all.find(|record| {
            record.status == BackupStatus::Verified && record.key.as_deref() == Some(key)
        })
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

    /// What a crash interrupted, of a job or of all.
    pub(super) fn unfinished(&self, job: Option<&JobName>) -> Vec<BackupRecord> {
        let mut found = self.of(job);
        found.retain(|record| {
            matches!(
                record.status,
                BackupStatus::Pending | BackupStatus::InProgress
            )
        });
        found
    }

    /// All that there is a record of, but for those of which no manifest was ever seen, and those that failed: what the store
    /// holds of these after all is taken up.
    pub(super) fn known(&self) -> BTreeSet<BackupId> {
        let records = self.records.values();
        let has_any =
            |record: &&BackupRecord| record.status != BackupStatus::Failed && !is_orphan(record);
        let known = records.filter(has_any);
        known.map(|record| record.id.clone()).collect()
    }

    /// What was stored whole.
    pub(super) fn stored(&self) -> BTreeSet<BackupId> {
        let stored = self.records.values();
        let stored = stored.filter(|record| record.status.is_stored());
        stored.map(|record| record.id.clone()).collect()
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

/// Whether it was recorded by its archive alone: what it is and needs would stand in its manifest.
fn is_orphan(record: &BackupRecord) -> bool {
    record.status == BackupStatus::Corrupted && record.root_hash.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fakes;
    use proptest::prelude::*;

    fn record(number: u8, job: u8) -> BackupRecord {
        BackupRecord {
            job: fakes::job(&format!("job-{job}")),
            ..fakes::backup(number)
        }
    }

    proptest! {
        #[test]
        fn a_job_has_what_going_through_all_records_gives(
            steps in proptest::collection::vec((any::<bool>(), 1_u8..20, 0_u8..4), 0..60),
        ) {
            let mut catalog = Catalog::new(vec![record(1, 0)], Vec::new(), IdSource::new(1));
            for (puts, number, job) in steps {
                match puts {
                    true => drop(catalog.put(record(number, job))),
                    false => catalog.remove(&fakes::backup_id(number)),
                }
            }
            let all = catalog.of(None);
            for job in (0..4).map(|job| fakes::job(&format!("job-{job}"))) {
                let expected: Vec<_> = all.iter().filter(|record| record.job == job).cloned().collect();
                prop_assert_eq!(catalog.of(Some(&job)), expected);
            }
            let listed: usize = catalog.of_jobs.values().map(BTreeSet::len).sum();
            prop_assert_eq!(listed, all.len());
        }
    }
}
