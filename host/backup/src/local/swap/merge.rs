//! Puts a restored tree into a directory that holds other things, and lets those be.
//!
//! What is there already is exchanged name by name with what was restored, so that the replaced ones are where the new
//! tree was, and can be exchanged back.
//!
//! Invariant: nothing is removed, and no directory takes the place of a file or a file that of a directory.
//! Invariant: at every moment each name leads to the old file or to the new one, whole.
//! Invariant: a directory that is there already keeps its owner, permissions, attributes and time.

use super::{Claim, Swap, SwapState, beside, make_staging, recover};
use crate::{
    local::{
        durable,
        error::unavailable,
        inside::Inside,
        mounts::is_mount_point,
        resolve::resolve,
        tree::{Tree, below, names},
    },
    port::BackupStoreError,
};
use mainstay_domain::code::ErrorCode;
use rustix::{
    fs::{RenameFlags, renameat, renameat_with},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    io::{self, ErrorKind},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

/// Something of the new tree, with all that is below it, that goes into the target.
pub(super) struct Move {
    relative: Vec<u8>,
    /// Whether something is there by this name.
    exchanges: bool,
}

impl Move {
    /// Moves or exchanges; whether the same the other way round takes that back.
    fn make(&self, from: &Tree, to: &Tree) -> io::Result<bool> {
        let (from, name) = from.above(&self.relative)?;
        let (to, _) = to.above(&self.relative)?;
        let flags = match self.exchanges {
            true => RenameFlags::EXCHANGE,
            false => RenameFlags::NOREPLACE,
        };
        durable::changes();
        match renameat_with(&from, name, &to, name, flags) {
            // The file system cannot: then what is replaced is gone at once.
            Err(Errno::INVAL | Errno::NOSYS) => {
                renameat(&from, name, &to, name)?;
                Ok(!self.exchanges)
            }
            moved => Ok(moved.map(|()| true)?),
        }
    }
}

impl Swap {
    /// Makes an empty directory on the file system of `target`, which need not be there, for what is to be merged into it.
    pub(in crate::local) fn begin_merge(target: &Path) -> Result<Self, BackupStoreError> {
        let target = resolve(target);
        let (parent, staging, old) = beside(&target)?;
        let claim = Claim::on(&target)?;
        let is_inside = target.is_dir() && is_mount_point(&target)?;
        let inside = is_inside.then(|| Inside::of(&target));
        match &inside {
            Some(inside) => inside.recover()?,
            None => recover(&target, &staging, &old)?,
        }
        if fs::symlink_metadata(&target).is_ok() && !target.is_dir() {
            return Err(BackupStoreError::Unavailable(format!(
                "{} is not a directory; name one that is, or a new one",
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
            replace: false,
            state: SwapState::Staged,
            merged: Vec::new(),
            inside,
            _claim: claim,
        })
    }

    /// Puts what the new tree, which is durable, holds into the target: all of it, or nothing is changed.
    pub(in crate::local) fn merge(&mut self) -> Result<(), BackupStoreError> {
        if fs::symlink_metadata(&self.target).is_err() {
            return self.place();
        }
        let (from, to) = self.trees()?;
        let moves = self.moves(&from, &to)?;
        self.state = SwapState::Merged;
        durable::places(&self.staging);
        for step in moves {
            let made = step.make(&from, &to);
            let place = self.target.join(OsStr::from_bytes(&step.relative));
            let cannot = unavailable("cannot put the restored file in place at", &place);
            if made.map_err(cannot)? {
                self.merged.push(step);
            }
        }
        durable::sync_tree(&self.target).map_err(unavailable("cannot fsync", &self.target))
    }

    /// Takes back what was put into the target.
    pub(super) fn unmerge(&self) -> Result<(), BackupStoreError> {
        let (from, to) = self.trees()?;
        for step in self.merged.iter().rev() {
            let place = self.target.join(OsStr::from_bytes(&step.relative));
            let undone = step.make(&to, &from);
            undone.map_err(unavailable("cannot put back what was at", &place))?;
        }
        Ok(())
    }

    fn trees(&self) -> Result<(Tree, Tree), BackupStoreError> {
        let open = |path: &Path| Tree::open(path).map_err(unavailable("cannot open", path));
        Ok((open(&self.staging)?, open(&self.target)?))
    }

    /// What is to be moved, where all of it can be; changes nothing.
    fn moves(&self, from: &Tree, to: &Tree) -> Result<Vec<Move>, BackupStoreError> {
        let cannot = unavailable("cannot look through", &self.target);
        let look = |tree: &Tree, relative: &[u8]| {
            let place = tree.place(relative)?;
            place.metadata()
        };
        let device = look(to, b".").map_err(&cannot)?.dev();
        let mut moves = Vec::new();
        let mut open = vec![b".".to_vec()];
        while let Some(above) = open.pop() {
            let listed = from.place(&above).and_then(|directory| names(&directory));
            let listed = listed.map_err(&cannot)?;
            for name in listed.iter() {
                let relative = below(&above, name);
                let new = look(from, &relative).map_err(&cannot)?;
                let old = match look(to, &relative) {
                    Err(error) if error.kind() == ErrorKind::NotFound => None,
                    old => Some(old.map_err(&cannot)?),
                };
                if let Some(old) = &old {
                    self.check_like(&relative, old, &new, device)?;
                }
                match old {
                    Some(old) if old.is_dir() => open.push(relative),
                    old => moves.push(Move {
                        relative,
                        exchanges: old.is_some(),
                    }),
                }
            }
        }
        Ok(moves)
    }

    /// Refuses what could only be merged if something were lost.
    fn check_like(
        &self,
        relative: &[u8],
        old: &Metadata,
        new: &Metadata,
        device: u64,
    ) -> Result<(), BackupStoreError> {
        let place = self.target.join(OsStr::from_bytes(relative));
        let place = place.display();
        let why = match (old.is_dir(), new.is_dir()) {
            (true, false) => format!(
                "{place} is a directory, and none in the backup; merging removes nothing: move it away, or restore into another directory"
            ),
            (false, true) => format!(
                "{place} is no directory, and is one in the backup; merging removes nothing: move it away, or restore into another directory"
            ),
            (true, true) if old.dev() != device => format!(
                "{place} is on another file system than {}; restore it by itself, with --path, into another directory",
                self.target.display()
            ),
            _ => return Ok(()),
        };
        Err(BackupStoreError::Unavailable(
            ErrorCode::RestoreRefused.mark(why),
        ))
    }
}
