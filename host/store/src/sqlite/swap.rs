//! A new journal takes the place of the old one, however often that is cut off.
//!
//! Invariant: everything new, and what is kept of the old, lies synced in the workshop before the file `ready` does. A
//! workshop without it is thrown away, and the old journal is as it was; with it the swap is finished, by whoever next
//! holds the lock of the state directory, before anything else looks at the journal.
//! Invariant: each step can be done again, and none depends on what an earlier one left in memory.
//! Invariant: `ready` is gone from the disk before the new journal is opened, so that no write-ahead log of it is ever
//! taken for the old one's.

use super::{
    files::{beside, sync_directory},
    mark,
    owner::Owner,
    private,
};
use mainstay_domain::time::Timestamp;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Its name in the state directory.
const DIRECTORY: &str = "journal.salvage";
/// The new database and the new mark, in the workshop.
pub(super) const NEW: &str = "new.db";
pub(super) const NEW_MARK: &str = "new.mark";
const READY: &str = "ready";
/// What the names of kept files have in them.
const KEPT: &str = ".damaged-";
/// What must not lie beside a new database.
const OF_THE_OLD: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Where a new journal is made.
#[derive(Debug)]
pub(super) struct Workshop {
    journal: PathBuf,
    directory: PathBuf,
    owner: Owner,
}

impl Workshop {
    /// For the journal at this path; there is none left of before.
    pub(super) fn make(journal: &Path, owner: Owner) -> io::Result<Self> {
        let directory = journal.with_file_name(DIRECTORY);
        private::directories().create(&directory)?;
        owner.give(&directory)?;
        Ok(Self {
            journal: journal.to_owned(),
            directory,
            owner,
        })
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Keeps the old files under names that say when, and declares the swap ready: what is new is synced. The names that
    /// the old files get.
    pub(super) fn declare_ready(&self, now: Timestamp) -> io::Result<Vec<PathBuf>> {
        step();
        let stamp = self.free_stamp(now);
        let mut kept = Vec::new();
        for file in self.old_files() {
            let name = beside(&file, &stamp);
            let inside = self
                .directory
                .join(name.file_name().unwrap_or(name.as_os_str()));
            keep(&file, &inside)?;
            self.owner.give(&inside)?;
            File::open(&inside)?.sync_all()?;
            kept.push(name);
            step();
        }
        for new in [NEW, NEW_MARK] {
            let new = self.file(new);
            self.owner.give(&new)?;
            File::open(&new)?.sync_all()?;
        }
        sync_directory(&self.directory)?;
        step();
        let ready = self.file(READY);
        make_private(&ready)?.sync_all()?;
        self.owner.give(&ready)?;
        sync_directory(&self.directory)?;
        sync_parent(&self.directory)?;
        step();
        Ok(kept)
    }

    fn old_files(&self) -> Vec<PathBuf> {
        let mut files = vec![
            mark::path(&self.journal),
            self.journal.clone(),
            beside(&self.journal, "-wal"),
            beside(&self.journal, "-journal"),
        ];
        files.retain(|file| file.exists());
        files
    }

    /// The end of names that no file has yet.
    fn free_stamp(&self, now: Timestamp) -> String {
        let time: String = now
            .to_string()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let mut stamp = format!("{KEPT}{time}");
        let mut again = 2;
        while self
            .old_files()
            .iter()
            .any(|file| beside(file, &stamp).exists())
        {
            stamp = format!("{KEPT}{time}-{again}");
            again += 1;
        }
        stamp
    }
}

/// Whether a swap was cut off that has to be finished.
pub(super) fn is_ready(journal: &Path) -> bool {
    journal.with_file_name(DIRECTORY).join(READY).exists()
}

/// Finishes a swap that was cut off, or throws an unfinished workshop away; the caller holds the lock of the state
/// directory. Whether a new journal took its place.
pub(super) fn finish(journal: &Path) -> io::Result<bool> {
    let workshop = journal.with_file_name(DIRECTORY);
    match workshop.symlink_metadata() {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    let ready = workshop.join(READY);
    let is_ready = ready.try_exists()?;
    if is_ready {
        put_in_place(journal, &workshop)?;
        fs::remove_file(&ready)?;
        sync_directory(&workshop)?;
        step();
    }
    fs::remove_dir_all(&workshop)?;
    sync_parent(&workshop)?;
    Ok(is_ready)
}

fn put_in_place(journal: &Path, workshop: &Path) -> io::Result<()> {
    for entry in fs::read_dir(workshop)? {
        let name = entry?.file_name();
        if name.to_string_lossy().contains(KEPT) {
            fs::rename(workshop.join(&name), journal.with_file_name(&name))?;
        }
    }
    sync_parent(journal)?;
    step();
    for suffix in OF_THE_OLD {
        if_there(fs::remove_file(beside(journal, suffix)))?;
        step();
    }
    sync_parent(journal)?;
    step();
    if_there(fs::rename(workshop.join(NEW), journal))?;
    step();
    if_there(fs::rename(workshop.join(NEW_MARK), mark::path(journal)))?;
    sync_parent(journal)?;
    sync_directory(workshop)?;
    step();
    Ok(())
}

/// What an earlier try has done need not be done again.
fn if_there(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_directory)
}

/// A second name for a file, where it is its owner's alone and the file system has such; else a copy.
fn keep(file: &Path, name: &Path) -> io::Result<()> {
    let found = file.symlink_metadata()?;
    let is_private = found.is_file() && found.permissions().mode() & 0o077 == 0;
    if is_private && fs::hard_link(file, name).is_ok() {
        return Ok(());
    }
    let mut copy = make_private(name)?;
    io::copy(&mut File::open(file)?, &mut copy).map(drop)
}

fn make_private(path: &Path) -> io::Result<File> {
    private::files().write(true).create_new(true).open(path)
}

/// Between two steps; here a test can have it cut off.
fn step() {
    #[cfg(test)]
    cut::here();
}

/// A swap that is cut off where a test wants, as by SIGKILL: nothing is tidied up.
#[cfg(test)]
pub(super) mod cut {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// From now on so many steps of this thread are done, and the next one is not.
    pub(in crate::sqlite) fn after(steps: u32) {
        LEFT.set(Some(steps));
    }

    /// No more cuts; whether there was none.
    pub(in crate::sqlite) fn never() -> bool {
        LEFT.take().is_some()
    }

    pub(super) fn here() {
        match LEFT.get() {
            None => {}
            Some(0) => {
                LEFT.set(None);
                std::panic::resume_unwind(Box::new("cut off by a test"));
            }
            Some(left) => LEFT.set(Some(left - 1)),
        }
    }
}
