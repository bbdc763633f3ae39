//! The numbers of effects.

use mainstay_domain::id::OperationId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The number of the last effect of each operation that has not ended. Numbers go on over the attempts and steps of
/// an operation, so that a number is an idempotency key.
#[derive(Debug, Clone, Default)]
pub struct EffectNumbers(Arc<Mutex<HashMap<OperationId, u32>>>);

impl EffectNumbers {
    pub(super) fn next(&self, operation: &OperationId) -> u32 {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.entry(operation.clone()).or_default();
        *number = number.saturating_add(1);
        *number
    }

    /// The operation has ended.
    pub fn forget(&self, operation: &OperationId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(operation);
    }
}
