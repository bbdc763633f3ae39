//! Calls of the store, which blocks, on threads that may.

use super::BackupService;
use crate::ports::{BackupStore, BackupStoreError};
use std::sync::Arc;

impl BackupService {
    /// Calls the store on a blocking thread.
    pub(super) async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn BackupStore) -> Result<T, BackupStoreError> + Send + 'static,
    ) -> Result<T, BackupStoreError> {
        on_blocking_thread(self.store(), work).await
    }
}

/// Calls a store on a blocking thread.
pub(super) async fn on_blocking_thread<T: Send + 'static>(
    store: Arc<dyn BackupStore>,
    work: impl FnOnce(&dyn BackupStore) -> Result<T, BackupStoreError> + Send + 'static,
) -> Result<T, BackupStoreError> {
    let ended = tokio::task::spawn_blocking(move || work(store.as_ref())).await;
    ended.unwrap_or_else(|error| {
        // Whatever it had done by then.
        Err(BackupStoreError::InDoubt(format!(
            "the store broke off: {error}; report this as a defect"
        )))
    })
}
