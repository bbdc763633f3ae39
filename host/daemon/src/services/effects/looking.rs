//! The session of a call that looks at a target, or reads what is backed up: its effects act, and belong to no
//! operation's journal. A look that is cut off is made again when it is due.
//!
//! Invariant: no two requests of all looks have the same idempotency key, for each look means to ask anew.

use super::Effects;
use crate::ports::Boxed;
use mainstay_domain::{
    effect::{Effect, EffectResult},
    hex,
};
use mainstay_runtime::{Call, EffectSession, Settling};
use std::sync::Arc;

/// Bytes of the call's seed that make a key which no other call has.
const KEY_BYTES: usize = 16;

pub(super) struct LookSession {
    effects: Arc<Effects>,
    call: Arc<Call>,
    performed: u32,
}

impl LookSession {
    pub(super) fn new(effects: Arc<Effects>, call: Arc<Call>) -> Self {
        Self {
            effects,
            call,
            performed: 0,
        }
    }

    fn next_key(&mut self) -> String {
        self.performed = self.performed.saturating_add(1);
        let seed = self.call.seed.get(..KEY_BYTES).unwrap_or_default();
        format!("look-{}-{}", hex::encode(seed), self.performed)
    }
}

impl EffectSession for LookSession {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        let key = self.next_key();
        Box::pin(async move { self.effects.act(&self.call, &effect, key).await })
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(0)
    }
}
