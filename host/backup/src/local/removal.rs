//! Removes whole trees.
//!
//! Invariant: what cannot be removed keeps nothing else of its tree from being removed.
//! Invariant: no tree is too deep: so many directories are open at once, and what is below them is moved up first.

use super::{error::unavailable, mounts::check_none_within, tree::names};
use crate::port::BackupStoreError;
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, chmodat, openat, renameat_with, unlinkat},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

/// So deep it goes by itself.
const DEPTH: u32 = 100;

/// Removes a directory and all below it, also where directories among it forbid that to their owner; not where
/// something is mounted in it.
pub(super) fn remove_tree(path: &Path) -> Result<(), BackupStoreError> {
    let cannot = unavailable("cannot remove", path);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(metadata) if metadata.is_dir() => {
            check_none_within(&path.canonicalize().map_err(&cannot)?)?;
            remove_directory(path).map_err(&cannot)
        }
        _ => fs::remove_file(path).map_err(&cannot),
    }
}

fn remove_directory(path: &Path) -> io::Result<()> {
    let root = open(CWD, path.as_os_str())?;
    let mut moved = 0;
    loop {
        let before = moved;
        let emptied = empty(&root, &root, DEPTH, &mut moved);
        if moved == before {
            emptied?;
            return fs::remove_dir(path);
        }
    }
}

/// Removes what a directory holds, as much of it as can be; the error is the first. What is too deep is moved to the root, and
/// counted.
fn empty(directory: &File, root: &File, depth: u32, moved: &mut u64) -> io::Result<()> {
    let mut first = Ok(());
    let names = names(directory)?;
    for name in names.iter() {
        first = first.and(remove(directory, name, root, depth, moved));
    }
    first
}

fn remove(
    directory: &File,
    name: &OsStr,
    root: &File,
    depth: u32,
    moved: &mut u64,
) -> io::Result<()> {
    let refused = match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(error) => error,
    };
    let below = match open(directory.as_fd(), name) {
        // It is no directory, and that was the answer.
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(refused.into()),
        below => below?,
    };
    match depth.checked_sub(1) {
        Some(depth) => {
            empty(&below, root, depth, moved)?;
            Ok(unlinkat(directory, name, AtFlags::REMOVEDIR)?)
        }
        None => move_up(directory, name, root, moved),
    }
}

/// Opens a directory, and lets its owner list and change it.
fn open(above: BorrowedFd<'_>, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = File::from(openat(above, name, flags, Mode::empty())?);
    if !rustix::process::geteuid().is_root() {
        // Where that is needed and fails, what needs it says so.
        let _ = chmodat(above, name, Mode::RWXU, AtFlags::empty());
    }
    Ok(opened)
}

fn move_up(directory: &File, name: &OsStr, root: &File, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        let free = format!(".mainstay-removed-{moved}");
        match renameat_with(directory, name, root, free.as_str(), RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            renamed => return Ok(renamed?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tree::Tree;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_tree_of_any_depth_is_removed_and_where_its_links_lead_is_not() {
        for depth in [0, 1, 99, 100, 101, 102, 250, 3_000] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("tree");
            fs::create_dir(&path).unwrap();
            fs::write(directory.path().join("kept"), "").unwrap();
            symlink("..", path.join("link")).unwrap();
            fs::write(path.join("file"), "").unwrap();
            // A name that what is moved up might get.
            fs::create_dir_all(path.join(".mainstay-removed-1/x")).unwrap();
            let tree = Tree::open(&path).unwrap();
            let deep = vec!["d"; depth + 1].join("/");
            tree.new_directory(deep.as_bytes()).unwrap();
            tree.new_file(format!("{deep}/file").as_bytes()).unwrap();
            remove_tree(&path).unwrap();
            remove_tree(&path).unwrap();
            let left = fs::read_dir(directory.path()).unwrap().count();
            assert_eq!(left, 1, "{depth}");
        }
    }

    #[test]
    fn directories_that_forbid_it_to_their_owner_are_removed_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tree");
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/file"), "").unwrap();
        for closed in ["a/b", "a", ""] {
            fs::set_permissions(path.join(closed), fs::Permissions::from_mode(0o000)).unwrap();
        }
        remove_tree(&path).unwrap();
        assert!(!path.exists());
    }
}
