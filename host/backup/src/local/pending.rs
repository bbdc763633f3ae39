//! Where a restore is under way, so that the next start removes what a crash left there, whatever the config says by then.
//!
//! Invariant: no restore fails for what cannot be noted of it, as on a full disk: then what a crash leaves stays beside its place.

use super::{
    error::unavailable,
    files::{Layout, remove_file, write_create_only},
    regular::read_manifest,
    swap,
};
use crate::port::{BackupStoreError, RestorePlace, RestoredTree, StagedRestore};
use mainstay_domain::{name::JobName, spec::BackupSource};
use std::{
    ffi::OsStr,
    io::ErrorKind,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// The paths, each but the first after a NUL, which no path has.
const NAME: &str = "restoring";

/// A restore that is under way; it has ended where this is dropped.
pub(super) struct Pending {
    note: PathBuf,
}

impl Pending {
    /// Notes where a restore of a job begins. Of one job one is under way at a time.
    pub(super) fn begin(layout: &Layout, job: &JobName, place: &RestorePlace) -> Self {
        let targets: Vec<&Path> = match place {
            RestorePlace::Into { path, .. } => vec![path.as_path()],
            RestorePlace::InPlace(sources) => sources.iter().filter_map(directory).collect(),
        };
        let targets: Vec<&[u8]> = targets
            .into_iter()
            .map(|path| path.as_os_str().as_bytes())
            .collect();
        let note = note_of(layout, job);
        let written = remove_file(&note)
            .and_then(|()| remove_file(&note.with_extension("partial")))
            .and_then(|()| write_create_only(&note, &targets.join(&0_u8)));
        if let Err(error) = written {
            tracing::warn!(%job, %error, "where a restore is under way is not noted; what a crash leaves there stays");
        }
        Self { note }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Err(error) = remove_file(&self.note) {
            tracing::warn!(%error, "a restore has ended, and the next start looks at its place once more");
        }
    }
}

fn directory(source: &BackupSource) -> Option<&Path> {
    match source {
        BackupSource::Directory { path, .. } => Some(path),
        BackupSource::Command { .. }
        | BackupSource::File { .. }
        | BackupSource::Http(_)
        | BackupSource::Plugin(_)
        | BackupSource::Redis(_)
        | BackupSource::Sqlite { .. } => None,
    }
}

fn note_of(layout: &Layout, job: &JobName) -> PathBuf {
    layout.job(job).join(NAME)
}

/// Removes what an interrupted restore of a job left, wherever it was to.
pub(super) fn sweep(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    let note = note_of(layout, job);
    let targets = match read_manifest(&note) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        targets => targets.map_err(unavailable("cannot read", &note))?,
    };
    for target in targets.split(|byte| *byte == 0).filter(|it| !it.is_empty()) {
        swap::sweep(Path::new(OsStr::from_bytes(target)))?;
    }
    remove_file(&note)
}

/// A restored state that is noted for as long as it waits.
pub(super) struct Noted {
    // Dropped in this order: what is beside its place goes first.
    staged: Box<dyn StagedRestore>,
    pending: Pending,
}

impl Noted {
    /// Of what was staged since.
    pub(super) fn new(staged: Box<dyn StagedRestore>, pending: Pending) -> Self {
        Self { staged, pending }
    }
}

impl StagedRestore for Noted {
    fn place(self: Box<Self>) -> Result<RestoredTree, BackupStoreError> {
        let Self { staged, pending } = *self;
        let placed = staged.place();
        drop(pending);
        placed
    }
}
