//! What a tier does with the backups that are in it: one interface, with a directory of this machine or a bucket behind it.

use super::{
    check_stop, durable,
    error::unavailable,
    files::{
        ARCHIVES, HOLD, Layout, MANIFEST, archive_in, create_private, create_private_dir, names_in,
        remove_file, sync_dir,
    },
    spot::Spot,
    store,
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::Encryption,
    id::BackupId,
    name::{JobName, TierName},
};
use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// An archive on its way into a tier.
pub(super) struct Coming<'a> {
    pub(super) bytes: &'a mut dyn Read,
    /// So many are to come.
    pub(super) length: u64,
    /// Where they come from, as people are told.
    pub(super) from: &'a Path,
}

/// A tier, alone: it knows of no other. What is told of a backup is told of what lies in this one.
pub(super) trait Place: Send + Sync {
    /// Where it is, as people are told.
    fn shown(&self) -> PathBuf;
    /// Its directory on this machine; none of a bucket.
    fn directory(&self) -> Option<&Path>;
    /// How what was in it comes back, for the tier of this name.
    fn way_back(&self, tier: &TierName) -> String;
    /// Whether a store can begin in it.
    fn check_there(&self, tier: &TierName) -> Result<(), BackupStoreError>;
    /// Makes what has to be there before anything of a job is put.
    fn make_job(&self, job: &JobName) -> Result<(), BackupStoreError>;
    /// Where the mark of a job's store is.
    fn mark(&self, job: &JobName) -> Spot;
    /// Where a new archive goes that is encrypted so.
    fn archive_at(&self, job: &JobName, id: &BackupId, encryption: &Encryption) -> Spot;
    /// Where a new manifest goes.
    fn manifest_at(&self, job: &JobName, id: &BackupId) -> Spot;
    /// Where archive and manifest of a backup are, in their place or in the trash; none without a manifest.
    fn find_here(
        &self,
        job: &JobName,
        id: &BackupId,
    ) -> Result<Option<(Spot, Spot)>, BackupStoreError>;
    /// Whether there is anything of a backup.
    fn has(&self, job: &JobName, id: &BackupId) -> Result<bool, BackupStoreError>;
    /// The manifests of a job, and whether each is in the trash.
    fn manifests_here(&self, job: &JobName) -> Result<Vec<(Spot, bool)>, BackupStoreError>;
    /// The archives of a job, with their lengths; 0 of one that cannot be looked at.
    fn archives(&self, job: &JobName) -> Result<Vec<(BackupId, u64)>, BackupStoreError>;
    /// The jobs that may have a store in it.
    fn jobs_here(&self) -> Result<Vec<JobName>, BackupStoreError>;
    /// Puts an archive into its place, durable. What was begun of it is not in its way where it was cleared.
    fn bring(
        &self,
        coming: Coming<'_>,
        backup: (&JobName, &BackupId, &Encryption),
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError>;
    /// Removes what `bring` left of an archive that was not committed.
    fn take_back(&self, backup: (&JobName, &BackupId, &Encryption))
    -> Result<(), BackupStoreError>;
    /// Removes a backup from its place, and what was begun of it: the manifest first and for good, so that what is left looks
    /// like no backup; the archive under each name that it may have. Where the trash has no archive of its own, what it tells of
    /// the backup goes too.
    fn clear_here(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError>;
    /// Moves a backup to the trash.
    fn move_to_trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError>;
    /// Moves a backup from the trash back to its place; what is not there stays where it is.
    fn take_from_trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError>;
    /// Deletes a backup, wherever in it it is.
    fn delete_here(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError>;
    /// Removes what a crash left. Gives what is `known` and lies there without a manifest: it stays.
    fn sweep_here(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
    ) -> Result<BTreeSet<BackupId>, BackupStoreError>;
}

impl Place for Layout {
    fn shown(&self) -> PathBuf {
        self.root().to_owned()
    }

    fn directory(&self) -> Option<&Path> {
        Some(self.root())
    }

    fn way_back(&self, _: &TierName) -> String {
        format!(
            "mount what belongs at {}, or put it back",
            self.root().display()
        )
    }

    fn check_there(&self, tier: &TierName) -> Result<(), BackupStoreError> {
        match self.root().is_dir() {
            true => Ok(()),
            false => Err(BackupStoreError::Unavailable(format!(
                "the directory {} of the tier {tier} is not there; mount or make it",
                self.root().display()
            ))),
        }
    }

    fn make_job(&self, job: &JobName) -> Result<(), BackupStoreError> {
        create_private_dir(&self.job(job))
    }

    fn mark(&self, job: &JobName) -> Spot {
        self.spot(store::path(self, job))
    }

    fn archive_at(&self, job: &JobName, id: &BackupId, encryption: &Encryption) -> Spot {
        self.spot(self.archive(job, id, encryption))
    }

    fn manifest_at(&self, job: &JobName, id: &BackupId) -> Spot {
        self.spot(self.manifest(job, id))
    }

    fn find_here(
        &self,
        job: &JobName,
        id: &BackupId,
    ) -> Result<Option<(Spot, Spot)>, BackupStoreError> {
        let found = [self.job(job), self.trash_of(job)]
            .into_iter()
            .map(|directory| (archive_in(&directory, id), directory))
            .map(|(archive, directory)| (archive, directory.join(format!("{id}{MANIFEST}"))))
            .find(|(_, manifest)| manifest.exists());
        Ok(found.map(|(archive, manifest)| (self.spot(archive), self.spot(manifest))))
    }

    fn has(&self, job: &JobName, id: &BackupId) -> Result<bool, BackupStoreError> {
        Ok(self.holds(job, id))
    }

    fn manifests_here(&self, job: &JobName) -> Result<Vec<(Spot, bool)>, BackupStoreError> {
        let found = self.manifests(job)?.into_iter();
        let found = found.map(|(path, in_trash)| (self.spot(path), in_trash));
        Ok(found.collect())
    }

    fn archives(&self, job: &JobName) -> Result<Vec<(BackupId, u64)>, BackupStoreError> {
        let mut found = Vec::new();
        for directory in [self.trash_of(job), self.job(job)] {
            for name in names_in(&directory)? {
                let Some(id) = id_of_archive(&name) else {
                    continue;
                };
                // Of one that cannot be looked at nothing else is known, and it keeps nobody from the others.
                let length = fs::metadata(directory.join(&name)).map_or(0, |archive| archive.len());
                found.push((id, length));
            }
        }
        Ok(found)
    }

    fn jobs_here(&self) -> Result<Vec<JobName>, BackupStoreError> {
        self.jobs()
    }

    fn bring(
        &self,
        coming: Coming<'_>,
        (job, id, encryption): (&JobName, &BackupId, &Encryption),
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let to = self.partial(job, id, "archive");
        let pace = self.own_pace();
        let mut file = create_private(&to)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            check_stop(stop)?;
            let count = coming
                .bytes
                .read(&mut buffer)
                .map_err(unavailable("cannot read", coming.from))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            pace.pass(bytes.len(), stop);
            file.write_all(bytes)
                .map_err(unavailable("cannot write", &to))?;
        }
        durable::sync_file(&file, &to).map_err(unavailable("cannot write", &to))?;
        let path = self.archive(job, id, encryption);
        durable::rename(&to, &path).map_err(unavailable("cannot make", &path))?;
        sync_dir(&self.job(job))
    }

    fn take_back(
        &self,
        (job, id, encryption): (&JobName, &BackupId, &Encryption),
    ) -> Result<(), BackupStoreError> {
        let partial = remove_file(&self.partial(job, id, "archive"));
        partial.and(remove_file(&self.archive(job, id, encryption)))
    }

    fn clear_here(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        let (place, manifest) = (self.job(job), self.manifest(job, id));
        remove_file(&manifest.with_extension("json.partial"))?;
        remove_file(&manifest)?;
        sync_dir(&place)?;
        remove_file(&self.partial(job, id, "archive"))?;
        for suffix in ARCHIVES.iter().chain([&HOLD]) {
            remove_file(&place.join(format!("{id}{suffix}")))?;
        }
        sync_dir(&place)
    }

    fn move_to_trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.trash(job, id)
    }

    fn take_from_trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.untrash(job, id)
    }

    fn delete_here(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.delete(job, id)
    }

    fn sweep_here(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
    ) -> Result<BTreeSet<BackupId>, BackupStoreError> {
        self.sweep(job, known)
    }
}

/// The backup whose archive has this name.
pub(super) fn id_of_archive(name: &str) -> Option<BackupId> {
    let mut ids = ARCHIVES.iter().filter_map(|it| name.strip_suffix(it));
    ids.find_map(|id| BackupId::parse(id).ok())
}
