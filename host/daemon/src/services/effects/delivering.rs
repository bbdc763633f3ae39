//! The session of a call that delivers an alert: its effects act, and belong to no operation's journal. The outbox keeps
//! the alert, and a delivery that is cut off is tried again.
//!
//! Invariant: no two requests of one delivery have the same idempotency key, and each has the same in every attempt.

use super::Effects;
use crate::ports::Boxed;
use mainstay_domain::{
    effect::{Effect, EffectResult},
    id::AlertId,
};
use mainstay_runtime::{Call, EffectSession, Settling};
use std::sync::Arc;

pub(super) struct AlertSession {
    effects: Arc<Effects>,
    call: Arc<Call>,
    alert: AlertId,
    /// How many of its effects a receiver could take for one another.
    keyed: u32,
}

impl AlertSession {
    pub(super) fn new(effects: Arc<Effects>, call: Arc<Call>, alert: &AlertId) -> Self {
        Self {
            effects,
            call,
            alert: alert.clone(),
            keyed: 0,
        }
    }

    /// The idempotency key of its next effect. The first has the alert's own, by which receivers know it. In another
    /// attempt each has the key of before, also where the plugin looks something up first that it did not then.
    fn next_key(&mut self, effect: &Effect) -> String {
        if matches!(
            effect,
            Effect::HttpSend(_) | Effect::MailSend(_) | Effect::CommandRun { .. }
        ) {
            self.keyed = self.keyed.saturating_add(1);
        }
        match self.keyed {
            0 | 1 => self.alert.to_string(),
            number => format!("{}-{number}", self.alert),
        }
    }
}

impl EffectSession for AlertSession {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        let key = self.next_key(&effect);
        Box::pin(async move { self.effects.act(&self.call, &effect, key).await })
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(0)
    }
}
