//! The manifests that lay in the store, signed by nobody, when the key of this host was made:
//! `STATE_DIR/backup-signing.before`. They are of a version before signatures, and known by their hashes: by nothing that a
//! clock says, and nothing that comes later can be one of them.
//!
//! Only the tier `local` is looked at: the versions before signatures that wrote format 1 knew no other.
//!
//! Invariant: what is noted once is never added to.

use super::{
    error::unavailable,
    files::{create_private_dir, names_in, remove_file, write_create_only},
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
use std::{collections::HashSet, io::ErrorKind, path::Path};

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
}

/// The hashes of the manifests that were noted; none where nothing was.
pub(super) fn noted(state_dir: &Path) -> Result<Option<HashSet<ContentHash>>, BackupStoreError> {
    let path = state_dir.join(NAME);
    let bytes = match read_manifest(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(unavailable("cannot read", &path))?,
    };
    let noted: Option<Noted> = serde_json::from_slice(&bytes).ok();
    match noted.filter(|noted| noted.format == FORMAT) {
        Some(noted) => Ok(Some(noted.manifests.into_iter().collect())),
        None => Err(BackupStoreError::Unavailable(format!(
            "cannot use {}, which says what backups nobody signed: it is damaged, or of a newer version; put back what was there",
            path.display()
        ))),
    }
}

/// Notes those that lie there now and that nobody signed; of a key from before they were noted only those that are older than it.
pub(super) fn note(
    state_dir: &Path,
    backups: &Path,
    older_than: Option<Timestamp>,
) -> Result<HashSet<ContentHash>, BackupStoreError> {
    let mut manifests = Vec::new();
    for name in names_in(backups)? {
        if JobName::parse(&name).is_err() {
            continue;
        }
        for directory in [backups.join(&name), backups.join(&name).join("trash")] {
            manifests.extend(unsigned_in(&directory, older_than));
        }
    }
    let path = state_dir.join(NAME);
    let noted = Noted {
        format: FORMAT,
        manifests,
    };
    let mut bytes = serde_json::to_vec(&noted)
        .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
    bytes.push(b'\n');
    create_private_dir(state_dir)?;
    // A crash may have left it half written.
    remove_file(&path.with_extension("before.partial"))?;
    write_create_only(&path, &bytes)?;
    Ok(noted.manifests.into_iter().collect())
}

/// What cannot be read is none of them, and keeps nobody from the others.
fn unsigned_in(directory: &Path, older_than: Option<Timestamp>) -> Vec<ContentHash> {
    let names = match names_in(directory) {
        Ok(names) => names,
        Err(error) => {
            tracing::error!(%error, "which of the backups there nobody signed is not known");
            return Vec::new();
        }
    };
    let paths = names.iter().filter_map(|name| {
        BackupId::parse(name.strip_suffix(".json")?).ok()?;
        Some(directory.join(name))
    });
    paths
        .filter_map(|path| unsigned_at(&path, older_than))
        .collect()
}

fn unsigned_at(path: &Path, older_than: Option<Timestamp>) -> Option<ContentHash> {
    let manifest = Manifest::from_bytes(&read_manifest(path).ok()?).ok()?;
    let is_unsigned = manifest.format == UNSIGNED_FORMAT && manifest.signature.is_none();
    let taken_at = manifest.id.says().map(|(_, at)| at);
    let is_older = older_than.is_none_or(|bound| taken_at.is_some_and(|at| at < bound));
    match is_unsigned && is_older {
        true => manifest.hash().ok(),
        false => None,
    }
}
