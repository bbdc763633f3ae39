//! The end of a log: its last lines are evidence of why who writes it fails, and more of it is for who wants to read.
//!
//! Who waits for them may be a recovery. So what the kernel has in memory of a log in the state directory, where a process
//! that has just ended wrote its last lines, is taken from there at once, without another thread.
//!
//! Invariant: so many bytes are read and so many shown, and who waits does so for a moment: of a file system that does not
//! answer nothing is shown, and a log that hangs holds some of the threads, never all.
//! Invariant: secrets are taken out before anything is shown, also where what was read begins within one, or ends
//! within one that is being written, or that who wrote it never finished.

mod over_rotation;

use super::HostProbe;
use crate::{
    adapters::{process::log_of, secrets::max_concealed_now, threads::Threads},
    ports::{LogEnd, Secrets},
};
use mainstay_domain::{
    spec::{CheckKind, CheckSpec, TargetSpec},
    text::{EVIDENCE_LINES, last_lines},
};
use over_rotation::{may_be_rotated, read_at_end};
use parking_lot::Mutex;
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::{ReadWriteFlags, preadv2},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io::{self, IoSliceMut},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};

/// So much of the end of a log is looked through for its last lines.
const SHOWN: usize = 16 << 10;
/// So much is shown of the end of a line that is longer than that.
const END: usize = 1 << 10;
/// So much of it is given to who wants to read it.
const LONG: usize = 128 << 10;
/// So many logs are read at one time.
const MOST: usize = 16;
/// So many of these may be the same log, which may hang.
const MOST_OF_ONE: usize = 4;
/// Evidence that takes longer comes too late.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often each log is being read, or is to be.
type Counts = Arc<Mutex<HashMap<PathBuf, usize>>>;

/// Reads the ends of logs.
pub(super) struct LogTails {
    places: Arc<Semaphore>,
    readers: Counts,
    threads: Threads,
}

/// One that reads a log, or is to; it counts until this is dropped.
struct Reader {
    log: PathBuf,
    readers: Counts,
}

impl Reader {
    /// None where so many read that log that it may not answer.
    fn of(log: PathBuf, readers: &Counts) -> Option<Self> {
        let mut counts = readers.lock();
        let count = counts.entry(log.clone()).or_default();
        if *count >= MOST_OF_ONE {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Self {
            log,
            readers: Arc::clone(readers),
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut counts = self.readers.lock();
        if let Entry::Occupied(mut count) = counts.entry(self.log.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl LogTails {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            readers: Arc::default(),
            threads: Threads::new("tails", MOST),
        }
    }

    /// The last lines; none where there are none, or they cannot be had soon.
    pub(super) async fn read(&self, log: PathBuf, secrets: Arc<dyn Secrets>) -> Option<String> {
        self.look(log, secrets, tail).await
    }

    /// More of the end, as it stands there.
    async fn read_end(&self, log: PathBuf, secrets: Arc<dyn Secrets>) -> Option<LogEnd> {
        self.look(log, secrets, end).await
    }

    async fn look<T: Send + 'static>(
        &self,
        log: PathBuf,
        secrets: Arc<dyn Secrets>,
        look: fn(&Path, &dyn Secrets) -> io::Result<Option<T>>,
    ) -> Option<T> {
        let reader = Reader::of(log, &self.readers)?;
        let read = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let (sender, reading) = oneshot::channel();
            let begun = self.threads.run(move || {
                let found = look(&reader.log, &*secrets).ok().flatten();
                drop((reader, place));
                // Nobody may wait for it any more.
                let _ = sender.send(found);
            });
            begun.ok()?;
            reading.await.ok()?
        };
        tokio::time::timeout(PATIENCE, read).await.ok()?
    }
}

impl HostProbe {
    /// The last lines of the log that says most.
    pub(super) async fn log_end(
        &self,
        target: &TargetSpec,
        check: Option<&CheckSpec>,
    ) -> Option<String> {
        let log = self.log_of_most(target, check)?;
        if log == log_of(&self.state_dir, &target.name)
            && let Ok(lines) = tail_at_once(&log, &*self.secrets)
        {
            return lines;
        }
        self.tails.read(log, Arc::clone(&self.secrets)).await
    }

    /// More of the end of the log of a target, as it stands there.
    pub(super) async fn long_log_end(&self, target: &TargetSpec) -> Option<LogEnd> {
        let log = self.log_of_most(target, None)?;
        self.tails.read_end(log, Arc::clone(&self.secrets)).await
    }

    /// The log that says most: the one that the check looks at, else that of the supervised process, else one that another
    /// check of the target looks at.
    fn log_of_most(&self, target: &TargetSpec, check: Option<&CheckSpec>) -> Option<PathBuf> {
        let of_check = |check: &CheckSpec| match &check.kind {
            CheckKind::Log { path, .. } => path.clone(),
            _ => None,
        };
        let own = || {
            let process = target.process.as_ref();
            process.map(|_| log_of(&self.state_dir, &target.name))
        };
        let log = check.and_then(of_check).or_else(own);
        log.or_else(|| target.checks.iter().find_map(of_check))
    }
}

/// The end of a log as it was read.
struct End {
    bytes: Vec<u8>,
    /// How long the log was, with what was rotated of it as far as that was looked at.
    length: u64,
    /// So many bytes at the begin may be of a secret that was cut; none where all of it was read.
    margin: usize,
}

impl End {
    /// The last `most` bytes, without secrets.
    fn concealed(self, most: usize, secrets: &dyn Secrets) -> Vec<u8> {
        let mut shown = secrets.conceal_piece(self.bytes);
        shown.drain(..self.margin.min(shown.len()));
        shown.drain(..shown.len().saturating_sub(most));
        shown
    }

    /// The last lines, without secrets.
    fn lines(self, secrets: &dyn Secrets) -> Option<String> {
        let is_cut = self.length > SHOWN as u64;
        let shown = self.concealed(SHOWN, secrets);
        let text = String::from_utf8_lossy(&shown);
        last_lines(match is_cut {
            true => behind_cut(&text),
            false => &text,
        })
    }
}

/// What is behind a line that has lost its begin; the end of that line, where there is nothing behind it.
fn behind_cut(text: &str) -> &str {
    let behind = text.split_once('\n').map(|(_, behind)| behind);
    if let Some(behind) = behind.filter(|behind| !behind.trim().is_empty()) {
        return behind;
    }
    let text = text.trim_end();
    let from = text.len().saturating_sub(END);
    let mut ends = (from..=text.len()).filter_map(|from| text.get(from..));
    ends.next().unwrap_or_default()
}

/// Blocks.
fn tail(log: &Path, secrets: &dyn Secrets) -> io::Result<Option<String>> {
    Ok(read_at_end(log, SHOWN, secrets)?.lines(secrets))
}

/// Blocks.
fn end(log: &Path, secrets: &dyn Secrets) -> io::Result<Option<LogEnd>> {
    let end = read_at_end(log, LONG, secrets)?;
    let bytes = end.length;
    let shown = end.concealed(LONG, secrets);
    let text = String::from_utf8_lossy(&shown);
    // What was cut begins within a line.
    let text = match bytes > LONG as u64 || shown.len() >= LONG {
        true => text.split_once('\n').map_or("", |(_, whole)| whole),
        false => &text,
    };
    Ok(Some(LogEnd {
        text: text.to_owned(),
        bytes,
    }))
}

/// From where on a log of this length has to be read so that its last `most` bytes can be told without secrets, and how many
/// bytes there may be of one that was cut.
fn begin_of_end(length: u64, most: usize, secrets: &dyn Secrets) -> (u64, usize) {
    let margin = max_concealed_now(secrets);
    match length.saturating_sub(most.saturating_add(margin) as u64) {
        0 => (0, 0),
        from => (from, margin),
    }
}

/// As [`tail`] by what the kernel has in memory: no disk is waited for. An error means that [`tail`] has to look, as where a
/// link leads to another file system.
fn tail_at_once(log: &Path, secrets: &dyn Secrets) -> io::Result<Option<String>> {
    let flags =
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat2(CWD, log, flags, Mode::empty(), ResolveFlags::CACHED)?;
    let file = File::from(opened);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let length = metadata.len();
    let (from, margin) = begin_of_end(length, SHOWN, secrets);
    let wanted = usize::try_from(length - from).map_err(io::Error::other)?;
    let mut bytes = vec![0; wanted];
    if wanted > 0 {
        let mut into = [IoSliceMut::new(&mut bytes)];
        if preadv2(&file, &mut into, from, ReadWriteFlags::NOWAIT)? < wanted {
            return Err(io::ErrorKind::WouldBlock.into());
        }
    }
    let end = End {
        bytes,
        length,
        margin,
    };
    let lines = end.lines(secrets);
    let count = lines.as_deref().unwrap_or_default().lines().count();
    // What was written before may be in a file beside it.
    match from == 0 && count < EVIDENCE_LINES && may_be_rotated(log) {
        true => Err(io::ErrorKind::WouldBlock.into()),
        false => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SecretError;
    use mainstay_domain::name::SecretName;

    pub(super) struct OneSecret;

    impl Secrets for OneSecret {
        fn value(&self, name: &SecretName) -> Result<String, SecretError> {
            Err(SecretError::Unknown(name.clone()))
        }

        fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
            let text = String::from_utf8_lossy(&bytes);
            text.replace("hunter22", "[secret:token]").into_bytes()
        }
    }

    async fn read(log: &Path) -> Option<String> {
        let tails = LogTails::new();
        tails.read(log.to_owned(), Arc::new(OneSecret)).await
    }

    #[tokio::test]
    async fn the_last_lines_of_a_long_log_are_shown_without_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("web.log");
        let before = "hunter22\n".repeat(200_000);
        std::fs::write(&log, format!("{before}with hunter22\n\u{1b}[1mFATAL\n")).unwrap();
        let shown = read(&log).await.unwrap();
        match tail_at_once(&log, &OneSecret) {
            Ok(at_once) => assert_eq!(at_once.as_ref(), Some(&shown)),
            Err(error) => println!("skipped: nothing is read at once here: {error}"),
        }
        assert!(
            shown.ends_with("[secret:token]\nwith [secret:token]\n\\u{1b}[1mFATAL"),
            "{shown}"
        );
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(
            shown.lines().all(|line| !line.starts_with("unter")),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn of_a_line_that_is_too_long_the_end_is_shown_and_only_where_nothing_is_behind_it() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("web.log");
        let long = "\u{e4}".repeat(40_000);
        for (end, says) in [
            ("FATAL: no room", "\u{e4}FATAL: no room"),
            ("FATAL: no room\n\n", "\u{e4}FATAL: no room"),
            ("\nFATAL: no room\n", "FATAL: no room"),
            ("\none\ntwo", "one\ntwo"),
        ] {
            std::fs::write(&log, format!("{long}{end}")).unwrap();
            let shown = read(&log).await.unwrap();
            assert!(shown.ends_with(says), "{shown}");
            assert_eq!(
                shown.starts_with('\u{e4}'),
                says.starts_with('\u{e4}'),
                "{shown}"
            );
            assert!(shown.len() <= END);
        }
    }

    #[tokio::test]
    async fn the_end_of_a_long_log_begins_with_a_whole_line_and_has_no_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("web.log");
        let written = "with hunter22 in it\n".repeat(20_000) + "the last, not yet whole";
        std::fs::write(&log, &written).unwrap();
        let tails = LogTails::new();
        let end = tails.read_end(log.clone(), Arc::new(OneSecret)).await;
        let end = end.unwrap();
        assert_eq!(end.bytes, written.len() as u64);
        let mut lines: Vec<&str> = end.text.lines().collect();
        assert_eq!(lines.pop(), Some("the last, not yet whole"));
        assert!(lines.len() > 1_000, "{}", lines.len());
        assert!(
            lines
                .iter()
                .all(|line| *line == "with [secret:token] in it")
        );

        std::fs::write(&log, "first\n").unwrap();
        let end = tails.read_end(log, Arc::new(OneSecret)).await.unwrap();
        assert_eq!((end.text.as_str(), end.bytes), ("first\n", 6));
    }

    #[tokio::test]
    async fn where_there_is_nothing_nothing_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty");
        std::fs::write(&empty, "\n\n").unwrap();
        for log in [
            empty.as_path(),
            directory.path(),
            Path::new("/dev/zero"),
            Path::new("/none"),
        ] {
            assert_eq!(read(log).await, None, "{}", log.display());
        }
    }

    #[tokio::test]
    async fn the_last_lines_are_also_those_that_were_rotated_just_now() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("web.log");
        std::fs::write(&log, "").unwrap();
        std::fs::write(directory.path().join("web.log.1"), "one\nFATAL\n").unwrap();
        assert!(tail_at_once(&log, &OneSecret).is_err());
        assert_eq!(read(&log).await.unwrap(), "one\nFATAL");
        std::fs::write(&log, "two\n").unwrap();
        assert_eq!(read(&log).await.unwrap(), "one\nFATAL\ntwo");
    }

    #[test]
    fn a_log_that_is_linked_to_another_place_is_not_read_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let (log, link) = (directory.path().join("log"), directory.path().join("link"));
        std::fs::write(&log, "FATAL\n").unwrap();
        std::os::unix::fs::symlink(&log, &link).unwrap();
        assert!(tail_at_once(&link, &OneSecret).is_err());
        assert!(tail_at_once(directory.path(), &OneSecret).is_err());
    }

    #[test]
    fn a_log_that_hangs_takes_no_more_than_its_places_and_gives_them_back() {
        let tails = LogTails::new();
        let (hung, other) = (Path::new("/hung"), Path::new("/other"));
        let of = |log: &Path| Reader::of(log.to_owned(), &tails.readers);
        let held: Vec<Option<Reader>> = (0..MOST_OF_ONE).map(|_| of(hung)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(of(hung).is_none());
        assert!(of(other).is_some());
        drop(held);
        assert!(of(hung).is_some());
        assert!(tails.readers.lock().is_empty());
    }
}
