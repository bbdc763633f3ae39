//! The last lines of a log: evidence of why who writes it fails.
//!
//! Who waits for them may be a recovery. So what the kernel has in memory of a log in the state directory, where a process
//! that has just ended wrote its last lines, is taken from there at once, without another thread.
//!
//! Invariant: so many bytes are read and so many shown, and who waits does so for a moment: of a file system that does not
//! answer nothing is shown, and a log that hangs holds some of the threads, never all.
//! Invariant: secrets are taken out before anything is shown, also where what was read begins within one.

use super::HostProbe;
use crate::{
    adapters::{process::log_of, secrets::max_concealed_now, threads::Threads},
    ports::Secrets,
};
use mainstay_domain::{
    spec::{CheckKind, CheckSpec, TargetSpec},
    text::last_lines,
};
use mainstay_runtime::regular_file;
use parking_lot::Mutex;
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::{ReadWriteFlags, preadv2},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io::{self, IoSliceMut, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};

/// So much of the end of a log is looked through for its last lines.
const SHOWN: usize = 16 << 10;
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
        let reader = Reader::of(log, &self.readers)?;
        let read = async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let (sender, reading) = oneshot::channel();
            let begun = self.threads.run(move || {
                let lines = tail(&reader.log, &*secrets).ok().flatten();
                drop((reader, place));
                // Nobody may wait for it any more.
                let _ = sender.send(lines);
            });
            begun.ok()?;
            reading.await.ok()?
        };
        tokio::time::timeout(PATIENCE, read).await.ok()?
    }
}

impl HostProbe {
    /// The end of the log that says most: the one that the check looks at, else that of the supervised process, else one
    /// that another check of the target looks at.
    pub(super) async fn log_end(
        &self,
        target: &TargetSpec,
        check: Option<&CheckSpec>,
    ) -> Option<String> {
        let of_check = |check: &CheckSpec| match &check.kind {
            CheckKind::Log { path, .. } => path.clone(),
            _ => None,
        };
        let log = match (check.and_then(of_check), &target.process) {
            (Some(log), _) => log,
            (None, Some(_)) => {
                let own = log_of(&self.state_dir, &target.name);
                if let Ok(lines) = tail_at_once(&own, &*self.secrets) {
                    return lines;
                }
                own
            }
            (None, None) => target.checks.iter().find_map(of_check)?,
        };
        self.tails.read(log, Arc::clone(&self.secrets)).await
    }
}

/// Blocks.
fn tail(log: &Path, secrets: &dyn Secrets) -> io::Result<Option<String>> {
    let (mut file, metadata) = regular_file::open(log)?;
    let margin = max_concealed_now(secrets);
    let most = SHOWN.saturating_add(margin) as u64;
    let from = metadata.len().saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(most).read_to_end(&mut end)?;
    Ok(shown(end, from > 0, margin, secrets))
}

/// The same by what the kernel has in memory: no disk is waited for. An error means that [`tail`] has to look, as where a
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
    let margin = max_concealed_now(secrets);
    let most = SHOWN.saturating_add(margin);
    let from = metadata.len().saturating_sub(most as u64);
    let length = usize::try_from(metadata.len() - from).map_err(io::Error::other)?;
    let mut end = vec![0; length];
    if length > 0 {
        let mut into = [IoSliceMut::new(&mut end)];
        if preadv2(&file, &mut into, from, ReadWriteFlags::NOWAIT)? < length {
            return Err(io::ErrorKind::WouldBlock.into());
        }
    }
    Ok(shown(end, from > 0, margin, secrets))
}

/// The last lines of the end of a log, without secrets. Where it is cut, `margin` bytes may be of one.
fn shown(end: Vec<u8>, is_cut: bool, margin: usize, secrets: &dyn Secrets) -> Option<String> {
    let mut shown = secrets.conceal(end);
    if is_cut {
        shown.drain(..margin.min(shown.len()));
    }
    shown.drain(..shown.len().saturating_sub(SHOWN));
    last_lines(&String::from_utf8_lossy(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SecretError;
    use mainstay_domain::name::SecretName;

    struct OneSecret;

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
