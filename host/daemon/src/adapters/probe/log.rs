//! What a log got since the look before, and whether a line of it matches.
//!
//! Invariant: a line counts once, also where the log was rotated between two looks: it is then looked for in `LOG.1`.
//! Invariant: what was written before the first look of a check does not count.
//! Invariant: no link of somebody else leads to a file that is not theirs (`links`).
//! Invariant: secrets are taken out of a line before anything of it is shown.

use super::{Seen, links, seen::io_cause};
use crate::ports::Secrets;
use mainstay_domain::{
    name::{CheckName, TargetName},
    spec::{CheckSpec, LogPattern},
};
use parking_lot::Mutex;
use regex::bytes::Regex;
use std::{
    collections::HashMap,
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

/// So much of what was written since is looked through, the newest of it.
const MOST: u64 = 8 << 20;
/// So many bytes before the place are kept, to know it again.
const KNOWN: u64 = 64;
/// A line that is longer is looked at in parts.
const LONGEST_LINE: u64 = 64 << 10;
/// So much of a line is shown.
const SHOWN: usize = 300;
/// So many checks are kept without a look at which of them are gone.
const FEW: usize = 64;

type Check = (TargetName, CheckName);

/// How far the checks of logs have read.
#[derive(Default)]
pub(super) struct LogLooks(Mutex<HashMap<Check, Kept>>);

/// What is kept of a check.
struct Kept {
    check: Weak<CheckSpec>,
    path: PathBuf,
    place: Place,
}

/// How far a log was read.
#[derive(Debug, Clone, Default)]
struct Place {
    inode: u64,
    offset: u64,
    /// What stands before the offset.
    before: Vec<u8>,
    /// How long the log was then.
    length: u64,
}

/// What was found since.
#[derive(Debug, Default, PartialEq)]
struct Found {
    lines: u32,
    last: Vec<u8>,
}

impl LogLooks {
    /// Reads what is new. There is one look of a check at a time. Blocks.
    pub(super) fn look(
        &self,
        target: TargetName,
        check: &Arc<CheckSpec>,
        file: &Path,
        pattern: &LogPattern,
        secrets: &dyn Secrets,
    ) -> Seen {
        let shown = file.display();
        let key = (target, check.name.clone());
        let known = self.0.lock().remove(&key);
        let known = known.filter(|kept| kept.path == file);
        let known = known.map(|kept| kept.place);
        let (place, found) = match since(file, known.as_ref(), pattern) {
            Ok(read) => read,
            // What is written once it is there is new.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.keep(key, check, file, Place::default());
                return Seen::too_soon(format!("{shown}: it does not exist"));
            }
            Err(error) => {
                if let Some(known) = known {
                    self.keep(key, check, file, known);
                }
                return Seen::not_done(format!("{shown}: {}", io_cause(&error)));
            }
        };
        self.keep(key, check, file, place);
        let Some(found) = found else {
            return Seen::too_soon(format!("{shown} is read from here on"));
        };
        let pattern = pattern.as_str();
        let seen = match found.lines {
            0 => Seen::healthy(format!("no new line of {shown} matches `{pattern}`")),
            lines => {
                let last = secrets.conceal_piece(found.last);
                let last: String = String::from_utf8_lossy(&last).chars().take(SHOWN).collect();
                let last = last.trim_end();
                Seen::failed(format!(
                    "new lines of {shown} that match `{pattern}`: {lines}, the last: {last}"
                ))
            }
        };
        seen.with_value(f64::from(found.lines))
    }

    fn keep(&self, key: Check, check: &Arc<CheckSpec>, file: &Path, place: Place) {
        let mut kept = self.0.lock();
        if kept.len() >= FEW && kept.len().is_power_of_two() {
            kept.retain(|_, kept| kept.check.strong_count() > 0);
        }
        let kept_of_it = Kept {
            check: Arc::downgrade(check),
            path: file.to_owned(),
            place,
        };
        kept.insert(key, kept_of_it);
    }
}

#[cfg(test)]
impl LogLooks {
    /// Until what this gives is dropped, a look hangs.
    pub(super) fn hang(&self) -> impl Sized + '_ {
        self.0.lock()
    }
}

/// What a log got since the place, and how far it was read now; none where there is no place yet.
fn since(
    path: &Path,
    known: Option<&Place>,
    pattern: &LogPattern,
) -> io::Result<(Place, Option<Found>)> {
    let (log, inode, length) = open(path)?;
    let Some(known) = known else {
        return Ok((place(&log, inode, length, length)?, None));
    };
    let matcher = Matcher::new(pattern)?;
    let mut found = Found::default();
    let goes_on = known.inode == inode || known.inode == Place::default().inode;
    let mut from = known.offset;
    if !(goes_on && is_at(&log, length, known, known.offset)?) {
        from = rotated(path, &log, length, known, &matcher, &mut found)?;
    }
    let is_whole = known.length == length && from == known.offset;
    let read = scan(&log, from, length, is_whole, &matcher, &mut found)?;
    Ok((place(&log, inode, read, length)?, Some(found)))
}

/// Reads what is left of the log before, and gives where to go on in the present one.
fn rotated(
    path: &Path,
    log: &File,
    length: u64,
    known: &Place,
    matcher: &Matcher,
    found: &mut Found,
) -> io::Result<u64> {
    let mut older = path.as_os_str().to_owned();
    older.push(".1");
    let Ok((older, inode, older_length)) = open(Path::new(&older)) else {
        return Ok(0);
    };
    let is_known = inode == known.inode || !known.before.is_empty();
    if is_known && is_at(&older, older_length, known, known.offset)? {
        scan(&older, known.offset, older_length, true, matcher, found)?;
        return Ok(0);
    }
    // Only the part before that was taken off the front.
    match known.offset.checked_sub(older_length) {
        Some(offset) if is_at(log, length, known, offset)? => Ok(offset),
        _ => Ok(0),
    }
}

fn open(path: &Path) -> io::Result<(File, u64, u64)> {
    let (log, metadata) = links::open(path)?;
    Ok((log, metadata.ino(), metadata.len()))
}

fn place(log: &File, inode: u64, offset: u64, length: u64) -> io::Result<Place> {
    let start = offset.saturating_sub(KNOWN);
    Ok(Place {
        inode,
        offset,
        before: read(log, start, offset)?,
        length,
    })
}

/// Whether what stood before the place stands before this offset.
fn is_at(log: &File, length: u64, known: &Place, offset: u64) -> io::Result<bool> {
    let start = offset.checked_sub(known.before.len() as u64);
    match start {
        Some(start) if offset <= length => Ok(read(log, start, offset)? == known.before),
        _ => Ok(false),
    }
}

/// The bytes of a range, or as many as are there.
fn read(log: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match log.read_at(rest, from + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Looks at each whole line of a range, and at what follows the last where `is_whole`; how far that went.
fn scan(
    log: &File,
    from: u64,
    to: u64,
    is_whole: bool,
    matcher: &Matcher,
    found: &mut Found,
) -> io::Result<u64> {
    let mut at = from.max(to.saturating_sub(MOST));
    while at < to {
        let end = to.min(at + LONGEST_LINE);
        let bytes = read(log, at, end)?;
        if bytes.is_empty() {
            break;
        }
        let is_full = bytes.len() as u64 == LONGEST_LINE;
        let lines = bytes.iter().rposition(|&byte| byte == b'\n');
        let taken = match lines {
            Some(last) => last + 1,
            // A line without end, or one that nobody goes on with.
            None if is_full || is_whole => bytes.len(),
            None => break,
        };
        let lines = bytes.get(..taken).unwrap_or_default();
        for line in lines.split(|&byte| byte == b'\n') {
            if !line.is_empty() && matcher.matches(line) {
                found.lines = found.lines.saturating_add(1);
                found.last = line.to_vec();
            }
        }
        at += taken as u64;
    }
    Ok(at)
}

enum Matcher {
    Text(aho_corasick::AhoCorasick),
    Regex(Regex),
}

impl Matcher {
    fn new(pattern: &LogPattern) -> io::Result<Self> {
        Ok(match pattern {
            LogPattern::Text(text) => {
                let text = aho_corasick::AhoCorasick::new([text]);
                Self::Text(text.map_err(io::Error::other)?)
            }
            LogPattern::Regex(regex) => Self::Regex(Regex::new(regex).map_err(io::Error::other)?),
        })
    }

    fn matches(&self, line: &[u8]) -> bool {
        match self {
            Self::Text(text) => text.is_match(line),
            Self::Regex(regex) => regex.is_match(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write};

    struct Log {
        _dir: tempfile::TempDir,
        path: PathBuf,
        place: Option<Place>,
    }

    impl Log {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            fs::write(&path, "FATAL before\n").unwrap();
            let mut log = Self {
                _dir: dir,
                path,
                place: None,
            };
            assert_eq!(log.look(), None, "it begins at the end");
            log
        }

        fn write(&self, text: &str) {
            let mut options = File::options();
            let file = options.append(true).create(true).open(&self.path);
            file.unwrap().write_all(text.as_bytes()).unwrap();
        }

        fn older(&self) -> PathBuf {
            self.path.with_file_name("log.1")
        }

        /// How many new lines match.
        fn look(&mut self) -> Option<u32> {
            let pattern = LogPattern::Text("FATAL".to_owned());
            let (place, found) = since(&self.path, self.place.as_ref(), &pattern).unwrap();
            self.place = Some(place);
            found.map(|found| found.lines)
        }
    }

    #[test]
    fn a_line_counts_once_and_when_it_is_whole() {
        let mut log = Log::new();
        assert_eq!(log.look(), Some(0));
        log.write("all well\nFATAL one\nFATAL two\n");
        assert_eq!(log.look(), Some(2));
        assert_eq!(log.look(), Some(0));
        log.write("FAT");
        assert_eq!(log.look(), Some(0));
        log.write("AL three\n");
        assert_eq!(log.look(), Some(1));
        log.write("FATAL and no end");
        assert_eq!(log.look(), Some(0), "it may go on");
        assert_eq!(log.look(), Some(1), "nobody goes on with it");
        assert_eq!(log.look(), Some(0));
    }

    #[test]
    fn what_was_rotated_away_counts_once_however_it_is_rotated() {
        // By a copy, after which the file is emptied.
        let mut log = Log::new();
        log.write("FATAL one\n");
        fs::copy(&log.path, log.older()).unwrap();
        fs::write(&log.path, "").unwrap();
        assert_eq!(log.look(), Some(1));
        // And has grown above its size since.
        log.write("well\n");
        assert_eq!(log.look(), Some(0));
        fs::copy(&log.path, log.older()).unwrap();
        let more = "well, well, well\n".repeat(10);
        fs::write(&log.path, format!("{more}FATAL two\n{more}")).unwrap();
        assert_eq!(log.look(), Some(1));
        // By another name.
        log.write("FATAL three\n");
        fs::rename(&log.path, log.older()).unwrap();
        log.write("FATAL four\n");
        assert_eq!(log.look(), Some(2));
        assert_eq!(log.look(), Some(0));
    }

    #[test]
    fn what_was_taken_off_the_front_does_not_hide_or_repeat_the_rest() {
        let mut log = Log::new();
        log.write(&"well, well, well\n".repeat(10));
        log.write("FATAL one\nthis is the end of the part that is known\n");
        assert_eq!(log.look(), Some(1));
        let all = fs::read(&log.path).unwrap();
        let (front, rest) = all.split_at(all.len() - 100);
        fs::write(log.older(), front).unwrap();
        let rest = [rest, &b"FATAL two\n"[..]].concat();
        fs::write(&log.path, rest).unwrap();
        assert_eq!(log.look(), Some(1));
        assert_eq!(log.look(), Some(0));
    }

    #[test]
    fn a_log_that_grows_without_bounds_is_looked_through_from_behind() {
        let mut log = Log::new();
        log.write("FATAL lost\n");
        log.write(&"x".repeat(usize::try_from(MOST).unwrap()));
        log.write("\nFATAL one\n");
        assert_eq!(log.look(), Some(1));
        assert_eq!(log.look(), Some(0));
    }
}
