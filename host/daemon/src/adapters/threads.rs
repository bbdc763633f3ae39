//! Threads for work that blocks and may hang, looks and starts of programs: at most so many, made where they are needed, and
//! gone a while after.
//!
//! Each group of such work has its own, so that what hangs in one group takes no place of another. They are none of those that
//! tokio has for it: these are shared by all of the daemon, and its end waits for them.
//!
//! Invariant: a job that is taken begins as soon as a thread is free. Where no thread can be had it is refused at once,
//! for one that waits behind others that hang would never begin.

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

    /// Has a job done. The error is that of the system where there is no thread for it, and none can be made.
    pub(in crate::adapters) fn run(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let inner = &self.0;
        let mut state = inner.state.lock();
        state.jobs.push_back(Box::new(job));
        if state.jobs.len() <= state.idle {
            inner.work.notify_one();
            return Ok(());
        }
        if state.all >= inner.most {
            return Ok(());
        }
        let own = Arc::clone(inner);
        let thread = std::thread::Builder::new().name(inner.name.to_owned());
        match thread.spawn(move || own.work()) {
            Ok(_) => state.all += 1,
            Err(error) => {
                state.jobs.pop_back();
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Inner {
    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                MutexGuard::unlocked(&mut state, || {
                    // Who waits for it learns of it by what the job held; the thread goes on.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                });
                continue;
            }
            state.idle += 1;
            let waited = self.work.wait_for(&mut state, KEEP);
            state.idle -= 1;
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
}
