//! What most services are given.

use crate::ports::{Batch, Clock, Journal};
use mainstay_domain::{event::Event, record::Change, spec::Spec};
use std::sync::Arc;
use tokio::sync::watch;

/// The daemon's journal, clocks and config; clones are the same.
#[derive(Clone)]
pub struct Shared {
    /// What must survive is written there, and told from there.
    pub journal: Arc<dyn Journal>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// The config in use, and those after it.
    pub spec: watch::Receiver<Arc<Spec>>,
}

impl Shared {
    /// Submits an event for which nobody waits: it is written in its turn.
    pub(crate) fn submit_event(&self, event: Event) {
        drop(self.journal.commit(Batch::soon(vec![Change::Event(event)])));
    }
}
