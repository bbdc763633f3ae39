//! Keeps the output files of children within their size while they are written, and opens them anew where they were moved
//! or deleted.
//!
//! A child writes to its file itself (see [`super::log`]), so nothing holds it up, and what it writes until the file is
//! looked at is above the size. The kernel tells of the first write after a look, and the next look comes as soon after
//! it as the fastest of writers needs for the size, or 5 ms. So a target has `(keep + 1) × max_bytes` and what is written
//! in some milliseconds: about 2 MB at 300 MB/s. (A rotated file may have 64 KiB more than its size, see `log`.)
//!
//! Nobody can turn a child's output to another file. So where its file was moved or deleted, what it writes goes from there
//! into a file of the old name; see `former`.
//!
//! Invariant: a log that nobody writes to costs nothing, and one whose process has ended is not kept: the kernel may give
//! the number of its file to that of another target.
//! Invariant: what this thread cannot do is done at the supervisor's own looks, every few seconds.

mod due;
mod former;
mod keeping;
mod kept;

use super::{
    log::Rotations,
    output::{FileId, Written},
};
use keeping::Keeping;
use mainstay_domain::spec::ProcessSpec;
use parking_lot::Mutex;
use rustix::{
    event::{EventfdFlags, eventfd},
    fs::inotify::{self, CreateFlags},
};
#[cfg(test)]
use std::sync::atomic::AtomicUsize;
use std::{
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// What the fastest of writers writes in a second.
const FASTEST: u64 = 512 << 20;
/// From the first write after a look to the next look.
const SOONEST: Duration = Duration::from_millis(5);
const LATEST: Duration = Duration::from_millis(100);
/// Who asks for another name waits so long: with a disk that hangs, the thread does.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a log may be, and how many rotated ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    max_bytes: u64,
    keep: u32,
}

impl Bound {
    pub(super) fn of(spec: &ProcessSpec) -> Self {
        Self {
            max_bytes: spec.log_max_bytes,
            keep: spec.log_keep,
        }
    }

    /// How long a writer may be left alone after its first write.
    fn look_after(self) -> Duration {
        let millis = self.max_bytes.saturating_mul(1000) / FASTEST;
        Duration::from_millis(millis).clamp(SOONEST, LATEST)
    }
}

/// The thread that keeps the logs; it ends with this value.
pub(super) struct LogKeeper(Arc<Asked>);

/// The bound of a log, the process that writes it, and the file under its name.
type Known = (Bound, u32, Option<FileId>);

/// What the thread is asked for.
struct Asked {
    asks: Mutex<Vec<Ask>>,
    /// Counts what was asked for.
    wake: OwnedFd,
    is_over: AtomicBool,
    /// The kernel does not tell of every write.
    is_blind: AtomicBool,
    /// What is kept, so that it is asked for once: its bound, the process, and the file of that name.
    known: Mutex<HashMap<PathBuf, Known>>,
    /// Logs that had another name at the first look, and where they were; until that is told.
    moved: Mutex<HashMap<PathBuf, PathBuf>>,
    /// Logs that could not be opened, why, and whether that was told.
    lost: Mutex<HashMap<PathBuf, (String, bool)>>,
    /// How many logs are kept.
    #[cfg(test)]
    kept: AtomicUsize,
}

enum Ask {
    /// A child was started with this file: this process, where it is known yet; and what the file is.
    Started(PathBuf, Bound, Option<u32>, Option<FileId>),
    /// This file of this process is kept, if it was not; and what the process was given at its start.
    Keep(PathBuf, Bound, u32, Option<FileId>),
    /// This process has ended, so nothing is kept for it any more.
    Ended(u32),
    /// Nobody writes to this file any more.
    Unwritten(PathBuf),
    LookAtAll,
    /// The file of a target that was renamed gets this name; who asks is told.
    Rename(PathBuf, PathBuf, oneshot::Sender<io::Result<()>>),
}

impl LogKeeper {
    /// `written` is told which file the log of each target is.
    pub(super) fn start(rotations: Rotations, written: Written) -> io::Result<Self> {
        // Of these a user may have few; without one the supervisor's own looks are all.
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let asked = Arc::new(Asked {
            asks: Mutex::default(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            is_over: AtomicBool::new(false),
            is_blind: AtomicBool::new(inotify.is_err()),
            known: Mutex::default(),
            moved: Mutex::default(),
            lost: Mutex::default(),
            #[cfg(test)]
            kept: AtomicUsize::new(0),
        });
        if let Err(error) = &inotify {
            tracing::warn!(%error, "a log of a target may grow far above its size between two looks");
        }
        let keeping = Keeping::new(Arc::clone(&asked), inotify.ok(), rotations, written);
        std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(|| keeping.run())?;
        Ok(Self(asked))
    }

    /// A child was started with this file as its output. `pid` is none where it is the first process of a program that
    /// forks: another one is to write on. `output` is the file, where it is the daemon's own.
    pub(super) fn started(
        &self,
        path: PathBuf,
        bound: Bound,
        pid: Option<u32>,
        output: Option<FileId>,
    ) {
        self.ask(Ask::Started(path, bound, pid, output));
    }

    /// To be called every few seconds, where it may block: keeps the file of a child that runs, from now on where it was not
    /// kept. The thread hears of it only where there is something new. `output` is the file that it was given at its start,
    /// where that is known, whatever its name is now.
    pub(super) fn keep(
        &self,
        path: PathBuf,
        bound: Bound,
        pid: u32,
        output: Option<FileId>,
    ) -> impl FnOnce() + Send + use<> {
        let asked = Arc::clone(&self.0);
        move || {
            if asked.is_new(&path, bound, pid) {
                asked.ask(Ask::Keep(path, bound, pid, output));
            }
        }
    }

    /// Why the output of what was just started with this log is lost; none where it is not.
    pub(super) fn lost(&self, path: &Path, why: Option<String>) {
        let mut lost = self.0.lost.lock();
        match why {
            None => drop(lost.remove(path)),
            // Not anew at each start of a process that is started again and again.
            Some(why) => {
                lost.entry(path.to_owned()).or_insert((why, false));
            }
        }
    }

    fn tell_lost(&self, path: &Path) -> Option<String> {
        let mut lost = self.0.lost.lock();
        let (why, is_told) = lost.get_mut(path)?;
        let is_news = !std::mem::replace(is_told, true);
        is_news.then(|| format!("its output is lost until its next start: {why}"))
    }

    /// That the output of a process is lost, or that this log had not its name when it was first looked for, for people;
    /// once.
    pub(super) fn tell_moved(&self, path: &Path) -> Option<String> {
        if let Some(lost) = self.tell_lost(path) {
            return Some(lost);
        }
        let place = self.0.moved.lock().remove(path)?;
        Some(format!(
            "its process still writes to {}, which was its log until that was moved or deleted; what it writes from now on \
             goes on into {}",
            place.display(),
            path.display()
        ))
    }

    /// Gives a file another name, and keeps it under that. Between two looks: else it would count as moved by others.
    pub(super) async fn rename(&self, from: PathBuf, to: PathBuf) -> io::Result<()> {
        let (told, renamed) = oneshot::channel();
        self.0
            .known
            .lock()
            .retain(|path, _| *path != from && *path != to);
        self.ask(Ask::Rename(from, to, told));
        if let Ok(Ok(renamed)) = tokio::time::timeout(PATIENCE, renamed).await {
            return renamed;
        }
        Err(io::Error::other("the keeper of the logs does not answer"))
    }

    /// Nothing of the target lives any more.
    pub(super) fn unwritten(&self, path: PathBuf) {
        self.0.known.lock().remove(&path);
        self.0.moved.lock().remove(&path);
        self.ask(Ask::Unwritten(path));
    }

    /// To be called when this process has ended.
    pub(super) fn at_end_of(&self, pid: u32) -> impl FnOnce() + Send + use<> {
        let asked = Arc::clone(&self.0);
        move || {
            asked.known.lock().retain(|_, (_, of, _)| *of != pid);
            asked.ask(Ask::Ended(pid));
        }
    }

    /// Looks at every file at once.
    pub(super) fn look_at_all(&self) {
        self.ask(Ask::LookAtAll);
    }

    fn ask(&self, ask: Ask) {
        self.0.ask(ask);
    }
}

impl Drop for LogKeeper {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        self.0.wake();
    }
}

impl Asked {
    fn is_new(&self, path: &Path, bound: Bound, pid: u32) -> bool {
        let present = FileId::of(path).ok();
        let last = self
            .known
            .lock()
            .insert(path.to_owned(), (bound, pid, present));
        // One that is not there is to be made.
        present.is_none()
            || last != Some((bound, pid, present))
            || self.is_blind.load(Ordering::SeqCst)
    }

    fn ask(&self, ask: Ask) {
        self.asks.lock().push(ask);
        self.wake();
    }

    fn wake(&self) {
        // It fails only where it is awake already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests;
