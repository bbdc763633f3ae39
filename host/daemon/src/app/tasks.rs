//! The daemon's tasks, in stages that are stopped one after the other.
//!
//! Invariant: this is where services are spawned; each is told to stop by its phase's token and waited for, all within
//! one deadline, and what does not stop is named.
//! Invariant: one that ends before it was asked to, or panics, ends the daemon and is its reason; it is never missed in
//! silence. The same holds for what is no service: the journal's thread, the task that follows the plugin directory.
//! Invariant: one that does not stop does not take the time of those after it: the last stage has half of the deadline
//! for itself, in any case.

use parking_lot::Mutex;
use std::{
    convert::Infallible,
    fmt::Display,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{sync::SetOnce, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Every stage, in the order in which they are stopped.
#[derive(Default)]
pub(super) struct Tasks {
    phases: Vec<ShutdownPhase>,
    ends_at: Arc<OnceLock<Instant>>,
    ended_early: Arc<SetOnce<String>>,
}

/// Services that are stopped together.
#[derive(Clone)]
pub(super) struct ShutdownPhase {
    name: &'static str,
    stop: CancellationToken,
    tracker: TaskTracker,
    running: Arc<Mutex<Vec<&'static str>>>,
    ended_early: Arc<SetOnce<String>>,
}

impl Tasks {
    /// A further stage, stopped after those before it.
    pub(super) fn phase(&mut self, name: &'static str) -> ShutdownPhase {
        let phase = ShutdownPhase {
            name,
            stop: CancellationToken::new(),
            tracker: TaskTracker::new(),
            running: Arc::default(),
            ended_early: Arc::clone(&self.ended_early),
        };
        self.phases.push(phase.clone());
        phase
    }

    /// When all has to be over; set when the stop begins.
    pub(super) fn ends_at(&self) -> Arc<OnceLock<Instant>> {
        Arc::clone(&self.ends_at)
    }

    /// Set when a service ends though nobody asked it to: which one, and how.
    pub(super) fn ended_early(&self) -> Arc<SetOnce<String>> {
        Arc::clone(&self.ended_early)
    }

    /// Has what is no service end the daemon too: `broken` says how it broke off, or never resolves.
    pub(super) fn watch(&self, broken: impl Future<Output = String> + Send + 'static) {
        let ended_early = Arc::clone(&self.ended_early);
        tokio::spawn(async move {
            let what = broken.await;
            tracing::error!("{what}");
            // The first one is reported; those after it may have ended because of it.
            let _ = ended_early.set(what);
        });
    }

    /// Stops all stages; the names of what still ran at the deadline.
    pub(super) async fn stop(self, deadline: Duration) -> Vec<&'static str> {
        let start = Instant::now();
        let end = *self.ends_at.get_or_init(|| start + deadline);
        for phase in &self.phases {
            tracing::debug!(stage = phase.name, "stopping");
            phase.stop.cancel();
            phase.tracker.close();
            let _ = tokio::time::timeout_at(start + deadline / 2, phase.tracker.wait()).await;
        }
        let mut stragglers = Vec::new();
        for phase in &self.phases {
            let stopped = tokio::time::timeout_at(end, phase.tracker.wait()).await;
            if stopped.is_err() {
                stragglers.extend(phase.running.lock().iter());
            }
        }
        stragglers
    }
}

impl ShutdownPhase {
    /// Is cancelled when the stage is being stopped; for work that must not outlive it.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a service until the stage is stopped.
    pub(super) fn spawn<F>(&self, name: &'static str, service: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.try_spawn(name, |stop| {
            let work = service(stop);
            async move {
                work.await;
                Ok::<(), Infallible>(())
            }
        });
    }

    /// Runs a service that may fail, until the stage is stopped.
    pub(super) fn try_spawn<F, E>(
        &self,
        name: &'static str,
        service: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let running = Arc::clone(&self.running);
        running.lock().push(name);
        let work = service(self.stop.clone());
        let (stop, ended_early) = (self.stop.clone(), Arc::clone(&self.ended_early));
        self.tracker.spawn(async move {
            // In a task of its own, where a panic ends nothing else.
            let how = match tokio::spawn(work).await {
                Ok(Ok(())) if stop.is_cancelled() => None,
                Ok(Ok(())) => Some("ended before it was asked to".to_owned()),
                Ok(Err(error)) if stop.is_cancelled() => {
                    // The daemon ends anyway, and the others have their own end to come to.
                    tracing::error!("{error}");
                    None
                }
                Ok(Err(error)) => Some(format!("failed: {error}")),
                Err(error) => Some(format!("was torn off: {error}")),
            };
            if let Some(how) = how {
                let what = format!("the service {name} {how}");
                tracing::error!("{what}");
                // The first one is reported; those after it may have ended because of it.
                let _ = ended_early.set(what);
            }
            running.lock().retain(|other| *other != name);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stages_stop_in_order_and_stragglers_are_named() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Tasks::default();
        for name in ["first", "second"] {
            let order = Arc::clone(&order);
            tasks.phase(name).spawn(name, move |stop| async move {
                stop.cancelled().await;
                order.lock().push(name);
            });
        }
        tasks
            .phase("third")
            .spawn("deaf", |_| std::future::pending());
        assert_eq!(tasks.stop(Duration::from_secs(1)).await, ["deaf"]);
        assert_eq!(*order.lock(), ["first", "second"]);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_a_service_waits_for_is_told_to_stop_with_its_stage() {
        let mut tasks = Tasks::default();
        let phase = tasks.phase("work");
        let stopping = phase.stopping();
        phase.spawn("waits", |_| stopping.cancelled_owned());
        assert!(tasks.stop(Duration::from_secs(1)).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_ends_early_or_panics_is_named_and_the_others_still_stop() {
        async fn check(service: impl Future<Output = ()> + Send + 'static, how: &str) {
            let mut tasks = Tasks::default();
            let ended_early = tasks.ended_early();
            let phase = tasks.phase("work");
            phase.spawn("steady", |stop| async move { stop.cancelled().await });
            assert!(ended_early.get().is_none());
            phase.spawn("weak", |_| service);
            let what = ended_early.wait().await;
            assert!(what.starts_with("the service weak "), "{what}");
            assert!(what.contains(how), "{what}");
            assert_eq!(tasks.stop(Duration::from_secs(1)).await, [""; 0]);
        }
        check(async {}, "ended before it was asked to").await;
        check(async { panic!("out of luck") }, "out of luck").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_fails_is_told_with_its_reason() {
        let mut tasks = Tasks::default();
        let ended_early = tasks.ended_early();
        let phase = tasks.phase("work");
        phase.try_spawn("weak", |_| std::future::ready(Err("the listener broke")));
        let what = ended_early.wait().await;
        assert_eq!(what, "the service weak failed: the listener broke");
        assert_eq!(tasks.stop(Duration::from_secs(1)).await, [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_service_ends_the_daemon_too_where_it_breaks_off() {
        let tasks = Tasks::default();
        let ended_early = tasks.ended_early();
        tasks.watch(std::future::pending());
        tasks.watch(std::future::ready("the thread is gone".to_owned()));
        assert_eq!(ended_early.wait().await, "the thread is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_stop_leaves_half_of_the_time_to_the_last() {
        let mut tasks = Tasks::default();
        let phase = tasks.phase("work");
        phase.spawn("deaf", |_| std::future::pending());
        phase.spawn("slow", |stop| async move {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_millis(800)).await;
        });
        let (ends_at, left) = (tasks.ends_at(), Arc::new(OnceLock::new()));
        let seen = Arc::clone(&left);
        tasks.phase("last").spawn("last", |stop| async move {
            stop.cancelled().await;
            let time = ends_at.get().map(|end| *end - Instant::now());
            let _ = seen.set(time);
            tokio::time::sleep(Duration::from_millis(400)).await;
        });
        assert_eq!(tasks.stop(Duration::from_secs(1)).await, ["deaf"]);
        assert_eq!(left.get(), Some(&Some(Duration::from_millis(500))));
    }
}
