//! Output files of children, rotated by size.
//!
//! A child writes to its file itself (`O_APPEND`), so it neither stalls nor dies when the daemon does; a pipe through the
//! daemon would do both. So the file cannot be swapped under it: rotation copies the oldest part out, then takes it off
//! the front of the file. Where the file system can collapse a range (ext4, XFS) nothing is lost, whatever the child
//! writes meanwhile; elsewhere the file is truncated, and what is written between copy and truncation is lost.
//!
//! Invariant: `NAME.log` is the present file, `NAME.log.1` the newest rotated one, and none is above the number to keep.
//! Invariant: of one file there is one rotation at a time; two would take off what only one of them has copied.

mod rotation;

use crate::ports::ProcessError;
use mainstay_domain::name::TargetName;
use mainstay_runtime::own_directory;
use parking_lot::Mutex;
use rotation::rotate;
use rustix::fs::{OFlags, makedev};
use std::{
    collections::{HashMap, HashSet},
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long the next try waits after one that has failed, on a full disk say, where nobody asks for it.
const AFTER_A_FAILURE: Duration = Duration::from_secs(2);

/// How often the end of another rotation is looked for, every 10 ms.
const SOON: usize = 20;

/// The files that are being rotated, and those that could not be.
#[derive(Debug, Clone, Default)]
pub(super) struct Rotations(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    running: HashSet<PathBuf>,
    failed: HashMap<PathBuf, Instant>,
}

/// One of them, until it is dropped.
pub(super) struct Rotation {
    path: PathBuf,
    all: Rotations,
}

impl Rotations {
    /// None where a rotation of this file runs.
    pub(super) fn begin(&self, path: &Path) -> Option<Rotation> {
        let is_free = self.0.lock().running.insert(path.to_owned());
        is_free.then(|| Rotation {
            path: path.to_owned(),
            all: self.clone(),
        })
    }

    /// That of a target that is gone.
    pub(super) fn forget(&self, path: &Path) {
        self.0.lock().failed.remove(path);
    }

    /// The same, and none where the last one has failed just now.
    pub(super) fn begin_by_itself(&self, path: &Path) -> Option<Rotation> {
        let failed = self.0.lock().failed.get(path).copied();
        if failed.is_some_and(|at| at.elapsed() < AFTER_A_FAILURE) {
            return None;
        }
        self.begin(path)
    }
}

impl Drop for Rotation {
    fn drop(&mut self) {
        self.all.0.lock().running.remove(&self.path);
    }
}

impl Rotation {
    /// Rotates the file where it is larger than it may be.
    pub(super) fn run(self, max_bytes: u64, keep: u32) -> io::Result<()> {
        if !is_above(&self.path, max_bytes) {
            return Ok(());
        }
        let rotated = rotate(&self.path, max_bytes, keep);
        {
            let mut known = self.all.0.lock();
            known.failed.remove(&self.path);
            if rotated.is_err() {
                known.failed.insert(self.path.clone(), Instant::now());
            }
        }
        rotated
    }
}

/// Rotates a file where it is larger than it may be, unless another rotation of it lasts. `first` is called before that,
/// where it may block.
pub(super) async fn rotate_if_long(
    rotations: Rotations,
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    first: impl FnOnce() + Send + 'static,
) -> Result<(), ProcessError> {
    // Held to the end of its thread: with a disk that is slow, or hangs, the next turn comes before this one ends.
    let Some(rotation) = begin_soon(&rotations, &path).await else {
        return Ok(());
    };
    let rotate = move || {
        first();
        rotation.run(max_bytes, keep)
    };
    let rotated = tokio::task::spawn_blocking(rotate).await;
    let rotated = rotated.unwrap_or_else(|error| Err(io::Error::other(error)));
    rotated.map_err(|source| ProcessError::Rotate { path, source })
}

/// A rotation of this file; none where another one lasts.
pub(super) async fn begin_soon(rotations: &Rotations, path: &Path) -> Option<Rotation> {
    for _ in 0..SOON {
        if let Some(rotation) = rotations.begin(path) {
            return Some(rotation);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

/// Makes the directory for logs; only its owner can look into it. What lies there and cannot be used is put aside.
pub(super) fn make_directory(logs: &Path) -> io::Result<()> {
    own_directory::make(logs)
}

/// Where a target's output goes.
pub(super) fn path(logs: &Path, target: &TargetName) -> PathBuf {
    logs.join(format!("{target}.log"))
}

/// Where the output of a target's supervised process goes.
pub(in crate::adapters) fn log_of(state_dir: &Path, target: &TargetName) -> PathBuf {
    path(&state_dir.join("logs"), target)
}

/// Where what was rotated of a log lies; 1 is the newest.
pub(in crate::adapters) fn rotated_of(log: &Path, number: u32) -> PathBuf {
    rotation::numbered(log, number)
}

/// Whose output goes there.
pub(super) fn target_of(logs: &Path, file: &Path) -> Option<TargetName> {
    let name = file.strip_prefix(logs).ok()?.to_str()?;
    TargetName::parse(name.strip_suffix(".log")?).ok()
}

/// Whose output went there, where the file was moved within the directory or deleted since, as the kernel tells its name.
pub(super) fn former_target_of(logs: &Path, file: &Path) -> Option<TargetName> {
    let name = file.strip_prefix(logs).ok()?.to_str()?;
    let (name, rest) = name.split_once(".log")?;
    let is_below = rest.contains('/');
    TargetName::parse(name).ok().filter(|_| !is_below)
}

/// Whether a file that goes by this name now, as the kernel tells it, is the log, or may have been: it was deleted, or
/// moved to another name in the same directory that begins like the log's.
pub(super) fn had_name(path: &Path, now: &Path) -> bool {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.as_encoded_bytes().to_vec())
    };
    let (Some(log), Some(now_name)) = (name(path), name(now)) else {
        return false;
    };
    path.parent() == now.parent() && now_name.starts_with(&log)
}

/// Opens the file for standard output and standard error, in its directory, which is made again where somebody has taken it
/// away. What is neither a regular file nor `/dev/null` is refused: it may hold up who opens it or writes to it, and is not
/// waited for.
pub(super) fn open(path: &Path) -> io::Result<(File, File)> {
    let error = match open_there(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => error,
        opened => return opened,
    };
    // Not what that lies in: where a file system is gone, nothing is to be written in its place.
    let made = path
        .parent()
        .map(|logs| DirBuilder::new().mode(0o700).create(logs));
    match made {
        Some(Ok(())) => open_there(path),
        _ => Err(error),
    }
}

fn open_there(path: &Path) -> io::Result<(File, File)> {
    // Before it is opened, for that alone may do something to a device.
    if std::fs::metadata(path).is_ok_and(|metadata| !can_be_log(&metadata)) {
        return Err(odd());
    }
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if !can_be_log(&file.metadata()?) {
        return Err(odd());
    }
    // The child gets it as if it had been opened plainly.
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    Ok((file.try_clone()?, file))
}

/// The null device an operator may have linked to.
fn can_be_log(metadata: &Metadata) -> bool {
    let is_null = metadata.file_type().is_char_device() && metadata.rdev() == makedev(1, 3);
    metadata.is_file() || is_null
}

fn odd() -> io::Error {
    io::Error::other("it is no regular file; move it away")
}

/// Gives a log, and the rotated ones beside it, the name of another one. What has that name was left by a target that is
/// gone; it gets the name that is free then, so nothing is lost.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    swap(from, to)?;
    for number in 1.. {
        let (from, to) = (
            rotation::numbered(from, number),
            rotation::numbered(to, number),
        );
        if !from.exists() && !to.exists() {
            break;
        }
        // What is written has its place by now.
        if let Err(error) = swap(&from, &to) {
            tracing::warn!(log = %from.display(), %error, "a rotated log keeps the name of before");
            break;
        }
    }
    Ok(())
}

/// Each gets the other's name; either may be missing. In steps, for not every file system can do it in one.
fn swap(one: &Path, other: &Path) -> io::Result<()> {
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    match (is_there(one), is_there(other)) {
        (true, false) => std::fs::rename(one, other),
        (false, true) => std::fs::rename(other, one),
        (false, false) => Ok(()),
        (true, true) => {
            let aside = rotation::with_suffix(other, "renamed");
            std::fs::rename(other, &aside)?;
            if let Err(error) = std::fs::rename(one, other) {
                std::fs::rename(&aside, other)?;
                return Err(error);
            }
            std::fs::rename(&aside, one)
        }
    }
}

/// Whether it is larger than it may be.
pub(super) fn is_above(path: &Path, max_bytes: u64) -> bool {
    let is_above = |metadata: Metadata| metadata.is_file() && metadata.len() > max_bytes;
    std::fs::metadata(path).is_ok_and(is_above)
}

#[cfg(test)]
mod tests {
    use super::{rotation::numbered, *};

    fn content(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_file_that_is_being_rotated_is_not_rotated_again() {
        let dir = tempfile::tempdir().unwrap();
        let (web, other) = (dir.path().join("web.log"), dir.path().join("other.log"));
        std::fs::write(&web, "too long").unwrap();
        let rotations = Rotations::default();
        let running = rotations.begin(&web).unwrap();
        assert!(rotations.begin(&web).is_none() && rotations.begin(&other).is_some());
        running.run(4, 1).unwrap();
        assert_eq!(content(&numbered(&web, 1)), "too long");
        // One that is within its size, or not there yet, is no error.
        rotations.begin(&web).unwrap().run(4, 1).unwrap();
        rotations.begin(&other).unwrap().run(4, 1).unwrap();
        assert_eq!(content(&numbered(&web, 1)), "too long");
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once_and_the_null_device_is_taken() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        mkfifoat(CWD, at("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        for (name, to) in [
            ("link", "fifo"),
            ("zero", "/dev/zero"),
            ("null", "/dev/null"),
        ] {
            std::os::unix::fs::symlink(to, at(name)).unwrap();
        }
        // One that is read is refused too: who reads may stall, and with it the child.
        let _reader = std::fs::File::options()
            .read(true)
            .write(true)
            .open(at("fifo"))
            .unwrap();
        for name in ["fifo", "link", "directory", "zero"] {
            let error = open(&at(name)).unwrap_err();
            assert!(error.raw_os_error().is_none(), "{name}: {error}");
            assert!(!is_above(&at(name), 0), "{name}");
        }
        open(&at("null")).unwrap();
        // Its directory is made, and what that lies in is not.
        open(&at("none/web.log")).unwrap();
        open(&at("gone/logs/web.log")).unwrap_err();
        assert!(at("none/web.log").is_file() && !at("gone").exists());
        let (file, _) = open(&at("web.log")).unwrap();
        let flags = rustix::fs::fcntl_getfl(&file).unwrap();
        assert!(flags.contains(OFlags::APPEND) && !flags.contains(OFlags::NONBLOCK));
    }

    #[test]
    fn a_log_that_is_renamed_takes_its_rotated_ones_along_and_loses_none_of_that_name() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old.log"), dir.path().join("new.log"));
        // A log, and how many rotated ones it has, under the old and under the new name.
        for (of_old, of_new) in [
            (Some(2), None),
            (Some(1), Some(3)),
            (None, Some(1)),
            (None, None),
        ] {
            let write = |path: &Path, rotated: Option<u32>, text: &str| {
                let Some(rotated) = rotated else { return };
                std::fs::write(path, text).unwrap();
                for number in 1..=rotated {
                    std::fs::write(numbered(path, number), format!("{text} {number}")).unwrap();
                }
            };
            write(&old, of_old, "old");
            write(&new, of_new, "new");
            rename(&old, &new).unwrap();
            for (path, rotated, text) in [(&new, of_old, "old"), (&old, of_new, "new")] {
                assert_eq!(path.exists(), rotated.is_some(), "{of_old:?} {of_new:?}");
                assert!(rotated.is_none() || content(path) == text);
                for number in 1..=4 {
                    let file = numbered(path, number);
                    assert_eq!(file.exists(), number <= rotated.unwrap_or(0));
                    assert!(!file.exists() || content(&file) == format!("{text} {number}"));
                }
            }
            for file in std::fs::read_dir(dir.path()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
    }

    #[test]
    fn a_log_has_its_name_or_one_that_begins_with_it_in_the_same_directory() {
        let log = Path::new("/state/logs/web.log");
        for (now, expected) in [
            ("/state/logs/web.log", true),
            ("/state/logs/web.log (deleted)", true),
            ("/state/logs/web.log.old", true),
            ("/state/logs/web.log-20260101 (deleted)", true),
            ("/state/logs/web-1.log", false),
            ("/state/logs/a-web.log", false),
            ("/state/web.log", false),
            ("/dev/null", false),
            ("pipe:[1]", false),
        ] {
            assert_eq!(had_name(log, Path::new(now)), expected, "{now}");
        }
    }

    #[test]
    fn a_log_that_was_moved_or_deleted_still_names_its_target() {
        let logs = Path::new("/state/logs");
        for (file, expected) in [
            ("/state/logs/web.log", Some("web")),
            ("/state/logs/web.log (deleted)", Some("web")),
            ("/state/logs/web.log.old", Some("web")),
            ("/state/logs/web.log-20260101 (deleted)", Some("web")),
            ("/state/logs/web.log.d/other.log", None),
            ("/state/logs/web.old", None),
            ("/state/web.log.1", None),
            ("/state/logs/.log", None),
        ] {
            let found = former_target_of(logs, Path::new(file));
            let found = found.as_ref().map(TargetName::as_str);
            assert_eq!(found, expected, "{file}");
        }
    }

    #[test]
    fn only_a_target_log_names_a_target() {
        let logs = Path::new("/state/logs");
        let web = TargetName::parse("web").unwrap();
        assert_eq!(target_of(logs, &path(logs, &web)), Some(web));
        for other in [
            "/state/logs/web.log.1",
            "/state/web.log",
            "/state/logs/a/web.log",
            "pipe:[1]",
            "/state/logs/W.log",
        ] {
            assert_eq!(target_of(logs, Path::new(other)), None, "{other}");
        }
    }
}
