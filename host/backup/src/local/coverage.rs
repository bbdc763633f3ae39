//! Which sources of a job a backup covers, so that a restore in place replaces only those.

use super::{files::Layout, listing::Listing, read::read_manifests, swap::Swap};
use crate::port::BackupStoreError;
use mainstay_domain::{
    archive::{DocumentKey, DocumentKind, Entry, KeyPrefix, Manifest, SourceNote},
    backup::BackupType,
    code::ErrorCode,
    id::BackupId,
    name::JobName,
    spec::BackupSource,
};
use std::path::Path;

/// The places to restore: only sources that the backup contains. A source that it does not contain would be emptied,
/// so that is refused; one that an emergency backup found absent is left alone.
pub(super) fn covered_places(
    layout: &Layout,
    job: &JobName,
    chain: &[BackupId],
    listing: &Listing,
    places: Vec<(KeyPrefix, Swap)>,
) -> Result<Vec<(KeyPrefix, Swap)>, BackupStoreError> {
    let manifests = read_manifests(layout, job, chain)?;
    let Some(backup) = manifests.last() else {
        return Ok(Vec::new());
    };
    let mut covered = Vec::new();
    for (prefix, swap) in places {
        let root = listing.get(&prefix.join(&DocumentKey::root()))?;
        match coverage(backup, root.as_ref(), &prefix) {
            SourceCoverage::Directory => covered.push((prefix, swap)),
            SourceCoverage::Absence => tracing::warn!(
                backup = %backup.id,
                "the source {} was not there when the backup was taken, and stays as it is",
                swap.target().display()
            ),
            SourceCoverage::Nothing => return Err(nothing_of(backup, swap.target(), &prefix)),
        }
    }
    Ok(covered)
}

/// An error where a backup was taken of other sources than these, as far as that is known before it is read.
pub(super) fn check_noted(
    backup: &Manifest,
    sources: &[BackupSource],
) -> Result<(), BackupStoreError> {
    for source in sources {
        let BackupSource::Directory { path, prefix } = source else {
            continue;
        };
        let prefix = KeyPrefix::parse(prefix)
            .map_err(|error| BackupStoreError::Unavailable(error.to_string()))?;
        if !was_source(backup, &prefix) {
            return Err(nothing_of(backup, path, &prefix));
        }
    }
    Ok(())
}

fn nothing_of(backup: &Manifest, source: &Path, prefix: &KeyPrefix) -> BackupStoreError {
    BackupStoreError::Unavailable(ErrorCode::RestoreRefused.mark(format!(
        "backup {} holds nothing of the source {} with prefix \"{}\", for its sources were others; restore it with --into a new directory, or take a new backup",
        backup.id,
        source.display(),
        prefix.as_str()
    )))
}

/// What a backup says of a directory source.
#[derive(Debug, PartialEq, Eq)]
enum SourceCoverage {
    /// What it held.
    Directory,
    /// That it was not there.
    Absence,
    /// Nothing: it was no source of the backup.
    Nothing,
}

/// A walk always records the directory that it begins at, so what has none was not read.
fn coverage(backup: &Manifest, root: Option<&Entry>, prefix: &KeyPrefix) -> SourceCoverage {
    let was_source = was_source(backup, prefix);
    match root.map(|entry| entry.kind) {
        Some(DocumentKind::Directory) if was_source => SourceCoverage::Directory,
        None if was_source && backup.backup_type == BackupType::Emergency => {
            SourceCoverage::Absence
        }
        _ => SourceCoverage::Nothing,
    }
}

fn was_source(backup: &Manifest, prefix: &KeyPrefix) -> bool {
    backup.sources.iter().any(|source| match source {
        SourceNote::Directory { prefix: noted, .. } => {
            KeyPrefix::parse(noted).is_ok_and(|noted| &noted == prefix)
        }
        SourceNote::Command { .. } => false,
    })
}
