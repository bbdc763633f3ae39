//! The files below a directory.
//!
//! Invariant: links are not followed, so nothing outside the directory is found.
//! Invariant: memory is bounded: after `MOST_FILES` the search ends.

use crate::decide::File;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// How many files are looked at in one run.
const MOST_FILES: usize = 50_000;

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Regular files whose names match.
    pub(crate) files: Vec<File>,
    /// Whether there are no more.
    pub(crate) complete: bool,
}

/// Finds the regular files below a directory whose names end in one of the suffixes, or all for no suffixes. A
/// directory below that can't be read is left out.
pub(crate) fn find(directory: &Path, suffixes: &[String]) -> io::Result<Found> {
    let mut files = Vec::new();
    let mut waiting = vec![std::fs::read_dir(directory)?];
    while let Some(entries) = waiting.last_mut() {
        let Some(entry) = entries.next() else {
            waiting.pop();
            continue;
        };
        let Ok(entry) = entry else { continue };
        // Of the entry itself, not of what it may link to.
        let Ok(metadata) = entry.path().symlink_metadata() else {
            continue;
        };
        if metadata.is_dir() {
            if let Ok(below) = std::fs::read_dir(entry.path()) {
                waiting.push(below);
            }
        } else if metadata.is_file() && matches(&entry.file_name().to_string_lossy(), suffixes) {
            if files.len() == MOST_FILES {
                return Ok(Found {
                    files,
                    complete: false,
                });
            }
            let modified = metadata
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let modified = modified.map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            });
            files.push(File {
                path: entry.path(),
                bytes: metadata.len(),
                modified,
            });
        }
    }
    Ok(Found {
        files,
        complete: true,
    })
}

fn matches(name: &str, suffixes: &[String]) -> bool {
    suffixes.is_empty()
        || suffixes
            .iter()
            .any(|suffix| name.ends_with(suffix.as_str()))
}
