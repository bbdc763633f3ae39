//! The catalog, made anew from what is stored: for when the journal was lost.
//!
//! Invariant: what is stored is in the catalog before anything is scheduled. Where all backups of a job were found so, none is
//! taken by itself for a while: its sources may not be what they were, and a backup of them would be the newest.
//! Invariant: of each job in its turn. What takes, deletes or moves its backups ends before, so that nothing is found that is
//! gone by then, and nothing is read that somebody moves away.

use super::{BackupError, BackupService, waiting::TIME_TO_RESTORE, words};
use crate::ports::{OrphanedArchive, Rebuilt, StoredBackup, StoredBackups, StoredLook};
use mainstay_domain::{
    backup::{BackupRecord, BackupStatus},
    backup_schedule::SCHEDULED,
    event::EventKind,
    id::BackupId,
    name::JobName,
    record::Change,
    severity::Severity,
    time::Timestamp,
};
use std::time::Duration;

/// What lies in the trash stays there as long again.
const NEW_GRACE: Duration = Duration::from_secs(86_400);

impl BackupService {
    /// Records whatever is stored and not in the catalog. What is damaged is recorded as corrupted. Gives what is new, and what
    /// was left out.
    pub(super) async fn rebuild_now(&self) -> Result<Rebuilt, BackupError> {
        let jobs = self.with_store(|store| store.jobs()).await?;
        let mut all = Rebuilt::default();
        for job in jobs {
            let (service, of_job) = (self.clone(), job.clone());
            let rebuilt = async move {
                service.settle_unfinished(Some(&of_job)).await?;
                service.rebuild_job(of_job, StoredLook::Content).await
            };
            let mut of_job = self.in_turn_of(&job, rebuilt).await?;
            all.found.append(&mut of_job.found);
            all.left_out.append(&mut of_job.left_out);
        }
        Ok(all)
    }

    /// The same at the start, when no job has its turn; no byte of an archive is read.
    pub(super) async fn take_up_stored(&self) -> Result<(), BackupError> {
        let jobs = self.with_store(|store| store.jobs()).await;
        let jobs = jobs.unwrap_or_else(|error| {
            tracing::error!(%error, "what is stored and not in the catalog cannot be looked for now");
            Vec::new()
        });
        for job in jobs {
            let is_new = self.core.catalog.lock().of(Some(&job)).is_empty();
            let taken_up = self.clone().rebuild_job(job.clone(), StoredLook::Length);
            match taken_up.await {
                Ok(Rebuilt { found, .. }) => {
                    let is_restorable =
                        |record: &BackupRecord| record.status == BackupStatus::Verified;
                    if is_new && found.iter().any(is_restorable) {
                        self.wait_for_a_person(&job).await?;
                    }
                }
                Err(error @ BackupError::Journal(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(%job, %error, "what is stored of the job cannot be taken up now");
                }
            }
        }
        Ok(())
    }

    /// The slots until now are used, so that nothing is due at once after a restart either.
    async fn wait_for_a_person(&self, job: &JobName) -> Result<(), BackupError> {
        let now = self.now();
        let slots = SCHEDULED.map(|backup_type| (backup_type, now));
        let changes = slots.map(|(backup_type, slot)| Change::Slot(job.clone(), backup_type, slot));
        self.commit(Vec::new(), changes.into()).await?;
        self.core.catalog.lock().take_slots(job, &slots);
        let monotonic = self.core.clock.monotonic();
        self.job_state(job, |state| {
            state.waiting.taken_up(monotonic, TIME_TO_RESTORE);
        });
        Ok(())
    }

    /// Goes on with the waits that the daemon before began. What it took up is older than the slots, all of one time, that it
    /// used for that; a backup that is taken is newer than the slots that it takes.
    pub(super) fn wait_on(&self) {
        let (now, monotonic) = (self.now(), self.core.clock.monotonic());
        let jobs = self.core.catalog.lock().jobs();
        for job in jobs {
            let (records, slots) = {
                let catalog = self.core.catalog.lock();
                (catalog.of(Some(&job)), catalog.slots(&job))
            };
            let [Some(used), differential, incremental] =
                SCHEDULED.map(|backup_type| slots.get(&backup_type).copied())
            else {
                continue;
            };
            let is_of_one_time = [differential, incremental] == [Some(used); 2];
            // What a handler asked for was no person's.
            let is_newer = |record: &BackupRecord| {
                record.status.is_stored() && record.key.is_none() && record.created_at >= used
            };
            let left = TIME_TO_RESTORE.saturating_sub(now.since(used));
            let has_time = used <= now && !left.is_zero();
            let has_any = records.iter().any(|record| record.status.is_stored());
            if is_of_one_time && has_time && has_any && !records.iter().any(is_newer) {
                self.job_state(&job, |state| state.waiting.taken_up(monotonic, left));
            }
        }
    }

    /// The same of one job; the caller has its turn.
    async fn rebuild_job(self, job: JobName, look: StoredLook) -> Result<Rebuilt, BackupError> {
        let known = self.core.catalog.lock().known();
        let of_job = job.clone();
        let (stored, orphans) = self
            .with_store(move |store| {
                let stored = store.stored(&of_job, &known, look)?;
                Ok((stored, store.orphans(&of_job)?))
            })
            .await?;
        let now = self.now();
        let StoredBackups { stored, left_out } = stored;
        let failed = |id: &BackupId| {
            let known = self.core.catalog.lock().get(id);
            known.filter(|record| record.status == BackupStatus::Failed)
        };
        let mut found = Vec::new();
        for stored in stored {
            match failed(&stored.manifest.id) {
                None => found.push(record_of(stored, now)),
                // Not what a failure left.
                Some(failed) if stored.intact => found.push(BackupRecord {
                    key: failed.key,
                    checkpoint: failed.checkpoint,
                    ..record_of(stored, now)
                }),
                Some(_) => {}
            }
        }
        let is_recorded = |id: &BackupId| self.core.catalog.lock().get(id).is_some();
        let orphans = orphans
            .into_iter()
            .filter(|orphan| !is_recorded(&orphan.id));
        found.extend(orphans.filter_map(|orphan| record_of_orphan(&job, orphan, now)));
        let event = |record: &BackupRecord| {
            if record.status == BackupStatus::Corrupted {
                let what = record.reason.as_deref().unwrap_or("it is not whole");
                let message = words::corrupted(&record.id, &record.job, what);
                let event = self.event(EventKind::BackupCorrupted, Severity::Critical, message);
                return Change::Event(event.with_backup(&record.job, &record.id));
            }
            let message = format!("backup {} was found in the store, and recorded", record.id);
            let event = self
                .event(EventKind::BackupRecorded, Severity::Low, message)
                .with_backup(&record.job, &record.id);
            Change::Event(event)
        };
        let mut events: Vec<Change> = found.iter().map(event).collect();
        let told = words::left_out(&job, &left_out).map(|message| {
            let event = self.event(EventKind::BackupFailed, Severity::Medium, message);
            Change::Event(event.with_job(&job))
        });
        events.extend(told);
        self.commit(found.clone(), events).await?;
        Ok(Rebuilt { found, left_out })
    }
}

/// Of an archive without its manifest; none where even its name says nothing.
fn record_of_orphan(
    job: &JobName,
    orphan: OrphanedArchive,
    now: Timestamp,
) -> Option<BackupRecord> {
    let OrphanedArchive {
        id,
        stored_bytes,
        hold,
    } = orphan;
    let (backup_type, created_at) = id.says()?;
    let reason = "its manifest is missing; put it back beside the archive, and take it up with \
                  `mainstay backup list --rebuild`";
    let record = BackupRecord {
        status: BackupStatus::Corrupted,
        stored_bytes,
        reason: Some(reason.to_owned()),
        held: hold.is_some(),
        hold,
        ..BackupRecord::begun(id, job.clone(), backup_type, created_at)
    };
    Some(record.without_hold_that_is_over(now))
}

fn record_of(stored: StoredBackup, now: Timestamp) -> BackupRecord {
    let mut record = stored.manifest.to_record();
    // It may have been moved since.
    record.tier = stored.tier.to_string();
    if !stored.intact {
        record.status = BackupStatus::Corrupted;
        record.reason = Some("its stored bytes are not those that its manifest names".to_owned());
    } else if stored.in_trash {
        record.status = BackupStatus::Expired;
        record.expires = Some(now + NEW_GRACE);
    }
    record.held = stored.hold.is_some();
    record.hold = stored.hold;
    record.without_hold_that_is_over(now)
}
