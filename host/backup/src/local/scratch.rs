//! Where a drill writes what it restores, and what is noted of that, so that the next start removes what a crash left there.
//!
//! Invariant: what is removed has the name that a drill gives, and is noted in the store: nothing else in a directory that is
//! others' too is touched.
//! Invariant: nothing is written where there is no room for it, as far as that can be known before.

use super::{
    apart::{Whereabouts, whereabouts},
    error::unavailable,
    files::{Layout, create_private_dir, remove_file, write_create_only},
    judge::size_of,
    regular::read_manifest,
    removal::remove_tree,
    resolve::resolve,
    room,
};
use crate::port::BackupStoreError;
use mainstay_domain::{id::BackupId, name::JobName};
use std::{
    ffi::OsStr,
    fs::DirBuilder,
    io::ErrorKind,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Path, PathBuf},
};

/// The newest backup of the drill that is under way, and after a NUL the directory.
const NAME: &str = "drilling";

/// The directory of one drill. What it holds goes with it.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    note: PathBuf,
}

impl Scratch {
    /// Makes one in `place`, or beside the backups of the job. Of one job one drill is under way at a time.
    pub(super) fn begin(
        layout: &Layout,
        job: &JobName,
        chain: &[BackupId],
        place: Option<&Path>,
    ) -> Result<Self, BackupStoreError> {
        let Some(newest) = chain.last() else {
            return Err(BackupStoreError::Unavailable(
                "there is no backup to drill with".to_owned(),
            ));
        };
        let path = match place {
            Some(place) => checked(layout, place)?.join(name_of(job, newest)),
            None => layout.scratch(job),
        };
        remove_tree(&path)?;
        check_room(layout, job, chain, path.parent())?;
        let scratch = Self {
            path,
            note: note_of(layout, job),
        };
        scratch.write_note(job, newest);
        match place {
            Some(_) => {
                // Not those above it: a directory of others is not made for them, and this one was not there.
                let made = DirBuilder::new().mode(0o700).create(&scratch.path);
                made.map_err(unavailable("cannot make", &scratch.path))?;
            }
            None => create_private_dir(&scratch.path)?,
        }
        Ok(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write_note(&self, job: &JobName, newest: &BackupId) {
        let text = [newest.as_str().as_bytes(), self.path.as_os_str().as_bytes()];
        let written = remove_file(&self.note)
            .and_then(|()| remove_file(&self.note.with_extension("partial")))
            .and_then(|()| write_create_only(&self.note, &text.join(&0_u8)));
        if let Err(error) = written {
            tracing::warn!(%job, %error, "where a drill is under way is not noted; what a crash leaves there stays");
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = remove_tree(&self.path).and_then(|()| remove_file(&self.note));
        if let Err(error) = removed {
            tracing::error!(%error, "a drill is over, and what it wrote is still there");
        }
    }
}

/// The directory that the config names, where it can be one for drills.
fn checked(layout: &Layout, place: &Path) -> Result<PathBuf, BackupStoreError> {
    let place = resolve(place);
    if !place.is_dir() {
        return Err(BackupStoreError::Unavailable(format!(
            "there is no directory {} for a drill; make it, or name another `scratch`",
            place.display()
        )));
    }
    match whereabouts(layout, &place)? {
        Whereabouts::InStore => Err(BackupStoreError::Unavailable(format!(
            "{} is where the backups are, in {}; name another `scratch`, or none",
            place.display(),
            layout.root().display()
        ))),
        Whereabouts::Apart | Whereabouts::AboveStore => Ok(place),
    }
}

fn check_room(
    layout: &Layout,
    job: &JobName,
    chain: &[BackupId],
    home: Option<&Path>,
) -> Result<(), BackupStoreError> {
    let (Some(home), Some(wanted)) = (home, size_of(layout, job, chain)?) else {
        return Ok(());
    };
    match room::free(home) {
        Some(free) if free < wanted => Err(BackupStoreError::NoRoom(format!(
            "a drill would write {wanted} bytes into {}, and {free} are free; make room, or name another `scratch`",
            home.display()
        ))),
        _ => Ok(()),
    }
}

fn name_of(job: &JobName, newest: &BackupId) -> String {
    format!("mainstay-drill-{job}-{newest}")
}

fn note_of(layout: &Layout, job: &JobName) -> PathBuf {
    layout.job(job).join(NAME)
}

/// What is noted of a drill of a job that is under way, or that a crash has cut off.
fn noted(layout: &Layout, job: &JobName) -> Result<Option<(BackupId, PathBuf)>, BackupStoreError> {
    let note = note_of(layout, job);
    let bytes = match read_manifest(&note) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(unavailable("cannot read", &note))?,
    };
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let id = parts.next().and_then(|id| std::str::from_utf8(id).ok());
    let id = id.and_then(|id| BackupId::parse(id).ok());
    Ok(id.zip(
        parts
            .next()
            .map(|path| PathBuf::from(OsStr::from_bytes(path))),
    ))
}

/// The newest backup of a drill of a job that a crash has cut off.
pub(super) fn left(layout: &Layout, job: &JobName) -> Option<BackupId> {
    noted(layout, job).ok().flatten().map(|(newest, _)| newest)
}

/// Removes what a drill of a job left that a crash has cut off.
pub(super) fn sweep(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    if let Some((newest, path)) = noted(layout, job)? {
        let is_ours = path == layout.scratch(job)
            || path.file_name() == Some(OsStr::new(&name_of(job, &newest)));
        if is_ours {
            remove_tree(&path)?;
        }
    }
    remove_file(&note_of(layout, job))
}
