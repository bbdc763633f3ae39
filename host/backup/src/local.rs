//! Backups in local files: `STATE_DIR/backups/JOB/ID.jsonl.zst`, or `ID.jsonl.zst.age` where it is encrypted, with `ID.json`,
//! the signed manifest, beside it, and `store.json`, by which the store of a job is known. `ID.hold` says who holds it.
//!
//! The order of a backup: archive under a temporary name → fsync → rename → read back from the disk and verify →
//! manifest, create-only → fsync of file and directory. In another tier, the directory of a `[tier.NAME]`, it is the same: the
//! archive is copied there in place of the rename; what is moved to one is copied, read back and committed there before it goes
//! from where it was. The manifest is the commit point: an archive without one is a
//! leftover and is removed at the next start, unless the catalog knows it: then its manifest was lost. `ID.index.zst` is a
//! cache of the state that the next difference is made from; it is written after the manifest, checked by its backup and its root
//! hash, and composed from the chain where it is missing. An index holds either all, or what differs from a whole one of its chain.
//!
//! A tier may be a bucket instead of a directory (`objects`): what both do is one interface, [`place::Place`], and where one file of
//! a backup is, in whichever tier, is a [`spot::Spot`].
//!
//! Files are written with `std::fs`: `object_store`'s local file system fsyncs and has create-only puts too, but
//! cannot give a file owner-only permissions nor stream while it hashes, and every one of its calls is asynchronous
//! where all work here is blocking.
//!
//! Invariant: directories are 0700 and files 0600; an archive can hold what its sources hid from others.
//! Invariant: no archive that is to be encrypted is ever written in plain, under no name. What a server answers
//! and the copy of a database wait in a spool, 0600, only while they are read.
//! Invariant: what is known of the documents of a backup is held up to a bound while it is taken, read or put back; see [`table`].
//! Invariant: nothing here decides what is taken, kept or deleted.
//!
//! Length: all that a store can be asked for, each in one call of what does it.

mod apart;
mod carry;
mod chunks;
mod committed;
mod compose;
mod composer;
mod contents;
mod coverage;
mod database;
mod deletions;
mod documents;
mod durable;
mod error;
mod files;
mod hard_links;
mod hashes;
mod holds;
mod holes;
mod hosts_own;
mod index;
mod inside;
mod judge;
mod keys;
mod lane;
mod layers;
mod listing;
mod metadata;
mod mounted;
mod mounts;
mod moving;
mod names;
mod objects;
mod one_document;
mod orphans;
mod pace;
mod pending;
mod pieces;
mod place;
mod presence;
mod put;
mod read;
mod reading;
mod regular;
mod rekey;
mod removal;
mod resolve;
mod restore;
mod room;
mod rows;
mod scan;
mod scattered;
mod scratch;
mod seal;
mod seen;
mod signature;
mod sink;
mod source;
mod source_mounts;
mod spot;
mod sqlite;
mod store;
mod stored;
mod swap;
mod table;
mod take;
mod temporary;
mod tier;
mod tree;
mod tree_writer;
mod unread;
mod unsigned;
mod verify;
mod wants;
mod write;
mod xattrs;

use crate::port::{
    BackupKeys, BackupStore, BackupStoreError, DrilledTree, GivenIdentities, HostPlaces,
    OnProgress, OrphanedArchive, RekeyedBackups, RestorePlace, RestoreRules, SourcePrograms,
    StagedRestore, StoredBackups, StoredLook, TakeBackup, TakenBackup, TierPace, TierPlaces,
    UnwellTier, WallClock,
};
use chunks::ChunkSizes;
use files::{Layout, remove_file};
use lane::{Lanes, Patience};
use mainstay_domain::{
    archive::Manifest,
    backup::Hold,
    id::BackupId,
    name::{JobName, TierName},
    spec::{BackupSource, SealingSpec},
};
use pending::{Noted, Pending};
use scratch::Scratch;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Backups in the host's state directory, and in the directories and buckets of the config's tiers.
pub struct LocalBackups {
    layout: Layout,
    programs: Arc<dyn SourcePrograms>,
    now: WallClock,
    stop: CancellationToken,
    sizes: ChunkSizes,
}

impl LocalBackups {
    /// A store in `state_dir` and in `tiers`: `programs` runs the programs that are sources, `now` tells when a backup was
    /// verified, and long work ends soon after `stop`.
    pub fn new(
        state_dir: &Path,
        tiers: TierPlaces,
        programs: Arc<dyn SourcePrograms>,
        now: WallClock,
        stop: CancellationToken,
    ) -> Self {
        Self {
            layout: Layout::new(state_dir, tiers)
                .asking(Lanes::new(Patience::default(), stop.clone())),
            programs,
            now,
            stop,
            sizes: ChunkSizes::default(),
        }
    }

    /// The same store, with what is stored in the state directory in `root` instead; the key stays there.
    pub fn with_root(self, root: PathBuf) -> Self {
        Self {
            layout: self.layout.with_root(root),
            ..self
        }
    }

    /// The same store, whose bytes come from tiers and go to them at this pace.
    pub fn with_pace(self, pace: Arc<dyn TierPace>) -> Self {
        Self {
            layout: self.layout.with_pace(pace),
            ..self
        }
    }

    /// The same store, which restores over none of these places.
    pub fn with_host_places(self, host: HostPlaces) -> Self {
        Self {
            layout: self.layout.with_host_places(host),
            ..self
        }
    }

    /// The same store, which opens and trusts what the config says.
    pub fn with_keys(self, keys: Arc<dyn BackupKeys>) -> Self {
        Self {
            layout: self.layout.with_keys(keys),
            ..self
        }
    }

    /// The public key by which this host signs its backups, 64 hexadecimal digits; it is made where there is none yet.
    pub fn signing_key(&self) -> Result<String, BackupStoreError> {
        self.layout.keys().host().public()
    }
}

/// A backup that is known, and lies there as an archive alone.
fn no_manifest(id: BackupId) -> BackupStoreError {
    BackupStoreError::Corrupted {
        id,
        what: "its manifest is missing".to_owned(),
    }
}

/// Whether long work should end.
fn check_stop(stop: &CancellationToken) -> Result<(), BackupStoreError> {
    if stop.is_cancelled() {
        Err(BackupStoreError::Interrupted)
    } else {
        Ok(())
    }
}

impl BackupStore for LocalBackups {
    fn cancellable(self: Arc<Self>) -> (Arc<dyn BackupStore>, CancellationToken) {
        let stop = self.stop.child_token();
        let store = Self {
            layout: self.layout.clone(),
            programs: Arc::clone(&self.programs),
            now: Arc::clone(&self.now),
            stop: stop.clone(),
            sizes: self.sizes,
        };
        (Arc::new(store), stop)
    }

    fn with_identities(self: Arc<Self>, given: GivenIdentities) -> Arc<dyn BackupStore> {
        Arc::new(Self {
            layout: self.layout.clone().given(given),
            programs: Arc::clone(&self.programs),
            now: Arc::clone(&self.now),
            stop: self.stop.clone(),
            sizes: self.sizes,
        })
    }

    fn take(
        &self,
        request: &TakeBackup,
        progress: &OnProgress,
    ) -> Result<TakenBackup, BackupStoreError> {
        take::take(
            &self.layout,
            self.programs.as_ref(),
            &self.now,
            &self.stop,
            request,
            progress,
            self.sizes,
        )
    }

    fn verify(
        &self,
        job: &JobName,
        chain: &[BackupId],
        progress: &OnProgress,
    ) -> Result<Vec<String>, BackupStoreError> {
        store::check_there(&self.layout, job)?;
        verify::verify(&self.layout, &self.stop, job, chain, progress)
    }

    fn stage(
        &self,
        job: &JobName,
        chain: &[BackupId],
        place: &RestorePlace,
        rules: &RestoreRules,
        progress: &OnProgress,
    ) -> Result<Box<dyn StagedRestore>, BackupStoreError> {
        store::check_there(&self.layout, job)?;
        let pending = Pending::begin(&self.layout, job, place);
        let staged = restore::stage(
            &self.layout,
            &self.stop,
            job,
            chain,
            (place, rules),
            progress,
        )?;
        Ok(Box::new(Noted::new(Box::new(staged), pending)))
    }

    fn judge_in_place(
        &self,
        job: &JobName,
        chain: &[BackupId],
        sources: &[BackupSource],
    ) -> Result<(), BackupStoreError> {
        store::check_there(&self.layout, job)?;
        judge::judge_in_place(&self.layout, job, chain, sources)
    }

    fn drill(
        &self,
        job: &JobName,
        chain: &[BackupId],
        scratch: Option<&Path>,
        progress: &OnProgress,
    ) -> Result<Box<dyn DrilledTree>, BackupStoreError> {
        store::check_there(&self.layout, job)?;
        let scratch = Scratch::begin(&self.layout, job, chain, scratch)?;
        let drilled = scan::drill(&self.layout, &self.stop, job, chain, scratch, progress)?;
        Ok(Box::new(drilled))
    }

    fn left_drills(&self) -> Vec<BackupId> {
        let jobs = self.layout.jobs().unwrap_or_default();
        jobs.iter()
            .filter_map(|job| scratch::left(&self.layout, job))
            .collect()
    }

    fn rekey(
        &self,
        job: &JobName,
        ids: &[BackupId],
        sealing: &SealingSpec,
        dry_run: bool,
        progress: &OnProgress,
    ) -> Result<RekeyedBackups, BackupStoreError> {
        store::check_there(&self.layout, job)?;
        store::check_own(&self.layout, job)?;
        let to = keys::encryption_of(sealing)?;
        let of_job = (job, ids);
        rekey::rekey(&self.layout, &self.stop, of_job, &to, dry_run, progress)
    }

    fn move_to(
        &self,
        job: &JobName,
        id: &BackupId,
        tier: &TierName,
    ) -> Result<(), BackupStoreError> {
        store::check_there(&self.layout, job)?;
        store::check_own(&self.layout, job)?;
        moving::move_to(&self.layout, &self.stop, &self.now, (job, id), tier)
    }

    fn trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        store::check_there(&self.layout, job)?;
        for place in tier::holders(&self.layout, job, id)? {
            place.move_to_trash(job, id)?;
        }
        remove_file(&self.layout.index(job, id))
    }

    fn note_hold(
        &self,
        job: &JobName,
        id: &BackupId,
        hold: Option<&Hold>,
    ) -> Result<(), BackupStoreError> {
        store::check_there(&self.layout, job)?;
        holds::note(&self.layout, job, id, hold)
    }

    fn untrash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        store::check_there(&self.layout, job)?;
        let mut is_in_place = false;
        let holders = tier::holders(&self.layout, job, id)?;
        deletions::forget(&self.layout, job, id, &holders)?;
        for place in holders {
            place.take_from_trash(job, id)?;
            is_in_place |= place.manifest_at(job, id).try_exists()?;
        }
        match is_in_place {
            true => Ok(()),
            false => Err(tier::unless_away(
                &self.layout,
                job,
                no_manifest(id.clone()),
            )),
        }
    }

    fn delete(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        store::check_there(&self.layout, job)?;
        deletions::delete(&self.layout, job, id)
    }

    fn has_room(&self) -> bool {
        room::is_there(self.layout.root())
    }

    fn end_restores(&self, sources: &[BackupSource]) -> Vec<BackupStoreError> {
        let beside = sources.iter().map(|source| match source {
            BackupSource::Directory { path, .. } => swap::sweep(path),
            BackupSource::Command { .. }
            | BackupSource::File { .. }
            | BackupSource::Http(_)
            | BackupSource::Plugin(_)
            | BackupSource::Redis(_)
            | BackupSource::Sqlite { .. } => Ok(()),
        });
        // Where they cannot be listed, the sweep says so.
        let jobs = self.layout.jobs().unwrap_or_default();
        let elsewhere = jobs.iter().map(|job| pending::sweep(&self.layout, job));
        beside.chain(elsewhere).filter_map(Result::err).collect()
    }

    fn sweep(&self, known: &BTreeSet<BackupId>) -> Vec<BackupStoreError> {
        let (jobs, unlisted) = match self.layout.jobs() {
            Ok(jobs) => (jobs, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        let mut problems = Vec::new();
        for job in &jobs {
            problems.extend(scratch::sweep(&self.layout, job).err());
            if let Err(error) = rekey::finish(&self.layout, job) {
                // What it needs looks like pieces.
                problems.push(error);
                continue;
            }
            problems.extend(tier::sweep(&self.layout, job, known));
        }
        problems.extend(unlisted.err());
        problems
    }

    fn lost(&self, job: &JobName, stored: &[(BackupId, u64)]) -> Vec<BackupStoreError> {
        if let Err(error) = store::check_there(&self.layout, job) {
            return vec![error];
        }
        presence::lost(&self.layout, job, stored)
    }

    fn committed(
        &self,
        job: &JobName,
        id: &BackupId,
    ) -> Result<Option<Manifest>, BackupStoreError> {
        committed::committed(&self.layout, job, id)
    }

    fn orphans(&self, job: &JobName) -> Result<Vec<OrphanedArchive>, BackupStoreError> {
        orphans::orphans(&self.layout, job)
    }

    fn unwell_tiers(&self) -> Vec<UnwellTier> {
        tier::unwell(&self.layout, (self.now)())
    }

    fn jobs(&self) -> Result<Vec<JobName>, BackupStoreError> {
        tier::jobs(&self.layout)
    }

    fn stored(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
        look: StoredLook,
    ) -> Result<StoredBackups, BackupStoreError> {
        stored::stored(&self.layout, &self.stop, job, known, look)
    }
}

#[cfg(test)]
mod tests;
