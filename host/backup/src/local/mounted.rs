//! A tier that is a directory beside the one in the state directory: what is mounted there may not answer, and is asked in its lane.

use super::{
    check_stop, durable,
    error::unavailable,
    files::{Layout, create_private, sync_dir},
    lane::{Lane, LaneFile},
    place::{Coming, Place},
    spot::Spot,
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::Encryption,
    id::BackupId,
    name::{JobName, TierName},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// So much is written at once.
const PIECE: usize = 1 << 18;
/// After so many bytes at most what was written is made durable.
const MOST_UNSETTLED: usize = 16 << 20;
/// A tier that needs longer for that gets no more at once the next time.
const SETTLES_SOON: Duration = Duration::from_secs(1);

/// When what was written is made durable: the slower that is the sooner, so that a slow tier is none that does not answer.
pub(super) struct Settling {
    unsettled: usize,
    /// After so many bytes.
    after: usize,
}

impl Settling {
    pub(super) fn new() -> Self {
        Self {
            unsettled: 0,
            after: PIECE,
        }
    }

    /// So much was written; whether it is time.
    pub(super) fn is_due(&mut self, count: usize) -> bool {
        self.unsettled += count;
        self.unsettled >= self.after
    }

    pub(super) fn settled(&mut self, took: Duration) {
        self.unsettled = 0;
        if took < SETTLES_SOON {
            self.after = (2 * self.after).min(MOST_UNSETTLED);
        }
    }
}

/// A tier of which each file is in the same lane.
pub(super) struct Mounted {
    tier: Layout,
    lane: Lane,
}

impl Mounted {
    pub(super) fn new(tier: Layout, lane: Lane) -> Self {
        Self { tier, lane }
    }

    fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Layout) -> Result<T, BackupStoreError> + Send + 'static,
    ) -> Result<T, BackupStoreError> {
        let tier = self.tier.clone();
        let looked = self.lane.look(move || work(&tier));
        looked.map_err(unavailable("cannot look at", self.tier.root()))?
    }

    fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Layout) -> Result<T, BackupStoreError> + Send + 'static,
    ) -> Result<T, BackupStoreError> {
        let tier = self.tier.clone();
        let changed = self.lane.change(move || work(&tier));
        changed.map_err(unavailable("cannot change", self.tier.root()))?
    }

    /// Changes something of a backup.
    fn change_of<T: Send + 'static>(
        &self,
        (job, id): (&JobName, &BackupId),
        work: impl FnOnce(&Layout, &JobName, &BackupId) -> Result<T, BackupStoreError> + Send + 'static,
    ) -> Result<T, BackupStoreError> {
        let (job, id) = (job.clone(), id.clone());
        self.change(move |tier| work(tier, &job, &id))
    }
}

impl Place for Mounted {
    fn shown(&self) -> PathBuf {
        self.tier.shown()
    }

    fn directory(&self) -> Option<&Path> {
        self.tier.directory()
    }

    fn way_back(&self, tier: &TierName) -> String {
        self.tier.way_back(tier)
    }

    fn check_there(&self, tier: &TierName) -> Result<(), BackupStoreError> {
        let name = tier.clone();
        self.look(move |tier| tier.check_there(&name))
    }

    fn make_job(&self, job: &JobName) -> Result<(), BackupStoreError> {
        let job = job.clone();
        self.change(move |tier| tier.make_job(&job))
    }

    fn mark(&self, job: &JobName) -> Spot {
        self.tier.mark(job)
    }

    fn archive_at(&self, job: &JobName, id: &BackupId, encryption: &Encryption) -> Spot {
        self.tier.archive_at(job, id, encryption)
    }

    fn manifest_at(&self, job: &JobName, id: &BackupId) -> Spot {
        self.tier.manifest_at(job, id)
    }

    fn find_here(
        &self,
        job: &JobName,
        id: &BackupId,
    ) -> Result<Option<(Spot, Spot)>, BackupStoreError> {
        let (job, id) = (job.clone(), id.clone());
        self.look(move |tier| tier.find_here(&job, &id))
    }

    fn has(&self, job: &JobName, id: &BackupId) -> Result<bool, BackupStoreError> {
        let (job, id) = (job.clone(), id.clone());
        self.look(move |tier| tier.has(&job, &id))
    }

    fn manifests_here(&self, job: &JobName) -> Result<Vec<(Spot, bool)>, BackupStoreError> {
        let job = job.clone();
        self.look(move |tier| tier.manifests_here(&job))
    }

    fn archives(&self, job: &JobName) -> Result<Vec<(BackupId, u64)>, BackupStoreError> {
        let job = job.clone();
        self.look(move |tier| tier.archives(&job))
    }

    fn jobs_here(&self) -> Result<Vec<JobName>, BackupStoreError> {
        self.look(Place::jobs_here)
    }

    fn bring(
        &self,
        coming: Coming<'_>,
        (job, id, encryption): (&JobName, &BackupId, &Encryption),
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let to = self.tier.partial(job, id, "archive");
        let pace = self.tier.own_pace();
        let cannot = unavailable("cannot write", &to);
        let (made, whole) = (to.clone(), to.clone());
        let file = self.change(move |_| create_private(&made))?;
        let mut file = LaneFile::new(self.lane.clone(), file);
        let mut settling = Settling::new();
        loop {
            check_stop(stop)?;
            let mut piece = vec![0; PIECE];
            let count = coming
                .bytes
                .read(&mut piece)
                .map_err(unavailable("cannot read", coming.from))?;
            piece.truncate(count);
            if piece.is_empty() {
                break;
            }
            pace.pass(count, stop);
            file.write(piece).map_err(&cannot)?;
            if settling.is_due(count) {
                let begun = Instant::now();
                file.settle().map_err(&cannot)?;
                settling.settled(begun.elapsed());
            }
        }
        let file = file.hand_over().map_err(&cannot)?;
        let path = self.tier.archive(job, id, encryption);
        let job = job.clone();
        self.change(move |tier| {
            durable::sync_file(&file, &whole).map_err(unavailable("cannot write", &whole))?;
            drop(file);
            durable::rename(&whole, &path).map_err(unavailable("cannot make", &path))?;
            sync_dir(&tier.job(&job))
        })
    }

    fn take_back(
        &self,
        (job, id, encryption): (&JobName, &BackupId, &Encryption),
    ) -> Result<(), BackupStoreError> {
        let encryption = encryption.clone();
        self.change_of((job, id), move |tier, job, id| {
            tier.take_back((job, id, &encryption))
        })
    }

    fn clear_here(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.change_of((job, id), Place::clear_here)
    }

    fn move_to_trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.change_of((job, id), Place::move_to_trash)
    }

    fn take_from_trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.change_of((job, id), Place::take_from_trash)
    }

    fn delete_here(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.change_of((job, id), Place::delete_here)
    }

    fn sweep_here(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
    ) -> Result<BTreeSet<BackupId>, BackupStoreError> {
        let (job, known) = (job.clone(), known.clone());
        self.change(move |tier| tier.sweep_here(&job, &known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_tier_is_given_little_before_it_is_waited_for_and_a_fast_one_more_and_more() {
        let mut settling = Settling::new();
        for after in [1, 2, 4, 8, 16, 32, 64, 64] {
            for _ in 1..after {
                assert!(!settling.is_due(PIECE));
            }
            assert!(settling.is_due(PIECE));
            settling.settled(Duration::ZERO);
        }
        let mut slow = Settling::new();
        for _ in 0..3 {
            assert!(slow.is_due(PIECE));
            slow.settled(Duration::from_secs(250));
        }
    }
}
