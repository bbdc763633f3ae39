//! Keeps the journal from growing without end: what is older than `host.keep_history` is forgotten.

use super::shared::Shared;
use mainstay_domain::record::Change;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_secs(60);

/// The service.
pub struct HistoryPruner {
    /// The journal is what is kept small; the wall clock counts.
    pub shared: Shared,
}

impl HistoryPruner {
    /// Runs until it is stopped. A change of the config counts at the next look.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let shared = &self.shared;
            let before = shared.clock.now() - shared.spec.borrow().host.keep_history;
            if let Err(error) = shared
                .journal
                .commit(vec![Change::Forget(before)].into())
                .await
            {
                tracing::warn!(%error, "what is too old stays in the journal for now");
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}
