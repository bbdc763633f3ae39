//! Does what the machine asks for: calls, looks, and answers to people.

use super::{RecoveryEngine, look};
use mainstay_domain::{
    call::RecoveryFailure,
    id::OperationId,
    recovery::{Action, Call, Handled, Input, NotHandled},
};

impl RecoveryEngine {
    pub(super) fn carry_out(&mut self, after: Vec<Action>) {
        let has_answer = after
            .iter()
            .any(|action| matches!(action, Action::Answer(..)));
        let durable = has_answer.then(|| self.writes.durable());
        let mut answers = Vec::new();
        for action in after {
            match action {
                Action::Call(call) => self.call(*call),
                Action::Look {
                    operation,
                    number,
                    target,
                    failure,
                    acted,
                } => {
                    let asked = look::Asked {
                        operation,
                        number,
                        target,
                        failure,
                        acted,
                    };
                    let (watch, spec) = (self.ports.watch.clone(), self.spec.borrow().clone());
                    self.work.spawn(look::look(watch, spec, asked));
                }
                Action::Answer(ticket, reply) => {
                    answers.extend(self.waiting.remove(&ticket).map(|answer| (answer, reply)));
                }
            }
        }
        if !answers.is_empty() {
            // A person may look at once at what they were told of.
            tokio::spawn(async move {
                if let Some(durable) = durable {
                    durable.await;
                }
                for (answer, reply) in answers {
                    let _ = answer.send(reply);
                }
            });
        }
    }

    fn call(&mut self, call: Call) {
        let handlers = self.ports.handlers.clone();
        let (id, effects) = (call.request.operation.clone(), call.effects);
        self.work.spawn(async move {
            let handled = tokio::spawn(async move { handlers.recover(call).await });
            let handled = handled
                .await
                .unwrap_or_else(|error| broke_off(&id, effects, &error));
            Input::Called(id, handled)
        });
    }
}

/// A fault of the host in one call: another attempt may go well.
fn broke_off(id: &OperationId, effects: u32, error: &tokio::task::JoinError) -> Handled {
    let why = format!("the call broke off: {error}; report this as a defect");
    tracing::error!(operation = %id, why);
    Handled {
        by: None,
        result: Err(NotHandled::Failed(RecoveryFailure::Retryable(why))),
        effects,
    }
}
