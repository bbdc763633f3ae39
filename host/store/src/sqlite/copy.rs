//! A copy of a journal in one file, also of one that a daemon is writing.

use super::{
    FILE_NAME,
    error::{damaged, explain, sentence},
    open::{first_damage, open_to_read, recognise},
    private,
};
use crate::port::{StoreError, StoreErrorKind as Kind};
use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// Copies the journal of a state directory into a new file, reads the copy back, and gives its size in bytes. It holds
/// what was durable at one moment; the daemon goes on writing.
///
/// # Errors
/// `to` is there already, cannot be written, or the journal cannot be read; nothing of the copy is left then.
pub fn copy(state_dir: &Path, to: &Path) -> Result<u64, StoreError> {
    let path = state_dir.join(FILE_NAME);
    let failed = |error: io::Error| {
        let what = format!("cannot be copied to {}: {error}", to.display());
        sentence(&path, Kind::Unavailable, what)
    };
    let connection = open_to_read(&path).map_err(|error| explain(&path, &error))?;
    // Its owner's alone from the first byte on; SQLite takes an empty file for none.
    private::files()
        .write(true)
        .create_new(true)
        .open(to)
        .map_err(failed)?;
    let written = connection
        .execute("VACUUM INTO ?1", [to.to_string_lossy()])
        .map_err(|error| explain(&path, &error))
        .and_then(|_| read_back(to))
        .and_then(|()| sync(to).map_err(failed));
    if written.is_err() {
        let _ = fs::remove_file(to);
    }
    written
}

fn read_back(copy: &Path) -> Result<(), StoreError> {
    let explained = |error: rusqlite::Error| explain(copy, &error);
    let connection = open_to_read(copy).map_err(explained)?;
    let version = recognise(&connection, copy)?;
    match first_damage(&connection, version).map_err(explained)? {
        Some(found) => Err(sentence(copy, Kind::Unreadable, damaged(copy, &found))),
        None => Ok(()),
    }
}

fn sync(copy: &Path) -> io::Result<u64> {
    let file = File::open(copy)?;
    file.sync_all()?;
    let directory = copy
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file.metadata()?.len())
}
