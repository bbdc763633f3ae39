//! Looks that block a thread, or the part of a look that does: one at a time for each check, and few in all.
//!
//! Invariant: a look that hangs, on a file system that does not answer say, holds one thread until it ends; before that
//! no further look of its check begins.

use super::Seen;
use mainstay_domain::{
    name::{CheckName, TargetName},
    spec::{CheckKind, CheckSpec},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Threads in all; the rest of those that tokio has for such work is for others.
const MAX_THREADS: usize = 64;

/// A check that was changed by a new config is another one.
type Looked = (TargetName, CheckName, CheckKind);

pub(super) struct BlockingLooks {
    running: Arc<Mutex<Vec<Looked>>>,
    threads: Arc<Semaphore>,
}

/// Ends with the look, not with who waits for it.
struct Running {
    looked: Looked,
    running: Arc<Mutex<Vec<Looked>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        locked(&self.running).retain(|other| *other != self.looked);
    }
}

impl BlockingLooks {
    pub(super) fn new() -> Self {
        Self {
            running: Arc::default(),
            threads: Arc::new(Semaphore::new(MAX_THREADS)),
        }
    }

    /// Looks on a thread of its own. May be dropped: the look goes on, but what it sees is lost. The error is what is
    /// seen where it cannot be done.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        target: &TargetName,
        check: &CheckSpec,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Seen> {
        let interrupted = |error: &dyn std::fmt::Display| {
            Seen::failed(format!("the look was interrupted: {error}"))
        };
        let Some(running) = self.begin((target.clone(), check.name.clone(), check.kind.clone()))
        else {
            return Err(Seen::failed(format!(
                "an earlier look of the {} check still hangs; no other begins before it ends",
                check.kind.as_str()
            )));
        };
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let thread = thread.map_err(|error| interrupted(&error))?;
        let looking = tokio::task::spawn_blocking(move || {
            let _until_it_ends = (running, thread);
            look()
        });
        looking.await.map_err(|error| interrupted(&error))
    }

    fn begin(&self, looked: Looked) -> Option<Running> {
        let mut running = locked(&self.running);
        if running.contains(&looked) {
            return None;
        }
        running.push(looked.clone());
        Some(Running {
            looked,
            running: Arc::clone(&self.running),
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{
        specs::{check as check_of, name},
        wait_until,
    };
    use std::{sync::mpsc, time::Duration};

    #[tokio::test]
    async fn a_check_whose_look_hangs_has_one_thread_and_says_so() {
        let looks = BlockingLooks::new();
        let (check, api, web) = (check_of("disk"), name("api"), name("web"));
        let (release, hang) = mpsc::channel::<()>();
        let hanging = looks.look(&api, &check, move || {
            let _ = hang.recv();
            Seen::healthy("at last")
        });
        let timed_out = tokio::time::timeout(Duration::from_millis(20), hanging).await;
        assert!(timed_out.is_err());

        let again = looks.look(&api, &check, || Seen::healthy("began"));
        let seen = again.await.unwrap_err();
        assert!(seen.message.contains("an earlier look"), "{seen:?}");
        let free = || looks.threads.available_permits();
        assert_eq!(free(), MAX_THREADS - 1);
        let other = looks.look(&web, &check, || Seen::healthy("another target"));
        assert_eq!(other.await.unwrap().message, "another target");

        release.send(()).unwrap();
        wait_until("its end", || free() == MAX_THREADS).await;
        let after = looks.look(&api, &check, || Seen::healthy("well again"));
        assert_eq!(after.await.unwrap().message, "well again");
    }
}
