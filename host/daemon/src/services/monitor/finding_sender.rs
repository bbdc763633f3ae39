//! Findings on their way to the recovery engine.
//!
//! Invariant: sending never waits. While the engine's channel is full, the newest exit and the newest finding of each
//! failure of a target are kept in a backlog and sent when there is room; an older one that it replaces is nothing
//! the engine could still act on.
//! Invariant: what the engine hears of one target is in the order in which it happened.

use crate::ports::Finding;
use mainstay_domain::name::{FailureType, TargetName};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque, hash_map::Entry};
use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
};

pub(super) struct FindingSender {
    findings: mpsc::Sender<Finding>,
    backlog: Mutex<Backlog>,
    backlog_changed: Notify,
}

#[derive(Default)]
struct Backlog {
    /// Oldest first; no target without one.
    of_targets: HashMap<TargetName, VecDeque<Finding>>,
    /// Whose turn it is: to look for one in the map would cost more the more has left it.
    order: VecDeque<TargetName>,
}

impl Backlog {
    fn put(&mut self, finding: Finding) {
        let of_target = match self.of_targets.entry(key(&finding).0.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                self.order.push_back(place.key().clone());
                place.insert(VecDeque::new())
            }
        };
        of_target.retain(|older| key(older) != key(&finding));
        of_target.push_back(finding);
    }

    fn pop(&mut self) -> Option<Finding> {
        let target = self.order.pop_front()?;
        let of_target = self.of_targets.get_mut(&target)?;
        let finding = of_target.pop_front();
        if of_target.is_empty() {
            self.of_targets.remove(&target);
        } else {
            self.order.push_back(target);
        }
        finding
    }
}

impl FindingSender {
    pub(super) fn new(findings: mpsc::Sender<Finding>) -> Self {
        Self {
            findings,
            backlog: Mutex::default(),
            backlog_changed: Notify::new(),
        }
    }

    /// Sends it at once, or puts it into the backlog.
    pub(super) fn send(&self, finding: Finding) {
        let mut backlog = self.backlog.lock();
        let (target, _) = key(&finding);
        // The backlog must not be overtaken.
        let sent = match backlog.of_targets.contains_key(target) {
            true => Err(TrySendError::Full(finding)),
            false => self.findings.try_send(finding),
        };
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(finding)) => {
                backlog.put(finding);
                self.backlog_changed.notify_one();
            }
            // The engine is gone: the daemon is stopping.
            Err(TrySendError::Closed(_)) => {
                tracing::debug!("a finding came after the end of the engine")
            }
        }
    }

    /// Sends one finding of the backlog; waits until there is one, and room for it. Cancel-safe.
    pub(super) async fn send_from_backlog(&self) {
        while self.backlog.lock().order.is_empty() {
            self.backlog_changed.notified().await;
        }
        let room = self.findings.reserve().await;
        let mut backlog = self.backlog.lock();
        match room {
            Ok(room) => {
                if let Some(finding) = backlog.pop() {
                    room.send(finding);
                }
            }
            Err(_) => *backlog = Backlog::default(),
        }
    }
}

/// What a newer finding replaces; an exit is of no failure.
fn key(finding: &Finding) -> (&TargetName, Option<&FailureType>) {
    match finding {
        Finding::Exited { target, .. } => (target, None),
        Finding::Raised {
            target, failure, ..
        }
        | Finding::Cleared {
            target, failure, ..
        }
        | Finding::Unseen {
            target, failure, ..
        } => (target, Some(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{health::Evidence, severity::Severity, time::Timestamp};

    fn target(name: &str) -> TargetName {
        TargetName::parse(name).unwrap()
    }

    fn evidence(millis: u64) -> Evidence {
        Evidence {
            check: "process".to_owned(),
            observed_at: Timestamp::from_millis(millis),
            message: "process 7 exited with code 1".to_owned(),
            value: None,
            output: None,
            score: None,
        }
    }

    fn exited(millis: u64) -> Finding {
        Finding::Exited {
            target: target("web"),
            at: Timestamp::from_millis(millis),
            evidence: evidence(millis),
        }
    }

    fn raised(failure: &str, millis: u64) -> Finding {
        Finding::Raised {
            target: target("web"),
            failure: FailureType::parse(failure).unwrap(),
            severity: Severity::High,
            evidence: evidence(millis),
            detected_at: Timestamp::from_millis(millis),
        }
    }

    fn cleared_of(name: &str, failure: &str, millis: u64) -> Finding {
        Finding::Cleared {
            target: target(name),
            failure: FailureType::parse(failure).unwrap(),
            at: Timestamp::from_millis(millis),
        }
    }

    fn cleared(failure: &str, millis: u64) -> Finding {
        cleared_of("web", failure, millis)
    }

    #[tokio::test]
    async fn a_full_channel_keeps_the_newest_of_each_failure_and_none_overtakes() {
        let (sender, mut receiver) = mpsc::channel(1);
        let finding_sender = FindingSender::new(sender);
        finding_sender.send(cleared("a", 1));
        for millis in 2..=4 {
            finding_sender.send(cleared("a", millis));
        }
        finding_sender.send(cleared_of("db", "b", 5));
        assert_eq!(receiver.recv().await, Some(cleared("a", 1)));
        finding_sender.send(cleared("a", 6)); // There is room, but an older one is in the backlog.
        let mut rest = Vec::new();
        for _ in 0..2 {
            finding_sender.send_from_backlog().await;
            rest.extend(receiver.recv().await);
        }
        rest.sort_by_key(|finding| format!("{finding:?}"));
        let mut expected = vec![cleared("a", 6), cleared_of("db", "b", 5)];
        expected.sort_by_key(|finding| format!("{finding:?}"));
        assert_eq!(rest, expected);
    }

    #[tokio::test]
    async fn what_is_kept_of_a_target_comes_in_the_order_in_which_it_happened() {
        let (sender, mut receiver) = mpsc::channel(1);
        let finding_sender = FindingSender::new(sender);
        finding_sender.send(cleared("a", 0)); // Fills it.
        for finding in [exited(1), raised("a", 1), raised("b", 2), cleared("a", 3)] {
            finding_sender.send(finding);
        }
        finding_sender.send(exited(4));
        finding_sender.send(raised("a", 4));
        let mut heard = vec![receiver.recv().await.unwrap()];
        for _ in 0..3 {
            finding_sender.send_from_backlog().await;
            heard.extend(receiver.recv().await);
        }
        let expected = [cleared("a", 0), raised("b", 2), exited(4), raised("a", 4)];
        assert_eq!(heard, expected);
        finding_sender.send(exited(5)); // The backlog is empty again.
        assert_eq!(receiver.recv().await, Some(exited(5)));
    }
}
