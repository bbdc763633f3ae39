//! A sign of life of the engine's own loop, for who starts a daemon anew that hangs.
//!
//! Invariant: it is given by the loop itself, between two inputs, and by no other task: a loop that hangs gives none.

use std::{sync::Arc, time::Duration};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// When a sign is due, and how it is given.
pub struct Heartbeat {
    every: Duration,
    give: Arc<dyn Fn() + Send + Sync>,
    /// None until it is first waited for.
    due: Option<Interval>,
}

impl Heartbeat {
    /// A sign each `every`, the first at once.
    pub fn new(every: Duration, give: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            every: every.max(Duration::from_millis(1)),
            give,
            due: None,
        }
    }

    async fn wait(&mut self) {
        let every = self.every;
        let due = self.due.get_or_insert_with(|| {
            let mut due = interval(every);
            due.set_missed_tick_behavior(MissedTickBehavior::Delay);
            due
        });
        due.tick().await;
    }
}

/// Waits until a sign is due; for ever where nobody wants one. May be dropped.
pub(super) async fn due(heartbeat: &mut Option<Heartbeat>) {
    match heartbeat {
        Some(heartbeat) => heartbeat.wait().await,
        None => std::future::pending().await,
    }
}

/// Gives the sign.
pub(super) fn give(heartbeat: Option<&Heartbeat>) {
    if let Some(heartbeat) = heartbeat {
        (heartbeat.give)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_sign_is_given_at_once_and_then_only_while_the_loop_asks_for_it() {
        let second = Duration::from_secs(1);
        let given = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&given);
        let counting = Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let mut heartbeat = Some(Heartbeat::new(second, counting));
        for turn in 1..=3 {
            due(&mut heartbeat).await;
            give(heartbeat.as_ref());
            assert_eq!(given.load(Ordering::Relaxed), turn);
        }
        // A loop that hangs.
        tokio::time::sleep(60 * second).await;
        assert_eq!(given.load(Ordering::Relaxed), 3);
        due(&mut heartbeat).await;
        let early = tokio::time::timeout(second / 2, due(&mut heartbeat)).await;
        assert!(early.is_err(), "what was missed is not made up for");
        let nobody_wants_one = tokio::time::timeout(60 * second, due(&mut None)).await;
        assert!(nobody_wants_one.is_err());
    }
}
