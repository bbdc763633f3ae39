//! What the calls of a plugin version came to, and whether it has to rest.

use super::{Called, Plugin};
use crate::{
    error::CallFailure,
    observer::PluginEvent,
    quarantine::{Admission, Quarantine, QuarantineChange},
};
use mainstay_domain::time::Monotonic;
use parking_lot::Mutex;
use std::{
    fmt::Display,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// What the calls of one version came to, over all its settings.
#[derive(Default)]
pub(crate) struct Record {
    calls: AtomicU64,
    failures: AtomicU64,
    last_error: Mutex<Option<String>>,
    quarantine: Mutex<Quarantine>,
}

/// What the calls of a plugin came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallCounts {
    /// Calls begun.
    pub calls: u64,
    /// Calls that gave no answer, or answered with an error.
    pub failures: u64,
    /// What the last of them said.
    pub last_error: Option<String>,
    /// It failed too often and rests, or waits for its probe.
    pub quarantined: bool,
}

impl Record {
    pub(super) fn is_resting(&self, now: Monotonic) -> bool {
        self.quarantine.lock().is_resting(now)
    }

    pub(crate) fn counts(&self) -> CallCounts {
        CallCounts {
            calls: self.calls.load(Relaxed),
            failures: self.failures.load(Relaxed),
            last_error: self.last_error.lock().clone(),
            quarantined: self.quarantine.lock().is_quarantined(),
        }
    }
}

/// A call that has begun. One that is dropped before its end tells nothing of the plugin.
pub(super) struct Attempt<'a> {
    plugin: &'a Plugin,
    ended: bool,
}

impl<'a> Attempt<'a> {
    /// Counts a call, unless the plugin rests.
    pub(super) fn begin(plugin: &'a Plugin) -> Result<Self, CallFailure> {
        let record = &plugin.record;
        let admission = record.quarantine.lock().admit((plugin.shared.now)());
        if let Admission::Resting(rest) = admission {
            let last_error = record.last_error.lock().clone().unwrap_or_default();
            return Err(CallFailure::Resting(rest, last_error));
        }
        record.calls.fetch_add(1, Relaxed);
        Ok(Self {
            plugin,
            ended: false,
        })
    }

    /// Counts what came of it, and tells the observer where the plugin has to rest or may serve again.
    pub(super) fn end<T, E: Display>(mut self, outcome: Called<T, E>) -> Called<T, E> {
        self.ended = true;
        let Record {
            failures,
            last_error,
            quarantine,
            ..
        } = &*self.plugin.record;
        let error = match &outcome {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            // It is gone on with, or a person is asked: that says nothing of the plugin.
            Err(error) if matches!(error.cause, CallFailure::Halted(_)) => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = &error {
            failures.fetch_add(1, Relaxed);
            *last_error.lock() = Some(error.clone());
        }
        let shared = &self.plugin.shared;
        let change = match &outcome {
            Ok(_) => quarantine.lock().answered(),
            Err(error) if error.cause.is_the_plugins() => {
                quarantine.lock().failed(&shared.quarantine, (shared.now)())
            }
            Err(_) => {
                quarantine.lock().inconclusive();
                QuarantineChange::Unchanged
            }
        };
        let plugin = self.plugin.identity().clone();
        match change {
            QuarantineChange::Unchanged => {}
            QuarantineChange::Released => shared.observer.observe(PluginEvent::Released { plugin }),
            QuarantineChange::Quarantined(rest) => {
                shared.observer.observe(PluginEvent::Quarantined {
                    plugin,
                    rest,
                    reason: error.unwrap_or_default(),
                })
            }
        }
        outcome
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.plugin.record.quarantine.lock().inconclusive();
        }
    }
}
