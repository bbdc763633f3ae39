//! Changes of the store's files that a crash may cut off, or that a loss of power may undo: one function for each kind, so that
//! a test can cut every one of them, drop what was not made durable, and have one fail.
//!
//! Invariant: what changes a backup, its manifest or its mark goes through here, and what puts a restored tree in place or takes
//! it back, and what asks a bucket to change, says so here before.

use rustix::{
    fs::{CWD, RenameFlags, renameat_with, syncfs},
    io::Errno,
};
use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

/// A change that is about to be made.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "who cuts changes off are the tests")
)]
pub(super) enum Change<'a> {
    /// A file is made here.
    Made(&'a Path),
    /// What is at the first is at the second.
    Renamed(&'a Path, &'a Path),
    /// A file gets this other name.
    Linked(&'a Path),
    /// A file goes.
    Removed(&'a Path),
    /// What a file holds is made durable.
    FileSynced(&'a Path),
    /// So are the names in a directory.
    DirectorySynced(&'a Path),
    /// So is all that lies in a directory.
    TreeSynced(&'a Path),
    /// A restored tree is put in place, or what it holds is.
    Placed(&'a Path),
    /// Something else, which is one change by itself.
    Other,
}

#[cfg(not(test))]
fn tell(_: Change<'_>) -> io::Result<()> {
    Ok(())
}

/// What a thread runs before it makes changes for this one.
#[cfg(not(test))]
pub(super) fn handed_on() -> impl FnOnce() + Send + 'static {
    || ()
}

#[cfg(test)]
pub(super) use super::tests::doubt::handed_on;
#[cfg(test)]
use super::tests::doubt::tell;

/// A file is about to be made at a path.
pub(super) fn makes(path: &Path) {
    let _ = tell(Change::Made(path));
}

/// Something is about to be changed that is one change by itself.
pub(super) fn changes() {
    let _ = tell(Change::Other);
}

/// A restored tree is about to be put in place, or what it holds.
pub(super) fn places(tree: &Path) {
    let _ = tell(Change::Placed(tree));
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    tell(Change::Renamed(from, to))?;
    fs::rename(from, to)
}

/// Gives a file a name that nothing has by then; it may lose the one that it had.
pub(super) fn name_new(from: &Path, to: &Path) -> io::Result<()> {
    match tell(Change::Linked(to)).and_then(|()| fs::hard_link(from, to)) {
        // As FAT, and what is mounted from elsewhere.
        Err(error) if has_no_links(&error) => {}
        linked => return linked,
    }
    let renamed = tell(Change::Renamed(from, to))
        .and_then(|()| Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?));
    renamed.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => io::Error::new(
            ErrorKind::Unsupported,
            "its file system has neither hard links nor a rename that replaces nothing; store backups on another one",
        ),
        _ => error,
    })
}

fn has_no_links(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(
        error,
        Some(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::MLINK)
    )
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    tell(Change::Removed(path))?;
    fs::remove_file(path)
}

/// Makes durable what a file holds, which is known by this path.
pub(super) fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    tell(Change::FileSynced(path))?;
    file.sync_all()
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    tell(Change::DirectorySynced(path))?;
    File::open(path)?.sync_all()
}

/// Makes durable all that lies in a directory, and all else on its file system.
pub(super) fn sync_tree(path: &Path) -> io::Result<()> {
    tell(Change::TreeSynced(path))?;
    Ok(syncfs(File::open(path)?)?)
}
