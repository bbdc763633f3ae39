//! A store that knows itself: `store.json` in a job's directory says that the job's backups are kept there.
//!
//! Where a disk is not mounted, its mount point is an empty directory. Without a mark it is one like any other: the backups
//! that are known would be missing, and a new store would begin there, under the mount point.
//!
//! Invariant: nothing is written where a known store is not, and nothing is said of what it holds.
//! Invariant: a mark keeps nobody from what lies beside it: where it cannot be read, it is only missed by who would write.

use super::{
    error::unavailable,
    files::{Layout, names_in, remove_file},
    regular::read_manifest,
    rekey,
    spot::Spot,
};
use crate::port::BackupStoreError;
use mainstay_domain::{id::BackupId, name::JobName};
use serde::{Deserialize, Serialize};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

pub(super) const NAME: &str = "store.json";

/// The version of the mark that this host writes, and the newest that it may write beside.
pub(super) const FORMAT: u32 = 1;

/// What a mark says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) format: u32,
    /// The backup that the store began with; no other store has it.
    pub(super) began_with: BackupId,
    pub(super) job: JobName,
    /// In another tier: what the store of the job in the state directory began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) home: Option<BackupId>,
}

/// Reads a mark; none where there is none, or an empty one.
pub(super) fn read_mark(spot: &Spot) -> Result<Option<Mark>, BackupStoreError> {
    match spot.read_manifest() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Ok(bytes) if bytes.is_empty() => Ok(None),
        bytes => {
            let path = spot.shown();
            let bytes = bytes.map_err(unavailable("cannot read", &path))?;
            parse_mark(&path, &bytes).map(Some)
        }
    }
}

/// Reads the bytes of a mark.
pub(super) fn parse_mark(path: &Path, bytes: &[u8]) -> Result<Mark, BackupStoreError> {
    serde_json::from_slice(bytes).map_err(|error| {
        BackupStoreError::Unavailable(format!(
            "cannot read {}: {error}; look at the disk, and put back what was there",
            path.display()
        ))
    })
}

/// Writes a mark where there is none.
pub(super) fn write_mark(spot: &Spot, mark: &Mark) -> Result<(), BackupStoreError> {
    let mut bytes = serde_json::to_vec(mark)
        .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    bytes.push(b'\n');
    spot.clear_partial()?;
    spot.create(&bytes)
}

/// Whether the store of a job is there of which backups are known. Where a version before kept them there is no mark, and
/// what it stored says the same. An empty mark is a person's word that a new store may begin.
pub(super) fn check_there(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    // Nothing is read or changed of what is only half as it is to be.
    rekey::finish(layout, job)?;
    let path = path(layout, job);
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) if holds_any(layout, job)? => Ok(()),
        Ok(false) => Err(BackupStoreError::Unavailable(format!(
            "the backups of job {job} are known and not where they were stored: {} is not there; mount what belongs below {}, or \
             put it back; where it is lost for good, make an empty {}, and a new store begins there",
            path.display(),
            layout.root().display(),
            path.display()
        ))),
        Err(error) => Err(unavailable("cannot look at", &path)(error)),
    }
}

/// Whether the job may write here: not where the store is another's.
pub(super) fn check_own(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    let path = path(layout, job);
    let bytes = match read_manifest(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        bytes => bytes.map_err(unavailable("cannot read", &path))?,
    };
    let refused = |what: String, help: &str| {
        Err(BackupStoreError::Unavailable(format!(
            "no backup of job {job} is stored in {}: {what}; {help}",
            layout.job(job).display()
        )))
    };
    match serde_json::from_slice::<Mark>(&bytes) {
        Ok(mark) if mark.format > FORMAT => refused(
            format!(
                "its store.json has format {}, and this mainstay writes up to {FORMAT}",
                mark.format
            ),
            "go on with the version that wrote it or a newer one",
        ),
        Ok(mark) if &mark.job != job => refused(
            format!(
                "its store.json says that it is the store of job {}",
                mark.job
            ),
            "mount or put there what belongs there",
        ),
        Ok(_) => Ok(()),
        Err(_) if bytes.is_empty() => Ok(()),
        Err(error) => refused(
            format!("its store.json cannot be read: {error}"),
            "look at the disk; where what lies beside it is right, make it an empty file, and it is written anew",
        ),
    }
}

/// Marks the store of a job, before its first backup is committed.
pub(super) fn mark(
    layout: &Layout,
    job: &JobName,
    began_with: &BackupId,
) -> Result<(), BackupStoreError> {
    let path = path(layout, job);
    match read_manifest(&path) {
        Ok(bytes) if bytes.is_empty() => remove_file(&path)?,
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(unavailable("cannot read", &path)(error)),
    }
    let mark = Mark {
        format: FORMAT,
        began_with: began_with.clone(),
        job: job.clone(),
        home: None,
    };
    write_mark(&layout.spot(path), &mark)
}

/// Whether there is any file of any backup of a job.
fn holds_any(layout: &Layout, job: &JobName) -> Result<bool, BackupStoreError> {
    let is_of_backup = |name: &String| {
        let id = name.split_once('.').map(|(id, _)| id);
        id.is_some_and(|id| BackupId::parse(id).is_ok())
    };
    let place = layout.job(job);
    let of_trash = names_in(&place.join("trash"))?;
    Ok(names_in(&place)?.iter().chain(&of_trash).any(is_of_backup))
}

/// Where the mark of a job is.
pub(super) fn path(layout: &Layout, job: &JobName) -> PathBuf {
    layout.job(job).join(NAME)
}
