//! The manifests that lay in the store, signed by nobody, when the key of this host was made:
//! `STATE_DIR/backup-signing.before`. They are of a version before signatures, and known by their hashes: by nothing that a
//! clock says, and nothing that comes later can be one of them.
//!
//! Only the tier `local` is looked at: the versions before signatures that wrote format 1 knew no other.
//!
//! Invariant: nothing is added to what was noted but of a directory of which not all could be read then: it is looked at again at
//! each start until it can be, and what was changed since the key was made is none of them.

use super::{
    error::unavailable,
    files::{create_private_dir, names_in, remove_file, write_create_only, write_over},
    regular::read_manifest,
};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{ContentHash, Manifest},
    id::BackupId,
    name::JobName,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, fs, io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

const NAME: &str = "backup-signing.before";

/// The version of the file.
const FORMAT: u32 = 1;

/// The format of backups that nobody signed.
const UNSIGNED_FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Noted {
    format: u32,
    /// The hashes of the manifests.
    manifests: Vec<ContentHash>,
    /// The directories, below that of the backups, of which something could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
}

/// When the state of a file was last changed, by the system: seconds, and nanoseconds.
type Changed = (i64, i64);

/// Which manifests are meant.
#[derive(Clone, Copy, Default)]
pub(super) struct Meant {
    /// Of a key from before they were noted only those that are older than it.
    pub(super) older_than: Option<Timestamp>,
    /// Where the key is there already, no file that was changed since.
    unchanged_since: Option<Changed>,
}

impl Meant {
    /// Those that lie there when a key is made, or that are older than this one.
    pub(super) fn older_than(older_than: Option<Timestamp>) -> Self {
        Self {
            older_than,
            unchanged_since: None,
        }
    }

    /// The same, of files that were not changed since the file of the key was made.
    pub(super) fn before_key(self, key: &Path) -> Self {
        let unchanged_since = changed(key);
        Self {
            unchanged_since,
            ..self
        }
    }
}

fn changed(path: &Path) -> Option<Changed> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.ctime(), metadata.ctime_nsec()))
}

/// The hashes of the manifests that were noted; none where nothing was. What could not be read then is looked at again.
pub(super) fn noted(
    state_dir: &Path,
    backups: &Path,
    meant: Meant,
) -> Result<Option<HashSet<ContentHash>>, BackupStoreError> {
    let path = state_dir.join(NAME);
    let bytes = match read_manifest(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(unavailable("cannot read", &path))?,
    };
    let noted: Option<Noted> = serde_json::from_slice(&bytes).ok();
    let Some(mut noted) = noted.filter(|noted| noted.format == FORMAT) else {
        return Err(BackupStoreError::Unavailable(format!(
            "cannot use {}, which says what backups nobody signed: it is damaged, or of a newer version; put back what was there",
            path.display()
        )));
    };
    if !noted.unread.is_empty() {
        let before = noted.unread.len();
        // What is not there now, as on a disk that is not mounted, is looked at when it is.
        let (there, away): (Vec<String>, Vec<String>) = noted
            .unread
            .into_iter()
            .partition(|below| fs::symlink_metadata(backups.join(below)).is_ok());
        let found = look(backups, there, meant);
        let known: HashSet<ContentHash> = noted.manifests.iter().copied().collect();
        let new = found.manifests.into_iter();
        noted
            .manifests
            .extend(new.filter(|hash| !known.contains(hash)));
        noted.unread = [found.unread, away].concat();
        let is_less = noted.unread.len() != before;
        let written = is_less.then(|| write_over(&path, &to_bytes(&noted)?));
        if let Some(Err(error)) = written {
            // As on a full disk; what is known is known all the same.
            tracing::warn!(%error, "which backups nobody signed is looked at again at the next start");
        }
    }
    Ok(Some(noted.manifests.into_iter().collect()))
}

/// Notes those that lie there now and that nobody signed.
pub(super) fn note(
    state_dir: &Path,
    backups: &Path,
    meant: Meant,
) -> Result<HashSet<ContentHash>, BackupStoreError> {
    let jobs = names_in(backups)?.into_iter();
    let jobs = jobs.filter(|name| JobName::parse(name).is_ok());
    let directories = jobs.flat_map(|job| [job.clone(), format!("{job}/trash")]);
    let noted = look(backups, directories.collect(), meant);
    let path = state_dir.join(NAME);
    create_private_dir(state_dir)?;
    // A crash may have left it half written.
    remove_file(&path.with_extension("before.partial"))?;
    write_create_only(&path, &to_bytes(&noted)?)?;
    Ok(noted.manifests.into_iter().collect())
}

fn to_bytes(noted: &Noted) -> Result<Vec<u8>, BackupStoreError> {
    let mut bytes = serde_json::to_vec(noted)
        .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Looks through directories below that of the backups. What cannot be read keeps nobody from the others, beside it too.
fn look(backups: &Path, directories: Vec<String>, meant: Meant) -> Noted {
    let mut noted = Noted {
        format: FORMAT,
        manifests: Vec::new(),
        unread: Vec::new(),
    };
    for below in directories {
        let directory = backups.join(&below);
        if let Err(error) = look_in(&directory, meant, &mut noted.manifests) {
            tracing::error!(
                directory = %directory.display(), %error,
                "which of the backups there nobody signed is not all known; it is looked at again at the next start"
            );
            noted.unread.push(below);
        }
    }
    noted
}

/// Adds those of a directory; an error where something in it could not be read.
fn look_in(
    directory: &Path,
    meant: Meant,
    manifests: &mut Vec<ContentHash>,
) -> Result<(), BackupStoreError> {
    let mut unread = None;
    for name in names_in(directory)? {
        let id = name.strip_suffix(".json").map(BackupId::parse);
        if !matches!(id, Some(Ok(_))) {
            continue;
        }
        match unsigned_at(&directory.join(name), meant) {
            Ok(found) => manifests.extend(found),
            Err(error) => unread = unread.or(Some(error)),
        }
    }
    unread.map_or(Ok(()), Err)
}

/// What is no manifest is none of them.
fn unsigned_at(path: &Path, meant: Meant) -> Result<Option<ContentHash>, BackupStoreError> {
    let may_pass = |error: &std::io::Error| error.raw_os_error().is_some();
    let bytes = match read_manifest(path) {
        Err(error) if error.kind() == ErrorKind::NotFound || !may_pass(&error) => return Ok(None),
        bytes => bytes.map_err(unavailable("cannot read", path))?,
    };
    let was_changed = || match meant.unchanged_since {
        Some(since) => changed(path).is_none_or(|changed| changed > since),
        None => false,
    };
    let Some(manifest) = Manifest::from_bytes(&bytes).ok().filter(|_| !was_changed()) else {
        return Ok(None);
    };
    let is_unsigned = manifest.format == UNSIGNED_FORMAT && manifest.signature.is_none();
    let taken_at = manifest.id.says().map(|(_, at)| at);
    let bound = meant.older_than;
    let is_older = bound.is_none_or(|bound| taken_at.is_some_and(|at| at < bound));
    match is_unsigned && is_older {
        true => Ok(manifest.hash().ok()),
        false => Ok(None),
    }
}
