//! Findings on their way to the recovery engine.
//!
//! Invariant: sending never waits. While the engine's channel is full, the newest finding of each target and failure is
//! kept, and sent when there is room; an older one that it replaces is nothing the engine could still act on.

use super::locked;
use crate::ports::Finding;
use mainstay_domain::name::{FailureType, TargetName};
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Mutex,
};
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
};

pub(super) struct Outlet {
    findings: mpsc::Sender<Finding>,
    kept: Mutex<Kept>,
    has_kept: Notify,
}

/// In the order in which the first of each was kept.
#[derive(Default)]
struct Kept {
    findings: HashMap<(TargetName, FailureType), Finding>,
    order: VecDeque<(TargetName, FailureType)>,
}

impl Kept {
    fn put(&mut self, key: (TargetName, FailureType), finding: Finding) {
        match self.findings.entry(key) {
            Entry::Occupied(mut kept) => drop(kept.insert(finding)),
            Entry::Vacant(place) => {
                self.order.push_back(place.key().clone());
                place.insert(finding);
            }
        }
    }

    fn pop(&mut self) -> Option<Finding> {
        self.findings.remove(&self.order.pop_front()?)
    }
}

impl Outlet {
    pub(super) fn new(findings: mpsc::Sender<Finding>) -> Self {
        Self {
            findings,
            kept: Mutex::default(),
            has_kept: Notify::new(),
        }
    }

    /// Sends it at once, or keeps it.
    pub(super) fn send(&self, finding: Finding) {
        let mut kept = locked(&self.kept);
        let key = key(&finding);
        // One that is kept must not be overtaken.
        let sent = match kept.findings.contains_key(&key) {
            true => Err(TrySendError::Full(finding)),
            false => self.findings.try_send(finding),
        };
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(finding)) => {
                kept.put(key, finding);
                self.has_kept.notify_one();
            }
            // The engine is gone: the daemon is stopping.
            Err(TrySendError::Closed(_)) => {
                tracing::debug!("a finding came after the end of the engine")
            }
        }
    }

    /// Sends one that was kept; waits until there is one, and room for it. May be dropped.
    pub(super) async fn send_kept(&self) {
        while locked(&self.kept).order.is_empty() {
            self.has_kept.notified().await;
        }
        let room = self.findings.reserve().await;
        let mut kept = locked(&self.kept);
        match room {
            Ok(room) => {
                if let Some(finding) = kept.pop() {
                    room.send(finding);
                }
            }
            Err(_) => *kept = Kept::default(),
        }
    }
}

fn key(finding: &Finding) -> (TargetName, FailureType) {
    match finding {
        Finding::Raised {
            target, failure, ..
        }
        | Finding::Cleared {
            target, failure, ..
        } => (target.clone(), failure.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::time::Timestamp;

    fn cleared(failure: &str, millis: u64) -> Finding {
        Finding::Cleared {
            target: TargetName::parse("web").unwrap(),
            failure: FailureType::parse(failure).unwrap(),
            at: Timestamp::from_millis(millis),
        }
    }

    #[tokio::test]
    async fn a_full_channel_keeps_the_newest_of_each_failure_and_none_overtakes() {
        let (sender, mut receiver) = mpsc::channel(1);
        let outlet = Outlet::new(sender);
        outlet.send(cleared("a", 1));
        for millis in 2..=4 {
            outlet.send(cleared("a", millis));
        }
        outlet.send(cleared("b", 5));
        assert_eq!(receiver.recv().await, Some(cleared("a", 1)));
        outlet.send(cleared("a", 6)); // There is room, but an older one is kept.
        let mut rest = Vec::new();
        for _ in 0..2 {
            outlet.send_kept().await;
            rest.extend(receiver.recv().await);
        }
        assert_eq!(rest, [cleared("a", 6), cleared("b", 5)]);
    }
}
