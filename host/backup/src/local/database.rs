//! Databases among the files of a source that somebody has open: a copy of their files may be of no use.
//!
//! SQLite keeps what is not yet in a database in a write-ahead log or a rollback journal beside it (sqlite.org/fileformat2.html).
//! The two are read one after the other, and what is written between them belongs to neither copy.

use super::{
    source::{Found, WalkRules},
    tree::Tree,
};
use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::Path,
};

/// What every SQLite database begins with, section 1.2.
const DATABASE: &[u8] = b"SQLite format 3\0";
/// The smallest page: the length of a database is a multiple of it.
const PAGE: u64 = 512;

/// The end of the name of what lies beside a database that is written to, and what it begins with as long as it counts: section
/// 4.1 for the log, 3 for the journal, which is emptied, overwritten or removed at the end of a transaction.
const LOGS: [(&[u8], &[u8]); 2] = [
    (b"-wal", &[0x37, 0x7f, 0x06]),
    (
        b"-journal",
        &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7],
    ),
];

/// Looks whether a file that was read belongs to a database that is in use, and warns of it, once: what was read is no
/// state that the database ever had.
pub(super) fn look(found: &Found<'_>, rules: &WalkRules<'_>, warnings: &mut Vec<String>) {
    let (name, path) = (found.relative.as_slice(), found.path.as_os_str().as_bytes());
    let (database, path) = match (of_log(name), of_log(path)) {
        (Some(database), Some(path)) => (database, path),
        _ if found.metadata.len() > 0 && found.metadata.len().is_multiple_of(PAGE) => (name, path),
        _ => return,
    };
    if !is_in_use(found.tree, database) {
        return;
    }
    rules.gaps.note();
    let warning = format!(
        "the SQLite database {} is in use, or was not closed, and the copy of its files may be malformed; end what has it open \
         while it is backed up, or exclude its files and let a source of kind \"sqlite\" copy it",
        Path::new(OsStr::from_bytes(path)).display()
    );
    if !warnings.contains(&warning) {
        warnings.push(warning);
    }
}

/// The name of the database that a log with this name is of.
fn of_log(name: &[u8]) -> Option<&[u8]> {
    LOGS.iter().find_map(|(end, _)| name.strip_suffix(*end))
}

fn is_in_use(tree: &Tree, database: &[u8]) -> bool {
    begins_with(tree, database, DATABASE)
        && LOGS
            .iter()
            .any(|(end, log)| begins_with(tree, &[database, *end].concat(), log))
}

fn begins_with(tree: &Tree, name: &[u8], expected: &[u8]) -> bool {
    let mut begin = vec![0; expected.len()];
    let read = tree
        .file(name)
        .and_then(|file| file.read_exact_at(&mut begin, 0));
    read.is_ok() && begin == expected
}
