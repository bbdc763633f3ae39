//! Puts a restored tree in the place of another.
//!
//! The new tree is written beside the old as `.NAME.mainstay-restore`. Where the file system can exchange two names, one
//! rename puts the new in place and the old under that name, to be removed: a crash before it leaves the old tree, a
//! crash after it the new one. Where it cannot, the old is first renamed to `.NAME.mainstay-old`, and a crash between
//! the two renames leaves no tree in place until [`sweep`], at the next start or restore, renames the old one back. So
//! where both names are there, the new tree never was in place.
//!
//! Invariant: at every moment one of the two trees is whole on the disk.
//! Invariant: without leave to replace, what is in the place stays, also where it came while the new tree was written.
//! Invariant: of the restores to one place one is under way at a time.
//! Invariant: no tree is replaced that something is mounted in; of what is mounted itself, the content is exchanged
//! (`inside`).

mod aside;
mod claim;
mod merge;

use super::{
    durable,
    error::{cannot_begin, unavailable},
    files::{ignore_not_found, sync_dir},
    inside::Inside,
    mounts::{check_none_below, check_none_within, is_mount_point},
    removal::remove_tree,
    resolve::resolve,
    temporary::temporary,
};
use crate::port::BackupStoreError;
use aside::clear;
pub(super) use aside::free_among;
use claim::Claim;
use merge::Move;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// A tree that is written beside the place that it is for.
pub(super) struct Swap {
    target: PathBuf,
    parent: PathBuf,
    staging: PathBuf,
    old: PathBuf,
    replace: bool,
    state: SwapState,
    /// What was merged into the target, in this order.
    merged: Vec<Move>,
    /// Of a mount point.
    inside: Option<Inside>,
    _claim: Claim,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SwapState {
    /// The new tree is in `staging`.
    Staged,
    /// It is in place; the old one, where there was one, is at `staging` or `old`.
    Placed,
    /// What it holds is in the target, which holds other things too; what it replaced is at `staging`.
    Merged,
    /// It stays.
    Committed,
}

impl Swap {
    /// Makes an empty directory beside `target`, which must be free, empty, or a directory that may be replaced.
    pub(super) fn begin(target: &Path, replace: bool) -> Result<Self, BackupStoreError> {
        let target = resolve(target);
        let (parent, staging, old) = beside(&target)?;
        let claim = Claim::on(&target)?;
        check_none_below(&target)?;
        let is_inside = target.is_dir() && is_mount_point(&target)?;
        let inside = is_inside.then(|| Inside::of(&target));
        let is_occupied = match &inside {
            Some(inside) => {
                inside.recover()?;
                inside.is_occupied()?
            }
            None => {
                recover(&target, &staging, &old)?;
                match fs::read_dir(&target) {
                    Ok(mut entries) => entries.next().is_some(),
                    Err(_) => fs::symlink_metadata(&target).is_ok(),
                }
            }
        };
        if is_occupied && !target.is_dir() {
            return Err(BackupStoreError::Unavailable(format!(
                "{} is not a directory; name one that is, or a new one",
                target.display()
            )));
        }
        if is_occupied && !replace {
            return Err(BackupStoreError::Unavailable(format!(
                "{} exists and is not empty; restore into a new directory, or say --merge to keep what the backup does not have, or --replace to lose what it holds",
                target.display()
            )));
        }
        let staging = match &inside {
            Some(inside) => inside.begin()?,
            None => make_staging(&parent, staging)?,
        };
        Ok(Self {
            target,
            parent,
            staging,
            old,
            replace,
            state: SwapState::Staged,
            merged: Vec::new(),
            inside,
            _claim: claim,
        })
    }

    /// The place that the new tree is for.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Where the new tree is to be written.
    pub(super) fn staging(&self) -> &Path {
        &self.staging
    }

    /// Puts the new tree, which is durable, in place.
    pub(super) fn place(&mut self) -> Result<(), BackupStoreError> {
        if let Some(inside) = &self.inside {
            check_none_below(&self.target)?;
            if !self.replace && inside.is_occupied()? {
                return Err(self.filled());
            }
            durable::places(&self.staging);
            inside.place()?;
            self.state = SwapState::Placed;
            return Ok(());
        }
        check_none_within(&self.target)?;
        let cannot = unavailable("cannot put the restored tree in place at", &self.target);
        durable::places(&self.staging);
        if !self.replace || !self.target.exists() {
            // Over nothing, or over an empty directory: what came there since is not replaced.
            fs::rename(&self.staging, &self.target).map_err(|error| match error.kind() {
                ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => self.filled(),
                _ => cannot(error),
            })?;
        } else if renameat_with(CWD, &self.staging, CWD, &self.target, RenameFlags::EXCHANGE)
            .is_err()
        {
            fs::rename(&self.target, &self.old).map_err(&cannot)?;
            durable::changes();
            if let Err(error) = fs::rename(&self.staging, &self.target) {
                put_back(&self.old, &self.target)?;
                return Err(cannot(error));
            }
        }
        self.state = SwapState::Placed;
        sync_dir(&self.parent)
    }

    fn filled(&self) -> BackupStoreError {
        BackupStoreError::Unavailable(format!(
            "something was put into {} while the backup was read, and nothing was restored; restore into a new directory, or say --merge to keep what the backup does not have, or --replace to lose what it holds",
            self.target.display()
        ))
    }

    /// Removes the old tree. Where that fails the new one is in place all the same, and the next sweep tries again.
    pub(super) fn commit(mut self) {
        self.state = SwapState::Committed;
        durable::changes();
        let removed = match &self.inside {
            Some(inside) => inside.finish(),
            None => remove_tree(&self.staging)
                .inspect(|()| durable::changes())
                .and(remove_tree(&self.old))
                .and_then(|()| sync_dir(&self.parent)),
        };
        if let Err(error) = removed {
            tracing::error!(path = %self.target.display(), %error, "restored, but the old tree is still beside it");
        }
    }

    /// Puts the old tree back.
    fn roll_back(&self) -> Result<(), BackupStoreError> {
        if self.state == SwapState::Merged {
            self.unmerge()?;
        }
        if let Some(inside) = &self.inside {
            return inside.take_back().and_then(|()| inside.finish());
        }
        if self.state == SwapState::Placed {
            let unplaced = self.unplace();
            unplaced.map_err(unavailable("cannot put the old tree back at", &self.target))?;
        }
        recover(&self.target, &self.staging, &self.old)
    }

    /// Takes the new tree out of its place again, so that it is in `staging`, and the old one in place or at `old`.
    fn unplace(&self) -> io::Result<()> {
        durable::changes();
        // Only an exchange leaves something there, the old tree.
        if self.staging.exists() {
            if renameat_with(CWD, &self.staging, CWD, &self.target, RenameFlags::EXCHANGE).is_ok() {
                return Ok(());
            }
            fs::rename(&self.staging, &self.old)?;
        }
        ignore_not_found(fs::rename(&self.target, &self.staging))
    }
}

/// A swap that is not kept is undone, so that of several either all are or none.
impl Drop for Swap {
    fn drop(&mut self) {
        if self.state != SwapState::Committed
            && let Err(error) = self.roll_back()
        {
            tracing::error!(path = %self.target.display(), %error, "a restore could not be undone");
        }
    }
}

/// Removes what an interrupted restore left beside a directory, and puts an old tree back that was on its way out.
pub(super) fn sweep(target: &Path) -> Result<(), BackupStoreError> {
    let target = resolve(target);
    Inside::of(&target).recover()?;
    // What cannot be replaced was not.
    let Ok((_, staging, old)) = beside(&target) else {
        return Ok(());
    };
    recover(&target, &staging, &old)?;
    aside::sweep(&target)
}

/// Whether anything of a restore lies beside a directory.
pub(super) fn has_left(target: &Path) -> bool {
    let names = beside(target).map(|(_, staging, old)| [staging, old]);
    names.is_ok_and(|names| names.iter().any(|name| fs::symlink_metadata(name).is_ok()))
}

fn make_staging(parent: &Path, staging: PathBuf) -> Result<PathBuf, BackupStoreError> {
    fs::create_dir_all(parent).map_err(cannot_begin("cannot make", parent))?;
    let made = DirBuilder::new().mode(0o700).create(&staging);
    // Its name says nothing to people.
    made.map_err(cannot_begin("cannot make a new directory in", parent))?;
    Ok(staging)
}

/// Where the new tree is still in `staging`, the old one is the only whole one, and goes back where it was.
fn recover(target: &Path, staging: &Path, old: &Path) -> Result<(), BackupStoreError> {
    let is_placed = is_there(target)? && !is_there(staging)?;
    if !is_placed && is_there(old)? {
        put_back(old, target)?;
    }
    clear(staging, target)?;
    clear(old, target)
}

fn is_there(path: &Path) -> Result<bool, BackupStoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unavailable("cannot look at", path)(error)),
    }
}

/// Renames over nothing or over an empty directory; the kernel refuses everything else.
fn put_back(old: &Path, target: &Path) -> Result<(), BackupStoreError> {
    fs::rename(old, target).map_err(|error| {
        BackupStoreError::Unavailable(format!(
            "cannot put {} back at {}: {error}; it holds what was there before a restore that did not end, so both are kept: move one of them away",
            old.display(),
            target.display()
        ))
    })
}

fn beside(target: &Path) -> Result<(PathBuf, PathBuf, PathBuf), BackupStoreError> {
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(BackupStoreError::Unavailable(format!(
            "{} cannot be replaced as a whole; name a directory below it",
            target.display()
        )));
    };
    let (staging, old) = (temporary(name, "restore"), temporary(name, "old"));
    Ok((parent.to_owned(), parent.join(staging), parent.join(old)))
}
