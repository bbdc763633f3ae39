//! What the sessions of an operation's calls share: the words in which its effects are written.

use super::{Effects, clocks::OperationClocks, sizes::JournalSizes};
use crate::ports::RecordedWrite;
use mainstay_domain::{
    effect::{Answer, Effect, EffectError, EffectResult},
    event::{EffectPerformed, Event, EventKind},
    id::OperationId,
    record::{Change, EffectEntry, EntryKind},
    secret::Masked,
    severity::Severity,
};
use mainstay_runtime::Call;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// A call for an operation, and what its effects are made of. Cheap to clone.
#[derive(Clone)]
pub(super) struct OperationCall {
    pub(super) effects: Arc<Effects>,
    pub(super) call: Arc<Call>,
    pub(super) operation: OperationId,
    pub(super) clocks: Arc<OperationClocks>,
    /// The journal has the record of the call.
    pub(super) on_record: Arc<AtomicBool>,
    /// What the journals of operations take.
    pub(super) sizes: Arc<JournalSizes>,
}

impl OperationCall {
    /// Refuses an effect for whose request the journal of the operation has no room left.
    pub(super) fn must_have_room(&self, number: u32, masked: &Effect) -> Result<(), EffectError> {
        if self.call.record.is_none() {
            return Ok(());
        }
        let bytes = self.entry(number, EntryKind::Intent, masked, None).bytes();
        let of = (self.call.plugin.name.as_str(), &self.call.limits);
        self.sizes.must_have_room(&self.operation, bytes, of)
    }

    /// What is written with an entry: before the first one of a call its record, so that no entry is without one.
    pub(super) fn with_record(&self, changes: impl IntoIterator<Item = Change>) -> Vec<Change> {
        let record = self.call.record.as_deref();
        let record = record.filter(|_| !self.on_record.load(Relaxed));
        let record = record.map(|record| Change::Call(Box::new(record.clone())));
        record.into_iter().chain(changes).collect()
    }

    /// The journal has taken an entry, and the record with it.
    pub(super) fn is_on_record(&self) {
        self.on_record.store(true, Relaxed);
    }

    /// The idempotency key of the effect with this number.
    pub(super) fn key(&self, number: u32) -> String {
        format!("{}-{number}", self.operation)
    }

    /// Does it; its number makes its idempotency key.
    pub(super) async fn act(&self, number: u32, effect: &Effect) -> EffectResult {
        if let Some(write) = self.recorded_write(number, effect) {
            let is_swap = write.expected.is_some();
            let written = self.effects.values.write_recorded(write).await;
            return written.map(|set| match is_swap {
                true => Answer::Swapped(set),
                false => Answer::Done,
            });
        }
        let key = self.key(number);
        match self.effects.act(&self.call, effect, key).await {
            Ok(Answer::Now(now)) => Ok(Answer::Now(self.clocks.tell(&self.operation, now))),
            result => result,
        }
    }

    /// The write of a value in a call that is on record: a value that was written without its result would be written
    /// again after a crash, over what others wrote meanwhile.
    fn recorded_write(&self, number: u32, effect: &Effect) -> Option<RecordedWrite> {
        self.call.record.as_ref()?;
        let masked = effect.clone().masked(&self.call.secrets);
        let entry = self.entry(number, EntryKind::Result, &masked, None);
        let (key, expected, value) = match masked {
            Effect::KvSet { key, value } => (key, None, Some(value.0)),
            Effect::KvDelete { key } => (key, None, None),
            Effect::KvCompareAndSet {
                key,
                expected,
                value,
            } => (key, Some(expected.map(|blob| blob.0)), Some(value.0)),
            _ => return None,
        };
        Some(RecordedWrite {
            plugin: self.call.plugin.name.clone(),
            key,
            expected,
            value,
            max_bytes: self.call.grants.kv_bytes,
            entry,
        })
    }

    /// What the journal keeps of it.
    pub(super) fn entry(
        &self,
        number: u32,
        kind: EntryKind,
        masked: &Effect,
        result: Option<EffectResult>,
    ) -> EffectEntry {
        let record = self.call.record.as_deref();
        EffectEntry {
            operation: self.operation.clone(),
            number,
            at: self.effects.shared.clock.now(),
            kind,
            effect: masked.clone(),
            result,
            call: record.map(|record| record.call),
            request_hash: record.map(|_| masked.request_hash()),
            fencing: record.map_or(0, |record| record.fencing),
            before: None,
            until: None,
        }
    }

    /// Its event: that it was `performed` or `planned`.
    pub(super) fn event(&self, effect: &Effect, result: &EffectResult, how: &str) -> Event {
        let plugin = &self.call.plugin;
        let (severity, outcome) = match result {
            Ok(_) => (Severity::Low, "done".to_owned()),
            Err(error) => (Severity::Medium, error.to_string()),
        };
        let message = match result {
            Ok(_) => format!("{} {how} for {plugin}: {outcome}", effect.name()),
            // What failed was not performed.
            Err(_) => format!("{} for {plugin}: {outcome}", effect.name()),
        };
        let data = EffectPerformed {
            effect: effect.name().to_owned(),
            outcome,
            planned: how == "planned",
        };
        let now = self.effects.shared.clock.now();
        let event = Event::new(EventKind::EffectPerformed, severity, now, message)
            .with_plugin(plugin)
            .with_operation(&self.operation)
            .with_data(data);
        match self.call.purpose.own_target() {
            Some(target) => event.with_target(target),
            None => event,
        }
    }
}
