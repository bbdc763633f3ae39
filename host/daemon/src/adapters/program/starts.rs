//! Starts of programs on threads of their own: a start ends when the program is loaded, which on a file system that does not
//! answer may never be.
//!
//! Invariant: who waits for a start may give it up at any time. One that has not begun by then never begins, and what is
//! started too late is dropped, which kills a program.

use crate::adapters::threads::Threads;
use std::io;
use tokio::{runtime::Handle, sync::oneshot};

/// Starts of one kind at a time, those that hang among them; others wait for their turn, and for no longer than they would
/// wait for the program.
const MAX_THREADS: usize = 64;

/// The starts of one kind of program.
pub(in crate::adapters) struct Starts(Threads);

impl Starts {
    /// None yet; `name` is what their threads are called, at most 15 bytes.
    pub(in crate::adapters) fn new(name: &'static str) -> Self {
        Self(Threads::new(name, MAX_THREADS))
    }

    /// What `start` gives; the inner error is that there is no thread for it. The outer one is why it was `given_up`.
    pub(in crate::adapters) async fn run<R: Send + 'static, T>(
        &self,
        start: impl FnOnce() -> R + Send + 'static,
        given_up: impl Future<Output = T>,
    ) -> Result<io::Result<R>, T> {
        // A program that is started belongs to the runtime.
        let runtime = Handle::current();
        let (sender, started) = oneshot::channel();
        let begun = self.0.run(move || {
            if sender.is_closed() {
                return;
            }
            let _in_runtime = runtime.enter();
            // Where nobody waits for it any more it is dropped here.
            let _ = sender.send(start());
        });
        if let Err(error) = begun {
            return Ok(Err(error));
        }
        tokio::select! { biased;
            started = started => Ok(started.map_err(io::Error::other)),
            why = given_up => Err(why),
        }
    }

    /// Has every thread hang until the sender is dropped.
    #[cfg(test)]
    pub(in crate::adapters) fn all_hang(&self) -> std::sync::mpsc::Sender<()> {
        use std::sync::{Arc, Mutex, mpsc};
        let (release, hang) = mpsc::channel();
        let hang = Arc::new(Mutex::new(hang));
        for _ in 0..MAX_THREADS {
            let hang = Arc::clone(&hang);
            let job = move || {
                let _ = hang.lock().map(|hang| hang.recv());
            };
            assert!(self.0.run(job).is_ok());
        }
        release
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapters::program::Program,
        services::testing::{wait_until, within},
    };
    use rustix::process::{Pid, test_kill_process};
    use std::{sync::mpsc, time::Duration};

    #[tokio::test]
    async fn a_start_that_hangs_is_given_up_and_what_it_starts_at_last_is_killed() {
        let starts = Starts::new("test");
        let (release, hang) = mpsc::channel::<()>();
        let (number, started) = mpsc::channel();
        let start = move || {
            let _ = hang.recv();
            let mut command = std::process::Command::new("sleep");
            command.arg("300");
            let program = Program::start(command);
            let pid = program
                .as_ref()
                .ok()
                .and_then(|program| program.leader.id());
            let _ = number.send(pid);
            program
        };
        let given_up = tokio::time::sleep(Duration::from_millis(20));
        let ended = within(starts.run(start, given_up)).await;
        assert!(ended.is_err(), "it was given up");
        drop(release);
        let pid = started.recv().unwrap().unwrap();
        let pid = Pid::from_raw(pid.cast_signed()).unwrap();
        wait_until("it is killed", || test_kill_process(pid).is_err()).await;
    }

    #[tokio::test]
    async fn a_start_that_was_given_up_before_it_began_never_begins() {
        let starts = Starts::new("test");
        let release = starts.all_hang();
        let (begun, begins) = mpsc::channel::<()>();
        let start = move || begun.send(());
        let given_up = tokio::time::sleep(Duration::from_millis(20));
        assert!(within(starts.run(start, given_up)).await.is_err());
        drop(release);
        let never = std::future::pending::<()>();
        let next = within(starts.run(|| 7, never)).await;
        assert_eq!(next.unwrap().unwrap(), 7);
        let nothing = begins.recv_timeout(Duration::from_secs(20));
        assert_eq!(nothing, Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
