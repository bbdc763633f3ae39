//! What a log got since the look before, and whether a line of it matches.
//!
//! Invariant: a line counts once, also where the log was rotated between two looks, however often, and where that cut it in
//! two: it is then looked for in `LOG.1` and those before it.
//! Invariant: what was written before the first look of a check does not count.
//! Invariant: no link of somebody else leads to a file that is not theirs (`links`).
//! Invariant: secrets are taken out of a line before anything of it is shown.

mod whole;

use super::{Seen, seen::io_cause};
use crate::ports::Secrets;
use mainstay_domain::{
    name::{CheckName, TargetName},
    spec::{CheckSpec, LogPattern},
};
use parking_lot::Mutex;
use regex::bytes::Regex;
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};
use whole::{Whole, newest_of};

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
    /// Which file the newest rotated one was then.
    newest: Option<u64>,
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
            // What is written once it is there is new; and what was written before it was rotated away, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let place = known.unwrap_or_else(|| Place {
                    newest: newest_of(file),
                    ..Place::default()
                });
                self.keep(key, check, file, place);
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
    let newest = newest_of(path);
    let log = Whole::open(path)?;
    let length = log.length();
    let Some(known) = known else {
        return Ok((place(&log, length, newest)?, None));
    };
    let matcher = Matcher::new(pattern)?;
    let mut found = Found::default();
    if goes_on(&log, known, newest)? {
        let is_whole = known.length == length;
        let read = scan(&log, known.offset, is_whole, &matcher, &mut found)?;
        return Ok((place(&log, read, newest)?, Some(found)));
    }
    let log = Whole::with_rotated(path)?;
    let from = behind(&log, known)?;
    let read = scan(&log, from, false, &matcher, &mut found)?;
    Ok((place(&log, read, log.newest())?, Some(found)))
}

/// Whether what is new stands in the log behind what is known.
fn goes_on(log: &Whole, known: &Place, newest: Option<u64>) -> io::Result<bool> {
    let is_same = known.inode == log.inode() || known.inode == Place::default().inode;
    match known.before.is_empty() {
        // Nothing tells it from a log that was emptied, but what was rotated.
        true => Ok(is_same && newest == known.newest),
        false => Ok(is_same && log.has_before(known.offset, &known.before)?),
    }
}

/// Where what is new begins in a log of which something was rotated, or taken away, since.
fn behind(log: &Whole, known: &Place) -> io::Result<u64> {
    let newest_then = known.newest.and_then(|newest| log.number_of(newest));
    // So many were rotated since; all of them, where that of then is gone.
    let since = newest_then.map_or(log.rotated(), |number| number - 1);
    if !known.before.is_empty() {
        let likely = std::iter::once(since).filter(|since| *since > 0);
        for number in likely.chain(1..=log.rotated()) {
            let begin = log.begin_of(number).unwrap_or_default();
            let at = begin.saturating_add(known.offset);
            if log.has_before(at, &known.before)? {
                return Ok(at);
            }
        }
    }
    Ok(log.begin_of(since).unwrap_or_else(|| log.begin()))
}

fn place(log: &Whole, at: u64, newest: Option<u64>) -> io::Result<Place> {
    let begin = log.begin();
    let at = at.max(begin);
    let start = at.saturating_sub(KNOWN).max(begin);
    Ok(Place {
        inode: log.inode(),
        offset: at - begin,
        before: log.read(start, at)?,
        length: log.length() - begin,
        newest,
    })
}

/// Looks at each whole line from there on, and at what follows the last where `is_whole`; how far that went. A line that
/// begins in what was rotated is looked at as far as it is there.
fn scan(
    log: &Whole,
    from: u64,
    is_whole: bool,
    matcher: &Matcher,
    found: &mut Found,
) -> io::Result<u64> {
    let to = log.length();
    let mut at = from.max(to.saturating_sub(MOST));
    while at < to {
        let end = to.min(at + LONGEST_LINE);
        let bytes = log.read(at, end)?;
        if bytes.is_empty() {
            break;
        }
        let is_full = bytes.len() as u64 == LONGEST_LINE;
        let is_rotated = at < log.begin();
        let lines = bytes.iter().rposition(|&byte| byte == b'\n');
        let taken = match lines {
            Some(last) => last + 1,
            // A line without end, or one that nobody goes on with.
            None if is_full || is_whole || is_rotated => bytes.len(),
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
    use crate::{ports::SecretError, services::testing::specs};
    use mainstay_domain::name::SecretName;
    use std::{
        fs::{self, File},
        io::Write,
    };

    struct NoSecrets;

    impl Secrets for NoSecrets {
        fn value(&self, name: &SecretName) -> Result<String, SecretError> {
            Err(SecretError::Unknown(name.clone()))
        }

        fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
            bytes
        }
    }

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
    fn a_line_that_a_rotation_cut_in_two_counts_once() {
        let mut log = Log::new();
        log.write("well, well\nFATAL one\n");
        let all = fs::read(&log.path).unwrap();
        let (front, rest) = all.split_at(all.len() - "AL one\n".len());
        fs::write(log.older(), front).unwrap();
        fs::write(&log.path, rest).unwrap();
        assert_eq!(log.look(), Some(1));
        assert_eq!(log.look(), Some(0));
    }

    #[test]
    fn what_was_rotated_more_than_once_between_two_looks_counts_too() {
        let mut log = Log::new();
        let oldest = log.path.with_file_name("log.2");
        log.write("FATAL one\n");
        fs::rename(&log.path, &oldest).unwrap();
        fs::write(log.older(), "FATAL two\n").unwrap();
        log.write("well\n");
        assert_eq!(log.look(), Some(2));
        assert_eq!(log.look(), Some(0));
        // What is known is gone.
        fs::rename(log.older(), log.path.with_file_name("away")).unwrap();
        fs::write(&oldest, "FATAL three\n").unwrap();
        fs::write(log.older(), "FATAL four\n").unwrap();
        fs::write(&log.path, "").unwrap();
        assert_eq!(log.look(), Some(2));
        assert_eq!(log.look(), Some(0));
    }

    #[test]
    fn what_an_empty_log_got_and_was_rotated_counts_too() {
        let mut log = Log::new();
        fs::write(&log.path, "").unwrap();
        assert_eq!(log.look(), Some(0));
        fs::write(log.older(), "FATAL one\n").unwrap();
        assert_eq!(log.look(), Some(1));
        assert_eq!(log.look(), Some(0));
        log.write("FATAL two\n");
        assert_eq!(log.look(), Some(1));
    }

    #[test]
    fn what_was_written_before_the_log_was_rotated_away_counts_once_there_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        fs::write(&file, "FATAL before\n").unwrap();
        let (looks, pattern) = (LogLooks::default(), LogPattern::Text("FATAL".to_owned()));
        let check = Arc::new(specs::check("log"));
        let look = || {
            let target = specs::name("web");
            looks.look(target, &check, &file, &pattern, &NoSecrets)
        };
        assert_eq!(look().outcome, None, "it begins at the end");
        fs::write(&file, "FATAL before\nFATAL one\n").unwrap();
        fs::rename(&file, dir.path().join("log.1")).unwrap();
        assert_eq!(look().outcome, None, "there is none");
        fs::write(&file, "FATAL two\n").unwrap();
        assert_eq!(look().value, Some(2.0));
        assert_eq!(look().value, Some(0.0));
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
