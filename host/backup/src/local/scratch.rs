//! Where a drill writes what it restores, and what is noted of that, so that the next start removes what a crash left there.
//!
//! Invariant: what is removed has the name that a drill gives, and is noted in the store: nothing else in a directory that is
//! others' too is touched.
//! Invariant: what a crash left stays noted until it is removed, whatever else is drilled meanwhile: its disk may not be mounted.
//! Invariant: nothing is written where there is no room for it, as far as that can be known before.

use super::{
    apart::{Whereabouts, whereabouts},
    error::unavailable,
    files::{Layout, create_private_dir, remove_file, write_create_only},
    judge::size_of,
    pending::{self, Target},
    regular::read_manifest,
    removal::remove_tree,
    resolve::resolve,
    room,
};
use crate::port::BackupStoreError;
use mainstay_domain::{id::BackupId, name::JobName};
use std::{
    ffi::OsStr,
    fs::{self, DirBuilder},
    io::ErrorKind,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The newest backup of the drill that is under way, and after a NUL the directory.
const NAME: &str = "drilling";
/// The directories of drills that a crash has cut off, and that could not be removed yet.
const LEFT: &str = "drilled";

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
        let target = match place {
            Some(_) => Target::of(&path),
            None => Target {
                path: path.clone(),
                on: None,
            },
        };
        let scratch = Self {
            path,
            note: note_of(layout, job),
        };
        scratch.write_note(job, newest, &target);
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

    fn write_note(&self, job: &JobName, newest: &BackupId, target: &Target) {
        let target = target.to_bytes();
        let text = [newest.as_str().as_bytes(), target.as_slice()];
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
    format!("{}{newest}", begin_of_name(job))
}

fn begin_of_name(job: &JobName) -> String {
    format!("mainstay-drill-{job}-")
}

fn note_of(layout: &Layout, job: &JobName) -> PathBuf {
    layout.job(job).join(NAME)
}

/// What is noted of a drill of a job that is under way, or that a crash has cut off.
fn noted(layout: &Layout, job: &JobName) -> Result<Option<(BackupId, Target)>, BackupStoreError> {
    let note = note_of(layout, job);
    let bytes = match read_manifest(&note) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(unavailable("cannot read", &note))?,
    };
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let id = parts.next().and_then(|id| std::str::from_utf8(id).ok());
    let id = id.and_then(|id| BackupId::parse(id).ok());
    Ok(id.zip(parts.next().map(Target::from_bytes)))
}

/// The newest backup of a drill of a job that a crash has cut off.
pub(super) fn left(layout: &Layout, job: &JobName) -> Option<BackupId> {
    noted(layout, job).ok().flatten().map(|(newest, _)| newest)
}

/// Removes what drills of a job left that a crash has cut off. What cannot be removed yet, as where a disk is not mounted, the next
/// start looks for; the error is the first.
pub(super) fn sweep(layout: &Layout, job: &JobName) -> Result<(), BackupStoreError> {
    let left = layout.job(job).join(LEFT);
    let mut targets = pending::noted(&left)?;
    let begin = begin_of_name(job);
    targets.retain(|target| {
        let name = target.path.file_name();
        name.is_some_and(|name| name.as_encoded_bytes().starts_with(begin.as_bytes()))
    });
    if let Some((newest, target)) = noted(layout, job)? {
        let is_ours = target.path == layout.scratch(job)
            || target.path.file_name() == Some(OsStr::new(&name_of(job, &newest)));
        targets.extend(is_ours.then_some(target));
    }
    let (mut kept, mut first) = (Vec::new(), Ok(()));
    for target in targets {
        let is_there = || fs::symlink_metadata(&target.path).is_ok();
        if !target.can_be_looked_at() && !is_there() {
            let path = target.path.display();
            tracing::info!(%job, %path, "a drill was cut off, and its directory is not there, as where a disk is not mounted; the next start looks for it");
            kept.push(target);
        } else if let Err(error) = remove_tree(&target.path) {
            kept.push(target);
            first = first.and(Err(error));
        }
    }
    pending::write(&left, kept.iter())?;
    remove_file(&note_of(layout, job))?;
    first
}
