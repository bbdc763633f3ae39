//! What operations have asked for and what of it has not ended.

use mainstay_domain::id::OperationId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_util::task::TaskTracker;

/// The effects of each operation that has not ended. Their numbers go on over its attempts and steps, so that a number
/// is an idempotency key; those that act may outlive the call that asked for them.
#[derive(Debug, Clone, Default)]
pub struct EffectsUnderWay(Arc<Mutex<HashMap<OperationId, OfOperation>>>);

#[derive(Debug, Default)]
struct OfOperation {
    last: u32,
    acting: TaskTracker,
}

impl EffectsUnderWay {
    pub(super) fn next_number(&self, operation: &OperationId) -> u32 {
        let mut all = self.all();
        let of = all.entry(operation.clone()).or_default();
        of.last = of.last.saturating_add(1);
        of.last
    }

    /// Where the tasks of effects that act belong.
    pub(super) fn acting(&self, operation: &OperationId) -> TaskTracker {
        let mut all = self.all();
        all.entry(operation.clone()).or_default().acting.clone()
    }

    /// A call begins; so many effects were before it.
    pub fn begin(&self, operation: &OperationId, effects: u32) {
        self.all().entry(operation.clone()).or_default().last = effects;
    }

    /// A call has ended: waits for what it began; how many effects there are now.
    pub async fn end(&self, operation: &OperationId) -> u32 {
        self.settled(operation).await;
        self.all().remove(operation).map_or(0, |of| of.last)
    }

    /// Waits until nothing acts for it any more. Each effect has a bound of its own.
    pub async fn settled(&self, operation: &OperationId) {
        let acting = self.all().get(operation).map(|of| of.acting.clone());
        if let Some(acting) = acting {
            acting.close();
            acting.wait().await;
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<OperationId, OfOperation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
