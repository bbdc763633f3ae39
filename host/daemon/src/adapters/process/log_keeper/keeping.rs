//! The thread that keeps logs, and what it knows of them.

use super::{
    super::{
        log::{self, Rotations},
        output::Written,
    },
    Ask, Asked, LATEST, SOONEST,
    due::Due,
    kept::Kept,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use std::{
    collections::{HashMap, HashSet},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

/// The thread and what it knows.
pub(super) struct Keeping {
    asked: Arc<Asked>,
    /// Tells of the first write after a look.
    inotify: Option<OwnedFd>,
    rotations: Rotations,
    /// For who looks for processes by their output.
    written: Written,
    logs: HashMap<PathBuf, Kept>,
    /// The next look at those that are written to; no others are gone through.
    due: Due,
    /// Whose file each watch is of.
    watches: HashMap<i32, PathBuf>,
}

impl Keeping {
    pub(super) fn new(
        asked: Arc<Asked>,
        inotify: Option<OwnedFd>,
        rotations: Rotations,
        written: Written,
    ) -> Self {
        Self {
            asked,
            inotify,
            rotations,
            written,
            logs: HashMap::new(),
            due: Due::default(),
            watches: HashMap::new(),
        }
    }

    pub(super) fn run(mut self) {
        while !self.asked.is_over.load(Ordering::SeqCst) {
            self.take_asks();
            self.take_events();
            let now = Instant::now();
            while let Some(path) = self.due.take(now) {
                self.look(&path);
            }
            self.wait();
        }
    }

    /// Until something is asked for, written, or due.
    fn wait(&mut self) {
        let next = self.due.next();
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
        let mut ended = HashSet::new();
        for ask in asks {
            match ask {
                Ask::Started(path, bound, pid, output) => {
                    let kept = Kept::new(&path, bound, pid, output);
                    self.written.know(&path, kept.written());
                    self.logs.insert(path.clone(), kept);
                    self.due.plan(path, now);
                }
                Ask::Keep(path, bound, pid, output) => {
                    let new = || Kept::new(&path, bound, Some(pid), output);
                    let kept = self.logs.entry(path.clone()).or_insert_with(new);
                    kept.bound = bound;
                    kept.is_of(pid, &path, output);
                    self.written.know(&path, kept.written());
                    self.due.plan(path, now);
                }
                Ask::Ended(pid) => {
                    ended.insert(pid);
                }
                Ask::Unwritten(path) => {
                    self.forget(&path);
                    self.written.forget(&path);
                }
                Ask::LookAtAll => {
                    for (path, kept) in &mut self.logs {
                        kept.is_lost = false;
                        self.due.plan(path.clone(), now);
                    }
                }
                Ask::Rename(from, to, told) => {
                    let renamed = log::rename(&from, &to);
                    if renamed.is_ok() {
                        self.renamed(&from, to, now);
                    }
                    let _ = told.send(renamed);
                }
            }
        }
        self.forget_those_of(&ended);
        #[cfg(test)]
        self.asked.kept.store(self.logs.len(), Ordering::SeqCst);
    }

    /// What was kept under the new name was left by another target.
    fn renamed(&mut self, from: &Path, to: PathBuf, now: Instant) {
        self.due.forget(from);
        self.logs.remove(&to);
        if let Some(kept) = self.logs.remove(from) {
            self.written.know(&to, kept.written());
            self.logs.insert(to.clone(), kept);
            self.due.plan(to, now);
        }
    }

    /// One pass for all that have ended at a time.
    fn forget_those_of(&mut self, ended: &HashSet<u32>) {
        if ended.is_empty() {
            return;
        }
        let of_them = self.logs.iter().filter(|(_, kept)| kept.is_one_of(ended));
        let of_them: Vec<PathBuf> = of_them.map(|(path, _)| path.clone()).collect();
        for path in of_them {
            self.forget(&path);
        }
    }

    /// The number of its file may be another's from now on.
    fn forget(&mut self, path: &Path) {
        self.due.forget(path);
        if let Some(mut kept) = self.logs.remove(path) {
            relay(&mut kept, path);
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
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                // Nobody knows whose are lost.
                let now = Instant::now();
                let all = self.logs.keys().cloned();
                all.for_each(|path| self.due.plan(path, now));
            }
            // A watch tells once.
            let Some(path) = self.watches.remove(&event.wd()) else {
                continue;
            };
            if let Some(kept) = self.logs.get(&path) {
                let due = Instant::now() + kept.bound.look_after();
                self.due.plan(path, due);
            }
        }
    }

    fn look(&mut self, path: &Path) {
        let Some(kept) = self.logs.get_mut(path) else {
            return;
        };
        if let Some(place) = kept.find_former(path, &self.written) {
            self.asked.moved.lock().insert(path.to_owned(), place);
        }
        // Before the lengths are looked at: what is written from here on is told.
        let watched = kept.written_path(path);
        let changes = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF;
        if let Some(inotify) = &self.inotify {
            match inotify::add_watch(inotify, &watched, changes | WatchFlags::ONESHOT) {
                Ok(watch) => {
                    self.watches.insert(watch, path.to_owned());
                }
                // It is not there.
                Err(Errno::NOENT) => {}
                Err(_) => self.asked.is_blind.store(true, Ordering::SeqCst),
            }
        }
        relay(kept, path);
        let is_above = log::is_above(path, kept.bound.max_bytes);
        if is_above && let Some(rotation) = self.rotations.begin_by_itself(path) {
            match rotation.run(kept.bound.max_bytes, kept.bound.keep) {
                // What was written meanwhile may be too much again.
                Ok(()) => {
                    self.due.plan(path.to_owned(), Instant::now() + SOONEST);
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

fn relay(kept: &mut Kept, path: &Path) {
    if let Err(error) = kept.relay(path) {
        tracing::debug!(log = %path.display(), %error, "what was written to a log that was moved or deleted is lost");
    }
}
