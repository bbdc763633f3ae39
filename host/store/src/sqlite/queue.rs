//! What waits for the writer: one line, in the order of the calls.
//!
//! Invariant: what was taken stays in its place until it is written, so that no newer value is overtaken by an older
//! one and nothing is dropped, however long the disk takes nothing.
//! Invariant: the line is bounded, and what is written and not yet on the disk counts as if it was in it. Above [`BOUND`]
//! what is nothing but events is refused, above twice that everything; who submitted it keeps it. Whole values are not
//! merged: each was submitted together with the events that tell of it, and readers of the events rely on finding it as they
//! say.
//! Invariant: while the disk takes nothing nobody waits for it: changes are answered as held, values of plugins, which
//! must be durable, are refused, and those that are committed already are answered as what may have happened.
//! Invariant: what nobody waits for stays in the line for [`LINGER`] at most before the writer takes it, and not at all
//! once somebody waits for anything in the line: a recovery begins with a handful of the first kind, and a moment later its
//! first effect waits for its intent, so that all of them cost one fsync and not two.
//!
//! Length: what waits, and how each kind of it is answered, is one matter.

use super::{
    error::{sentence, writer_gone},
    intake::Intake,
    load::Load,
    unread::Unread,
    value_write::ValueWrite,
};
use crate::port::{Committed, Haste, SetAside, StoreError, StoreErrorKind};
use mainstay_domain::{code::ErrorCode, effect::EffectError, record::Change};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{collections::VecDeque, path::PathBuf, time::Duration};
use tokio::sync::oneshot;

/// What may wait: hours of a busy host's changes, in no more memory than the daemon has at other times. The second half,
/// which is for what is more than events, comes on top.
pub(super) const BOUND: Load = Load {
    changes: 200_000,
    bytes: 64 << 20,
};

/// From the first event of a failure to the intent of its recovery's first effect it is about a millisecond.
const LINGER: Duration = Duration::from_millis(3);

pub(super) type Ack<T> = oneshot::Sender<Result<T, StoreError>>;

/// One submission.
#[derive(Debug)]
pub(super) enum Work {
    /// Changes that are written together or not at all; without an ack where it is answered already.
    Changes(Vec<Change>, Haste, Option<Ack<Committed>>),
    /// A value of a plugin; answered with whether it was set, or with why the plugin may not.
    Value(ValueWrite, Ack<Result<bool, EffectError>>),
    /// Rows that cannot be read leave their tables.
    SetAside(Vec<Unread>, Ack<Vec<SetAside>>),
    /// Lets a test change the connection, to have a change refused or the writer wait.
    #[cfg(test)]
    Connection(fn(&rusqlite::Connection) -> rusqlite::Result<()>, Ack<()>),
}

/// A submission in the line.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) work: Work,
    load: Load,
}

/// What the writer finds.
#[derive(Debug)]
pub(super) enum Taken {
    /// The oldest submissions, one at least.
    Batch(VecDeque<Waiting>),
    /// There was none for a while.
    Quiet,
    /// There is none, and [`Queue::wake`] was called.
    Woken,
    /// There is none, and none will come.
    Closed,
}

/// The line.
#[derive(Debug)]
pub(super) struct Queue {
    path: PathBuf,
    bound: Load,
    /// [`LINGER`], and other lengths in tests.
    linger: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Of all that is not on the disk, what the writer and the syncer have in their hands included.
    load: Load,
    /// Why nothing can be written now.
    held: Option<StoreError>,
    /// The writer waits for what somebody waits for, or until there is so much. What is neither does not wake it: a recovery
    /// that begins would lose its turn on the processor to it at each of its first events.
    lingers: Option<usize>,
    /// The writer is to look at what has happened besides.
    is_woken: bool,
    intake: Intake,
}

impl Queue {
    pub(super) fn new(path: PathBuf, bound: Load) -> Self {
        Self {
            path,
            bound,
            linger: LINGER,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Puts work at the end of the line, or answers it at once.
    pub(super) fn push(&self, work: Work) {
        let (load, bound) = (work.load(), self.bound_for(&work));
        let mut state = self.state.lock();
        if state.intake.is_closed() {
            drop(state);
            return work.refuse(writer_gone(&self.path));
        }
        let total = state.load.plus(load);
        // One that alone is above the bound has to be written some time.
        let is_refused = state.load != Load::default() && !total.is_within(bound);
        if is_refused {
            let is_news = state.intake.refused();
            drop(state);
            let why = self.overloaded();
            if is_news {
                // Not every submission is awaited.
                tracing::error!(error = %why, "submissions are refused; is the disk full, or slow?");
            }
            return work.refuse(why);
        }
        if total.is_within(self.bound) && state.intake.taken() {
            tracing::warn!(
                path = %self.path.display(),
                "the journal takes submissions again; those in between were not taken"
            );
        }
        let Some(work) = work.into_held(state.held.as_ref()) else {
            return;
        };
        state.load = total;
        let is_awaited = work.is_awaited();
        state.waiting.push_back(Waiting { work, load });
        let count = state.waiting.len();
        let is_of_use = state.lingers.is_none_or(|most| is_awaited || count >= most);
        drop(state);
        if is_of_use {
            self.changed.notify_all();
        }
    }

    /// What the daemon has to remember has as much room again as all that may happen.
    fn bound_for(&self, work: &Work) -> Load {
        let is_event = |change: &Change| matches!(change, Change::Event(_));
        match work {
            // One without any only waits for those before it.
            Work::Changes(changes, ..) if changes.is_empty() || !changes.iter().all(is_event) => {
                self.bound.plus(self.bound)
            }
            _ => self.bound,
        }
    }

    fn overloaded(&self) -> StoreError {
        let what = "takes no more for now: as much as may waits for the disk; this was not taken, try it again when \
                    there is room on the disk";
        let what = ErrorCode::DiskFull.mark(what);
        sentence(&self.path, StoreErrorKind::Full, what)
    }

    /// The oldest submissions; waits for one, at most for so long.
    pub(super) fn take(&self, most: usize, patience: Option<Duration>) -> Taken {
        let mut state = self.state.lock();
        let is_idle = |state: &mut State| {
            state.waiting.is_empty() && !state.intake.is_closed() && !state.is_woken
        };
        match patience {
            None => self.changed.wait_while(&mut state, is_idle),
            Some(patience) => {
                self.changed.wait_while_for(&mut state, is_idle, patience);
            }
        }
        let was_woken = std::mem::take(&mut state.is_woken);
        if !state.waiting.is_empty() {
            self.linger(&mut state, most);
            let taken = most.min(state.waiting.len());
            return Taken::Batch(state.waiting.drain(..taken).collect());
        }
        match (state.intake.is_closed(), was_woken) {
            (true, _) => Taken::Closed,
            (false, true) => Taken::Woken,
            (false, false) => Taken::Quiet,
        }
    }

    /// Waits a little for more, while nobody waits for what is there and there is room in one transaction.
    fn linger(&self, state: &mut MutexGuard<'_, State>, most: usize) {
        // Nobody begins to wait for what was looked at.
        let mut looked_at = 0;
        let may_wait = |state: &mut State| {
            let mut new = state.waiting.iter().skip(looked_at);
            let is_awaited = new.any(|waiting| waiting.work.is_awaited());
            looked_at = state.waiting.len();
            !is_awaited && looked_at < most && !state.intake.is_closed()
        };
        state.lingers = Some(most);
        self.changed.wait_while_for(state, may_wait, self.linger);
        state.lingers = None;
    }

    /// Something is written, or refused for good: the disk takes something.
    pub(super) fn written(&self) {
        self.state.lock().held = None;
    }

    /// So much is on the disk, or refused for good: it waits no more.
    pub(super) fn release(&self, load: Load) {
        let mut state = self.state.lock();
        state.load = state.load.minus(load);
    }

    /// Has the writer look at what has happened besides, also where nothing waits for it.
    pub(super) fn wake(&self) {
        self.state.lock().is_woken = true;
        self.changed.notify_all();
    }

    /// The disk takes nothing now: what waits is answered, and so is what comes. `at_hand` is what the writer took.
    pub(super) fn hold(&self, why: &StoreError, at_hand: &mut VecDeque<Waiting>) {
        let mut state = self.state.lock();
        state.held = Some(why.clone());
        let mut waiting = std::mem::take(&mut state.waiting);
        for line in [&mut *at_hand, &mut waiting] {
            for Waiting { work, load } in std::mem::take(line) {
                match work.into_held(Some(why)) {
                    Some(work) => line.push_back(Waiting { work, load }),
                    None => state.load = state.load.minus(load),
                }
            }
        }
        if at_hand.is_empty() && waiting.is_empty() {
            // Nothing is tried again, so the next submission has to be tried to know.
            state.held = None;
        }
        state.waiting = waiting;
    }

    /// What is committed cannot be put on the disk now, and nothing is written before it is: what waits is answered, and so is
    /// what comes, until [`Queue::written`]. `at_hand` as in [`Queue::hold`].
    pub(super) fn hold_behind(&self, why: &StoreError, at_hand: &mut VecDeque<Waiting>) {
        self.hold(why, at_hand);
        self.state.lock().held = Some(why.clone());
    }

    /// How many changes wait.
    pub(super) fn changes(&self) -> usize {
        self.state.lock().load.changes
    }

    #[cfg(test)]
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().intake.is_closed()
    }

    #[cfg(test)]
    pub(super) fn is_refusing(&self) -> bool {
        self.state.lock().intake == Intake::Refusing
    }

    /// Waits for so long, or until the queue is closed; whether it is.
    pub(super) fn pause(&self, length: Duration) -> bool {
        let mut state = self.state.lock();
        let was_closed = state.intake.is_closed();
        let is_as_before = |state: &mut State| state.intake.is_closed() == was_closed;
        self.changed
            .wait_while_for(&mut state, is_as_before, length);
        state.intake.is_closed()
    }

    /// Takes no more; what waits is still written.
    pub(super) fn close(&self) {
        self.state.lock().intake = Intake::Closed;
        self.changed.notify_all();
    }

    /// Nobody writes or syncs any more: what waits is answered with that.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.intake = Intake::Closed;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        drop(waiting);
    }
}

impl Waiting {
    pub(super) fn load(&self) -> Load {
        self.load
    }
}

impl Work {
    fn load(&self) -> Load {
        match self {
            Work::Changes(changes, ..) => Load::of(changes),
            Work::Value(write, _) => Load {
                changes: 1,
                bytes: write.bytes(),
            },
            // It comes once, when the daemon starts.
            Work::SetAside(..) => Load::default(),
            #[cfg(test)]
            Work::Connection(..) => Load::default(),
        }
    }

    /// Whether it writes nothing, and only waits for what was submitted before it.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Work::Changes(changes, ..) if changes.is_empty())
    }

    /// Whether somebody waits for its answer. Who submits it says so: whether the answer is dropped is not known yet
    /// when the writer looks.
    fn is_awaited(&self) -> bool {
        match self {
            Work::Changes(_, haste, ack) => {
                *haste != Haste::Soon && ack.as_ref().is_some_and(|ack| !ack.is_closed())
            }
            Work::Value(..) | Work::SetAside(..) => true,
            #[cfg(test)]
            Work::Connection(..) => true,
        }
    }

    /// It is committed, and not yet on the disk: answers who needs no more than that.
    pub(super) fn is_written(&mut self) {
        if let Work::Changes(_, Haste::Written, ack) = self
            && let Some(ack) = ack.take()
        {
            let _ = ack.send(Ok(Committed::Written));
        }
    }

    pub(super) fn refuse(self, why: StoreError) {
        match self {
            Work::Changes(_, _, ack) => {
                let answer = ack.map(|ack| ack.send(Err(why.clone())));
                if !matches!(answer, Some(Ok(()))) && why.kind == StoreErrorKind::Unreadable {
                    tracing::error!(error = %why, "a change was not written, and nobody waited to hear it");
                }
            }
            Work::Value(_, ack) => drop(ack.send(Err(why))),
            Work::SetAside(_, ack) => drop(ack.send(Err(why))),
            #[cfg(test)]
            Work::Connection(_, ack) => drop(ack.send(Err(why))),
        }
    }

    /// It is committed, and the disk does not take it now: answers who waits for it, as [`Queue::hold`]; of a value nobody
    /// knows whether it stays.
    pub(super) fn is_held(&mut self, why: &StoreError) {
        match self.take() {
            Work::Value(_, ack) => {
                let late = EffectError::TimedOut(format!("kv: it may be set or not: {why}"));
                let _ = ack.send(Ok(Err(late)));
            }
            work => {
                if let Some(work) = work.into_held(Some(why)) {
                    *self = work;
                }
            }
        }
    }

    /// Takes it, and leaves one that is answered.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Work::Changes(Vec::new(), Haste::Soon, None))
    }

    /// As it waits while the disk takes nothing; none where it is done with. Unchanged where the disk takes something.
    fn into_held(self, why: Option<&StoreError>) -> Option<Self> {
        let Some(why) = why else {
            return Some(self);
        };
        match self {
            Work::Changes(changes, haste, ack) => {
                if let Some(ack) = ack {
                    let _ = ack.send(Ok(Committed::Held));
                }
                (!changes.is_empty()).then_some(Work::Changes(changes, haste, None))
            }
            Work::Value(_, ack) => {
                let _ = ack.send(Err(why.clone()));
                None
            }
            Work::SetAside(_, ack) => {
                // The next daemon finds them again; this one starts without them.
                let _ = ack.send(Ok(Vec::new()));
                None
            }
            #[cfg(test)]
            Work::Connection(..) => Some(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, time::Instant};

    const LONG: Duration = Duration::from_secs(3_600);

    fn line(linger: Duration) -> Queue {
        Queue {
            linger,
            ..Queue::new(PathBuf::from("/a/journal.db"), BOUND)
        }
    }

    /// A submission, and who may wait for its answer.
    fn submit(queue: &Queue, haste: Haste) -> oneshot::Receiver<Result<Committed, StoreError>> {
        let (ack, answer) = oneshot::channel();
        let changes = vec![Change::Paused(None, true)];
        queue.push(Work::Changes(changes, haste, Some(ack)));
        answer
    }

    fn taken(queue: &Queue) -> usize {
        match queue.take(1_024, None) {
            Taken::Batch(batch) => batch.len(),
            Taken::Quiet | Taken::Woken | Taken::Closed => 0,
        }
    }

    #[test]
    fn what_nobody_waits_for_stays_for_what_somebody_waits_for_and_goes_with_it() {
        let queue = Arc::new(line(LONG));
        // Its answer is still there: the writer may look before it is dropped.
        let first = submit(&queue, Haste::Soon);
        let later = Arc::clone(&queue);
        let submitting = std::thread::spawn(move || submit(&later, Haste::Now));
        assert_eq!(taken(&queue), 2, "it is not taken alone");
        drop((first, submitting.join().unwrap()));
    }

    #[test]
    fn what_nobody_waits_for_is_taken_once_it_fills_a_transaction() {
        let queue = Arc::new(line(LONG));
        drop(submit(&queue, Haste::Soon));
        let later = Arc::clone(&queue);
        let submitting = std::thread::spawn(move || {
            while later.state.lock().lingers.is_none() {
                std::thread::yield_now();
            }
            for _ in 1..3 {
                drop(submit(&later, Haste::Soon));
            }
        });
        let Taken::Batch(batch) = queue.take(3, None) else {
            panic!("there is a batch");
        };
        assert_eq!(batch.len(), 3);
        submitting.join().unwrap();
    }

    #[test]
    fn a_writer_that_is_woken_looks_once_and_takes_first_what_is_in_the_line() {
        let queue = line(LONG);
        queue.wake();
        assert!(matches!(queue.take(1, None), Taken::Woken));
        queue.wake();
        let answer = submit(&queue, Haste::Now);
        assert_eq!(taken(&queue), 1);
        drop(answer);
        let idle = queue.take(1, Some(Duration::ZERO));
        assert!(matches!(idle, Taken::Quiet), "{idle:?}");
    }

    #[test]
    fn what_nobody_waits_for_is_taken_alone_once_it_has_stayed_for_a_moment() {
        let (queue, start) = (line(Duration::from_millis(20)), Instant::now());
        let answer = submit(&queue, Haste::Soon);
        assert_eq!(taken(&queue), 1);
        drop(answer);
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn what_somebody_waits_for_is_taken_at_once_and_so_is_all_where_the_line_is_closed_or_long() {
        let queue = line(LONG);
        let answer = submit(&queue, Haste::Now);
        assert_eq!(taken(&queue), 1);
        drop(answer);
        // Who waited for it does not any more.
        drop(submit(&queue, Haste::Now));
        for _ in 1..1_500 {
            drop(submit(&queue, Haste::Soon));
        }
        assert_eq!(taken(&queue), 1_024, "one transaction is full");
        queue.close();
        assert_eq!(taken(&queue), 476);
        assert_eq!(taken(&queue), 0);
    }
}
