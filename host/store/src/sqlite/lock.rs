//! The lock of a state directory: a file that is its owner's alone, and locked as a whole.
//!
//! Invariant: a lock that is held counts as a daemon's, but where each process that holds it has ended, or is of a user
//! who runs no daemon here. Such a user could open the file while it was open to others. It is replaced then by one that
//! nobody else can open, so that nobody else keeps a daemon from starting.
//! Invariant: who has locked a file that is not the one at the path any more has locked nothing, and tries again.

use super::{files::beside, private, regular};
use rustix::{
    fs::{FlockOperation, OFlags, flock, major, minor},
    io::Errno,
    process::{Pid, geteuid, test_kill_process},
};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Each try but the last finds that another file is there now.
const TRIES: usize = 8;

/// What became of a try to lock.
pub(super) enum Lock {
    /// It is held, until the file is unlocked.
    Held(File),
    /// Somebody else holds it: what the file says of them.
    InUse(String),
}

/// Takes the lock that the file at this path is, and makes the file (mode 0600) where it is not there. One that is open to
/// others is closed to them.
pub(super) fn take(path: &Path) -> io::Result<Lock> {
    let mut holder = String::new();
    for _ in 0..TRIES {
        let mut file = open(path)?;
        if lock(&file)? {
            if is_at(&file, path) {
                return Ok(Lock::Held(file));
            }
            continue;
        }
        holder.clear();
        let _ = file.read_to_string(&mut holder);
        if !is_held_by_strangers(&file, path)? {
            break;
        }
        tracing::warn!(
            path = %path.display(),
            "the lock was open to other users, and one of them, or nobody who lives, holds it; it is made anew"
        );
        if let Some(file) = replace(&file, path)? {
            return Ok(Lock::Held(file));
        }
    }
    Ok(Lock::InUse(holder))
}

/// The file, closed to others; no link is followed, and nothing else than a regular file is taken for one.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = private::files()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let file = regular::of(file)?;
    if let Err(error) = private::close(&file) {
        // Of another user, who then may be a daemon's.
        tracing::warn!(path = %path.display(), %error, "the lock stays open to others");
    }
    Ok(file)
}

/// Whether it could be locked.
fn lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(there)) => identity(open) == identity(there),
        _ => false,
    }
}

/// Puts a new file in the place of this one, locked already; none where another daemon was faster. The file beside it is the
/// lock of those who do this.
fn replace(strangers: &File, path: &Path) -> io::Result<Option<File>> {
    let new = beside(path, ".new");
    let file = open(&new)?;
    if !lock(&file)? || !is_at(strangers, path) || !is_at(&file, &new) {
        return Ok(None);
    }
    fs::rename(&new, path)?;
    Ok(Some(file))
}

/// Whether each process that holds the lock of this file is seen, and none of them can be a daemon.
fn is_held_by_strangers(file: &File, path: &Path) -> io::Result<bool> {
    let found = file.metadata()?;
    let directory = path.parent().unwrap_or(path).metadata()?;
    let users = [0, geteuid().as_raw(), directory.uid()];
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let holders = holders(&locks, found.dev(), found.ino());
    Ok(!holders.is_empty() && holders.into_iter().all(|pid| is_no_daemons(pid, &users)))
}

fn is_no_daemons(pid: Pid, users: &[u32]) -> bool {
    if test_kill_process(pid) == Err(Errno::SRCH) {
        return true;
    }
    let process = fs::metadata(format!("/proc/{}", pid.as_raw_nonzero()));
    process.is_ok_and(|process| !users.contains(&process.uid()))
}

/// The processes that have locked a file as a whole, of `/proc/locks`: see proc_locks(5).
fn holders(locks: &str, device: u64, inode: u64) -> Vec<Pid> {
    let file = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    let holder = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        // One that waits has an arrow there.
        if words.next()? != "FLOCK" {
            return None;
        }
        let pid = words.nth(2)?.parse().ok()?;
        if words.next()? != file {
            return None;
        }
        Pid::from_raw(pid)
    };
    locks.lines().filter_map(holder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    #[test]
    fn holders_are_those_of_the_very_file_who_do_not_wait() {
        let locks = "1: FLOCK  ADVISORY  WRITE 11 08:02:77 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 12 08:02:77 0 EOF\n\
                     2: POSIX  ADVISORY  READ 13 08:02:77 0 EOF\n\
                     3: FLOCK  ADVISORY  READ 14 08:02:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 15 08:02:78 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE 16 08:03:77 0 EOF\n\
                     6: FLOCK\n";
        let found = holders(locks, rustix::fs::makedev(8, 2), 77);
        let found: Vec<i32> = found
            .into_iter()
            .map(|pid| pid.as_raw_nonzero().get())
            .collect();
        assert_eq!(found, [11, 14]);
    }

    #[test]
    fn a_lock_is_never_what_is_no_regular_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            &path,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )
        .unwrap();
        let error = take(&path).err().unwrap().to_string();
        assert!(error.contains("no regular file"), "{error}");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &path).unwrap();
        assert!(take(&path).is_err());
        assert!(!directory.path().join("elsewhere").exists());
    }

    /// A process of this user that holds the lock of a file.
    fn hold(path: &Path, user: u32) -> Child {
        use std::os::unix::process::CommandExt;
        let mut holder = Command::new("flock")
            .arg(path)
            .args(["sh", "-c", "echo held; exec sleep 60"])
            .stdout(Stdio::piped())
            .uid(user)
            .spawn()
            .unwrap();
        let mut line = [0; 5];
        holder
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut line)
            .unwrap();
        holder
    }

    #[test]
    fn a_lock_that_a_process_of_this_user_holds_is_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let mut holder = hold(&path, geteuid().as_raw());
        assert!(matches!(take(&path).unwrap(), Lock::InUse(_)));
        holder.kill().unwrap();
        holder.wait().unwrap();
    }
}
