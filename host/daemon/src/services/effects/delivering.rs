//! The session of a call that delivers an alert: its effects act, and belong to no operation's journal. The outbox keeps
//! the alert, and a delivery that is cut off is tried again.

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
    /// The idempotency key of all: the receiver knows an alert by it, in every attempt.
    key: String,
}

impl AlertSession {
    pub(super) fn new(effects: Arc<Effects>, call: Arc<Call>, alert: &AlertId) -> Self {
        Self {
            effects,
            call,
            key: alert.to_string(),
        }
    }
}

impl EffectSession for AlertSession {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        Box::pin(async move {
            let key = self.key.clone();
            self.effects.act(&self.call, &effect, key).await
        })
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(0)
    }
}
