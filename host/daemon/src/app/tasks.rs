//! The daemon's tasks, in stages that are stopped one after the other.
//!
//! Invariant: this is where services are spawned; each is told to stop by its stage's token and waited for, all within
//! one deadline, and what does not stop is named.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Every stage, in the order in which they are stopped.
#[derive(Default)]
pub(super) struct Tasks(Vec<Stage>);

/// Services that are stopped together.
#[derive(Clone)]
pub(super) struct Stage {
    name: &'static str,
    stop: CancellationToken,
    tracker: TaskTracker,
    running: Arc<Mutex<Vec<&'static str>>>,
}

impl Tasks {
    /// A further stage, stopped after those before it.
    pub(super) fn stage(&mut self, name: &'static str) -> Stage {
        let stage = Stage {
            name,
            stop: CancellationToken::new(),
            tracker: TaskTracker::new(),
            running: Arc::default(),
        };
        self.0.push(stage.clone());
        stage
    }

    /// Stops all stages; the names of what still ran at the deadline.
    pub(super) async fn stop(self, deadline: Duration) -> Vec<&'static str> {
        let end = Instant::now() + deadline;
        let mut stragglers = Vec::new();
        for stage in self.0 {
            tracing::debug!(stage = stage.name, "stopping");
            stage.stop.cancel();
            stage.tracker.close();
            if tokio::time::timeout_at(end, stage.tracker.wait())
                .await
                .is_err()
            {
                stragglers.extend(
                    stage
                        .running
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .iter(),
                );
            }
        }
        stragglers
    }
}

impl Stage {
    /// Runs a service until the stage is stopped.
    pub(super) fn spawn<F>(&self, name: &'static str, service: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = Arc::clone(&self.running);
        running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name);
        let work = service(self.stop.clone());
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            work.await;
            if !stop.is_cancelled() {
                tracing::error!(service = name, "ended before it was asked to");
            }
            running
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|other| *other != name);
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
            tasks.stage(name).spawn(name, move |stop| async move {
                stop.cancelled().await;
                order.lock().unwrap().push(name);
            });
        }
        tasks
            .stage("third")
            .spawn("deaf", |_| std::future::pending());
        assert_eq!(tasks.stop(Duration::from_secs(1)).await, ["deaf"]);
        assert_eq!(*order.lock().unwrap(), ["first", "second"]);
    }
}
