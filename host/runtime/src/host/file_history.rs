//! What the directory shows of a file that can be a plugin; when it is read and counts is decided by
//! `mainstay_domain::plugin_file`.

use mainstay_domain::plugin_file::FileStamp;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// What tells this content of the file from another.
pub(crate) fn stamp(metadata: &Metadata) -> FileStamp {
    FileStamp {
        inode: metadata.ino(),
        len: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// How long a file has lain there unchanged, as its times say; zero where they lie in the future.
pub(crate) fn age(metadata: &Metadata, now: SystemTime) -> Duration {
    let modified = metadata.modified().unwrap_or(now);
    now.duration_since(modified).unwrap_or_default()
}

/// What lies at a path, behind links; of a link that leads nowhere, the link.
pub(crate) fn look_at(path: &Path) -> io::Result<Metadata> {
    fs::metadata(path).or_else(|_| fs::symlink_metadata(path))
}

/// What lies in a plugin directory and is taken for a plugin, with what is known of it. What is no regular file is refused
/// and not passed over, as it was dropped like one: but directories count only where their name ends in `.wasm`.
pub fn plugin_files(directory: &Path) -> io::Result<BTreeMap<PathBuf, Metadata>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // What vanished between the two calls is simply not there.
        let Ok(metadata) = look_at(&entry.path()) else {
            continue;
        };
        let name = entry.file_name();
        let may_be_one = !metadata.is_dir() || name.as_encoded_bytes().ends_with(b".wasm");
        if may_be_one && is_candidate(&name) {
            found.insert(entry.path(), metadata);
        }
    }
    Ok(found)
}

/// Whether a file of this name can be a plugin: any name counts but hidden files, what programs write while they
/// copy, and signatures.
pub(crate) fn is_candidate(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let unfinished = [".tmp", ".part", ".partial", ".swp", ".crdownload", "~"];
    !name.starts_with('.')
        && !name.ends_with(".minisig")
        && !unfinished.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_under_way_and_of_signatures_do_not_count() {
        for good in ["a.wasm", "plugin", "Some Name.component"] {
            assert!(is_candidate(OsStr::new(good)), "{good}");
        }
        for bad in [
            ".a.wasm.swp",
            ".hidden",
            "a.wasm.part",
            "a.wasm~",
            "a.wasm.minisig",
            "a.tmp",
        ] {
            assert!(!is_candidate(OsStr::new(bad)), "{bad}");
        }
    }
}
