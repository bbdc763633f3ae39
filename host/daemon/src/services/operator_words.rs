//! What operators say for the record, without secrets: one that was pasted into a reason is in no event and no alert.
//!
//! Invariant: what a command asks for is not touched; what an effect was answered is a record, as the answers that the host
//! gets itself.

use crate::ports::{
    AcknowledgeRequest, Active, Boxed, Decision, PauseRequest, PhaseRequest, RecoverRequest,
    RecoveryControl, Refused, Resolution, Secrets,
};
use mainstay_domain::{
    actor::Actor,
    blob::Blob,
    hex,
    id::OperationId,
    name::TargetName,
    operation::Operation,
    policy::{EffectivePolicy, GateNumbers, Phase},
    recovery::{FoundOut, NewSignal, PolicyOrder},
    spec::PhaseSpec,
    time::Timestamp,
};
use serde_json::{Map, Value};
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
        let found = match resolution.found {
            FoundOut::Happened(Some(answer)) => {
                FoundOut::Happened(Some(concealed(answer, &*self.secrets)))
            }
            found @ (FoundOut::Happened(None) | FoundOut::DidNot) => found,
        };
        self.recovery.resolve(Resolution {
            by: self.secrets.conceal_note(resolution.by),
            id: resolution.id,
            number: resolution.number,
            found,
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

/// An answer as a journal shows it, with no secret in its texts and its bytes; its names are those of its form.
fn concealed(answer: Value, secrets: &dyn Secrets) -> Value {
    match answer {
        Value::String(text) => Value::String(secrets.conceal_text(&text)),
        Value::Array(items) => items
            .into_iter()
            .map(|item| concealed(item, secrets))
            .collect(),
        Value::Object(fields) => match bytes_of(&fields) {
            Some(bytes) => {
                serde_json::to_value(Blob(secrets.conceal(bytes))).unwrap_or(Value::Null)
            }
            None => fields
                .into_iter()
                .map(|(name, field)| (name, concealed(field, secrets)))
                .collect(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => answer,
    }
}

/// What a [`Blob`] holds that is no text; none of anything else.
fn bytes_of(fields: &Map<String, Value>) -> Option<Vec<u8>> {
    let digits = fields.get("hex").filter(|_| fields.len() == 1)?;
    hex::decode(digits.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::fakes::{FakeWorld, operation_id};
    use serde_json::json;

    /// What reaches the engine of this answer.
    async fn said(answer: Value) -> String {
        let world = FakeWorld::new(8);
        let words = OperatorWords {
            recovery: world.clone(),
            secrets: world.clone(),
        };
        let resolution = Resolution {
            id: operation_id(1),
            number: 3,
            found: FoundOut::Happened(Some(answer)),
            by: "ann".into(),
        };
        words.resolve(resolution).await.unwrap();
        let said = world.commands.lock().last().cloned();
        said.unwrap()
    }

    #[tokio::test]
    async fn no_secret_is_left_in_what_a_person_says_that_an_effect_was_answered() {
        let output = |stdout: Value| {
            json!({"output": {
                "exit_code": 7,
                "stdout": stdout,
                "stderr": "no hunter2",
                "truncated": false,
            }})
        };
        let bytes = [&[0xff_u8][..], &b"hunter2"[..]].concat();
        let digits = hex::encode(&bytes);
        for stdout in [json!("it is hunter2"), json!({ "hex": digits })] {
            let said = said(output(stdout)).await;
            let hidden = said.matches("[secret:word]");
            assert_eq!(hidden.count(), 2, "{said}");
            assert!(said.contains("exit_code") && said.contains('7'), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
            assert!(!said.contains(&digits), "{said}");
        }
        let response = json!({"response": {
            "status": 200,
            "headers": [["set-cookie", "key=hunter2"]],
            "body": "",
        }});
        let said = said(response).await;
        assert!(said.contains("key=[secret:word]"), "{said}");
        assert!(said.contains("200"), "{said}");
    }

    #[tokio::test]
    async fn an_answer_without_words_reaches_the_engine_as_it_is() {
        for answer in [json!("done"), json!({"swapped": true}), json!({"hex": 7})] {
            let said = said(answer.clone()).await;
            let expected = format!("{:?}", FoundOut::Happened(Some(answer)));
            assert!(said.contains(&expected), "{said}");
        }
    }
}
