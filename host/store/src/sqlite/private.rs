//! Files and directories that are for their owner alone.

use super::{
    files::{beside, sync_directory},
    regular::AT_ONCE,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Makes files that only their owner can read; one that is there keeps its mode.
pub(super) fn files() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(AT_ONCE);
    options
}

/// Makes directories that only their owner can enter; one that is there keeps its mode.
pub(super) fn directories() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Makes an empty file that only its owner can read, or narrows the mode of one that is there.
pub(super) fn make_file(path: &Path) -> io::Result<()> {
    let mut options = files();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    close(&file)?;
    if let Some(parent) = path.parent() {
        sync_directory(parent)?;
    }
    Ok(())
}

/// Has a file be its owner's alone.
pub(super) fn close(file: &File) -> io::Result<()> {
    match file.metadata()?.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => file.set_permissions(Permissions::from_mode(0o600)),
    }
}

/// Takes these bits of the mode away from a regular file or a directory; the mode before, where it had any of them. No link
/// is followed, and nothing is opened: a file of SQLite that is closed loses the locks that this process has on it.
pub(super) fn take_away(path: &Path, bits: u32) -> io::Result<Option<u32>> {
    let found = match path.symlink_metadata() {
        Ok(found) if found.is_file() || found.is_dir() => found,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mode = found.permissions().mode() & 0o7777;
    if mode & bits == 0 {
        return Ok(None);
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !bits))?;
    Ok(Some(mode))
}

/// Puts a file with these bytes in place, whole and on the disk, readable by its owner only; the file, open to be written.
/// It is made beside it, as `NAME.new`, and renamed: what a loss of power leaves of that is in nobody's way.
///
/// # Errors
/// Those of the file system; what was there is there still, but for an error of the last step, the directory's.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let unfinished = beside(path, ".new");
    let file = files()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&unfinished)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    if let Some(directory) = path.parent() {
        sync_directory(directory)?;
    }
    Ok(file)
}
