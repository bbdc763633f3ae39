//! The backups that are in a bucket: `JOB/ID.jsonl.zst` or `JOB/ID.jsonl.zst.age`, and `JOB/ID.json`, the manifest, under the
//! prefix of the tier.
//!
//! The trash is told by the manifest alone, which is `JOB/trash/ID.json` there; archives stay where they are: a bucket moves
//! nothing, and copies no object that is longer than 5 GiB.
//!
//! Invariant: what has no manifest is no backup; so it is the first to go, and the last to come.

use super::{
    durable,
    error::unavailable,
    files::{ARCHIVES, HOLD, MANIFEST, SEALED, suffix_of},
    pace::{Pace, Paced},
    place::{Coming, Place, id_of_archive},
    regular::MAX_MANIFEST,
    spot::Spot,
    store,
};
use crate::{
    bucket::{Bucket, Listed},
    port::BackupStoreError,
};
use mainstay_domain::{
    archive::Encryption,
    id::BackupId,
    name::{JobName, TierName},
};
use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// A tier of objects.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    pub(super) bucket: Bucket,
    pub(super) pace: Pace,
}

/// The names of what lies in a job's place and in its trash.
struct Names {
    place: Listed,
    trash: Listed,
}

impl Names {
    /// The backups that have a manifest in one of both.
    fn manifests(of: &Listed) -> BTreeSet<BackupId> {
        let ids = of.objects.iter().filter_map(|(name, _)| {
            let id = name.strip_suffix(MANIFEST)?;
            BackupId::parse(id).ok()
        });
        ids.collect()
    }

    /// The archives, with their names and lengths.
    fn archives(&self) -> impl Iterator<Item = (BackupId, &str, u64)> {
        let objects = self.place.objects.iter();
        objects.filter_map(|(name, bytes)| Some((id_of_archive(name)?, name.as_str(), *bytes)))
    }
}

impl Objects {
    fn at(&self, key: String) -> Spot {
        Spot::Object(self.bucket.clone(), key, self.pace.clone())
    }

    fn trashed_at(&self, job: &JobName, id: &BackupId) -> Spot {
        self.at(format!("{job}/trash/{id}{MANIFEST}"))
    }

    fn list(&self, below: &str) -> Result<Listed, BackupStoreError> {
        let shown = self.shown().join(below);
        let listed = self.bucket.list(below);
        listed.map_err(unavailable("cannot list", &shown))
    }

    fn names(&self, job: &JobName) -> Result<Names, BackupStoreError> {
        Ok(Names {
            place: self.list(job.as_str())?,
            trash: self.list(&format!("{job}/trash"))?,
        })
    }

    fn remove(&self, keys: &[String]) -> Result<(), BackupStoreError> {
        let Some(first) = keys.first() else {
            return Ok(());
        };
        durable::changes();
        let removed = self.bucket.delete(keys);
        removed.map_err(unavailable("cannot remove", &self.shown().join(first)))
    }

    /// The archive of a backup, under the name that it has.
    fn archive_of(&self, job: &JobName, id: &BackupId) -> Result<Spot, BackupStoreError> {
        let sealed = self.at(format!("{job}/{id}{SEALED}"));
        match sealed.try_exists()? {
            true => Ok(sealed),
            false => Ok(self.archive_at(job, id, &Encryption::None)),
        }
    }
}

impl Place for Objects {
    fn shown(&self) -> PathBuf {
        self.bucket.shown()
    }

    fn directory(&self) -> Option<&Path> {
        None
    }

    fn way_back(&self, tier: &TierName) -> String {
        format!("put back what was in it, or mend `url` and `endpoint` of [tier.{tier}]")
    }

    /// Its mark is asked for in any case, and says so.
    fn check_there(&self, _: &TierName) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn make_job(&self, _: &JobName) -> Result<(), BackupStoreError> {
        Ok(())
    }

    fn mark(&self, job: &JobName) -> Spot {
        self.at(format!("{job}/{}", store::NAME))
    }

    fn archive_at(&self, job: &JobName, id: &BackupId, encryption: &Encryption) -> Spot {
        self.at(format!("{job}/{id}{}", suffix_of(encryption)))
    }

    fn manifest_at(&self, job: &JobName, id: &BackupId) -> Spot {
        self.at(format!("{job}/{id}{MANIFEST}"))
    }

    fn find_here(
        &self,
        job: &JobName,
        id: &BackupId,
    ) -> Result<Option<(Spot, Spot)>, BackupStoreError> {
        for manifest in [self.manifest_at(job, id), self.trashed_at(job, id)] {
            if manifest.try_exists()? {
                return Ok(Some((self.archive_of(job, id)?, manifest)));
            }
        }
        Ok(None)
    }

    fn has(&self, job: &JobName, id: &BackupId) -> Result<bool, BackupStoreError> {
        let manifests = [self.manifest_at(job, id), self.trashed_at(job, id)].into_iter();
        let archives = ARCHIVES.map(|suffix| self.at(format!("{job}/{id}{suffix}")));
        for spot in manifests.chain(archives) {
            if spot.try_exists()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn manifests_here(&self, job: &JobName) -> Result<Vec<(Spot, bool)>, BackupStoreError> {
        let names = self.names(job)?;
        let (place, trash) = (
            Names::manifests(&names.place),
            Names::manifests(&names.trash),
        );
        let in_place = place.iter().map(|id| (self.manifest_at(job, id), false));
        let in_trash = trash.difference(&place);
        let in_trash = in_trash.map(|id| (self.trashed_at(job, id), true));
        Ok(in_place.chain(in_trash).collect())
    }

    fn archives(&self, job: &JobName) -> Result<Vec<(BackupId, u64)>, BackupStoreError> {
        let names = self.names(job)?;
        let found = names.archives().map(|(id, _, bytes)| (id, bytes));
        Ok(found.collect())
    }

    fn jobs_here(&self) -> Result<Vec<JobName>, BackupStoreError> {
        let below = self.list("")?.below;
        let jobs = below.iter().filter_map(|name| JobName::parse(name).ok());
        Ok(jobs.collect())
    }

    fn bring(
        &self,
        coming: Coming<'_>,
        (job, id, encryption): (&JobName, &BackupId, &Encryption),
        stop: &CancellationToken,
    ) -> Result<(), BackupStoreError> {
        let key = format!("{job}/{id}{}", suffix_of(encryption));
        let mut paced = Paced::new(coming.bytes, &self.pace, stop);
        durable::changes();
        let put = self.bucket.put(&key, (&mut paced, coming.length), stop);
        put.map_err(unavailable("cannot make", &self.shown().join(&key)))
    }

    fn take_back(
        &self,
        (job, id, encryption): (&JobName, &BackupId, &Encryption),
    ) -> Result<(), BackupStoreError> {
        self.remove(&[format!("{job}/{id}{}", suffix_of(encryption))])
    }

    fn clear_here(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.delete_here(job, id)
    }

    fn move_to_trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        let key = format!("{job}/{id}{MANIFEST}");
        let shown = self.shown().join(&key);
        let manifest = match self.bucket.read(&key, MAX_MANIFEST) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            manifest => manifest.map_err(unavailable("cannot read", &shown))?,
        };
        // One that is too long is none.
        let Some(manifest) = manifest else {
            return Ok(());
        };
        let trashed = format!("{job}/trash/{id}{MANIFEST}");
        durable::changes();
        let moved = self.bucket.replace(&trashed, manifest);
        moved.map_err(unavailable("cannot move to the trash", &shown))?;
        self.remove(&[key])
    }

    fn take_from_trash(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        let trashed = format!("{job}/trash/{id}{MANIFEST}");
        let shown = self.shown().join(&trashed);
        let manifest = match self.bucket.read(&trashed, MAX_MANIFEST) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            manifest => manifest.map_err(unavailable("cannot read", &shown))?,
        };
        // One that is too long is none.
        let Some(manifest) = manifest else {
            return Ok(());
        };
        // What a crash leaves in both goes to the trash again.
        self.manifest_at(job, id).create(&manifest)?;
        self.remove(&[trashed])
    }

    fn delete_here(&self, job: &JobName, id: &BackupId) -> Result<(), BackupStoreError> {
        self.remove(&["", "trash/"].map(|of| format!("{job}/{of}{id}{MANIFEST}")))?;
        let [plain, sealed] = ARCHIVES;
        self.remove(&[plain, sealed, HOLD].map(|suffix| format!("{job}/{id}{suffix}")))
    }

    fn sweep_here(
        &self,
        job: &JobName,
        known: &BTreeSet<BackupId>,
    ) -> Result<BTreeSet<BackupId>, BackupStoreError> {
        let names = self.names(job)?;
        let (place, trash) = (
            Names::manifests(&names.place),
            Names::manifests(&names.trash),
        );
        let mut without_manifest = BTreeSet::new();
        let mut left = Vec::new();
        for (id, name, _) in names.archives() {
            if place.contains(&id) || trash.contains(&id) {
                continue;
            }
            if known.contains(&id) {
                without_manifest.insert(id);
            } else {
                left.push(format!("{job}/{name}"));
            }
        }
        // A crash between both leaves a manifest in the trash and in its place.
        let moved = place.intersection(&trash);
        left.extend(moved.map(|id| format!("{job}/{id}{MANIFEST}")));
        self.remove(&left)?;
        Ok(without_manifest)
    }
}
