//! Keeps the journal from growing without end: what is older than `host.keep_history` is forgotten.

use crate::ports::{Clock, Journal};
use mainstay_domain::{journal::Change, spec::Spec};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_secs(60);

/// The service.
pub struct Upkeep {
    /// What is kept small.
    pub journal: Arc<dyn Journal>,
    /// The wall clock counts.
    pub clock: Arc<dyn Clock>,
    /// How long history is kept.
    pub spec: watch::Receiver<Arc<Spec>>,
}

impl Upkeep {
    /// Runs until it is stopped. A change of the config counts at the next look.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let before = self.clock.now() - self.spec.borrow().host.keep_history;
            if let Err(error) = self
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
