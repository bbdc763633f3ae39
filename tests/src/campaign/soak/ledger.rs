//! What was promised and what has come of it, by the daemon's own events and by what arrived.

use crate::{Daemon, Receiver};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the daemon answered that it would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promise {
    Recover,
    DryRun,
    Approve,
    Cancel,
}

/// The books of one campaign.
#[derive(Default)]
pub(super) struct Ledger {
    /// The newest event that was read.
    pub(super) seq: u64,
    /// How often each kind of event was seen.
    kinds: BTreeMap<String, u64>,
    /// Alerts in the order in which they were queued.
    queued: Vec<String>,
    delivered: BTreeSet<String>,
    approved: BTreeSet<String>,
    /// The operations that something was acknowledged about.
    promises: Vec<(String, Promise)>,
    /// How often these were looked through, and how many there were then.
    looked: (usize, usize),
}

impl Ledger {
    /// Reads what has happened since; panics at a gap.
    pub(super) fn read(&mut self, daemon: &Daemon) -> Vec<Value> {
        let (status, text) = daemon.get(&format!("/v1/events?since={}", self.seq));
        assert_eq!(status, 200, "{text}");
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let events: Vec<Value> = events.collect();
        for event in &events {
            assert_eq!(event["seq"], self.seq + 1, "a gap in the events: {event}");
            self.seq += 1;
            let kind = event["kind"].as_str().unwrap().to_owned();
            let about = |key: &str| event["data"][key].as_str().unwrap_or_default().to_owned();
            match kind.as_str() {
                "alert.queued" => self.queued.push(about("alert")),
                "alert.delivered" => drop(self.delivered.insert(about("alert"))),
                "alert.abandoned" => panic!("an alert was given up: {event}"),
                "operation.approved" => {
                    let id = event["operation"].as_str().unwrap();
                    self.approved.insert(id.to_owned());
                }
                _ => {}
            }
            *self.kinds.entry(kind).or_default() += 1;
        }
        events
    }

    /// Something about an operation was acknowledged.
    pub(super) fn promised(&mut self, id: &str, what: Promise) {
        self.promises.push((id.to_owned(), what));
    }

    pub(super) fn count(&self, kind: &str) -> u64 {
        self.kinds.get(kind).copied().unwrap_or_default()
    }

    /// How many alerts there were, and how many promises.
    pub(super) fn totals(&self) -> (usize, usize) {
        (self.queued.len(), self.promises.len())
    }

    /// Whether each alert has arrived, and each thing that people were told is wrong is right again for them.
    pub(super) fn alerts_are_settled(&self, receiver: &Receiver) -> Result<(), String> {
        let waiting = self
            .queued
            .iter()
            .filter(|id| !self.delivered.contains(*id));
        let waiting: Vec<&String> = waiting.collect();
        if let Some(first) = waiting.first() {
            return Err(format!("{} alerts wait, the first {first}", waiting.len()));
        }
        let arrived: BTreeMap<String, Value> = receiver
            .received()
            .iter()
            .map(|request| {
                let alert = request.json();
                (alert["id"].as_str().unwrap_or_default().to_owned(), alert)
            })
            .collect();
        let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
        for id in &self.queued {
            let Some(alert) = arrived.get(id) else {
                panic!("{id} was told to be delivered, and never arrived");
            };
            newest.insert(alert["dedup_key"].as_str().unwrap(), alert);
        }
        // A circuit that flaps does so for longer than there is calm.
        let firing = newest
            .iter()
            .find(|(key, alert)| alert["status"] == "firing" && !key.contains("/circuit/"));
        match firing {
            Some((key, alert)) => Err(format!("{key} was never resolved: {alert}")),
            None => Ok(()),
        }
    }

    /// Panics where a promise was lost or forgotten, once nothing goes on any more. Each is looked at, and now and then
    /// again.
    pub(super) fn promises_are_kept(&mut self, daemon: &Daemon) {
        let (times, known) = self.looked;
        self.looked = (times + 1, self.promises.len());
        for (number, (id, what)) in self.promises.iter().enumerate() {
            if number < known && number % 10 != times % 10 {
                continue;
            }
            let (status, text) = daemon.get(&format!("/v1/operations/{id}"));
            assert_eq!(status, 200, "{what:?} of {id} was acknowledged: {text}");
            let operation: Value = serde_json::from_str(&text).unwrap();
            let state = operation["state"].as_str().unwrap();
            let is_final = matches!(state, "succeeded" | "failed" | "partial" | "cancelled");
            assert!(is_final, "{what:?} was acknowledged: {operation}");
            match what {
                Promise::Approve => assert!(
                    self.approved.contains(id),
                    "the approval was acknowledged: {operation}"
                ),
                Promise::DryRun => assert_eq!(operation["dry_run"], true, "{operation}"),
                Promise::Recover | Promise::Cancel => {}
            }
        }
    }
}
