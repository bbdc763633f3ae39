//! Events about the host itself.

use crate::{adapters::orders_file::UnreadOrders, ports::SetAside, services::shared::Shared};
use mainstay_domain::{
    event::{Event, EventKind, JournalDamaged, RecordSetAside},
    record::Change,
    severity::Severity,
};
use mainstay_store::sqlite::JournalDamage;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Records an event about the host, and waits until it is durable, or cannot be for now; whether it is.
pub(super) async fn record_host_event(shared: &Shared, kind: EventKind, message: String) -> bool {
    let event = Event::new(kind, Severity::Low, shared.clock.now(), message);
    let recorded = shared.journal.commit(vec![Change::Event(event)].into());
    match recorded.await {
        Ok(committed) => committed.is_durable(),
        Err(error) => {
            tracing::error!("{error}");
            false
        }
    }
}

/// Records that a record was set aside; it is written with what follows.
pub(super) fn record_set_aside(shared: &Shared, aside: &SetAside) {
    let SetAside { table, key, why } = aside;
    let message = format!(
        "a record of the journal cannot be read by this version and was set aside: {key} of {table}: {why}"
    );
    let facts = RecordSetAside {
        table: (*table).to_owned(),
        key: key.clone(),
        why: why.clone(),
    };
    submit_set_aside(shared, message, facts);
}

/// Records that what people ordered is lost; it is written with what follows.
pub(super) fn record_unread_orders(shared: &Shared, unread: &UnreadOrders) {
    let UnreadOrders { file, why } = unread;
    let file = file.display();
    let message = format!(
        "what people had ordered cannot be read, so no target is kept stopped: {file}: {why}"
    );
    let facts = RecordSetAside {
        table: RecordSetAside::ORDERS.to_owned(),
        key: file.to_string(),
        why: why.clone(),
    };
    submit_set_aside(shared, message, facts);
}

fn submit_set_aside(shared: &Shared, message: String, facts: RecordSetAside) {
    let event = Event::new(
        EventKind::RecordSetAside,
        Severity::High,
        shared.clock.now(),
        message,
    );
    shared.submit_event(event.with_data(facts));
}

/// Records that the journal was found damaged, once it is, and then waits for the stop. The daemon goes on.
pub(super) async fn record_damage(
    damage: impl Future<Output = JournalDamage>,
    shared: Shared,
    stop: CancellationToken,
) {
    let JournalDamage { found, text } = tokio::select! { biased;
        () = stop.cancelled() => return,
        damage = damage => damage,
    };
    let event = Event::new(
        EventKind::JournalDamaged,
        Severity::Critical,
        shared.clock.now(),
        text,
    );
    let facts = JournalDamaged { found };
    shared.submit_event(event.with_data(facts));
    stop.cancelled().await;
}

/// Waits for an event to be durable, but no longer than this. It stays submitted.
pub(super) async fn wait_at_most<T>(longest: Duration, recording: impl Future<Output = T>) {
    if tokio::time::timeout(longest, recording).await.is_err() {
        tracing::warn!("the journal does not answer; what it was told is written when it does");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::{Batch, Commit, Journal},
        services::testing::{ManualClock, MemoryJournal, shared},
    };
    use std::sync::Arc;
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

    #[tokio::test]
    async fn orders_that_cannot_be_read_are_told_with_their_file() {
        let journal = MemoryJournal::new();
        let unread = UnreadOrders {
            file: "/var/lib/mainstay/orders.json".into(),
            why: "it is no regular file; what was there is in /x".to_owned(),
        };
        record_unread_orders(&shared(journal.clone(), ManualClock::new()), &unread);
        assert_eq!(journal.kinds(), [EventKind::RecordSetAside]);
        let changes = journal.changes();
        let Some(Change::Event(event)) = changes.first() else {
            panic!("{changes:?}")
        };
        for words in ["no target is kept stopped", "orders.json: it is no regular"] {
            assert!(event.message.contains(words), "{}", event.message);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_is_found_damaged_is_told_once_and_the_daemon_goes_on() {
        let journal = MemoryJournal::new();
        let stop = CancellationToken::new();
        let damage = std::future::ready(JournalDamage {
            found: "a page".to_owned(),
            text: "the journal is damaged (a page)".to_owned(),
        });
        let shared = shared(journal.clone(), ManualClock::new());
        let saying = record_damage(damage, shared, stop.clone());
        let mut saying = Box::pin(saying);
        let second = Duration::from_secs(1);
        assert!(tokio::time::timeout(second, &mut saying).await.is_err());
        assert_eq!(journal.kinds(), [EventKind::JournalDamaged]);
        stop.cancel();
        saying.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_does_not_answer_does_not_hold_up_the_stop() {
        let memory = MemoryJournal::new();
        let shared = shared(Arc::new(Silent(memory.clone())), ManualClock::new());
        let recording = record_host_event(&shared, EventKind::HostStopping, "asked to".to_owned());
        let second = Duration::from_secs(1);
        let said = tokio::time::timeout(60 * second, wait_at_most(second, recording)).await;
        assert!(said.is_ok(), "it waits for the disk");
        assert_eq!(memory.kinds(), [EventKind::HostStopping]);
    }
}
