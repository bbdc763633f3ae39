//! Keeps the output files of children within their size while they are written, and opens them anew where they were moved
//! or deleted.
//!
//! A child writes to its file itself (see [`super::log`]), so nothing holds it up, and what it writes until the file is
//! looked at is above the size. The kernel tells of the first write after a look, and the next look comes as soon after
//! it as the fastest of writers needs for the size, or 5 ms. So a target has `(keep + 1) × max_bytes` and what is written
//! in some milliseconds: about 2 MB at 300 MB/s. (A rotated file may have 64 KiB more than its size, see `log`.)
//!
//! Nobody can turn a child's output to another file. So where its file was moved or deleted, what it writes goes from there
//! into a file of the old name, and is taken off the one that was moved.
//!
//! Invariant: a log that nobody writes to costs nothing.
//! Invariant: what this thread cannot do is done at the supervisor's own looks, every few seconds.

mod kept;

use super::log::{self, Rotations};
use kept::Kept;
use mainstay_domain::spec::ProcessSpec;
use parking_lot::Mutex;
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fs::inotify::{self, CreateFlags, Reader, WatchFlags},
};
use std::{
    collections::HashMap,
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
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

/// What the thread is asked for.
struct Asked {
    asks: Mutex<Vec<Ask>>,
    /// Counts what was asked for.
    wake: OwnedFd,
    is_over: AtomicBool,
}

enum Ask {
    /// A child was started with this file: this process.
    Started(PathBuf, Bound, u32),
    /// This file of this process is kept, if it was not.
    Keep(PathBuf, Bound, u32),
    LookAtAll,
    /// The file of a target that was renamed gets this name; who asks is told.
    Rename(PathBuf, PathBuf, oneshot::Sender<io::Result<()>>),
}

impl LogKeeper {
    pub(super) fn start(rotations: Rotations) -> io::Result<Self> {
        let asked = Arc::new(Asked {
            asks: Mutex::default(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            is_over: AtomicBool::new(false),
        });
        // Of these a user may have few; without one the supervisor's own looks are all.
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        if let Err(error) = &inotify {
            tracing::warn!(%error, "a log of a target may grow far above its size between two looks");
        }
        let keeping = Keeping {
            asked: Arc::clone(&asked),
            inotify: inotify.ok(),
            rotations,
            logs: HashMap::new(),
            due: HashMap::new(),
            watches: HashMap::new(),
        };
        std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(|| keeping.run())?;
        Ok(Self(asked))
    }

    /// A child was started with this file as its output.
    pub(super) fn started(&self, path: PathBuf, bound: Bound, pid: u32) {
        self.ask(Ask::Started(path, bound, pid));
    }

    /// Keeps the file of a child that runs, from now on where it was not kept.
    pub(super) fn keep(&self, path: PathBuf, bound: Bound, pid: u32) {
        self.ask(Ask::Keep(path, bound, pid));
    }

    /// Gives a file another name, and keeps it under that. Between two looks: else it would count as moved by others.
    pub(super) async fn rename(&self, from: PathBuf, to: PathBuf) -> io::Result<()> {
        let (told, renamed) = oneshot::channel();
        self.ask(Ask::Rename(from, to, told));
        if let Ok(Ok(renamed)) = tokio::time::timeout(PATIENCE, renamed).await {
            return renamed;
        }
        Err(io::Error::other("the keeper of the logs does not answer"))
    }

    /// Looks at every file at once.
    pub(super) fn look_at_all(&self) {
        self.ask(Ask::LookAtAll);
    }

    fn ask(&self, ask: Ask) {
        self.0.asks.lock().push(ask);
        self.0.wake();
    }
}

impl Drop for LogKeeper {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        self.0.wake();
    }
}

impl Asked {
    fn wake(&self) {
        // It fails only where it is awake already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

struct Keeping {
    asked: Arc<Asked>,
    /// Tells of the first write after a look.
    inotify: Option<OwnedFd>,
    rotations: Rotations,
    logs: HashMap<PathBuf, Kept>,
    /// The next look at those that are written to; no others are gone through.
    due: HashMap<PathBuf, Instant>,
    /// Whose file each watch is of.
    watches: HashMap<i32, PathBuf>,
}

impl Keeping {
    fn run(mut self) {
        while !self.asked.is_over.load(Ordering::SeqCst) {
            self.take_asks();
            self.take_events();
            let now = Instant::now();
            let due = self.due.iter().filter(|(_, due)| **due <= now);
            let due: Vec<PathBuf> = due.map(|(path, _)| path.clone()).collect();
            for path in due {
                self.due.remove(&path);
                self.look(&path);
            }
            self.wait();
        }
    }

    /// Until something is asked for, written, or due.
    fn wait(&self) {
        let next = self.due.values().min();
        let left = next.map(|due| due.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let descriptors = std::iter::once(&self.asked.wake).chain(&self.inotify);
        let mut descriptors: Vec<PollFd<'_>> = descriptors
            .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
            .collect();
        if let Err(error) = poll(&mut descriptors, left.as_ref())
            && error != rustix::io::Errno::INTR
        {
            tracing::warn!(%error, "the logs cannot be waited for");
            std::thread::sleep(LATEST);
        }
    }

    fn take_asks(&mut self) {
        let _ = rustix::io::read(&self.asked.wake, &mut [0_u8; 8]);
        let asks = std::mem::take(&mut *self.asked.asks.lock());
        let now = Instant::now();
        for ask in asks {
            match ask {
                Ask::Started(path, bound, pid) => {
                    let kept = Kept::new(&path, bound, pid);
                    self.logs.insert(path.clone(), kept);
                    self.due.insert(path, now);
                }
                Ask::Keep(path, bound, pid) => {
                    let new = || Kept::new(&path, bound, pid);
                    let kept = self.logs.entry(path.clone()).or_insert_with(new);
                    kept.bound = bound;
                    kept.is_of(pid, &path);
                    self.due.insert(path, now);
                }
                Ask::LookAtAll => {
                    for (path, kept) in &mut self.logs {
                        kept.is_lost = false;
                        self.due.insert(path.clone(), now);
                    }
                }
                Ask::Rename(from, to, told) => {
                    let renamed = log::rename(&from, &to);
                    if renamed.is_ok() {
                        self.due.remove(&from);
                        // What was kept under that name was left by another target.
                        self.logs.remove(&to);
                        if let Some(kept) = self.logs.remove(&from) {
                            self.logs.insert(to.clone(), kept);
                            self.due.insert(to, now);
                        }
                    }
                    let _ = told.send(renamed);
                }
            }
        }
    }

    fn take_events(&mut self) {
        let Some(inotify) = &self.inotify else {
            return;
        };
        let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
        let mut events = Reader::new(inotify, &mut buffer);
        // It ends with the error that there is none.
        while let Ok(event) = events.next() {
            // A watch tells once.
            let Some(path) = self.watches.remove(&event.wd()) else {
                continue;
            };
            if let Some(kept) = self.logs.get(&path) {
                let due = Instant::now() + kept.bound.look_after();
                // One that is due sooner stays so.
                self.due.entry(path).or_insert(due);
            }
        }
    }

    fn look(&mut self, path: &Path) {
        let Some(kept) = self.logs.get_mut(path) else {
            return;
        };
        kept.find_former(path);
        // Before the lengths are looked at: what is written from here on is told.
        let watched = kept.written_path(path);
        let changes = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF;
        if let Some(inotify) = &self.inotify
            && let Ok(watch) = inotify::add_watch(inotify, &watched, changes | WatchFlags::ONESHOT)
        {
            self.watches.insert(watch, path.to_owned());
        }
        if let Err(error) = kept.relay(path) {
            tracing::debug!(log = %path.display(), %error, "what was written to a log that was moved or deleted is lost");
        }
        let is_above = log::is_above(path, kept.bound.max_bytes);
        if is_above && let Some(rotation) = self.rotations.begin_by_itself(path) {
            match rotation.run(kept.bound.max_bytes, kept.bound.keep) {
                // What was written meanwhile may be too much again.
                Ok(()) => {
                    self.due.insert(path.to_owned(), Instant::now() + SOONEST);
                }
                // Told by the supervisor's own look, once every few seconds.
                Err(error) => {
                    tracing::debug!(log = %path.display(), %error, "the log grows on");
                }
            }
        }
        kept.see(path);
    }
}

#[cfg(test)]
mod tests;
