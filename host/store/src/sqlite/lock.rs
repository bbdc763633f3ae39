//! One daemon to a state directory: an exclusive lock on a file in it, which names its holder.
//!
//! Invariant: the lock goes with the process, however that ends; the file stays and is never a sign of anything.

use super::error::sentence;
use crate::port::{StoreError, StoreErrorKind};
use mainstay_domain::code::ErrorCode;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

const FILE_NAME: &str = "lock";

/// Holds the state directory until it is dropped.
#[derive(Debug)]
pub(super) struct StateLock {
    file: File,
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Not left to the close: a child that is just being started has the descriptor until it runs its program.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl StateLock {
    /// Makes the directory where it is not there, and takes its lock. `journal` is what errors are about.
    pub(super) fn take(state_dir: &Path, journal: &Path) -> Result<Self, StoreError> {
        let failed = |what: String| sentence(journal, StoreErrorKind::Unavailable, what);
        make_directory(state_dir).map_err(failed)?;
        let path = state_dir.join(FILE_NAME);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failed(format!("cannot be locked: {}: {error}", path.display())))?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(failed(format!(
                    "cannot be locked: {}: {error}",
                    path.display()
                )));
            }
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another daemon".to_owned(),
                pid => format!("the daemon with pid {pid}"),
            };
            return Err(failed(ErrorCode::StateDirInUse.mark(format!(
                "is in use by {holder}; stop it first, or give this one a `state_dir` of its own"
            ))));
        }
        // For people only; a lock whose holder cannot be named is still a lock.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file })
    }
}

/// A directory that was there before keeps its mode, for the operator may share it; but who can write to it could
/// swap the journal.
fn make_directory(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match path.metadata() {
        Ok(found) if !found.is_dir() => Err(format!("cannot be made: {shown} is not a directory")),
        Ok(found) if found.permissions().mode() & 0o002 != 0 => {
            Err(ErrorCode::StateDirOpen.mark(format!(
                "is not safe: everybody may write to {shown} (mode {:o}); run `chmod 700 {shown}`",
                found.permissions().mode() & 0o7777
            )))
        }
        Ok(_) => Ok(()),
        Err(_) => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| format!("cannot be made: directory {shown}: {error}")),
    }
}

/// Makes an empty file that only its owner can read, or narrows the mode of one that is there.
pub(super) fn make_private_file(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    if let Some(parent) = path.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}
