//! Exchanges what a directory holds for a tree that lies in it: for a mount point, whose name cannot be exchanged.
//!
//! All is done below `DIRECTORY/.mainstay-restore`. The new tree is written there as `new`, and its name is the record of
//! how far it is. It is renamed to `ready`, and what the directory holds goes to `old`; to `placing`, and what it holds
//! goes into the directory; and to `placed`. After a crash what was `ready` is undone, and what was `placing` is gone on with.
//!
//! Invariant: nothing of the directory is removed before all of the new tree is in its place.
//! Invariant: what came into the directory meanwhile is never overwritten; what is in the way of the new tree goes with the
//! old one.
//! Invariant: what cannot be removed keeps nobody from the next exchange: it is kept there as `left-1` and so on.
//!
//! Length: each step of an exchange, and how it is undone and gone on with, are to be seen on one page.

use super::{
    durable,
    error::unavailable,
    files::{create_private, remove_file, sync_dir},
    metadata::{mode_of, owner_of, times_of},
    removal::remove_tree,
    swap::free_among,
    tree::names,
    xattrs::{read_xattrs, set_xattrs},
};
use crate::port::BackupStoreError;
use rustix::fs::{AtFlags, CWD, chmodat, chownat, utimensat};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File, Metadata, Permissions},
    io::ErrorKind,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

const WORK: &str = ".mainstay-restore";
const NEW: &str = "new";
const READY: &str = "ready";
const PLACING: &str = "placing";
const PLACED: &str = "placed";
const OLD: &str = "old";
/// What was in the way of the new tree.
const LATE: &str = "late";
/// What cannot be removed, as where somebody made a file of it immutable.
const LEFT: [&str; 3] = ["left-1", "left-2", "left-3"];
/// Empty files with owner, permissions and times of the directory, as it was and as it will be.
const AS_IT_WAS: &str = "as-it-was";
const AS_IT_WILL_BE: &str = "as-it-will-be";

/// Whether this is where a restore works: nothing of the source in which it lies.
pub(super) fn is_work(relative: &[u8], path: &Path) -> bool {
    relative == WORK.as_bytes() && fs::symlink_metadata(path.join(AS_IT_WAS)).is_ok()
}

/// A directory of which the content is exchanged.
pub(super) struct Inside {
    target: PathBuf,
    work: PathBuf,
}

impl Inside {
    pub(super) fn of(target: &Path) -> Self {
        Self {
            target: target.to_owned(),
            work: target.join(WORK),
        }
    }

    /// Whether the directory holds anything.
    pub(super) fn is_occupied(&self) -> Result<bool, BackupStoreError> {
        Ok(!self.names_in(&self.target)?.is_empty())
    }

    /// Makes the directory that the new tree is to be written to.
    pub(super) fn begin(&self) -> Result<PathBuf, BackupStoreError> {
        let before = fs::metadata(&self.target);
        let before = before.map_err(unavailable("cannot look at", &self.target))?;
        // Of one that had only just begun, or all but ended.
        drop(fs::remove_dir(&self.work));
        if !self.has_left()? {
            make_dir(&self.work)?;
        }
        let begun = self.make_all(&before);
        if begun.is_err() {
            self.finish()?;
        }
        begun.map(|()| self.work.join(NEW))
    }

    fn make_all(&self, before: &Metadata) -> Result<(), BackupStoreError> {
        for file in [AS_IT_WAS, AS_IT_WILL_BE] {
            let path = self.work.join(file);
            if !is_there(&path)? {
                create_private(&path)?;
            }
        }
        copy_metadata(before, &self.work.join(AS_IT_WAS));
        for directory in [OLD, LATE, NEW] {
            make_dir(&self.work.join(directory))?;
        }
        copy_xattrs(&self.target, &self.work.join(OLD));
        sync_dir(&self.work)
    }

    /// Puts the new tree, which is durable, in place: all of it, or nothing is changed.
    pub(super) fn place(&self) -> Result<(), BackupStoreError> {
        let new = self.work.join(NEW);
        let metadata = fs::metadata(&new).map_err(unavailable("cannot look at", &new))?;
        copy_metadata(&metadata, &self.work.join(AS_IT_WILL_BE));
        self.step(NEW, READY)?;
        let placed = self.exchange();
        if placed.is_err() {
            self.take_back()?;
        }
        placed
    }

    fn exchange(&self) -> Result<(), BackupStoreError> {
        self.move_all(&self.target, &self.work.join(OLD))?;
        self.step(READY, PLACING)?;
        self.put_in()?;
        self.step(PLACING, PLACED)
    }

    /// Moves what is left of the new tree into the directory.
    fn put_in(&self) -> Result<(), BackupStoreError> {
        let (placing, late) = (self.work.join(PLACING), self.work.join(LATE));
        for directory in [&placing, &self.target] {
            open_to_owner(directory)?;
        }
        for name in self.names_in(&placing)? {
            let place = self.target.join(&name);
            if is_there(&place)? {
                rename(&place, &late.join(&name))?;
            }
            rename(&placing.join(&name), &place)?;
        }
        for directory in [&placing, &late, &self.target] {
            sync_dir(directory)?;
        }
        copy_xattrs(&placing, &self.target);
        self.set_metadata(AS_IT_WILL_BE);
        Ok(())
    }

    /// Makes the directory what it was before; nothing where it is.
    pub(super) fn take_back(&self) -> Result<(), BackupStoreError> {
        let (old, placing) = (self.work.join(OLD), self.work.join(PLACING));
        if is_there(&self.work.join(PLACED))? {
            self.step(PLACED, PLACING)?;
        }
        if is_there(&placing)? {
            self.move_all(&self.target, &placing)?;
            self.step(PLACING, READY)?;
        }
        if is_there(&self.work.join(READY))? {
            self.move_all(&old, &self.target)?;
            copy_xattrs(&old, &self.target);
            self.set_metadata(AS_IT_WAS);
            self.step(READY, NEW)?;
        }
        Ok(())
    }

    /// Removes what is not in place: the old tree where the new one is, and otherwise the new one. What cannot be removed is
    /// tried again each time.
    pub(super) fn finish(&self) -> Result<(), BackupStoreError> {
        let is_placed = is_there(&self.work.join(PLACED))?;
        for directory in LEFT.into_iter().chain([OLD, LATE, NEW, PLACED]) {
            if let Err(error) = remove_tree(&self.work.join(directory)) {
                self.set_aside(directory, error)?;
            }
        }
        let will_be = self.work.join(AS_IT_WILL_BE);
        let metadata = fs::metadata(&will_be);
        remove_file(&will_be)?;
        // Last goes what tells that it is ours. The time of the directory is another one from then on.
        if !self.has_left()? {
            remove_tree(&self.work)?;
        }
        if is_placed && let Ok(metadata) = metadata {
            copy_metadata(&metadata, &self.target);
        }
        sync_dir(&self.target)
    }

    fn set_aside(&self, directory: &str, error: BackupStoreError) -> Result<(), BackupStoreError> {
        tracing::error!(%error, "what a restore left cannot be removed; the next start tries again");
        if LEFT.contains(&directory) {
            return Ok(());
        }
        let free = free_among(LEFT.iter().map(|left| self.work.join(left)));
        let free = free.filter(|free| rename(&self.work.join(directory), free).is_ok());
        free.map(drop).ok_or(error)
    }

    fn has_left(&self) -> Result<bool, BackupStoreError> {
        for left in LEFT {
            if is_there(&self.work.join(left))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Undoes or finishes what a crash left; nothing where nothing is left.
    pub(super) fn recover(&self) -> Result<(), BackupStoreError> {
        if !is_there(&self.work.join(AS_IT_WAS))? {
            return Ok(());
        }
        if is_there(&self.work.join(PLACING))? {
            self.put_in()?;
            self.step(PLACING, PLACED)?;
        } else if is_there(&self.work.join(READY))? {
            self.take_back()?;
        }
        self.finish()
    }

    fn step(&self, from: &str, to: &str) -> Result<(), BackupStoreError> {
        rename(&self.work.join(from), &self.work.join(to))?;
        sync_dir(&self.work)
    }

    /// Moves everything from one directory to another that has nothing by these names.
    fn move_all(&self, from: &Path, to: &Path) -> Result<(), BackupStoreError> {
        for directory in [from, to] {
            open_to_owner(directory)?;
        }
        for name in self.names_in(from)? {
            let place = to.join(&name);
            if is_there(&place)? {
                return Err(BackupStoreError::Unavailable(format!(
                    "cannot put {} back at {}: something else is there, and both are kept; move one of them away",
                    from.join(&name).display(),
                    place.display()
                )));
            }
            rename(&from.join(&name), &place)?;
        }
        sync_dir(from)?;
        sync_dir(to)
    }

    /// Without that of the restore itself.
    fn names_in(&self, directory: &Path) -> Result<Vec<OsString>, BackupStoreError> {
        let listed = File::open(directory).and_then(|directory| names(&directory));
        let listed = listed.map_err(unavailable("cannot list", directory))?;
        let others = listed
            .iter()
            .filter(|name| directory != self.target || *name != WORK);
        Ok(others.map(OsStr::to_owned).collect())
    }

    fn set_metadata(&self, of: &str) {
        match fs::metadata(self.work.join(of)) {
            Ok(metadata) => copy_metadata(&metadata, &self.target),
            Err(error) => {
                tracing::warn!(path = %self.target.display(), %error, "owner, permissions and time are not known");
            }
        }
    }
}

fn make_dir(path: &Path) -> Result<(), BackupStoreError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(unavailable("cannot make", path))
}

fn rename(from: &Path, to: &Path) -> Result<(), BackupStoreError> {
    durable::rename(from, to).map_err(unavailable("cannot move", from))
}

fn is_there(path: &Path) -> Result<bool, BackupStoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(unavailable("cannot look at", path)(error)),
    }
}

/// Lets the owner of a directory change it.
fn open_to_owner(path: &Path) -> Result<(), BackupStoreError> {
    let opened = fs::metadata(path).and_then(|metadata| {
        let mode = metadata.permissions().mode();
        match mode & 0o700 == 0o700 {
            true => Ok(()),
            false => fs::set_permissions(path, Permissions::from_mode(mode | 0o700)),
        }
    });
    opened.map_err(unavailable("cannot change", path))
}

/// Gives owner, permissions and times. What cannot be given costs no more than itself.
fn copy_metadata(metadata: &Metadata, to: &Path) {
    let flags = AtFlags::empty();
    let (owner, group) = owner_of(metadata);
    let owned = match rustix::process::geteuid().is_root() {
        true => chownat(CWD, to, owner, group, flags),
        false => Ok(()),
    };
    let permitted = chmodat(CWD, to, mode_of(metadata), flags);
    let timed = utimensat(CWD, to, &times_of(metadata), flags);
    let given = [owned, permitted, timed];
    for error in given.into_iter().filter_map(Result::err) {
        tracing::warn!(path = %to.display(), %error, "it does not have owner, permissions and time that it should");
    }
}

/// Gives a directory the extended attributes of another. What cannot be given costs no more than itself.
fn copy_xattrs(from: &Path, to: &Path) {
    let given = File::open(from).and_then(|from| {
        let (xattrs, _) = read_xattrs(&from)?;
        Ok(set_xattrs(CWD, to.as_os_str().as_bytes(), &xattrs)?)
    });
    if let Err(error) = given {
        tracing::warn!(path = %to.display(), %error, "it does not have the extended attributes that it should");
    }
}
