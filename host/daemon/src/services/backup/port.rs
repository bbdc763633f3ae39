//! What the service offers to operators and to effects.
//!
//! Length: a few lines for each of all that they may ask.

use super::{BackupError, BackupService, cancel::Asked};
use crate::ports::{
    BackupControl, BackupOperator, Boxed, Cancelled, CheckpointRequest, GivenIdentities,
    HoldRequest, JobStatus, OnProgress, Pruned, ReadBack, Rebuilt, Refused, Rekeyed,
    RestoreRequest, RestoreRules, Restored, TrashRequest, Undeleted, UnwellTier,
};
use mainstay_domain::{
    actor::Actor,
    backup::{BackupRecord, BackupStatus, BackupSummary, BackupType},
    backup_chain::{by_age_at, newest_complete, newest_verified, plan_restore, standing},
    checkpoint_rules,
    effect::EffectError,
    id::BackupId,
    name::{JobName, TierName},
    time::Timestamp,
};
use std::sync::Arc;

pub(super) fn refused(error: BackupError) -> Refused {
    Refused(error.to_string())
}

impl BackupOperator for BackupService {
    fn with_identities(self: Arc<Self>, given: GivenIdentities) -> Arc<dyn BackupOperator> {
        let store = Arc::clone(&self.core.store);
        Arc::new(Self {
            core: Arc::clone(&self.core),
            opened: Some(store.with_identities(given)),
            asked: self.asked.clone(),
        })
    }

    fn asked_as(self: Arc<Self>, name: String) -> Arc<dyn BackupOperator> {
        Arc::new(Self {
            core: Arc::clone(&self.core),
            opened: self.opened.clone(),
            asked: Some(Asked::new(name)),
        })
    }

    fn create(
        &self,
        job: JobName,
        backup_type: BackupType,
        progress: OnProgress,
    ) -> Boxed<'_, Result<BackupRecord, Refused>> {
        let asked = (backup_type, None);
        let work = self.clone().create_now(job.clone(), asked, progress);
        Box::pin(async move { self.in_turn_as_asked(&job, work).await.map_err(refused) })
    }

    fn list(&self, job: Option<JobName>) -> Vec<BackupRecord> {
        let mut records = standing(self.core.catalog.lock().of(job.as_ref()));
        records.reverse();
        records
    }

    fn verify(&self, id: BackupId, progress: OnProgress) -> Boxed<'_, Result<ReadBack, Refused>> {
        Box::pin(async move {
            let job = self.job_of(&id).map_err(refused)?;
            let work = self.clone().verify_now(job.clone(), id, progress);
            self.in_turn_of(&job, work).await.map_err(refused)
        })
    }

    fn restore(
        &self,
        request: RestoreRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Restored, Refused>> {
        let job = request.job.clone();
        let work = self.clone().restore_now(request, progress);
        Box::pin(async move {
            let restored = self.in_turn_as_asked(&job, work).await.map_err(refused)?;
            self.job_state(&job, |state| state.waiting.goes_on());
            Ok(restored)
        })
    }

    fn cancel_restore(
        &self,
        job: JobName,
        asked: Option<String>,
    ) -> Boxed<'_, Result<Cancelled, Refused>> {
        Box::pin(async move {
            let cancelled = self.cancel_now(&job, asked.as_deref()).await;
            cancelled.map_err(refused)
        })
    }

    fn rebuild(&self) -> Boxed<'_, Result<Rebuilt, Refused>> {
        Box::pin(async move { self.rebuild_now().await.map_err(refused) })
    }

    fn rekey(
        &self,
        job: JobName,
        dry_run: bool,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Rekeyed, Refused>> {
        let work = self.clone().rekey_now(job.clone(), dry_run, progress);
        Box::pin(async move { self.in_turn_of(&job, work).await.map_err(refused) })
    }

    fn prune(&self, job: Option<JobName>, dry_run: bool) -> Boxed<'_, Result<Pruned, Refused>> {
        let work = self.clone().prune_now(job, dry_run);
        Box::pin(async move { work.await.map_err(refused) })
    }

    fn hold(&self, request: HoldRequest) -> Boxed<'_, Result<BackupRecord, Refused>> {
        Box::pin(async move {
            let job = self.job_of(&request.id).map_err(refused)?;
            let work = self.clone().hold_now(request);
            self.in_turn_of(&job, work).await.map_err(refused)
        })
    }

    fn release(&self, id: BackupId, by: Actor) -> Boxed<'_, Result<BackupRecord, Refused>> {
        Box::pin(async move {
            let job = self.job_of(&id).map_err(refused)?;
            let work = self.clone().release_now(id, by);
            self.in_turn_of(&job, work).await.map_err(refused)
        })
    }

    fn accept(&self, id: BackupId, by: Actor) -> Boxed<'_, Result<BackupRecord, Refused>> {
        Box::pin(async move {
            let job = self.job_of(&id).map_err(refused)?;
            let work = self.clone().accept_now(id, by);
            self.in_turn_of(&job, work).await.map_err(refused)
        })
    }

    fn delete(&self, request: TrashRequest) -> Boxed<'_, Result<BackupRecord, Refused>> {
        Box::pin(async move {
            let job = self.job_of(&request.id).map_err(refused)?;
            let work = self.clone().delete_now(request);
            self.in_turn_of(&job, work).await.map_err(refused)
        })
    }

    fn undelete(
        &self,
        request: TrashRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Undeleted, Refused>> {
        Box::pin(async move {
            let job = self.job_of(&request.id).map_err(refused)?;
            let work = self.clone().undelete_now(request, progress);
            self.in_turn_of(&job, work).await.map_err(refused)
        })
    }

    fn move_to(
        &self,
        id: BackupId,
        tier: TierName,
        by: Actor,
    ) -> Boxed<'_, Result<BackupRecord, Refused>> {
        Box::pin(async move {
            let job = self.job_of(&id).map_err(refused)?;
            let work = self.clone().move_now(id, tier, by);
            self.in_turn_of(&job, work).await.map_err(refused)
        })
    }

    fn drill(&self, job: JobName, progress: OnProgress) -> Boxed<'_, Result<Restored, Refused>> {
        let work = self.clone().drill_now(job.clone(), progress);
        Box::pin(async move { self.in_turn_of(&job, work).await.map_err(refused) })
    }

    fn take_checkpoint(
        &self,
        request: CheckpointRequest,
        progress: OnProgress,
    ) -> Boxed<'_, Result<BackupRecord, Refused>> {
        let job = request.job.clone();
        let work = self.clone().take_checkpoint_now(request, progress);
        Box::pin(async move { self.in_turn_of(&job, work).await.map_err(refused) })
    }

    fn roll_back(
        &self,
        id: BackupId,
        by: Actor,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Restored, Refused>> {
        Box::pin(async move {
            let job = self.job_of(&id).map_err(refused)?;
            let work = self.clone().roll_back_now(id, by, progress);
            self.in_turn_of(&job, work).await.map_err(refused)
        })
    }

    fn resume_rolled_back(&self, job: JobName, by: Actor) -> Boxed<'_, Result<(), Refused>> {
        let work = self.clone().resume_now(job.clone(), by);
        Box::pin(async move { self.in_turn_of(&job, work).await.map_err(refused) })
    }

    fn unwell_tiers(&self) -> Vec<UnwellTier> {
        let mut unwell = self.core.store.unwell_tiers();
        let spec = self.core.spec.borrow();
        unwell.retain(|it| spec.tiers.contains_key(&it.tier));
        unwell
    }

    fn jobs(&self) -> Vec<JobStatus> {
        let (now, spec) = (self.now(), self.core.spec.borrow().clone());
        let status = |job: &mainstay_domain::spec::JobSpec| {
            let records = standing(self.core.catalog.lock().of(Some(&job.name)));
            let last_verified =
                newest_verified(&records, &job.name, None, now).map(|record| record.created_at);
            let complete =
                newest_complete(&records, &job.name, now).map(|record| record.created_at);
            // An emergency backup is of no schedule, and of what happened to be there.
            let newest = records
                .iter()
                .filter(|record| record.status != BackupStatus::Expired)
                .filter(|record| record.backup_type != BackupType::Emergency)
                .max_by(|a, b| by_age_at(now, a, b));
            JobStatus {
                name: job.name.clone(),
                last_verified,
                last_status: newest.map(|record| record.status),
                last_incomplete: newest.is_some_and(|record| record.incomplete),
                last_error: newest
                    .filter(|record| record.status.is_bad())
                    .and_then(|record| record.reason.clone()),
                next_due: self.next_due(job, now),
                rpo_met: job.rpo.map(|rpo| {
                    complete.is_some_and(|taken| taken <= now && now.since(taken) <= rpo)
                }),
                waits: self.waits_for(job).or_else(|| self.core.taken_up.why_not()),
                last_checkpoint: checkpoint_rules::last_right(&records, now),
                next_checkpoint: self.next_checkpoint(job, now),
                last_drill: records
                    .iter()
                    .filter_map(|record| record.drilled.as_ref())
                    .max_by_key(|drilled| drilled.at)
                    .cloned(),
            }
        };
        spec.jobs.iter().map(status).collect()
    }
}

impl BackupControl for BackupService {
    fn newest(
        &self,
        job: JobName,
        before: Option<Timestamp>,
    ) -> Boxed<'_, Result<Option<BackupSummary>, EffectError>> {
        // Who asks for it wants to restore it.
        let found = self.newest_restorable(job, before);
        Box::pin(async move {
            // Before that there may be one that nobody knows.
            self.core.taken_up.wait_briefly().await?;
            found.await.map_err(EffectError::from)
        })
    }

    fn create(
        &self,
        job: JobName,
        backup_type: BackupType,
        key: String,
    ) -> Boxed<'_, Result<BackupSummary, EffectError>> {
        let made = self.core.catalog.lock().made_for(&job, &key);
        if let Some(made) = made {
            return Box::pin(std::future::ready(Ok(BackupSummary::from(&made))));
        }
        let asked = (backup_type, Some(key));
        let work = self
            .clone()
            .create_now(job.clone(), asked, super::no_progress());
        Box::pin(async move {
            let Some(taken) = self.in_free_turn_of(&job, work).await else {
                return Err(EffectError::Unavailable(format!(
                    "job {job} is busy: a backup of it is taken, read or restored, or looked for since the start; ask again when that has \
                     ended"
                )));
            };
            Ok(BackupSummary::from(&taken?))
        })
    }

    fn restore(&self, job: JobName, id: String) -> Boxed<'_, Result<(u64, u64), EffectError>> {
        Box::pin(async move {
            let id =
                BackupId::parse(&id).map_err(|error| EffectError::Failed(error.to_string()))?;
            let request = RestoreRequest {
                job: job.clone(),
                id: Some(id),
                backup_type: None,
                at: None,
                rules: RestoreRules::default(),
                into: None,
                replace: true,
            };
            let work = self.clone().restore_now(request, super::no_progress());
            self.core.taken_up.wait_briefly().await?;
            let restored = self.in_turn_of(&job, work).await?;
            Ok((restored.documents, restored.bytes))
        })
    }

    /// At most so many: what a later link of the chain replaces counts twice.
    fn restorable(&self, id: &str) -> (u64, u64) {
        let Ok(id) = BackupId::parse(id) else {
            return (0, 0);
        };
        let plan = plan_restore(&self.core.catalog.lock().of(None), &id).unwrap_or_default();
        plan.iter().fold((0, 0), |(documents, bytes), link| {
            (documents + link.documents, bytes + link.size_bytes)
        })
    }
}
