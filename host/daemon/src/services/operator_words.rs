//! What operators say for the record, without secrets: one that was pasted into a reason is in no event and no alert.
//!
//! Invariant: what a command asks for is not touched.

use crate::ports::{
    AcknowledgeRequest, Active, Boxed, Decision, PauseRequest, PhaseRequest, RecoverRequest,
    RecoveryControl, Refused, Resolution, Secrets,
};
use mainstay_domain::{
    actor::Actor,
    id::OperationId,
    name::TargetName,
    operation::Operation,
    policy::{EffectivePolicy, GateNumbers, Phase},
    recovery::{NewSignal, PolicyOrder},
    spec::PhaseSpec,
    time::Timestamp,
};
use std::sync::Arc;

/// Commands to the recovery engine, in whose words no secret is left.
pub struct OperatorWords {
    /// The engine.
    pub recovery: Arc<dyn RecoveryControl>,
    /// What is taken out of the words.
    pub secrets: Arc<dyn Secrets>,
}

impl RecoveryControl for OperatorWords {
    fn recover(&self, request: RecoverRequest) -> Boxed<'_, Result<OperationId, Refused>> {
        self.recovery.recover(RecoverRequest {
            by: self.secrets.conceal_note(request.by),
            target: request.target,
            failure: request.failure,
            dry_run: request.dry_run,
            mode: request.mode,
        })
    }

    fn decide(&self, decision: Decision) -> Boxed<'_, Result<Operation, Refused>> {
        self.recovery.decide(Decision {
            by: self.secrets.conceal_note(decision.by),
            reason: self.secrets.conceal_text(&decision.reason),
            id: decision.id,
            revision: decision.revision,
            verb: decision.verb,
        })
    }

    fn acknowledge(&self, request: AcknowledgeRequest) -> Boxed<'_, Result<(), Refused>> {
        self.recovery.acknowledge(AcknowledgeRequest {
            by: self.secrets.conceal_note(request.by),
            reason: self.secrets.conceal_text(&request.reason),
            incident: request.incident,
            target: request.target,
            failure: request.failure,
        })
    }

    fn resolve(&self, resolution: Resolution) -> Boxed<'_, Result<Operation, Refused>> {
        self.recovery.resolve(Resolution {
            by: self.secrets.conceal_note(resolution.by),
            id: resolution.id,
            number: resolution.number,
            found: resolution.found,
        })
    }

    fn signal(&self, signal: NewSignal) -> Boxed<'_, Result<Operation, Refused>> {
        self.recovery.signal(NewSignal {
            by: self.secrets.conceal_note(signal.by),
            text: self.secrets.conceal_text(&signal.text),
            id: signal.id,
            name: signal.name,
        })
    }

    fn pause(
        &self,
        target: Option<TargetName>,
        paused: bool,
        by: Actor,
    ) -> Boxed<'_, Result<(), Refused>> {
        self.recovery
            .pause(target, paused, self.secrets.conceal_note(by))
    }

    fn pause_for(&self, request: PauseRequest) -> Boxed<'_, Result<(), Refused>> {
        self.recovery.pause_for(PauseRequest {
            by: self.secrets.conceal_note(request.by),
            reason: self.secrets.conceal_text(&request.reason),
            target: request.target,
            length: request.length,
        })
    }

    fn is_paused(&self, target: Option<&TargetName>) -> bool {
        self.recovery.is_paused(target)
    }

    fn paused_until(&self, target: Option<&TargetName>) -> Option<Timestamp> {
        self.recovery.paused_until(target)
    }

    fn phase(&self) -> Phase {
        self.recovery.phase()
    }

    fn phase_rule(&self) -> PhaseSpec {
        self.recovery.phase_rule()
    }

    fn set_phase(&self, request: PhaseRequest) -> Boxed<'_, Result<(), Refused>> {
        self.recovery.set_phase(PhaseRequest {
            by: self.secrets.conceal_note(request.by),
            reason: self.secrets.conceal_text(&request.reason),
            to: request.to,
        })
    }

    fn policy(&self, target: TargetName) -> Boxed<'_, Result<EffectivePolicy, Refused>> {
        self.recovery.policy(target)
    }

    fn set_policy(&self, order: PolicyOrder) -> Boxed<'_, Result<EffectivePolicy, Refused>> {
        self.recovery.set_policy(PolicyOrder {
            by: self.secrets.conceal_note(order.by),
            reason: self.secrets.conceal_text(&order.reason),
            target: order.target,
            policy: order.policy,
            clear: order.clear,
        })
    }

    fn active(&self, target: &TargetName) -> Option<Active> {
        self.recovery.active(target)
    }

    fn gate(&self) -> Boxed<'_, Option<GateNumbers>> {
        self.recovery.gate()
    }
}
