//! A store whose work is counted: what was asked of it, how that ended, and how long it took [seed 003].

use crate::{
    ports::{
        BackupContents, BackupStore, BackupStoreError, DrilledTree, GivenIdentities, LiveState,
        OnContent, OnProgress, OrphanedArchive, RekeyedBackups, RestorePlace, RestoreRules,
        StagedRestore, StoredBackups, StoredLook, TakeBackup, TakenBackup, UnwellTier,
    },
    services::metrics::Numbers,
};
use mainstay_domain::{
    archive::{DocumentKey, Manifest, State},
    backup::Hold,
    id::BackupId,
    name::{JobName, TierName},
    spec::{BackupSource, ReadingSpec, SealingSpec},
};
use std::{collections::BTreeSet, path::Path, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Asks another store, and counts.
pub(super) struct CountedStore {
    store: Arc<dyn BackupStore>,
    numbers: Numbers,
}

impl CountedStore {
    pub(super) fn over(store: Arc<dyn BackupStore>, numbers: Numbers) -> Arc<dyn BackupStore> {
        Arc::new(Self { store, numbers })
    }

    fn counted<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&dyn BackupStore) -> Result<T, BackupStoreError>,
    ) -> Result<T, BackupStoreError> {
        let begun = Instant::now();
        let ended = work(self.store.as_ref());
        let outcome = outcome(ended.as_ref().err());
        self.numbers
            .asked_of_store(operation, outcome, begun.elapsed());
        ended
    }
}

/// How it ended, in the words of docs/metrics.md.
fn outcome(error: Option<&BackupStoreError>) -> &'static str {
    match error {
        None => "done",
        Some(BackupStoreError::Source(_) | BackupStoreError::SourceChanged(_)) => "source",
        Some(BackupStoreError::Corrupted { .. }) => "corrupted",
        Some(BackupStoreError::Untrusted { .. }) => "untrusted",
        Some(BackupStoreError::Unavailable(_)) => "unavailable",
        Some(BackupStoreError::NoRoom(_)) => "no-room",
        Some(BackupStoreError::Locked(_)) => "locked",
        Some(BackupStoreError::InDoubt(_)) => "in-doubt",
        Some(BackupStoreError::Interrupted | BackupStoreError::Cancelled) => "interrupted",
    }
}

impl BackupContents for CountedStore {
    fn state(
        &self,
        job: &JobName,
        chain: &[BackupId],
        progress: &OnProgress,
    ) -> Result<State, BackupStoreError> {
        self.counted("look", |store| store.state(job, chain, progress))
    }

    fn live(
        &self,
        sources: (&[BackupSource], &ReadingSpec),
        progress: &OnProgress,
    ) -> Result<LiveState, BackupStoreError> {
        self.store.live(sources, progress)
    }

    fn content(
        &self,
        job: &JobName,
        chain: &[BackupId],
        key: &DocumentKey,
        progress: &OnProgress,
        on_content: &mut OnContent<'_>,
    ) -> Result<(), BackupStoreError> {
        self.counted("dump", |store| {
            store.content(job, chain, key, progress, on_content)
        })
    }
}

impl BackupStore for CountedStore {
    fn cancellable(self: Arc<Self>) -> (Arc<dyn BackupStore>, CancellationToken) {
        let (store, stop) = Arc::clone(&self.store).cancellable();
        (Self::over(store, self.numbers.clone()), stop)
    }

    fn with_identities(self: Arc<Self>, given: GivenIdentities) -> Arc<dyn BackupStore> {
        let store = Arc::clone(&self.store).with_identities(given);
        Self::over(store, self.numbers.clone())
    }

    fn take(
        &self,
        request: &TakeBackup,
        progress: &OnProgress,
    ) -> Result<TakenBackup, BackupStoreError> {
        self.counted("take", |store| store.take(request, progress))
    }

    fn verify(
        &self,
        job: &JobName,
        chain: &[BackupId],
        progress: &OnProgress,
    ) -> Result<Vec<String>, BackupStoreError> {
        self.counted("verify", |store| store.verify(job, chain, progress))
    }

    fn stage(
        &self,
        job: &JobName,
        chain: &[BackupId],
        place: &RestorePlace,
        rules: &RestoreRules,
        progress: &OnProgress,
    ) -> Result<Box<dyn StagedRestore>, BackupStoreError> {
        self.counted("restore", |store| {
            store.stage(job, chain, place, rules, progress)
        })
    }

    fn judge_in_place(
        &self,
        job: &JobName,
        chain: &[BackupId],
        sources: &[BackupSource],
    ) -> Result<(), BackupStoreError> {
        self.store.judge_in_place(job, chain, sources)
    }

    fn drill(
        &self,
        job: &JobName,
        chain: &[BackupId],
        scratch: Option<&Path>,
        progress: &OnProgress,
    ) -> Result<Box<dyn DrilledTree>, BackupStoreError> {
        self.counted("drill", |store| store.drill(job, chain, scratch, progress))
    }

    fn left_drills(&self) -> Vec<BackupId> {
        self.store.left_drills()
    }

    fn rekey(
        &self,
        job: &JobName,
        ids: &[BackupId],
        sealing: &SealingSpec,
        dry_run: bool,
        progress: &OnProgress,
    ) -> Result<RekeyedBackups, BackupStoreError> {
        let rekey = |store: &dyn BackupStore| store.rekey(job, ids, sealing, dry_run, progress);
        match dry_run {
            true => rekey(self.store.as_ref()),
            false => self.counted("rekey", rekey),
        }
    }

    fn move_to(
        &self,
        job: &JobName,
        id: &BackupId,
        tier: &TierName,
    ) -> Result<(), BackupStoreError> {
        self.counted("move", |store| store.move_to(job, id, tier))
    }

    fn trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.counted("trash", |store| store.trash(job, id))
    }

    fn note_hold(
        &self,
        job: &JobName,
        id: &BackupId,
        hold: Option<&Hold>,
    ) -> Result<(), BackupStoreError> {
        self.counted("hold", |store| store.note_hold(job, id, hold))
    }

    fn untrash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.counted("untrash", |store| store.untrash(job, id))
    }

    fn delete(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.counted("delete", |store| store.delete(job, id))
    }

    fn has_room(&self) -> bool {
        self.store.has_room()
    }

    fn end_restores(&self, sources: &[BackupSource]) -> Vec<BackupStoreError> {
        self.store.end_restores(sources)
    }

    fn sweep(&self, known: &BTreeSet<BackupId>) -> Vec<BackupStoreError> {
        self.store.sweep(known)
    }

    fn lost(&self, job: &JobName, stored: &[(BackupId, u64)]) -> Vec<BackupStoreError> {
        self.store.lost(job, stored)
    }

    fn committed(
        &self,
        job: &JobName,
        id: &BackupId,
    ) -> Result<Option<Manifest>, BackupStoreError> {
        self.store.committed(job, id)
    }

    fn orphans(&self, job: &JobName) -> Result<Vec<OrphanedArchive>, BackupStoreError> {
        self.store.orphans(job)
    }

    fn unwell_tiers(&self) -> Vec<UnwellTier> {
        self.store.unwell_tiers()
    }

    fn jobs(&self) -> Result<Vec<JobName>, BackupStoreError> {
        self.store.jobs()
    }

    fn stored(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
        look: StoredLook,
    ) -> Result<StoredBackups, BackupStoreError> {
        self.counted("list", |store| store.stored(job, known, look))
    }
}
