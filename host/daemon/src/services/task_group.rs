//! The long-living tasks of one service.
//!
//! Invariant: no task panics in silence. A service waits for [`TaskGroup::first_panic`] beside its work and panics
//! with the task's own panic, so whoever observes a service observes its tasks.

use parking_lot::Mutex;
use std::{any::Any, sync::Arc};
use tokio::sync::Notify;

/// What a task panicked with.
pub(crate) type Panic = Box<dyn Any + Send>;

/// The tasks. Clones are the same ones.
#[derive(Clone, Default)]
pub(crate) struct TaskGroup(Arc<Shared>);

#[derive(Default)]
struct Shared {
    panic: Mutex<Option<Panic>>,
    panicked: Notify,
}

impl TaskGroup {
    /// Runs work that nobody waits for.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let work = tokio::spawn(work);
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            // What is cancelled is so because the whole program ends.
            let panic = work.await.err().and_then(|end| end.try_into_panic().ok());
            if panic.is_some() {
                *shared.panic.lock() = panic;
                shared.panicked.notify_one();
            }
        });
    }

    /// Resolves where one has panicked. May be dropped; one at a time waits.
    pub(crate) async fn first_panic(&self) -> Panic {
        loop {
            let panic = self.0.panic.lock().take();
            match panic {
                Some(panic) => return panic,
                None => self.0.panicked.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::within;

    #[tokio::test]
    async fn a_part_that_panics_is_told_and_one_that_ends_is_not() {
        let tasks = TaskGroup::default();
        let (said, heard) = tokio::sync::oneshot::channel();
        tasks.spawn(async move { said.send(()).unwrap() });
        within(heard).await.unwrap();
        tasks.spawn(async { panic!("out of luck") });
        let panic = within(tasks.first_panic()).await;
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"out of luck"));
    }

    #[tokio::test]
    async fn one_that_panicked_while_nobody_waited_is_told_later() {
        let tasks = TaskGroup::default();
        tasks.spawn(async { panic!("early") });
        within(async {
            while tasks.0.panic.lock().is_none() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        within(tasks.first_panic()).await;
    }
}
