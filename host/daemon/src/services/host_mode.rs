//! Keeps the mode in which the host works, tells of its changes, and says to the other nodes how this one does.
//!
//! Invariant: a mode changes within a quarter of a second of the event that calls for it, or when its time is over; each
//! change is one event.
//! Invariant: a node that stops says so to the others.

use super::{feed::EventFeed, shared::Shared};
use crate::ports::{
    Browse, ConditionView, CoordinationError, Coordinator, HistoryFilter, HostCondition, Watch,
};
use mainstay_domain::{
    coordination::NodeBeat,
    event::{Event, EventKind, ModeChanged},
    failed_attempts::{FAILURES_WITHIN, FailedAttempts, MOST_FAILURES},
    fallback::{Fallback, FallbackChange},
    fallback_mode::FallbackMode,
    host_health::HostHealth,
    severity::Severity,
    time::Timestamp,
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// What happens together is looked at together.
const SETTLES: Duration = Duration::from_millis(250);

/// So often the other nodes hear of this one [seed 001].
const BEAT: Duration = Duration::from_secs(5);

/// Between two tries to read a journal that cannot be read.
const RETRY: Duration = if cfg!(test) {
    Duration::from_millis(2)
} else {
    Duration::from_secs(1)
};

/// The attempts to recover that failed within the last hour, as the journal has them; none where it cannot be read.
pub async fn recent_failures(records: &dyn Browse, now: Timestamp) -> FailedAttempts {
    let filter = HistoryFilter {
        since: Some(now - FAILURES_WITHIN),
        limit: MOST_FAILURES,
        ..HistoryFilter::default()
    };
    match records.history(filter).await {
        Ok(operations) => FailedAttempts::of(&operations),
        Err(error) => {
            tracing::warn!(%error, "how many attempts failed before this start is not known");
            FailedAttempts::default()
        }
    }
}

/// How the host as a whole does; clones are the same.
#[derive(Clone)]
pub struct HostMode(Arc<Inner>);

struct Inner {
    shared: Shared,
    watch: Arc<dyn Watch>,
    kept: Mutex<Kept>,
}

struct Kept {
    fallback: Fallback,
    since: Timestamp,
    failed: FailedAttempts,
}

impl HostMode {
    /// The mode of a host that starts, of which so many attempts failed before. It is looked at before this returns: what
    /// the daemon before left open is failing from the start.
    pub fn new(shared: Shared, watch: Arc<dyn Watch>, failed: FailedAttempts) -> Self {
        let kept = Mutex::new(Kept {
            fallback: Fallback::default(),
            since: shared.clock.now(),
            failed,
        });
        let mode = Self(Arc::new(Inner {
            shared,
            watch,
            kept,
        }));
        mode.look();
        mode
    }

    /// Takes what an event tells.
    fn hear(&self, event: &Event) {
        self.0.kept.lock().failed.hear(event);
    }

    /// Looks at the host, and tells of another mode, where it is one; what this node says of itself then.
    fn look(&self) -> NodeBeat {
        let Inner { shared, kept, .. } = &*self.0;
        let health = self.health();
        let now = shared.clock.now();
        let (change, mode) = {
            let mut kept = kept.lock();
            let change = kept.fallback.observe(&health, shared.clock.monotonic());
            if change.is_some() {
                kept.since = now;
            }
            (change, kept.fallback.mode())
        };
        if let Some(change) = change {
            shared.submit_event(event_of(&change, now));
        }
        NodeBeat {
            name: shared.spec.borrow().host.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            health,
            mode,
        }
    }

    /// How long until the mode may change by itself, or until the others have to hear of this node.
    fn rest(&self) -> Duration {
        let due = self.0.kept.lock().fallback.due();
        let now = self.0.shared.clock.monotonic();
        let rest = due.map_or(BEAT, |due| due.since(now));
        // It is due only after that moment, and no wait may be none.
        rest.saturating_add(Duration::from_millis(1)).min(BEAT)
    }

    fn health(&self) -> HostHealth {
        let Inner {
            shared,
            watch,
            kept,
        } = &*self.0;
        let failed = kept.lock().failed.count(shared.clock.now());
        let spec = Arc::clone(&shared.spec.borrow());
        HostHealth::of(watch.health_of_all(&spec), failed)
    }
}

impl ConditionView for HostMode {
    fn condition(&self) -> HostCondition {
        let health = self.health();
        let kept = self.0.kept.lock();
        HostCondition {
            health,
            mode: kept.fallback.mode(),
            mode_since: kept.since,
        }
    }

    fn mode(&self) -> FallbackMode {
        self.0.kept.lock().fallback.mode()
    }
}

/// How bad a change is: what is better than before is no fault.
fn event_of(change: &FallbackChange, now: Timestamp) -> Event {
    let FallbackChange { from, to, reason } = change;
    let severity = match to {
        _ if to < from => Severity::Low,
        FallbackMode::Safe => Severity::High,
        FallbackMode::Heuristic | FallbackMode::Primary => Severity::Medium,
    };
    let message = format!("the mode is {to}, and was {from}: {reason}");
    let facts = ModeChanged {
        from: *from,
        to: *to,
        reason: reason.to_string(),
    };
    Event::new(EventKind::ModeChanged, severity, now, message).with_data(facts)
}

/// The service.
pub struct HostModeService {
    /// What it keeps.
    pub mode: HostMode,
    /// The other nodes.
    pub coordinator: Arc<dyn Coordinator>,
    /// The events from the start of the daemon on.
    pub feed: EventFeed,
}

impl HostModeService {
    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Err(error) = self.begin().await {
            tracing::warn!(%error, "this node does not take part");
        }
        while self.wait(&stop).await {
            let beat = self.mode.look();
            if let Err(error) = self.coordinator.heartbeat(beat).await {
                tracing::warn!(%error, "the other nodes do not hear of this one");
            }
        }
        if let Err(error) = self.coordinator.shutdown().await {
            tracing::warn!(%error, "the other nodes do not hear that this one leaves");
        }
    }

    /// Takes part, and leads where nobody else does.
    async fn begin(&self) -> Result<(), CoordinationError> {
        self.coordinator.startup(self.mode.look()).await?;
        let leads = self.coordinator.elect_leader().await?;
        tracing::debug!(leads, "this node takes part");
        Ok(())
    }

    /// Waits until something happened, or it is time for a look; false: it is to stop.
    async fn wait(&mut self, stop: &CancellationToken) -> bool {
        tokio::select! { biased;
            () = stop.cancelled() => return false,
            () = hear(&mut self.feed, &self.mode) => {}
            () = tokio::time::sleep(self.mode.rest()) => return true,
        }
        let settled = tokio::time::sleep(SETTLES);
        tokio::pin!(settled);
        loop {
            tokio::select! { biased;
                () = stop.cancelled() => return false,
                () = &mut settled => return true,
                () = hear(&mut self.feed, &self.mode) => {}
            }
        }
    }
}

/// Takes the next events. May be dropped.
async fn hear(feed: &mut EventFeed, mode: &HostMode) {
    match feed.next().await {
        Ok(Some(events)) => events.iter().for_each(|event| mode.hear(event)),
        // The daemon ends.
        Ok(None) => std::future::pending().await,
        Err(error) => {
            tracing::error!(%error, "failed attempts cannot be counted for now");
            tokio::time::sleep(RETRY).await;
        }
    }
}

#[cfg(test)]
mod tests;
