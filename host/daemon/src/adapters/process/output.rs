//! Which file a process has as its standard output or standard error, whatever name the file has by now.

use super::{log, stat};
use crate::adapters::limits;
use mainstay_domain::{name::TargetName, record::OutputFile};
use parking_lot::Mutex;
use rustix::fs::OFlags;
use std::{
    collections::HashMap,
    fmt::Display,
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// What tells one file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
    /// The number of a file that was deleted is given to another one, which was made later. None where the file system does
    /// not know.
    made_at: Option<SystemTime>,
}

impl FileId {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from_metadata(&std::fs::metadata(path)?))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            made_at: metadata.created().ok(),
        }
    }

    /// What a log was opened as, where that is a file of the daemon's own: one that an operator links to is not.
    pub(super) fn opened(log: &Path, file: &File) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        let is_own = metadata.is_file() && !log.is_symlink();
        is_own.then(|| Self::from_metadata(&metadata))
    }

    /// As it is written down; none of one that is not told from a later one with its number.
    pub(super) fn record(self) -> Option<OutputFile> {
        let since = self.made_at?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(OutputFile {
            device: self.device,
            inode: self.inode,
            made_at_ns: u64::try_from(since.as_nanos()).ok()?,
        })
    }

    /// As it was written down.
    pub(super) fn recorded(file: OutputFile) -> Self {
        let since = Duration::from_nanos(file.made_at_ns);
        Self {
            device: file.device,
            inode: file.inode,
            made_at: SystemTime::UNIX_EPOCH.checked_add(since),
        }
    }
}

/// The files that the processes of targets write to, whatever their names are: known from when the log is kept until nothing
/// of the target lives any more. A file is of one target: of the last that it was known to be of.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    of_targets: HashMap<TargetName, FileId>,
    targets: HashMap<FileId, TargetName>,
}

impl Files {
    fn know(&mut self, target: TargetName, file: FileId) {
        self.forget(&target);
        if let Some(other) = self.targets.insert(file, target.clone()) {
            self.of_targets.remove(&other);
        }
        self.of_targets.insert(target, file);
    }

    fn forget(&mut self, target: &TargetName) {
        if let Some(file) = self.of_targets.remove(target) {
            self.targets.remove(&file);
        }
    }
}

impl Written {
    /// The log of this name is that file.
    pub(super) fn know(&self, path: &Path, file: Option<FileId>) {
        // One without its time is not told from a later one with its number.
        // And what an operator links to is no file of the daemon's own, so others may write to it.
        let file = file.filter(|file| file.made_at.is_some() && !path.is_symlink());
        if let (Some(target), Some(file)) = (target_of(path), file) {
            self.0.lock().know(target, file);
        }
    }

    pub(super) fn of(&self, target: &TargetName) -> Option<FileId> {
        self.0.lock().of_targets.get(target).copied()
    }

    pub(super) fn forget(&self, path: &Path) {
        if let Some(target) = target_of(path) {
            self.0.lock().forget(&target);
        }
    }

    /// Whose file this descriptor is, by a look at it.
    fn owner(&self, output: &Path) -> Option<TargetName> {
        if self.0.lock().targets.is_empty() {
            return None;
        }
        let found = FileId::of(output).ok()?;
        self.0.lock().targets.get(&found).cloned()
    }

    /// Whose file this descriptor is. Only one that can be is looked at: of others the file system may not answer.
    fn target_of(&self, output: &Path, info: &Info) -> Option<TargetName> {
        let known: Vec<(TargetName, FileId)> = {
            let known = self.0.lock();
            let alike = known
                .of_targets
                .iter()
                .filter(|(_, file)| Some(file.inode) == info.inode);
            alike
                .map(|(target, file)| (target.clone(), *file))
                .collect()
        };
        let mut known = known.into_iter();
        let (target, _) =
            known.find(|(_, file)| FileId::of(output).is_ok_and(|found| found == *file))?;
        Some(target)
    }
}

fn target_of(path: &Path) -> Option<TargetName> {
    log::target_of(path.parent()?, path)
}

/// Whose output a process writes, by standard output or standard error: to the log of that target, or to a file that was
/// it before. The error is what the daemon lacks, so that nobody knows.
pub(super) fn target_written_by(
    pid: u32,
    logs: &Path,
    written: &Written,
) -> io::Result<Option<TargetName>> {
    for number in [1, 2] {
        let output = place(pid, number);
        let Some(name) = limits::seen(std::fs::read_link(&output))? else {
            continue;
        };
        let former = || {
            let target = log::former_target_of(logs, &name)?;
            is_seen_from_here(logs, &name, &output).then_some(target)
        };
        let target = match log::target_of(logs, &name) {
            // One that was moved to the name of another log is still its own target's.
            Some(_) => written.owner(&output).or_else(former),
            None => {
                // What reads a log and writes to another file beside it, a compressor say, does not append.
                let info = Info::of(pid, &number)?
                    .filter(|info| name.is_absolute() && info.flags.contains(OFlags::APPEND));
                info.and_then(|info| former().or_else(|| written.target_of(&output, &info)))
            }
        };
        if target.is_some() {
            return Ok(target);
        }
    }
    Ok(None)
}

/// Whether the file of a descriptor is the one that has this name here, or was deleted and can have had it. In another
/// mount namespace, that of a container say, a file of another directory has the same name.
pub(super) fn is_seen_from_here(logs: &Path, name: &Path, descriptor: &Path) -> bool {
    let Ok(found) = std::fs::metadata(descriptor) else {
        return false;
    };
    if found.nlink() == 0 {
        return std::fs::metadata(logs).is_ok_and(|logs| logs.dev() == found.dev());
    }
    FileId::of(name).is_ok_and(|file| file == FileId::from_metadata(&found))
}

/// Where standard output or standard error of a process is.
pub(super) fn place(pid: u32, number: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/fd/{number}"))
}

/// Whether standard output or standard error of a process are a file that the daemon handed out for this target.
pub(super) fn is_output_of(pid: u32, logs: &Path, target: &TargetName, written: &Written) -> bool {
    let present = FileId::of(&log::path(logs, target)).ok();
    let handed_out = [present, written.of(target)];
    [1, 2].into_iter().any(|number| {
        let found = FileId::of(&place(pid, number));
        found.is_ok_and(|found| handed_out.contains(&Some(found)))
    })
}

/// The file that a process has as its output, where that is the log of this name, or was.
pub(super) fn written_by(pid: u32, path: &Path) -> Option<FileId> {
    [1, 2].into_iter().find_map(|number| {
        let output = place(pid, number);
        let name = std::fs::read_link(&output).ok()?;
        let is_it = log::had_name(path, &name);
        is_it.then(|| FileId::of(&output).ok()).flatten()
    })
}

/// Opens the file that processes write to and that had this name before. `written` is that file, where it is known; the
/// log of another target it never is, which may be another file with its number by now: those that are `known`, and all that
/// have the name of one where nobody can tell by the file. By a look at every process: that is rare.
pub(super) fn open_former(path: &Path, written: Option<FileId>, known: &Written) -> Option<File> {
    let is_told_apart = written.is_some_and(|written| written.made_at.is_some());
    let mut deleted = path.as_os_str().to_owned();
    deleted.push(" (deleted)");
    let is_it = |pid: u32, number: u32, name: &Path| match written {
        // One with another number is not looked at: its file system may not answer.
        Some(written) => {
            let info = Info::of(pid, &number).ok().flatten();
            let inode = info.and_then(|info| info.inode);
            inode.is_none_or(|inode| inode == written.inode)
                && FileId::of(&place(pid, number)).is_ok_and(|found| found == written)
        }
        None => {
            let logs = path.parent().filter(|_| name.as_os_str() == deleted);
            logs.is_some_and(|logs| is_seen_from_here(logs, name, &place(pid, number)))
        }
    };
    let is_of_another = |name: &Path| {
        let logs = path.parent().filter(|_| name != path);
        let other = logs.and_then(|logs| log::target_of(logs, name));
        other.is_some_and(|other| !is_told_apart || known.of(&other) == written)
    };
    let own = std::process::id();
    let others = stat::all().unwrap_or_default().into_iter();
    let others = others.filter(|&pid| pid != own);
    let mut outputs = others.flat_map(|pid| [1, 2].map(|number| (pid, number)));
    let (pid, number) = outputs.find(|&(pid, number)| {
        let name = std::fs::read_link(place(pid, number));
        name.is_ok_and(|name| {
            name.is_absolute() && !is_of_another(&name) && is_it(pid, number, &name)
        })
    })?;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.open(place(pid, number)).ok()
}

/// What the kernel tells of a descriptor without a look at its file.
struct Info {
    flags: OFlags,
    /// Not told by kernels before 5.14.
    inode: Option<u64>,
}

impl Info {
    /// The error is what the daemon lacks.
    fn of(pid: u32, descriptor: &impl Display) -> io::Result<Option<Self>> {
        let file = format!("/proc/{pid}/fdinfo/{descriptor}");
        let info = limits::seen(stat::read_to_end(Path::new(&file)))?;
        Ok(info.and_then(|info| Self::parse(std::str::from_utf8(&info).ok()?)))
    }

    fn parse(info: &str) -> Option<Self> {
        let flags = u32::from_str_radix(field(info, "flags:")?, 8).ok()?;
        Some(Self {
            flags: OFlags::from_bits_retain(flags),
            inode: field(info, "ino:").and_then(|inode| inode.parse().ok()),
        })
    }
}

fn field<'a>(info: &'a str, label: &str) -> Option<&'a str> {
    let mut lines = info.lines();
    lines.find_map(|line| line.strip_prefix(label).map(str::trim))
}

/// Whether this descriptor of a process is open for writing. The error is what the daemon lacks.
pub(super) fn writes(pid: u32, descriptor: &str) -> io::Result<bool> {
    let info = Info::of(pid, &descriptor)?;
    Ok(info.is_some_and(|info| info.flags.intersects(OFlags::WRONLY | OFlags::RDWR)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_another_target_is_never_taken_for_one_that_was_moved() {
        let dir = tempfile::tempdir().unwrap();
        let (web, other) = (dir.path().join("web.log"), dir.path().join("other.log"));
        let (out, err) = log::open(&other).unwrap();
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("1000")
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap();
        // As where the number of a file that was deleted was given to a new one.
        let number = FileId::of(&other).ok();
        let known = Written::default();
        known.know(&other, number);
        assert!(open_former(&web, number, &known).is_none());
        std::fs::rename(&other, dir.path().join("web.log.old")).unwrap();
        assert!(open_former(&web, number, &known).is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_file_is_of_the_last_target_that_it_was_known_to_be_of() {
        let name = |text: &str| TargetName::parse(text).unwrap();
        let file = |inode| FileId {
            device: 1,
            inode,
            made_at: Some(SystemTime::UNIX_EPOCH),
        };
        let mut files = Files::default();
        files.know(name("a"), file(1));
        files.know(name("b"), file(2));
        // Renamed, and then the name is another one's.
        files.know(name("c"), file(1));
        assert_eq!(files.targets.get(&file(1)), Some(&name("c")));
        assert_eq!(files.of_targets.get(&name("a")), None);
        files.know(name("a"), file(3));
        // Started anew with another file.
        files.know(name("b"), file(4));
        assert_eq!(files.targets.get(&file(2)), None);
        files.forget(&name("a"));
        files.forget(&name("a"));
        assert_eq!(files.targets.len(), 2);
        assert_eq!(files.of_targets.len(), 2);
    }

    #[test]
    fn what_is_written_down_of_a_file_is_that_file_and_one_that_an_operator_links_to_is_not_written_down()
     {
        let dir = tempfile::tempdir().unwrap();
        let (web, linked) = (dir.path().join("web.log"), dir.path().join("linked.log"));
        let (out, _) = log::open(&web).unwrap();
        let opened = FileId::opened(&web, &out).unwrap();
        assert_eq!(Some(opened), FileId::of(&web).ok());
        if let Some(record) = opened.record() {
            assert_eq!(FileId::recorded(record), opened);
        } else {
            println!("skipped: this file system does not tell when a file was made");
        }
        std::os::unix::fs::symlink(&web, &linked).unwrap();
        let (out, _) = log::open(&linked).unwrap();
        assert_eq!(FileId::opened(&linked, &out), None);
        let (null, _) = log::open(Path::new("/dev/null")).unwrap();
        assert_eq!(FileId::opened(Path::new("/dev/null"), &null), None);
    }
}
