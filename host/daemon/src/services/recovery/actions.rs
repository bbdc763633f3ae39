//! Does what the machine asks for: calls, looks, and answers to people.

use super::{RecoveryEngine, call, look};
use mainstay_domain::recovery::Action;

impl RecoveryEngine {
    pub(super) fn execute_actions(&mut self, after: Vec<Action>) {
        let has_answer = after
            .iter()
            .any(|action| matches!(action, Action::Answer(..)));
        let durable = has_answer.then(|| self.writes.durable());
        let mut answers = Vec::new();
        for action in after {
            match action {
                Action::Call(call) => {
                    let handlers = self.ports.handlers.clone();
                    self.work.spawn(call::call(handlers, *call));
                }
                Action::Decide(asked) => {
                    let handlers = self.ports.handlers.clone();
                    self.work.spawn(call::decide(handlers, *asked));
                }
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
}
