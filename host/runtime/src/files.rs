//! Files that only their owner reads and that are never seen half-written.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, DirEntry, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// How the name of what is being written begins; the number of the process and one of its own follow.
const UNFINISHED: &str = ".new-";
/// No write lasts so long.
const LONGEST_WRITE: Duration = Duration::from_secs(3_600);

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Makes a directory for its owner only, with its parents; one that is there is closed to others.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Writes a file as a whole or not at all, readable by its owner only. On return the bytes are on the disk.
pub(crate) fn write_atomically(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let unique = format!(
        "{UNFINISHED}{}-{}",
        std::process::id(),
        SERIAL.fetch_add(1, Relaxed)
    );
    let temporary = directory.join(unique);
    let written = write_new(&temporary, parts).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is left of a failed write is in nobody's way, and the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(directory)?.sync_all()
}

/// Removes what was left unfinished by processes that were killed while they wrote. What cannot be removed stays.
pub(crate) fn remove_unfinished(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_unfinished(&entry.file_name()) && is_old(entry)) {
        if let Err(error) = fs::remove_file(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "what a write left unfinished stays");
        }
    }
}

fn is_unfinished(name: &OsStr) -> bool {
    let name = name.to_str();
    let numbers = name.and_then(|name| name.strip_prefix(UNFINISHED)?.split_once('-'));
    numbers.is_some_and(|(pid, serial)| pid.parse::<u32>().is_ok() && serial.parse::<u64>().is_ok())
}

fn is_old(entry: &DirEntry) -> bool {
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    let age = written.ok().and_then(|written| written.elapsed().ok());
    age.is_some_and(|age| age > LONGEST_WRITE)
}

fn write_new(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let open = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    };
    let mut file = match open() {
        // An earlier process had this number, as the first of a container always has, and was killed while it wrote.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            open()?
        }
        opened => opened?,
    };
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn what_a_killed_process_of_the_same_number_left_is_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        let next = SERIAL.load(Relaxed);
        // Other tests write meanwhile.
        for serial in next..next + 1_000 {
            let left = format!("{UNFINISHED}{}-{serial}", std::process::id());
            fs::write(directory.path().join(left), "left").unwrap();
        }
        let path = directory.path().join("file");
        write_atomically(&path, &[b"who", b"le"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn what_was_left_unfinished_long_ago_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let long_ago = SystemTime::now() - 2 * LONGEST_WRITE;
        let names = [".new-7-0", ".new-7-1", ".new-mine", "new-7-0", "file"];
        for name in names {
            let file = File::create(directory.path().join(name)).unwrap();
            if name != ".new-7-1" {
                file.set_modified(long_ago).unwrap();
            }
        }
        remove_unfinished(directory.path());
        for name in names {
            let is_left = directory.path().join(name).exists();
            assert_eq!(is_left, name != ".new-7-0", "{name}");
        }
        remove_unfinished(&directory.path().join("none"));
    }
}
