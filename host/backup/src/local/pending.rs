//! Where a restore is under way, so that the next start removes what a crash left there, whatever the config says by then.
//!
//! Invariant: no restore fails for what cannot be noted of it, as on a full disk: then what a crash leaves stays beside its place.
//! Invariant: a place stays noted until somebody has looked at it, whatever else is restored meanwhile: at a start its disk may not be
//! mounted.

use super::{
    error::unavailable,
    files::{Layout, remove_file, write_over},
    mounts::is_mount_point,
    regular::read_manifest,
    resolve::resolve,
    swap,
};
use crate::port::{BackupStoreError, RestorePlace, RestoredTree, StagedRestore};
use mainstay_domain::{name::JobName, spec::BackupSource};
use std::{
    ffi::OsStr,
    fs,
    io::ErrorKind,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

/// The places, each but the first after a NUL, which no path has.
const NAME: &str = "restoring";

/// A restore that is under way; it has ended where this is dropped.
pub(super) struct Pending {
    note: PathBuf,
    /// What was noted before it, and is still to be looked at.
    before: Vec<Target>,
}

/// Where a restore is to, or a drill.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Without links and `..`.
    pub(super) path: PathBuf,
    /// A directory that it is in, or that it is itself, and the number of its inode; none where that does not matter, and in a note
    /// of a version before.
    pub(super) on: Option<(PathBuf, u64)>,
}

impl Target {
    pub(super) fn of(path: &Path) -> Self {
        let path = resolve(path);
        // Of a mount point the content is exchanged. Anything else is another directory after it was.
        let is_fixed = is_mount_point(&path).unwrap_or(false);
        let mut above = path.ancestors().skip(usize::from(!is_fixed));
        let on = above.find_map(|above| {
            let found = fs::metadata(above).ok()?;
            Some((above.to_owned(), found.ino()))
        });
        Self { path, on }
    }

    /// Whether what it was on is there.
    pub(super) fn can_be_looked_at(&self) -> bool {
        self.on.as_ref().is_none_or(|(on, inode)| {
            let found = fs::metadata(on);
            found.is_ok_and(|found| found.ino() == *inode)
        })
    }

    /// The number of the inode, how many bytes of the path lead to it, and the path.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let path = self.path.as_os_str().as_bytes();
        match &self.on {
            None => path.to_vec(),
            Some((on, inode)) => {
                let begin = format!("{inode}:{}:", on.as_os_str().len());
                [begin.as_bytes(), path].concat()
            }
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let parts = || {
            let mut parts = bytes.splitn(3, |byte| *byte == b':');
            let mut number = || std::str::from_utf8(parts.next()?).ok();
            let inode: u64 = number()?.parse().ok()?;
            let length: usize = number()?.parse().ok()?;
            let whole = parts.next()?;
            Some((whole, (path(whole.get(..length)?), inode)))
        };
        match parts() {
            Some((whole, on)) => Self {
                path: path(whole),
                on: Some(on),
            },
            // A path begins with no number.
            None => Self {
                path: path(bytes),
                on: None,
            },
        }
    }
}

impl Pending {
    /// Notes where a restore of a job begins. Of one job one is under way at a time.
    pub(super) fn begin(layout: &Layout, job: &JobName, place: &RestorePlace) -> Self {
        let paths: Vec<&Path> = match place {
            RestorePlace::Into { path, .. } => vec![path.as_path()],
            RestorePlace::InPlace(sources) => sources.iter().filter_map(directory).collect(),
        };
        let targets: Vec<Target> = paths.into_iter().map(Target::of).collect();
        let note = note_of(layout, job);
        // Who restores to the same place looks at it, unless that is another one now, as where a disk is not mounted.
        let mut before = noted(&note).unwrap_or_default();
        before.retain(|known| {
            let is_other = |target: &Target| target.path != known.path;
            !known.can_be_looked_at() || targets.iter().all(is_other)
        });
        if let Err(error) = write(&note, before.iter().chain(&targets)) {
            tracing::warn!(%job, %error, "where a restore is under way is not noted; what a crash leaves there stays");
        }
        Self { note, before }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Err(error) = write(&self.note, self.before.iter()) {
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

/// What a note says; nothing where there is none.
pub(super) fn noted(note: &Path) -> Result<Vec<Target>, BackupStoreError> {
    let targets = match read_manifest(note) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        targets => targets.map_err(unavailable("cannot read", note))?,
    };
    let targets = targets.split(|byte| *byte == 0).filter(|it| !it.is_empty());
    Ok(targets.map(Target::from_bytes).collect())
}

/// Notes these and no others.
pub(super) fn write<'a>(
    note: &Path,
    targets: impl Iterator<Item = &'a Target>,
) -> Result<(), BackupStoreError> {
    let targets: Vec<Vec<u8>> = targets.map(Target::to_bytes).collect();
    match targets.is_empty() {
        true => remove_file(note),
        false => write_over(note, &targets.join(&0_u8)),
    }
}

/// Removes what interrupted restores of a job left, wherever they were to. What cannot be looked at yet is looked at by the next start;
/// the error is the first.
pub(super) fn sweep(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    let note = note_of(layout, job);
    let (mut left, mut first) = (Vec::new(), Ok(()));
    let noted = noted(&note)?;
    if noted.is_empty() {
        return Ok(());
    }
    for target in noted {
        if !target.can_be_looked_at() && !swap::has_left(&target.path) {
            let path = target.path.display();
            tracing::info!(%job, %path, "a restore was cut off, and what it was to is not there, as where a disk is not mounted; the next start looks for what it left");
            left.push(target);
        } else if let Err(error) = swap::sweep(&target.path) {
            left.push(target);
            first = first.and(Err(error));
        }
    }
    write(&note, left.iter())?;
    first
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
