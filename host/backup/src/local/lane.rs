//! The file system of a tier, which may not answer, as that of a server that is gone: whatever is asked of it runs on a thread of
//! its own, and is waited for up to a bound.
//!
//! What hangs in the kernel cannot be called back. It holds that thread, and what it was asked for is not there; nobody else
//! waits for it. What hangs in a file system that was unmounted all the same hangs for good, and says nothing of what is mounted in
//! its place.
//!
//! Invariant: nobody waits for a tier that is known not to answer. That it does again shows where something that was given up
//! ends, or a look that nobody waits for.
//! Invariant: however often a tier does not answer, and however often something else is mounted there, so many threads hang at most.
//! Invariant: nothing is changed in a tier as long as a change that was given up is not over: it may still come.

mod file;
mod hung;
mod lanes;

pub(super) use {
    file::LaneFile,
    lanes::{Lanes, Patience},
};

use super::{
    durable,
    mounts::{Mount, mount_of},
};
use crate::bucket::Trouble;
use hung::{Kind, State};
use parking_lot::Mutex;
use std::{
    fmt, fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Who waits looks so often whether the host stops.
const LOOK: Duration = Duration::from_millis(100);
/// That of one tier; clones are the same.
#[derive(Clone)]
pub(super) struct Lane(Arc<Inner>);

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lane").field(&self.0.root).finish()
    }
}

struct Inner {
    root: PathBuf,
    patience: Patience,
    stop: CancellationToken,
    /// Where the root is with no links before it; none before it answered for the first time.
    place: Mutex<Option<PathBuf>>,
    state: Mutex<State>,
}

impl Inner {
    /// Follows the links before the root, on a thread that may hang.
    fn find_place(&self) {
        if self.place.lock().is_none() {
            // Where it is not there yet, the next who asks follows them.
            let found = fs::canonicalize(&self.root).ok();
            *self.place.lock() = found;
        }
    }

    /// What is mounted where the root is, which is not asked.
    fn mounted(&self) -> Option<Mount> {
        let place = self.place.lock().clone();
        mount_of(&place.unwrap_or_else(|| self.root.clone()))
    }
}

/// Something that was asked for, on its thread.
struct Asked {
    lane: Arc<Inner>,
    kind: Kind,
    round: u64,
    is_given_up: Arc<AtomicBool>,
    is_over: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut state = self.lane.state.lock();
        if self.is_given_up.load(Relaxed) {
            let hung = state.hung(self.kind, self.round);
            *hung = hung.saturating_sub(1);
            if self.is_over && self.round == state.round {
                state.silent = None;
            }
        }
    }
}

impl Lane {
    /// Has something looked at.
    pub(super) fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        self.ask(Kind::Look, work)
    }

    /// Has a piece of content read, however slowly it comes.
    fn read<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        self.ask(Kind::Read, work)
    }

    /// Has something changed, or made durable. Where it is given up it may be done all the same, later too.
    pub(super) fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        self.ask(Kind::Change, work)
    }

    fn ask<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        if let Err(refused) = self.check(kind) {
            // It may hold a file, and to close that may take as long.
            let _ = spawn(move || drop(work));
            return Err(refused);
        }
        let (sender, answer) = sync_channel(1);
        let is_given_up = Arc::new(AtomicBool::new(false));
        let round = self.0.state.lock().round;
        let mut asked = Asked {
            lane: Arc::clone(&self.0),
            kind,
            round,
            is_given_up: Arc::clone(&is_given_up),
            is_over: false,
        };
        let handed_on = durable::handed_on();
        spawn(move || {
            handed_on();
            asked.lane.find_place();
            // Nobody may wait for it any more; what it gave is dropped here then.
            drop(sender.send(work()));
            asked.is_over = true;
            drop(asked);
        })?;
        self.wait((kind, round), &answer, &is_given_up)
    }

    /// Whether it makes sense to ask.
    fn check(&self, kind: Kind) -> io::Result<()> {
        let (is_silent, has_changes, is_due, is_used_up) = {
            let mut state = self.0.state.lock();
            let now = Instant::now();
            let is_due = state
                .silent
                .is_some_and(|tried| now.saturating_duration_since(tried) >= self.0.patience.rest);
            if is_due {
                state.silent = Some(now);
            }
            let is_silent = state.silent.is_some();
            (is_silent, state.changes > 0, is_due, state.is_used_up())
        };
        if is_due && !is_used_up {
            self.try_again();
        }
        if is_silent && is_used_up {
            return Err(said(format!(
                "its file system did not answer so often that it is asked no more; look at what is mounted at {}, and start the daemon \
                 again",
                self.0.root.display()
            )));
        }
        if is_silent {
            return Err(said(format!(
                "its file system does not answer, and it is left alone until it does; look at what is mounted at {}",
                self.0.root.display()
            )));
        }
        match has_changes && kind == Kind::Change {
            true => Err(self.not_over()),
            false => Ok(()),
        }
    }

    /// An error where a change that was given up is not over: what is not there may still come, and what is there may still go.
    pub(super) fn check_over(&self) -> io::Result<()> {
        let has_changes = self.0.state.lock().changes > 0;
        match has_changes {
            true => Err(self.not_over()),
            false => Ok(()),
        }
    }

    fn not_over(&self) -> io::Error {
        said(format!(
            "a change that was begun before is not over in its file system, and nothing else is changed there until it is; where \
             {} was unmounted and mounted again, start the daemon again",
            self.0.root.display()
        ))
    }

    /// A look that nobody waits for; it counts as one that hangs already. None where enough of them hang in what is mounted there.
    fn try_again(&self) {
        let mounted = self.0.mounted();
        let round = {
            let mut state = self.0.state.lock();
            state.mounted(mounted);
            if !state.may_be_tried() {
                return;
            }
            state.looks += 1;
            state.round
        };
        let mut asked = Asked {
            lane: Arc::clone(&self.0),
            kind: Kind::Look,
            round,
            is_given_up: Arc::new(AtomicBool::new(true)),
            is_over: false,
        };
        let root = self.0.root.clone();
        // Where there is no thread for it, the next who asks tries.
        let _ = spawn(move || {
            // Whatever it says: it answers.
            let _ = fs::read_dir(&root).map(|mut names| names.next().is_some());
            asked.is_over = true;
            drop(asked);
        });
    }

    fn wait<T>(
        &self,
        (kind, round): (Kind, u64),
        answer: &Receiver<T>,
        is_given_up: &AtomicBool,
    ) -> io::Result<T> {
        let patience = match kind {
            Kind::Look => self.0.patience.look,
            Kind::Read | Kind::Change => self.0.patience.change,
        };
        let begun = Instant::now();
        let mut stopped = None;
        loop {
            let now = Instant::now();
            if stopped.is_none() && self.0.stop.is_cancelled() {
                stopped = Some(now);
            }
            let left = patience.saturating_sub(now.saturating_duration_since(begun));
            let left = stopped.map_or(left, |since| {
                let end = self.0.patience.end;
                left.min(end.saturating_sub(now.saturating_duration_since(since)))
            });
            match answer.recv_timeout(left.min(LOOK)) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(said("what asked its file system broke off".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        {
            let mut state = self.0.state.lock();
            if let Ok(answer) = answer.try_recv() {
                return Ok(answer);
            }
            is_given_up.store(true, Relaxed);
            *state.hung(kind, round) += 1;
            state.silent = Some(Instant::now());
        }
        let mounted = self.0.mounted();
        self.0.state.lock().mounted(mounted);
        Err(match stopped {
            Some(_) => io::Error::other(Trouble::Interrupted),
            None => said(format!(
                "its file system did not answer within {} s, and it is left alone until it does; look at what is mounted at {}",
                patience.as_secs(),
                self.0.root.display()
            )),
        })
    }
}

fn said(what: String) -> io::Error {
    io::Error::other(Trouble::Said(what))
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name("tier".to_owned());
    thread.spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::File,
        io::Read,
        os::{fd::OwnedFd, unix::net::UnixStream},
        sync::mpsc::{Sender, channel},
    };

    fn lane(look: Duration, rest: Duration) -> (Lane, CancellationToken, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let patience = Patience {
            look,
            change: look,
            end: SHORT,
            rest,
        };
        let lane = Lanes::new(patience, stop.clone()).of(directory.path());
        (lane, stop, directory)
    }

    const SHORT: Duration = Duration::from_millis(1);
    const NEVER: Duration = Duration::from_secs(86_400);

    /// Work that hangs until the sender goes, and what tells that it is over.
    fn hanging() -> (Sender<()>, impl FnOnce() + Send + 'static) {
        let (release, held) = channel::<()>();
        (release, move || {
            let _ = held.recv();
        })
    }

    /// Until what was given up is over.
    fn wait_until_over(lane: &Lane) {
        while lane.0.state.lock().silent.is_some() {
            thread::yield_now();
        }
    }

    #[test]
    fn what_answers_is_handed_on() {
        let (lane, _stop, _directory) = lane(NEVER, NEVER);
        assert_eq!(lane.look(|| 7).unwrap(), 7);
        assert_eq!(lane.change(|| "done").unwrap(), "done");
        let broke_off = lane.look::<()>(|| panic!("as it was told"));
        let why = broke_off.unwrap_err().to_string();
        assert!(why.contains("broke off"), "{why}");
        assert_eq!(lane.read(|| 8).unwrap(), 8);
    }

    #[test]
    fn what_hangs_is_given_up_and_the_next_does_not_wait_until_it_is_over() {
        let (lane, _stop, _directory) = lane(SHORT, NEVER);
        let (release, work) = hanging();
        let why = lane.look(work).unwrap_err();
        assert!(matches!(Trouble::of(&why), Some(Trouble::Said(_))), "{why}");
        assert!(why.to_string().contains("did not answer"), "{why}");
        for _ in 0..3 {
            let why = lane.change::<()>(|| unreachable!()).unwrap_err();
            assert!(why.to_string().contains("does not answer"), "{why}");
        }
        assert_eq!(lane.0.state.lock().looks, 1, "no other was begun");
        drop(release);
        wait_until_over(&lane);
        assert_eq!(lane.0.state.lock().looks, 0);
    }

    #[test]
    fn nothing_is_changed_before_a_change_that_was_given_up_is_over() {
        let (lane, _stop, directory) = lane(SHORT, Duration::ZERO);
        let (release, work) = hanging();
        lane.change(work).unwrap_err();
        // Who asks has it looked at by somebody who is not waited for.
        lane.check(Kind::Look).unwrap_err();
        wait_until_over(&lane);
        assert!(directory.path().exists());
        lane.check(Kind::Look).unwrap();
        lane.check(Kind::Read).unwrap();
        let why = lane.check(Kind::Change).unwrap_err().to_string();
        assert!(why.contains("is not over"), "{why}");
        drop(release);
        while lane.0.state.lock().changes > 0 {
            thread::yield_now();
        }
        lane.check(Kind::Change).unwrap();
    }

    #[test]
    fn a_file_that_was_given_up_says_nothing_of_what_it_holds() {
        let (lane, _stop, _directory) = lane(SHORT, NEVER);
        let (writer, reader) = UnixStream::pair().unwrap();
        let mut file = LaneFile::new(lane, File::from(OwnedFd::from(reader)));
        for _ in 0..2 {
            let why = file.read(&mut [0; 8]).unwrap_err();
            assert!(matches!(Trouble::of(&why), Some(Trouble::Said(_))), "{why}");
        }
        drop(writer);
    }

    #[test]
    fn a_host_that_stops_waits_no_longer() {
        let (lane, stop, _directory) = lane(NEVER, NEVER);
        stop.cancel();
        let (release, work) = hanging();
        let why = lane.look(work).unwrap_err();
        let is_interrupted = matches!(Trouble::of(&why), Some(Trouble::Interrupted));
        assert!(is_interrupted, "{why}");
        drop(release);
    }
}
