//! What a call that is made again is told at an effect that the journal has: what was begun and has no result is looked at.

use super::{OperationCall, act::target_name};
use mainstay_domain::{
    doubt::Doubt,
    effect::Effect,
    grant,
    name::CommandName,
    record::{EffectEntry, EntryKind, TargetIdentity},
    replay::{self, LONGEST_HELD_SLEEP, RecordedEffect, Seen, TargetSeen, Turn},
    secret::Masked,
    spec::OnDoubt,
};
use std::time::Duration;

impl OperationCall {
    /// Whether its intent is written before it. That of a sleep says until when it lasts, also for the next daemon.
    pub(super) fn has_intent(&self, effect: &Effect) -> bool {
        let is_sleep = matches!(effect, Effect::ClockSleep { .. });
        !effect.only_reads() || (is_sleep && self.call.record.is_some())
    }

    /// Whether the call can end in the middle of a sleep, to be made again: what it sees of directories is in no record.
    pub(super) fn may_suspend(&self) -> bool {
        self.call.record.is_some() && self.call.grants.dir.is_empty()
    }

    /// The length of a sleep that is not held. One that no timeout of the call has room for is, and ends the call.
    pub(super) fn suspends(&self, effect: &Effect) -> Option<Duration> {
        let Effect::ClockSleep { length_ms } = effect else {
            return None;
        };
        let length = Duration::from_millis(*length_ms);
        self.suspends_for(length).then_some(length)
    }

    /// Whether nobody holds a wait of this length that begins.
    pub(super) fn suspends_for(&self, length: Duration) -> bool {
        let Some(record) = self.call.record.as_ref() else {
            return false;
        };
        let allowed = record.timeout().min(self.call.limits.timeout);
        length > LONGEST_HELD_SLEEP && length <= allowed && self.may_suspend()
    }

    /// What is left of a sleep, of which so much is left by the wall clock.
    pub(super) fn sleeps(&self, number: u32, left: Duration) -> Duration {
        let now = self.effects.shared.clock.monotonic();
        self.clocks.sleeps(&self.operation, number, left, now)
    }

    /// What is written before it is begun.
    pub(super) async fn intent(&self, number: u32, masked: &Effect) -> EffectEntry {
        let entry = self.entry(number, EntryKind::Intent, masked, None);
        if self.call.record.is_none() {
            return entry;
        }
        let until = match masked {
            Effect::ClockSleep { length_ms } => Some(entry.at + Duration::from_millis(*length_ms)),
            Effect::AwaitSignal { until, .. } => Some(*until),
            _ => None,
        };
        let before = match self.target(masked).await {
            Some(TargetSeen::Runs(identity)) => Some(identity),
            Some(TargetSeen::Down | TargetSeen::Foreign) | None => None,
        };
        EffectEntry {
            before,
            until,
            ..entry
        }
    }

    /// What is done at this effect, of which the journal has `recorded`.
    pub(super) async fn turn(
        &self,
        number: u32,
        effect: &Effect,
        recorded: &RecordedEffect,
    ) -> Turn {
        let masked = effect.clone().masked(&self.call.secrets);
        let intent = recorded.intent.as_ref();
        // What is seen matters only of what was begun and has no result.
        let is_open =
            recorded.result.is_none() && intent.is_some_and(|intent| intent.effect == masked);
        let seen = match is_open {
            true => self.seen(number, &masked).await,
            false => Seen::default(),
        };
        replay::turn(number, &masked, Some(recorded), &seen)
    }

    /// What a person is asked about.
    pub(super) fn doubt(&self, number: u32, effect: &Effect, recorded: &RecordedEffect) -> Doubt {
        let begun_at = recorded.intent.as_ref().map(|intent| intent.at);
        Doubt {
            call: self.call.record.as_ref().map_or(0, |record| record.call),
            number,
            effect: effect.clone().masked(&self.call.secrets),
            key: self.key(number),
            begun_at: begun_at.unwrap_or_default(),
        }
    }

    async fn seen(&self, number: u32, masked: &Effect) -> Seen {
        let seen = Seen {
            now: self.effects.shared.clock.now(),
            target: self.target(masked).await,
            is_idempotent: self.is_idempotent(masked),
        };
        // A first copy that still runs beside a second one is worse than any doubt.
        match masked {
            Effect::CommandRun { .. } => self.effects.commands.end(self.key(number)).await,
            Effect::TargetStart { target }
            | Effect::TargetStop { target }
            | Effect::TargetRestart { target }
                if seen.target == Some(TargetSeen::Foreign) =>
            {
                if let Ok(target) = target_name(target) {
                    self.effects.commands.end_foreign(target).await;
                }
            }
            _ => {}
        }
        seen
    }

    /// Whether the operator says that it can be repeated with its key.
    fn is_idempotent(&self, masked: &Effect) -> bool {
        match masked {
            Effect::CommandRun { name, .. } => {
                let spec = self.effects.shared.spec.borrow();
                let name = CommandName::parse(name).ok();
                let command = name.and_then(|name| spec.commands.get(&name));
                command.is_some_and(|command| command.idempotent)
            }
            Effect::HttpSend(request) => {
                let origin = grant::origin_of(&request.url);
                origin.is_some_and(|origin| self.call.grants.http_idempotent.contains(&origin))
            }
            _ => false,
        }
    }

    /// Whether the plugin wants to be told of what is in doubt, rather than that a person is asked.
    pub(super) fn is_told(&self) -> bool {
        let spec = self.effects.shared.spec.borrow();
        let name = &self.call.plugin.name;
        let instance = || {
            let mut all = spec.plugins.values();
            all.find_map(|plugin| plugin.instances.get(name))
        };
        let said = spec.plugins.get(name).or_else(instance);
        said.is_some_and(|said| said.on_doubt == OnDoubt::Tell)
    }

    /// Whether the host itself runs a target.
    pub(super) fn supervises(&self, target: &str) -> bool {
        let Ok(name) = target_name(target) else {
            return false;
        };
        let spec = self.effects.shared.spec.borrow();
        let found = spec.target(&name);
        found.is_some_and(|target| target.process.is_some())
    }

    /// The target that an effect changes, as it is now; none for any other effect.
    async fn target(&self, masked: &Effect) -> Option<TargetSeen> {
        let (Effect::TargetStart { target }
        | Effect::TargetStop { target }
        | Effect::TargetRestart { target }
        | Effect::TargetSend { target, .. }) = masked
        else {
            return None;
        };
        let name = target_name(target).ok()?;
        if !self.supervises(target) {
            return Some(TargetSeen::Foreign);
        }
        let process = self.effects.targets.identity(&name).await;
        Some(match &process {
            Some(process) => TargetSeen::Runs(TargetIdentity::from(process)),
            None => TargetSeen::Down,
        })
    }
}
