//! The end of a log, read over its rotation: what was written before goes on in the file beside it.
//!
//! Invariant: a rotation meanwhile leaves nothing out and has nothing twice, as far as a few looks can tell.

use super::End;
use crate::{
    adapters::{probe::links, process::rotated_of, secrets::max_concealed_now},
    ports::Secrets,
};
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
};
use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// So many rotated files are looked for.
const MOST_ROTATED: u32 = 1_000;
/// So often it is looked where each time something was rotated meanwhile.
const LOOKS: usize = 3;

/// The last bytes of a file, or of some of which one goes on where the one before ends.
struct Piece {
    bytes: Vec<u8>,
    /// How long all of it is.
    length: u64,
}

impl Piece {
    /// Whether these bytes begin with all of it.
    fn is_begin_of(&self, bytes: &[u8]) -> bool {
        let end = usize::try_from(self.length).unwrap_or(usize::MAX);
        let begin = end.saturating_sub(self.bytes.len());
        !self.bytes.is_empty() && bytes.get(begin..end) == Some(&*self.bytes)
    }
}

/// So much of the end that its last `most` bytes can be told without secrets. Blocks.
pub(super) fn read_at_end(log: &Path, most: usize, secrets: &dyn Secrets) -> io::Result<End> {
    let margin = max_concealed_now(secrets);
    let wanted = most.saturating_add(margin) as u64;
    let mut looks = 0;
    loop {
        let newest = which(&rotated_of(log, 1));
        let present = last(log, wanted)?;
        let length = present.length;
        let read = with_rotated(log, present, wanted);
        looks += 1;
        // What is rotated is in its place before it is taken off.
        let is_as_before = || {
            let now = fs::metadata(log).map(|now| now.len());
            which(&rotated_of(log, 1)) == newest && now.is_ok_and(|now| now >= length)
        };
        if looks == LOOKS || is_as_before() {
            let is_cut = read.length > read.bytes.len() as u64;
            return Ok(End {
                bytes: read.bytes,
                length: read.length,
                margin: if is_cut { margin } else { 0 },
            });
        }
    }
}

/// Whether something was rotated of a log, or nobody can tell at once.
pub(super) fn may_be_rotated(log: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let newest = rotated_of(log, 1);
    let looked = openat2(CWD, &newest, flags, Mode::empty(), ResolveFlags::CACHED);
    !matches!(looked, Err(Errno::NOENT))
}

/// The last bytes of one file, so many as are wanted.
fn last(file: &Path, wanted: u64) -> io::Result<Piece> {
    let (mut file, metadata) = links::open(file)?;
    let from = metadata.len().saturating_sub(wanted);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    let all = metadata.len() - from;
    file.take(all).read_to_end(&mut bytes)?;
    Ok(Piece {
        length: from + bytes.len() as u64,
        bytes,
    })
}

/// With what was rotated before, as far as that is wanted and can be read.
fn with_rotated(log: &Path, mut read: Piece, wanted: u64) -> Piece {
    for number in 1..=MOST_ROTATED {
        let path = rotated_of(log, number);
        let Ok(found) = fs::symlink_metadata(&path) else {
            break;
        };
        let missing = wanted.saturating_sub(read.bytes.len() as u64);
        if missing == 0 {
            read.length = read.length.saturating_add(found.len());
            continue;
        }
        let Ok(mut older) = last(&path, missing) else {
            break;
        };
        // It is in its place already, and still in the log too.
        if number == 1 && older.is_begin_of(&read.bytes) {
            continue;
        }
        older.bytes.append(&mut read.bytes);
        older.length = older.length.saturating_add(read.length);
        read = older;
    }
    read
}

/// Which file lies there, if any.
fn which(path: &Path) -> Option<(u64, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::probe::tail::{end, tests::OneSecret};
    use rustix::fs::mkfifoat;

    /// What is shown of a log of which this was rotated, the newest first, and how long it is told to be.
    fn shown(log: &str, rotated: &[&str]) -> (String, u64) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.log");
        fs::write(&path, log).unwrap();
        for (number, rotated) in (1..).zip(rotated) {
            fs::write(rotated_of(&path, number), rotated).unwrap();
        }
        let end = end(&path, &OneSecret).unwrap().unwrap();
        (end.text, end.bytes)
    }

    #[test]
    fn what_was_rotated_goes_on_in_the_log() {
        let cases: [(&str, &[&str], &str); 4] = [
            ("two\n", &["one\n"], "one\ntwo\n"),
            ("", &["one\n", "zero\n"], "zero\none\n"),
            ("lf\ntwo", &["one and a ha"], "one and a half\ntwo"),
            ("a\n", &["a\nb\n"], "a\nb\na\n"),
        ];
        for (log, rotated, text) in cases {
            let length: usize = rotated.iter().map(|piece| piece.len()).sum();
            let length = (length + log.len()) as u64;
            assert_eq!(shown(log, rotated), (text.to_owned(), length));
        }
        // It was cut within a secret.
        let (text, _) = shown("er22 in it\n", &["with hunt"]);
        assert_eq!(text, "with [secret:token] in it\n");
        // That of before is rotated just now.
        assert_eq!(shown("a\nb\nc\n", &["a\nb\n"]), ("a\nb\nc\n".to_owned(), 6));
    }

    #[test]
    fn of_what_is_too_long_the_end_is_shown_from_a_whole_line_on() {
        let lines = |from: usize, to: usize| -> String {
            (from..to)
                .map(|number| format!("line {number}\n"))
                .collect()
        };
        let (old, older) = (lines(20_000, 39_000), lines(0, 20_000));
        let log = lines(39_000, 40_000);
        let (text, length) = shown(&log, &[&old, &older]);
        assert_eq!(length, (log.len() + old.len() + older.len()) as u64);
        let first = text.split_once('\n').unwrap().0;
        let from: usize = first.strip_prefix("line ").unwrap().parse().unwrap();
        assert!((20_001..39_000).contains(&from), "{from}");
        assert_eq!(text, lines(from, 40_000));
    }

    #[test]
    fn what_lies_in_the_place_of_a_rotated_log_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.log");
        fs::write(&path, "one\n").unwrap();
        let fifo = rotated_of(&path, 1);
        mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
        let end = end(&path, &OneSecret).unwrap().unwrap();
        assert_eq!((end.text.as_str(), end.bytes), ("one\n", 4));
    }
}
