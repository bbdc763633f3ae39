//! Threads for work that blocks and may hang, looks and starts of programs: at most so many, made where they are needed, and
//! gone a while after.
//!
//! Each group of such work has its own, so that what hangs in one group takes no place of another. They are none of those that
//! tokio has for it: these are shared by all of the daemon, and its end waits for them.
//!
//! Invariant: a job that is taken begins as soon as a thread is free. Where no thread can be had it is refused at once, or
//! dropped, for one that waits behind others that hang would never begin.
//! Invariant: one thread at a time is woken or made, and before it begins a job it calls the next one where there are more
//! jobs. So many short jobs at once cost a few wake-ups and need a few threads, and one that hangs holds none of the others.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// So long a thread without work is kept.
const KEEP: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// Clones are the same threads.
#[derive(Clone)]
pub(in crate::adapters) struct Threads(Arc<Inner>);

struct Inner {
    name: &'static str,
    most: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that wait for work, those that were woken for it included.
    idle: usize,
    all: usize,
    /// One was woken, made, or has given up waiting, and has not come for a job yet.
    is_coming: bool,
}

impl Threads {
    /// None yet; `name` is what they are called, at most 15 bytes.
    pub(in crate::adapters) fn new(name: &'static str, most: usize) -> Self {
        Self(Arc::new(Inner {
            name,
            most,
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    /// Has a job done. The error is that of the system where there is no thread for it, and none can be made. Where that
    /// shows only later the job is dropped, of which who waits for it learns by what it held.
    pub(in crate::adapters) fn run(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let job = Box::new(job);
        let mut state = self.0.state.lock();
        state.jobs.push_back(job);
        let called = self.0.call(&mut state);
        if called.is_err() {
            state.jobs.pop_back();
        }
        called
    }
}

impl Inner {
    /// Has one more thread come where there is a job, unless one is on its way.
    fn call(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        if state.is_coming || state.jobs.is_empty() {
            return Ok(());
        }
        if state.idle > 0 {
            // Where this wakes none, one has just given up waiting, and looks for jobs before it ends.
            self.work.notify_one();
        } else if state.all < self.most {
            let own = Arc::clone(self);
            let thread = std::thread::Builder::new().name(self.name.to_owned());
            thread.spawn(move || own.work())?;
            state.all += 1;
        } else {
            // Who ends a job first takes it.
            return Ok(());
        }
        state.is_coming = true;
        Ok(())
    }

    fn work(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.is_coming = false;
        loop {
            if let Some(job) = state.jobs.pop_front() {
                let refused = match self.call(&mut state) {
                    Ok(()) => VecDeque::new(),
                    // They would wait for this one, which may hang.
                    Err(_) => std::mem::take(&mut state.jobs),
                };
                MutexGuard::unlocked(&mut state, || {
                    // Who waits for it learns of it by what the job held; the thread goes on.
                    let _ = catch_unwind(AssertUnwindSafe(move || {
                        drop(refused);
                        job();
                    }));
                });
                continue;
            }
            state.idle += 1;
            let waited = self.work.wait_for(&mut state, KEEP);
            state.idle -= 1;
            state.is_coming = false;
            if waited.timed_out() && state.jobs.is_empty() {
                state.all -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::wait_until;
    use std::sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    };

    #[tokio::test]
    async fn jobs_share_the_threads_and_one_that_breaks_off_takes_none_away() {
        let (threads, done) = (Threads::new("test", 3), Arc::new(AtomicUsize::new(0)));
        for number in 0..200 {
            let done = Arc::clone(&done);
            let job = move || {
                done.fetch_add(1, SeqCst);
                assert!(number % 10 != 0, "as it was told");
            };
            threads.run(job).unwrap();
        }
        wait_until("all are done", || done.load(SeqCst) == 200).await;
        let rest = || {
            let state = threads.0.state.lock();
            state.idle == state.all
        };
        wait_until("all rest", rest).await;
        assert!(threads.0.state.lock().all <= 3);
    }

    #[tokio::test]
    async fn jobs_that_hang_hold_their_own_threads_and_no_more() {
        let (threads, done) = (Threads::new("test", 3), Arc::new(AtomicUsize::new(0)));
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(std::sync::Mutex::new(hang));
        for _ in 0..2 {
            let hang = Arc::clone(&hang);
            threads
                .run(move || {
                    let _ = hang.lock().map(|hang| hang.recv());
                })
                .unwrap();
        }
        for _ in 0..50 {
            let done = Arc::clone(&done);
            threads
                .run(move || {
                    done.fetch_add(1, SeqCst);
                })
                .unwrap();
        }
        wait_until("the others are done", || done.load(SeqCst) == 50).await;
        assert_eq!(threads.0.state.lock().all, 3);
        drop(release);
        wait_until("those too", || threads.0.state.lock().idle == 3).await;
    }

    #[tokio::test]
    async fn many_short_jobs_wake_no_thread_while_one_is_on_its_way() {
        let (threads, done) = (Threads::new("test", 64), Arc::new(AtomicUsize::new(0)));
        // As if one were.
        threads.0.state.lock().is_coming = true;
        let count = |number: usize| {
            for _ in 0..number {
                let done = Arc::clone(&done);
                let job = move || {
                    done.fetch_add(1, SeqCst);
                };
                threads.run(job).unwrap();
            }
        };
        count(100);
        assert_eq!(threads.0.state.lock().all, 0, "each waits for that one");
        threads.0.state.lock().is_coming = false;
        count(1);
        wait_until("all are done", || done.load(SeqCst) == 101).await;
        for round in 2..50 {
            count(1);
            let all = 100 + round;
            wait_until("it is done too", || done.load(SeqCst) == all).await;
        }
    }

    #[tokio::test]
    async fn jobs_that_come_at_once_and_all_hang_have_a_thread_each_and_the_next_has_one_too() {
        let (threads, begun) = (Threads::new("test", 9), Arc::new(AtomicUsize::new(0)));
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(std::sync::Mutex::new(hang));
        for _ in 0..8 {
            let (begun, hang) = (Arc::clone(&begun), Arc::clone(&hang));
            let job = move || {
                begun.fetch_add(1, SeqCst);
                let _ = hang.lock().map(|hang| hang.recv());
            };
            threads.run(job).unwrap();
        }
        wait_until("all have begun", || begun.load(SeqCst) == 8).await;
        let (sender, done) = mpsc::channel();
        threads.run(move || sender.send(7).unwrap()).unwrap();
        wait_until("the next is done", || done.try_recv() == Ok(7)).await;
        assert_eq!(threads.0.state.lock().all, 9);
        drop(release);
        wait_until("all rest", || threads.0.state.lock().idle == 9).await;
    }
}
