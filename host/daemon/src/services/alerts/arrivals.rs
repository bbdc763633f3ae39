//! Alerts on their way from the event that calls for them to the outbox.
//!
//! Invariant: they arrive in the order in which they were submitted, each once its event is durable, or once it is known
//! that it cannot be for now. An alert whose event the journal has no place for arrives all the same: it is needed most
//! when little else works.

use crate::ports::Commit;
use mainstay_domain::alert::OutboxEntry;
use tokio::sync::mpsc;

/// Alerts that an event calls for.
pub struct Arrival {
    /// The alerts, one for each alerter.
    pub entries: Vec<OutboxEntry>,
    /// Answered when what they are about is written, or cannot be for now.
    pub written: Commit,
}

/// The receiving end.
pub struct Arrivals {
    receiver: mpsc::UnboundedReceiver<Arrival>,
    /// The next, whose event is not written yet.
    first: Option<Arrival>,
}

/// Both ends. Nothing bounds what is between them, for an arrival waits only as long as the journal's bounded line does.
pub fn arrivals() -> (mpsc::UnboundedSender<Arrival>, Arrivals) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let arrivals = Arrivals {
        receiver,
        first: None,
    };
    (sender, arrivals)
}

impl Arrivals {
    /// The next alerts; never, where none can come any more. May be dropped.
    pub async fn next(&mut self) -> Vec<OutboxEntry> {
        loop {
            if let Some(first) = &mut self.first {
                let written = first.written.as_mut().await;
                if let Err(error) = written {
                    tracing::error!(%error, "an alert is sent whose event may not be in the journal");
                }
                if let Some(first) = self.first.take() {
                    return first.entries;
                }
            }
            match self.receiver.recv().await {
                Some(arrival) => self.first = Some(arrival),
                None => std::future::pending().await,
            }
        }
    }
}
