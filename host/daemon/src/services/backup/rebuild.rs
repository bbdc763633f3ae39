//! The catalog, made anew from what is stored: for when the journal was lost.
//!
//! Invariant: of each job in its turn. What takes, deletes or moves its backups ends before, so that nothing is found that is
//! gone by then, and nothing is read that somebody moves away.

use super::{BackupError, BackupService};
use crate::ports::StoredBackup;
use mainstay_domain::{
    backup::{BackupRecord, BackupStatus},
    event::EventKind,
    name::JobName,
    record::Change,
    severity::Severity,
    time::Timestamp,
};
use std::time::Duration;

/// What lies in the trash stays there as long again.
const NEW_GRACE: Duration = Duration::from_secs(86_400);

impl BackupService {
    /// Records whatever is stored and not in the catalog. What is damaged is recorded as corrupted. Gives what is new.
    pub(super) async fn rebuild_now(&self) -> Result<Vec<BackupRecord>, BackupError> {
        let jobs = self.with_store(|store| store.jobs()).await?;
        let mut found = Vec::new();
        for job in jobs {
            let rebuilt = self.clone().rebuild_job(job.clone());
            found.append(&mut self.in_turn_of(&job, rebuilt).await?);
        }
        Ok(found)
    }

    /// The same of one job; the caller has its turn.
    async fn rebuild_job(self, job: JobName) -> Result<Vec<BackupRecord>, BackupError> {
        let stored = self.with_store(move |store| store.stored(&job)).await?;
        let now = self.now();
        let mut found: Vec<BackupRecord> = stored
            .into_iter()
            .map(|stored| record_of(stored, now))
            .collect();
        found.retain(|record| self.core.catalog.lock().get(&record.id).is_none());
        let event = |record: &BackupRecord| {
            let message = format!("backup {} was found in the store, and recorded", record.id);
            let event = self
                .event(EventKind::BackupRecorded, Severity::Low, message)
                .with_backup(&record.job, &record.id);
            Change::Event(event)
        };
        let events = found.iter().map(event).collect();
        self.commit(found.clone(), events).await?;
        Ok(found)
    }
}

fn record_of(stored: StoredBackup, now: Timestamp) -> BackupRecord {
    let mut record = stored.manifest.to_record();
    if !stored.intact {
        record.status = BackupStatus::Corrupted;
        record.reason = Some("its stored bytes are not those that its manifest names".to_owned());
    } else if stored.in_trash {
        record.status = BackupStatus::Expired;
        record.expires = Some(now + NEW_GRACE);
    }
    record
}
