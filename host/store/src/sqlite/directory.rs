//! The state directory, and its one owner, which makes, checks and locks it.
//!
//! Invariant: one daemon to a state directory: an exclusive lock on a file in it, which names its holder, is held for as
//! long as anything of the daemon works there.
//! Invariant: the lock goes with the process, however that ends; the file stays and is never a sign of anything.
//! Invariant: what of the daemon's is there before, open to others, is closed to them before it is used.

use super::{
    FILE_NAME as JOURNAL,
    error::{disk_remedy, sentence},
    files::{family, sync_directory},
    lock::{self, Lock},
    private,
};
use crate::port::{StoreError, StoreErrorKind};
use mainstay_domain::code::ErrorCode;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::File,
    io::{self, Seek, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(super) const FILE_NAME: &str = "lock";

/// What else of the daemon's, but for the journal, lies in the directory and is for its owner alone: who could read it could lock it too.
const PRIVATE_FILES: [&str; 8] = [
    "reserve",
    "reserve.probe",
    "settled-clock.json",
    "program-version.json",
    "compiled.key",
    "orders.json",
    "backup-signing.key",
    "backup-signing.before",
];

/// Directories that an operator may let a group read, but in which nobody else may put files in the place of the daemon's.
const DIRECTORIES: [&str; 5] = ["backups", "compiled", "logs", "outputs", "plugins"];

/// A state directory that is this program's, until the last of those who share this value is gone.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    lock: File,
}

impl Drop for StateDirectory {
    fn drop(&mut self) {
        // Not left to the close: a child that is just being started has the descriptor until it runs its program.
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

impl StateDirectory {
    /// Makes the directory (mode 0700) where it is not there, and takes its lock.
    ///
    /// # Errors
    /// It is refused, with nothing changed, where others may write to it, or another daemon uses it. What is told is
    /// told of the journal in it.
    pub fn take(path: &Path) -> Result<Arc<Self>, StoreError> {
        let journal = path.join(JOURNAL);
        let failed = |what: String| sentence(&journal, StoreErrorKind::Unavailable, what);
        make(path).map_err(failed)?;
        let state_dir = path.to_owned();
        let path = path.join(FILE_NAME);
        let locked = lock::take(&path).map_err(|error| {
            let remedy = lock_remedy(&error);
            failed(format!(
                "cannot be locked: {}: {error}{remedy}",
                path.display()
            ))
        })?;
        let mut file = match locked {
            Lock::Held(file) => file,
            Lock::InUse(holder) => {
                let holder = match holder.trim() {
                    "" => "another daemon".to_owned(),
                    pid => format!("the daemon with pid {pid}"),
                };
                return Err(failed(ErrorCode::StateDirInUse.mark(format!(
                    "is in use by {holder}; stop it first, or give this one a `state_dir` of its own"
                ))));
            }
        };
        close_to_others(&state_dir);
        // For people only; a lock whose holder cannot be named is still a lock.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Arc::new(Self {
            path: state_dir,
            lock: file,
        }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What to do where the lock cannot be taken. Who may not even open it is mostly another user than the daemon's.
fn lock_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; run it as the user that owns the directory, as with `sudo -u`, or name another `state_dir`"
        }
        _ => disk_remedy(error),
    }
}

/// What cannot be closed is told and used: it was no other before.
fn close_to_others(state_dir: &Path) {
    let journal = family(&state_dir.join(JOURNAL)).map(|path| (path, 0o077));
    let files = PRIVATE_FILES.map(|name| (state_dir.join(name), 0o077));
    let directories = DIRECTORIES.map(|name| (state_dir.join(name), 0o002));
    for (path, forbidden) in journal.into_iter().chain(files).chain(directories) {
        match private::take_away(&path, forbidden) {
            Ok(None) => {}
            Ok(Some(mode)) => tracing::warn!(
                path = %path.display(), mode = format!("{mode:o}"),
                "it was open to other users, and is closed to them now"
            ),
            Err(error) => tracing::warn!(path = %path.display(), %error, "it stays open to others"),
        }
    }
}

/// A directory that was there before keeps its mode, for the operator may share it; but who can write to it could
/// swap the journal.
fn make(path: &Path) -> Result<(), String> {
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
        Err(_) => make_anew(path).map_err(|error| {
            let remedy = disk_remedy(&error);
            format!("cannot be made: directory {shown}: {error}{remedy}")
        }),
    }
}

/// The names of the directories that were made survive a loss of power, as what is acknowledged in them does.
fn make_anew(path: &Path) -> io::Result<()> {
    let above = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut parents = vec![above(path)];
    while let Some(missing) = parents.last().filter(|parent| !parent.exists()) {
        let parent = above(missing);
        parents.push(parent);
    }
    private::directories().recursive(true).create(path)?;
    parents.iter().try_for_each(|parent| sync_directory(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_take_the_lock_is_told_as_whom_to_run() {
        let remedy = lock_remedy(&io::ErrorKind::PermissionDenied.into());
        assert!(
            remedy.contains("as the user that owns the directory"),
            "{remedy}"
        );
        let other = lock_remedy(&io::ErrorKind::ReadOnlyFilesystem.into());
        assert!(other.contains("mount it writable"), "{other}");
    }
}
