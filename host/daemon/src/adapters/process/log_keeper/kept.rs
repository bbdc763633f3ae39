//! One log that is kept, and the file that its child writes to, where that has not its name any more.

use super::super::{
    log,
    output::{self, FileId, Written},
};
use super::{Bound, former::Former};
use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

/// One file.
pub(super) struct Kept {
    pub(super) bound: Bound,
    /// The child; none where that is yet to be named.
    pid: Option<u32>,
    /// The file that the child has as its output; none where it was not there when it was first asked for.
    written: Option<FileId>,
    /// Its length at the last look; none before one.
    seen: Option<u64>,
    /// That file, where it has not its name any more.
    former: Option<Former>,
    /// It was looked for, and nobody writes to it.
    pub(super) is_lost: bool,
}

impl Kept {
    /// `given` is the file that the process was given at its start, where that is known.
    pub(super) fn new(path: &Path, bound: Bound, pid: Option<u32>, given: Option<FileId>) -> Self {
        // Else by the process itself where it can be told: an earlier daemon may have opened the log anew, and then the file
        // of that name is not the one that is written to.
        let written = given.or_else(|| output::written_by(pid?, path));
        Self {
            bound,
            pid,
            written: written.or_else(|| FileId::of(path).ok()),
            seen: None,
            former: None,
            is_lost: false,
        }
    }

    /// It is this process that writes to it.
    pub(super) fn is_of(&mut self, pid: u32, path: &Path, given: Option<FileId>) {
        if self.pid != Some(pid) {
            *self = Self::new(path, self.bound, Some(pid), given);
        }
    }

    pub(super) fn is_one_of(&self, pids: &HashSet<u32>) -> bool {
        self.pid.is_some_and(|pid| pids.contains(&pid))
    }

    /// The file that the child has as its output, where it is known.
    pub(super) fn written(&self) -> Option<FileId> {
        self.written
    }

    /// Where the file is that is written to.
    pub(super) fn written_path(&self, path: &Path) -> PathBuf {
        match &self.former {
            Some(former) => former.path(),
            None => path.to_owned(),
        }
    }

    /// A look is over.
    pub(super) fn see(&mut self, path: &Path) {
        if self.former.is_none() {
            self.seen = Some(std::fs::metadata(path).map_or(0, |metadata| metadata.len()));
        }
    }

    /// Opens the file that is written to where it has not its name any more; `known` are the files of all targets. Where it
    /// is, if that was so at the first look: it was moved or deleted while nobody looked.
    pub(super) fn find_former(&mut self, path: &Path, known: &Written) -> Option<PathBuf> {
        let present = FileId::of(path).ok();
        let is_there = present.is_some() && present == self.written;
        if is_there || self.former.is_some() || self.is_lost {
            return None;
        }
        let file = output::open_former(path, self.written, known);
        self.former = file.and_then(|file| Former::new(file, self.seen).ok());
        self.is_lost = self.former.is_none();
        let Some(former) = &self.former else {
            tracing::debug!(log = %path.display(), "the log is gone, and no process is seen that writes to it");
            return None;
        };
        let place = std::fs::read_link(former.path()).ok()?;
        tracing::info!(log = %path.display(), place = %place.display(), "the log was moved or deleted, and is opened anew");
        self.seen.is_none().then_some(place)
    }

    /// Writes into a file of the log's name what was written to one that has it no more.
    pub(super) fn relay(&mut self, path: &Path) -> io::Result<()> {
        let Some(former) = &mut self.former else {
            return Ok(());
        };
        let (mut new, _) = log::open(path)?;
        former.relay(&mut new, self.bound)
    }
}
