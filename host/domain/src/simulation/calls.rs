//! Calls of handlers in a simulation: what the rules answer, and when.

use super::{
    rule::{Answer, Rule},
    run::{Due, Run},
};
use crate::{
    call::{RecoveryFailure, Report},
    id::OperationId,
    name::{FailureType, TargetName},
    plugin::PluginIdentity,
    recovery::{Call, Handled, Input, NotHandled},
};

/// A call under way.
pub(super) struct Answering {
    operation: OperationId,
    target: TargetName,
    failure: FailureType,
    handler: String,
    /// The failure ends with the answer.
    heals: bool,
    handled: Handled,
    words: String,
}

impl Run<'_> {
    /// The machine calls a handler: by the rules it is known already what that comes to, and when.
    pub(super) fn called(&mut self, call: Call) {
        let rules = self.scenario.rules.iter().zip(&mut self.used);
        let mut fitting = rules.filter(|(rule, used)| {
            let is_left = rule.times.is_none_or(|times| **used < times);
            is_left && rule.fits(&call.handler, &call.request)
        });
        let rule = match fitting.next() {
            Some((rule, used)) => {
                *used = used.saturating_add(1);
                rule.clone()
            }
            None => Rule::default(),
        };
        let request = &call.request;
        self.tell(
            "handler.called",
            Some(request.target.clone()),
            Some(request.operation.clone()),
            format!(
                "{} is called for {} of {}, attempt {} of {}",
                call.handler,
                request.failure,
                request.target,
                request.attempt,
                request.max_attempts
            ),
        );
        let answering = Box::new(answer_of(&rule, &call));
        let after = rule.after.min(call.timeout);
        self.enter(self.clock.saturating_add(after), Due::Answer(answering));
    }

    pub(super) fn answered(&mut self, answering: Answering) {
        let Answering {
            operation,
            target,
            failure,
            handler,
            heals,
            handled,
            words,
        } = answering;
        self.tell(
            "handler.answered",
            Some(target.clone()),
            Some(operation.clone()),
            format!("{handler} {words}"),
        );
        if heals {
            self.healed(&target, &failure);
        }
        self.inputs.push_back(Input::Called(operation, handled));
    }
}

/// What a rule answers to a call. A call that takes longer than its step may is given up then, as the host does.
fn answer_of(rule: &Rule, call: &Call) -> Answering {
    let request = &call.request;
    let why = |usual: &str| rule.why.clone().unwrap_or_else(|| usual.to_owned());
    let failed = |failure: RecoveryFailure| Err(NotHandled::Failed(failure));
    let is_late = rule.after > call.timeout;
    let (result, words) = match rule.answer {
        _ if is_late => (
            failed(RecoveryFailure::Retryable(format!(
                "it took longer than {:?}",
                call.timeout
            ))),
            "was given up: it took too long".to_owned(),
        ),
        Answer::Succeeds => (
            Ok(done(why("recovered it"))),
            "is done, and the failure is over".to_owned(),
        ),
        Answer::DoesNothing => (
            Ok(Report::default()),
            "is done, and the failure goes on".to_owned(),
        ),
        Answer::Fails => {
            let why = why("it failed");
            let words = format!("failed: {why}");
            (failed(RecoveryFailure::Retryable(why)), words)
        }
        Answer::FailsForGood => {
            let why = why("it cannot help");
            let words = format!("failed for good: {why}");
            (failed(RecoveryFailure::Permanent(why)), words)
        }
        Answer::NeedsPerson => {
            let why = why("see to it");
            let words = format!("needs a person: {why}");
            (failed(RecoveryFailure::NeedsOperator(vec![why])), words)
        }
        Answer::IsMissing => {
            let why = why("no version of it serves");
            let words = format!("is missing: {why}");
            (Err(NotHandled::Missing(why)), words)
        }
    };
    let acts = rule.answer == Answer::Succeeds && !is_late;
    let serves = rule.answer != Answer::IsMissing;
    Answering {
        operation: request.operation.clone(),
        target: request.target.clone(),
        failure: request.failure.clone(),
        handler: call.handler.to_string(),
        heals: acts && !request.dry_run,
        handled: Handled {
            by: serves.then(|| PluginIdentity {
                name: call.handler.clone(),
                version: semver::Version::new(0, 0, 0),
                digest: String::new(),
            }),
            result,
            effects: call.effects.saturating_add(1),
            acted: acts,
        },
        words,
    }
}

fn done(action: String) -> Report {
    Report {
        actions: vec![action],
        data_loss: None,
    }
}
