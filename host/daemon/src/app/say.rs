//! What the daemon says of itself.

use crate::ports::{Clock, Journal, SetAside};
use mainstay_domain::{
    event::{Event, EventKind, RecordSetAside},
    journal::Change,
    severity::Severity,
};
use std::{sync::Arc, time::Duration};

/// Says that something happened to the host, and waits until that is durable.
pub(super) async fn say(
    journal: &Arc<dyn Journal>,
    clock: &Arc<dyn Clock>,
    kind: EventKind,
    message: String,
) {
    let event = Event::new(kind, Severity::Low, clock.now(), message);
    if let Err(error) = journal.commit(vec![Change::Event(event)].into()).await {
        tracing::error!("{error}");
    }
}

/// Says that a record was set aside; it is written with what follows.
pub(super) fn say_of_set_aside(journal: &dyn Journal, clock: &Arc<dyn Clock>, aside: &SetAside) {
    let SetAside { table, key, why } = aside;
    let message = format!(
        "a record of the journal cannot be read by this version and was set aside: {key} of {table}: {why}"
    );
    let facts = RecordSetAside {
        table: (*table).to_owned(),
        key: key.clone(),
        why: why.clone(),
    };
    tracing::error!("{message}");
    let event = Event::new(
        EventKind::RecordSetAside,
        Severity::High,
        clock.now(),
        message,
    );
    drop(journal.commit(vec![Change::Event(event.with_data(facts))].into()));
}

/// Waits for what is said, but no longer than this. It was submitted, and stays so.
pub(super) async fn say_within(longest: Duration, saying: impl Future<Output = ()>) {
    if tokio::time::timeout(longest, saying).await.is_err() {
        tracing::warn!("the journal does not answer; what it was told is written when it does");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::{Batch, Commit},
        services::testing::{ManualClock, MemoryJournal},
    };
    use tokio::sync::broadcast;

    /// A journal whose disk hangs: it takes everything and answers nothing.
    struct Silent(Arc<MemoryJournal>);

    impl Journal for Silent {
        fn commit(&self, batch: Batch) -> Commit {
            drop(self.0.commit(batch));
            Box::pin(std::future::pending())
        }
        fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
            self.0.subscribe()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_does_not_answer_does_not_hold_up_the_stop() {
        let memory = MemoryJournal::new();
        let journal: Arc<dyn Journal> = Arc::new(Silent(memory.clone()));
        let clock: Arc<dyn Clock> = ManualClock::new();
        let saying = say(
            &journal,
            &clock,
            EventKind::HostStopping,
            "asked to".to_owned(),
        );
        let second = Duration::from_secs(1);
        let said = tokio::time::timeout(60 * second, say_within(second, saying)).await;
        assert!(said.is_ok(), "it waits for the disk");
        assert_eq!(memory.kinds(), [EventKind::HostStopping]);
    }
}
