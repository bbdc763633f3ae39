//! The signals that people sent to the handlers of operations, until a handler has them.
//!
//! Invariant: each is had once, in the order in which they came: of a name the first that nobody has had.
//! Invariant: what was had is what the journal says that was had, over restarts of the daemon too.

use crate::ports::Browse;
use mainstay_domain::{
    effect::Answer,
    id::OperationId,
    name::SignalName,
    operation::{Operation, ReceivedSignal},
    record::{Change, EffectEntry},
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::watch;

/// The signals of all operations that have not ended. Clones share the same state.
#[derive(Debug, Clone)]
pub struct SignalInbox {
    inboxes: Arc<Mutex<BTreeMap<OperationId, Inbox>>>,
    /// How often one came.
    arrivals: Arc<watch::Sender<u64>>,
}

/// Those of one operation.
#[derive(Debug, Default)]
struct Inbox {
    signals: Vec<ReceivedSignal>,
    /// The numbers of those that a handler has had.
    had: BTreeSet<u32>,
}

impl Default for SignalInbox {
    fn default() -> Self {
        Self {
            inboxes: Arc::default(),
            arrivals: Arc::new(watch::channel(0).0),
        }
    }
}

impl SignalInbox {
    /// What the daemon before left: the signals of these operations, and which of them were had.
    pub async fn recover(&self, operations: &[Operation], records: &dyn Browse) {
        for operation in operations {
            if operation.state.is_final() || operation.signals.is_empty() {
                continue;
            }
            let id = &operation.id;
            let had = match records.operation(id.clone()).await {
                Ok(found) => had(found.map(|(_, entries)| entries).unwrap_or_default()),
                Err(error) => {
                    // Better none than one twice.
                    tracing::error!(operation = %id, %error, "the signals of an operation cannot be read");
                    operation
                        .signals
                        .iter()
                        .map(|signal| signal.number)
                        .collect()
                }
            };
            let signals = operation.signals.clone();
            let inbox = Inbox { signals, had };
            self.inboxes.lock().insert(id.clone(), inbox);
        }
    }

    /// What recovery writes of operations has their signals.
    pub(super) fn note(&self, changes: &[Change]) {
        let mut has_come = false;
        for change in changes {
            let Change::Operation(operation) = change else {
                continue;
            };
            let mut inboxes = self.inboxes.lock();
            if operation.state.is_final() {
                inboxes.remove(&operation.id);
            } else if !operation.signals.is_empty() {
                let inbox = inboxes.entry(operation.id.clone()).or_default();
                has_come |= inbox.signals.len() < operation.signals.len();
                inbox.signals.clone_from(&operation.signals);
            }
        }
        if has_come {
            self.arrivals.send_modify(|count| *count += 1);
        }
    }

    /// Tells of each that comes from now on.
    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Takes the first with this name that nobody has had. The error is how many signals the operation has.
    pub(super) fn take(
        &self,
        operation: &OperationId,
        name: &SignalName,
    ) -> Result<ReceivedSignal, usize> {
        let mut inboxes = self.inboxes.lock();
        let inbox = inboxes.get_mut(operation).ok_or(0_usize)?;
        let Inbox { signals, had } = inbox;
        let mut free = signals.iter();
        let first = free.find(|signal| signal.name == *name && !had.contains(&signal.number));
        let signal = first.cloned().ok_or(signals.len())?;
        had.insert(signal.number);
        Ok(signal)
    }
}

/// The numbers of the signals that a journal says were had.
fn had(entries: Vec<EffectEntry>) -> BTreeSet<u32> {
    let results = entries.into_iter().filter_map(|entry| entry.result);
    let numbers = results.filter_map(|result| match result {
        Ok(Answer::Signal { number, .. }) => Some(number),
        _ => None,
    });
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{
        name::{FailureType, TargetName},
        operation::{Mode, OperationState},
        severity::Severity,
        time::Timestamp,
    };

    fn operation(names: &[&str]) -> Operation {
        let id = OperationId::parse("op-01K0000000000000000000000A").unwrap();
        let (target, failure) = (TargetName::parse("api"), FailureType::parse("down"));
        let (target, failure) = (target.unwrap(), failure.unwrap());
        let now = Timestamp::from_millis(7);
        let mut operation =
            Operation::scheduled(id, target, failure, Severity::Low, Mode::Manual, now);
        operation.signals = (1..)
            .zip(names)
            .map(|(number, name)| ReceivedSignal {
                number,
                name: SignalName::parse(name).unwrap(),
                text: String::new(),
                at: now,
                by: "ann".to_owned(),
                note: None,
            })
            .collect();
        operation
    }

    fn take(inbox: &SignalInbox, name: &str) -> Result<u32, usize> {
        let id = operation(&[]).id;
        let taken = inbox.take(&id, &SignalName::parse(name).unwrap());
        taken.map(|signal| signal.number)
    }

    #[test]
    fn each_signal_is_had_once_in_the_order_in_which_they_came() {
        let inbox = SignalInbox::default();
        assert_eq!(take(&inbox, "go"), Err(0));
        inbox.note(&[Change::Operation(operation(&["go", "stop", "go"]))]);
        assert_eq!(take(&inbox, "go"), Ok(1));
        assert_eq!(take(&inbox, "go"), Ok(3));
        assert_eq!(take(&inbox, "go"), Err(3));
        // Another record of the same operation gives none of them back.
        inbox.note(&[Change::Operation(operation(&["go", "stop", "go", "go"]))]);
        assert_eq!(take(&inbox, "go"), Ok(4));
        assert_eq!(take(&inbox, "stop"), Ok(2));
    }

    #[test]
    fn only_a_signal_that_is_new_is_told_of_and_an_operation_that_ended_has_none() {
        let inbox = SignalInbox::default();
        let mut arrivals = inbox.arrivals();
        inbox.note(&[Change::Operation(operation(&["go"]))]);
        assert!(arrivals.has_changed().unwrap());
        arrivals.mark_unchanged();
        let mut ended = operation(&["go"]);
        inbox.note(&[Change::Operation(ended.clone())]);
        ended.state = OperationState::Succeeded;
        inbox.note(&[Change::Operation(ended)]);
        assert!(!arrivals.has_changed().unwrap());
        assert_eq!(take(&inbox, "go"), Err(0));
    }
}
