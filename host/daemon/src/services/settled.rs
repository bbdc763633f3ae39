//! The wall clock as far as it can be believed, for all services, and for the next daemon.
//!
//! Invariant: what is believed is what the daemon before believed, and the time lived since; what was written to the
//! journal under a wrong wall clock counts only where that is not known.

use crate::ports::{Clock, SettledStore};
use mainstay_domain::{
    settled_clock::{SettledClock, SettledState},
    time::Timestamp,
};
use parking_lot::Mutex;
use std::sync::Arc;

/// What is believed.
pub struct Settled {
    clock: Arc<dyn Clock>,
    believed: Mutex<SettledClock>,
    store: Arc<dyn SettledStore>,
}

impl Settled {
    /// Goes on with what was `stored`. Where there is nothing, `last_lived` is when the daemon before was alive last, by
    /// its clock; none where there was none.
    pub fn new(
        clock: Arc<dyn Clock>,
        stored: Option<SettledState>,
        last_lived: Option<Timestamp>,
        store: Arc<dyn SettledStore>,
    ) -> Self {
        let believed = match stored {
            Some(state) => SettledClock::resumed(state),
            None => SettledClock::new(last_lived),
        };
        Self {
            clock,
            believed: Mutex::new(believed),
            store,
        }
    }

    /// The time that is believed now.
    pub fn now(&self) -> Timestamp {
        let mut believed = self.believed.lock();
        believed.look(self.clock.now(), self.clock.monotonic())
    }

    /// Writes down what is believed. Where that cannot be done the next daemon believes what was written before.
    pub async fn keep(&self) {
        let state = self.believed.lock().state();
        if let Err(error) = self.store.keep(state).await {
            tracing::warn!(%error, "what is believed of the wall clock is not written down for now");
        }
    }

    /// A daemon is killed, and the next one begins with what this one wrote.
    #[cfg(test)]
    pub(crate) fn restart(&self) {
        let mut believed = self.believed.lock();
        *believed = SettledClock::resumed(believed.state());
    }
}
