//! Retention: the policy judges, the host guards, what expires goes to the trash, and from there, after a time, away.

use super::{
    BackupError, BackupService, checkpoints::as_judged, holds::without_holds_that_are_over, room,
    wishes::limits_of,
};
use crate::ports::{JudgeError, Pruned};
use mainstay_domain::{
    backup::{BackupRecord, BackupStatus, Verdict},
    event::{BackupDeleted, EventKind},
    id::BackupId,
    name::JobName,
    record::Change,
    retention::guard,
    severity::Severity,
    spec::{JobSpec, RetentionSpec, Spec},
    time::Timestamp,
};
use std::collections::{BTreeSet, HashMap};

/// So many backups are deleted between two writes of the journal.
const BATCH: usize = 50;

impl BackupService {
    /// Judges one job or all, each in its turn; in a dry run nothing changes.
    pub(super) async fn prune_now(
        self,
        job: Option<JobName>,
        dry_run: bool,
    ) -> Result<Pruned, BackupError> {
        let jobs = match job {
            Some(job) => vec![job],
            None => {
                let spec = self.core.spec.borrow();
                let with_policy = spec.jobs.iter().filter(|job| job.retention.is_some());
                with_policy.map(|job| job.name.clone()).collect()
            }
        };
        let mut all = Pruned {
            verdicts: Vec::new(),
            expired: Vec::new(),
        };
        for job in jobs {
            let judged = self.clone().judge_job(job.clone(), dry_run);
            let pruned = self.in_turn_of(&job, judged).await?;
            all.verdicts.extend(pruned.verdicts);
            all.expired.extend(pruned.expired);
        }
        Ok(all)
    }

    /// Starts retention where it is due, and deletion where something in the trash has lain long enough. Retention is
    /// due at each start of the daemon, so a daemon that restarts often still gets to it.
    pub(super) fn start_retention(&self, spec: &Spec, now: Timestamp) {
        let settled = self.settled_now();
        for job in &spec.jobs {
            let Some(retention) = &job.retention else {
                continue;
            };
            let begins = self.job_state(&job.name, |state| {
                state.retention.begin(retention.every, now)
            });
            if begins {
                self.spawn_judgement(job.name.clone());
            }
        }
        let jobs: BTreeSet<JobName> = self.deletable(settled).map(|record| record.job).collect();
        for job in jobs {
            if let Ok(held) = self.lock_of(&job).try_lock_owned() {
                // Only now, for who had the turn before may have deleted some.
                let records = self
                    .deletable(settled)
                    .filter(|record| record.job == job)
                    .collect();
                let service = self.clone();
                self.core.tasks.spawn(async move {
                    match service.delete_for_good(records).await {
                        // What cannot be deleted must not wake the loop, which would try it again, for ever.
                        Ok(0) => drop(held),
                        Ok(_) => drop(service.turn(held)),
                        Err(error) => tracing::error!(%job, %error, "what lies in the trash could not be deleted"),
                    }
                });
            }
        }
    }

    /// What has lain in the trash long enough, by a time that can be believed; all of it where the store has no room.
    fn deletable(&self, settled: Timestamp) -> impl Iterator<Item = BackupRecord> + use<> {
        let expired = self.core.catalog.lock().expired().into_iter();
        let all = self.is_short_of_room();
        expired.filter(move |record| all || room::is_over(record, settled))
    }

    /// When retention or a deletion from the trash is due next. Work that was due and could not start is retried when
    /// other work of the job ends, or at the next look.
    pub(super) fn next_retention(&self, spec: &Spec, looked_at: Timestamp) -> Option<Timestamp> {
        let jobs = self.core.jobs.lock();
        let judgements = spec.jobs.iter().filter_map(|job| {
            let retention = job.retention.as_ref()?;
            jobs.get(&job.name)?.retention.next(retention.every)
        });
        let catalog = self.core.catalog.lock();
        let expired = catalog.expired();
        let deletions = expired.iter().filter_map(|record| record.expires);
        judgements
            .chain(deletions)
            .filter(|at| *at > looked_at)
            .min()
    }

    /// Judges every job whose retention, or whose policy's settings, are not what they were.
    pub(super) fn judge_what_changed(&self, before: &Spec, after: &Spec) {
        for job in &after.jobs {
            let (Some(retention), Some(was)) = (
                &job.retention,
                before.jobs.iter().find(|old| old.name == job.name),
            ) else {
                continue;
            };
            let settings = |spec: &Spec| spec.plugins.get(&retention.policy).cloned();
            if was.retention.as_ref() != Some(retention) || settings(before) != settings(after) {
                self.spawn_judgement(job.name.clone());
            }
        }
    }

    fn spawn_judgement(&self, job: JobName) {
        let service = self.clone();
        self.core.tasks.spawn(async move {
            // A failing policy is an event; here is nobody else to tell.
            let judged = service.clone().judge_job(job.clone(), false);
            if let Err(error) = service.in_turn_of(&job, judged).await {
                tracing::warn!(%job, %error, "retention kept everything");
            }
            service.job_state(&job, |state| state.retention.end());
            service.core.wake.notify_one();
        });
    }

    /// Judges one job; uncounted.
    pub(super) async fn judge(self, job: JobName, dry_run: bool) -> Result<Pruned, BackupError> {
        let spec = self.job(&job)?;
        let Some(retention) = spec.retention.clone() else {
            return Err(BackupError::Refused(format!(
                "job {job} has no retention policy, so everything is kept; give it `retention = {{ policy = … }}`"
            )));
        };
        let now = self.settled_now();
        let stored = self.core.catalog.lock().of(Some(&job));
        let records = without_holds_that_are_over(&stored, now);
        let judged_as = as_judged(&spec, &records);
        let wishes = self.wishes(&retention, &job, &judged_as, now).await;
        let wishes = match wishes {
            Ok(wishes) => wishes,
            Err(why) => return Err(self.policy_failed(&spec, &retention, why).await),
        };
        let verdicts = guard(&judged_as, &wishes, limits_of(&retention), now);
        let by_id: HashMap<&str, &Verdict> = verdicts
            .iter()
            .map(|verdict| (verdict.id.as_str(), verdict))
            .collect();
        let mut kept = Vec::new();
        let mut expired = Vec::new();
        // The policy may have taken its time; the trash keeps what it expires for the full grace.
        let in_trash_until = self.now() + retention.trash_for;
        for (record, was) in records.iter().zip(&stored) {
            let Some(verdict) = by_id.get(record.id.as_str()) else {
                continue;
            };
            let mut judged = record.clone();
            if record.status != BackupStatus::Corrupted {
                judged.reason = Some(verdict.reason.clone());
            }
            if verdict.keep {
                judged.expires = verdict.expires;
                if &judged != was {
                    kept.push(judged);
                }
            } else {
                judged.status = BackupStatus::Expired;
                judged.expires = Some(in_trash_until);
                expired.push(judged);
            }
        }
        // Those that need others go first, so that whatever is left at any moment can be restored.
        expired.reverse();
        if !dry_run {
            // Why a backup is kept can be written later; what frees room does not wait for it.
            if let Err(error) = self.commit(kept, Vec::new()).await {
                tracing::error!(%job, %error, "why backups are kept is not in the journal");
            }
            self.expire(&expired).await?;
            self.make_room(&job).await?;
            let (policy, gone) = (&retention.policy, expired.len());
            let message = format!("{policy} judged the backups of job {job}: {gone} expired");
            let event = self.event(EventKind::RetentionJudged, Severity::Low, message);
            self.record_done(event.with_job(&job)).await;
        }
        Ok(Pruned { verdicts, expired })
    }

    async fn policy_failed(
        &self,
        job: &JobSpec,
        retention: &RetentionSpec,
        why: JudgeError,
    ) -> BackupError {
        let text = format!(
            "the retention policy {} of job {} failed, so everything is kept: {why}",
            retention.policy, job.name
        );
        let event = self
            .event(EventKind::RetentionFailed, Severity::High, text.clone())
            .with_job(&job.name);
        self.record_done(event).await;
        BackupError::Refused(text)
    }

    /// Moves what a policy let go to the trash.
    pub(super) async fn expire(&self, expired: &[BackupRecord]) -> Result<(), BackupError> {
        for record in expired {
            let until = record.expires.map_or_else(String::new, |at| at.to_string());
            let reason = record.reason.as_deref().unwrap_or("the policy let it go");
            let message = format!(
                "backup {} of job {} expired ({reason}); it lies in the trash until {until}",
                record.id, record.job
            );
            let event = self
                .event(EventKind::BackupExpired, Severity::Low, message)
                .with_backup(&record.job, &record.id);
            self.put_into_trash(record, event).await?;
        }
        Ok(())
    }

    /// Deletes in batches; where the journal does not take a batch it gets one record at a time [seed 003]. What cannot
    /// be deleted is tried again at the next look. How many went.
    pub(super) async fn delete_for_good(
        &self,
        mut records: Vec<BackupRecord>,
    ) -> Result<usize, BackupError> {
        let mut gone = 0;
        let early = room::early(&records, self.settled_now());
        records.sort_by(|a, b| mainstay_domain::backup_chain::by_age(b, a));
        for batch in records.chunks(BATCH) {
            let files: Vec<(JobName, BackupId)> = batch
                .iter()
                .map(|record| (record.job.clone(), record.id.clone()))
                .collect();
            let deleted = self
                .with_store(move |store| {
                    let gone = files.into_iter().filter(|(job, id)| {
                        let deleted = store.delete(job, id);
                        if let Err(error) = &deleted {
                            tracing::error!(backup = %id, %error, "it could not be deleted from the trash");
                        }
                        deleted.is_ok()
                    });
                    Ok(gone.collect::<Vec<_>>())
                })
                .await?;
            let changes = |job: &JobName, id: &BackupId| {
                let message = room::deleted(id, job, early.contains(id));
                let event = self
                    .event(EventKind::BackupDeleted, Severity::Low, message)
                    .with_backup(job, id)
                    .with_data(BackupDeleted { removed: 1 });
                [Change::BackupRemoved(id.clone()), Change::Event(event)]
            };
            let whole: Vec<Change> = deleted
                .iter()
                .flat_map(|(job, id)| changes(job, id))
                .collect();
            if self.core.journal.commit(whole.into()).await.is_err() {
                for (job, id) in &deleted {
                    self.core
                        .journal
                        .commit(changes(job, id).to_vec().into())
                        .await?;
                    self.core.catalog.lock().remove(id);
                }
            }
            let mut catalog = self.core.catalog.lock();
            deleted.iter().for_each(|(_, id)| catalog.remove(id));
            gone += deleted.len();
        }
        Ok(gone)
    }
}
