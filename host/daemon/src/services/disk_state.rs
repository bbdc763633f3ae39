//! Reports when the disk of the journal is full, and when it is writable again.
//!
//! Invariant: each is reported once, in turn. If a daemon before reported a full disk and could not report its end,
//! this one does.

use super::shared::Shared;
use crate::ports::DiskState;
use mainstay_domain::{
    event::{Event, EventKind},
    severity::Severity,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The service.
pub struct DiskStateService {
    /// The state of the disk.
    pub disk: watch::Receiver<DiskState>,
    /// Both are events in the journal. On a full disk the event is held in memory, but its alert goes out.
    pub shared: Shared,
}

impl DiskStateService {
    /// Runs until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut last_reported = None;
        loop {
            let disk = self.disk.borrow_and_update().clone();
            let news = match disk {
                DiskState::Full(why) => Some((EventKind::JournalFull, why)),
                DiskState::Recovered => {
                    let message = "the journal is written again, and holds all that was held back";
                    Some((EventKind::JournalWritable, message.to_owned()))
                }
                DiskState::Healthy => None,
            };
            if let Some((kind, message)) = news
                && last_reported != Some(kind)
            {
                last_reported = Some(kind);
                // Of one severity, so that who heard the one hears the other.
                let now = self.shared.clock.now();
                let event = Event::new(kind, Severity::Critical, now, message);
                self.shared.submit_event(event);
            }
            tokio::select! { biased;
                () = stop.cancelled() => return,
                changed = self.disk.changed() => if changed.is_err() {
                    // The journal is gone; there is nothing more to tell.
                    return stop.cancelled().await;
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{ManualClock, MemoryJournal, shared, wait_until, within};

    #[tokio::test]
    async fn a_full_disk_and_its_end_are_told_once_each_and_in_turn() {
        let journal = MemoryJournal::new();
        let (sender, disk) = watch::channel(DiskState::Healthy);
        let service = DiskStateService {
            disk,
            shared: shared(journal.clone(), ManualClock::new()),
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(service.run(stop.clone()));
        let full = |why: &str| DiskState::Full(why.to_owned());
        let (full_kind, writable) = (EventKind::JournalFull, EventKind::JournalWritable);
        for (next, expected) in [
            (full("full"), vec![full_kind]),
            (DiskState::Recovered, vec![full_kind, writable]),
            (full("again"), vec![full_kind, writable, full_kind]),
        ] {
            sender.send_replace(next);
            wait_until("it to be told", || journal.kinds() == expected).await;
        }
        sender.send_replace(full("for another reason"));
        stop.cancel();
        within(running).await.unwrap();
        assert_eq!(journal.kinds().len(), 3);
        assert_eq!(journal.events()[0].message, "full");
    }

    #[tokio::test]
    async fn what_a_daemon_before_told_is_taken_back_by_this_one() {
        let journal = MemoryJournal::new();
        let (_sender, disk) = watch::channel(DiskState::Recovered);
        let service = DiskStateService {
            disk,
            shared: shared(journal.clone(), ManualClock::new()),
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(service.run(stop.clone()));
        wait_until("it to be told", || {
            journal.kinds() == [EventKind::JournalWritable]
        })
        .await;
        stop.cancel();
        within(running).await.unwrap();
    }
}
