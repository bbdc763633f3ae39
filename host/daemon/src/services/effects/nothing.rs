//! The session of a call that may only decide: every effect is denied.

use crate::ports::Boxed;
use mainstay_domain::effect::{Effect, EffectError, EffectResult};
use mainstay_runtime::{EffectSession, Settling};

pub(super) struct NoEffectsSession;

impl EffectSession for NoEffectsSession {
    fn perform(&mut self, effect: Effect) -> Boxed<'_, EffectResult> {
        let denied = format!("{} is not there for this call", effect.name());
        Box::pin(std::future::ready(Err(EffectError::Denied(denied))))
    }

    fn settle(self: Box<Self>) -> Settling {
        Settling::Done(0)
    }
}
