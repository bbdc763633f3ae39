//! Which file a process has as its standard output or standard error, whatever name the file has by now.

use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{log, stat};

/// What tells one file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// The places of a process's standard output and standard error.
fn outputs(pid: u32) -> [PathBuf; 2] {
    [1, 2].map(|number| PathBuf::from(format!("/proc/{pid}/fd/{number}")))
}

/// Whether standard output or standard error of a process are the file of this name.
pub(super) fn is_output_of(pid: u32, path: &Path) -> bool {
    let Ok(file) = FileId::of(path) else {
        return false;
    };
    let mut outputs = outputs(pid).into_iter();
    outputs.any(|output| FileId::of(&output).is_ok_and(|found| found == file))
}

/// The file that a process has as its output, where that is the log of this name, or was.
pub(super) fn written_by(pid: u32, path: &Path) -> Option<FileId> {
    outputs(pid).into_iter().find_map(|output| {
        let name = std::fs::read_link(&output).ok()?;
        let is_it = log::had_name(path, &name);
        is_it.then(|| FileId::of(&output).ok()).flatten()
    })
}

/// Opens the file that processes write to and that had this name before. `written` is that file, where it is known; the
/// log of another target it never is, which may be another file with its number by now. By a look at every process: that
/// is rare.
pub(super) fn open_former(path: &Path, written: Option<FileId>) -> Option<File> {
    let mut deleted = path.as_os_str().to_owned();
    deleted.push(" (deleted)");
    let is_it = |output: &PathBuf| match written {
        Some(written) => FileId::of(output).is_ok_and(|found| found == written),
        None => std::fs::read_link(output).is_ok_and(|name| name.as_os_str() == deleted),
    };
    let is_of_another = |output: &PathBuf| {
        let name = std::fs::read_link(output).unwrap_or_default();
        let logs = path.parent().filter(|_| name != path);
        logs.is_some_and(|logs| log::target_of(logs, &name).is_some())
    };
    let own = std::process::id();
    let others = stat::all().into_iter().filter(|&pid| pid != own);
    let mut outputs = others.flat_map(outputs);
    let output = outputs.find(|output| is_it(output) && !is_of_another(output))?;
    OpenOptions::new().read(true).write(true).open(output).ok()
}

/// Whether this descriptor of a process is open for writing.
pub(super) fn writes(pid: u32, descriptor: &str) -> bool {
    let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}"));
    let info = info.unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| {
        OFlags::from_bits_retain(flags).intersects(OFlags::WRONLY | OFlags::RDWR)
    })
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
        assert!(open_former(&web, number).is_none());
        std::fs::rename(&other, dir.path().join("web.log.old")).unwrap();
        assert!(open_former(&web, number).is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
