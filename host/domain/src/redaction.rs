//! What of a record is left out for strangers: what programs, services and stores said, and what they were told.
//!
//! Invariant: what happened stays, in which order and when; contents go. Names stay too, and so do settings and
//! parameters, which an operator wrote with secrets by name.

use crate::{
    blob::Blob,
    call::RecoveryFailure,
    call_record::{CallOutcome, RecordedCall},
    effect::{Answer, Effect, EffectError},
    health::Evidence,
    record::EffectEntry,
};

/// Stands for what is left out.
pub const REDACTED: &str = "redacted";

impl RecordedCall {
    /// Without contents.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        evidence(&mut self.record.input.evidence);
        match self.end.as_mut().map(|end| &mut end.outcome) {
            Some(CallOutcome::Done(report)) => {
                report.actions.iter_mut().for_each(text);
                report.data_loss.iter_mut().for_each(text);
            }
            Some(CallOutcome::Failed(
                RecoveryFailure::Retryable(why) | RecoveryFailure::Permanent(why),
            )) => text(why),
            Some(CallOutcome::Failed(RecoveryFailure::NeedsOperator(steps))) => {
                steps.iter_mut().for_each(text);
            }
            // The host's own words.
            Some(CallOutcome::GivenUp(_)) | None => {}
        }
        self
    }
}

impl EffectEntry {
    /// Without contents. Its hash goes too, for by it a short content could be guessed.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        self.request_hash = None;
        request(&mut self.effect);
        match &mut self.result {
            Some(Ok(answered)) => answer(answered),
            Some(Err(
                EffectError::Denied(why)
                | EffectError::Limited(why)
                | EffectError::TimedOut(why)
                | EffectError::Unavailable(why)
                | EffectError::Failed(why),
            )) => text(why),
            None => {}
        }
        self
    }
}

fn request(effect: &mut Effect) {
    match effect {
        Effect::CommandRun { arguments, .. } => fields(arguments),
        Effect::HttpSend(request) => {
            request.url = origin_of(&request.url);
            fields(&mut request.headers);
            bytes(&mut request.body);
        }
        Effect::MailSend(message) => {
            message.to.iter_mut().for_each(text);
            text(&mut message.subject);
            text(&mut message.text);
            message.thread.iter_mut().for_each(text);
        }
        Effect::KvSet { value, .. } => bytes(value),
        Effect::KvCompareAndSet {
            expected, value, ..
        } => {
            expected.iter_mut().for_each(bytes);
            bytes(value);
        }
        Effect::ClockNow
        | Effect::ClockSleep { .. }
        | Effect::AwaitSignal { .. }
        | Effect::TargetStatus { .. }
        | Effect::TargetStart { .. }
        | Effect::TargetStop { .. }
        | Effect::TargetRestart { .. }
        | Effect::TargetSend { .. }
        | Effect::TargetCheck { .. }
        | Effect::KvGet { .. }
        | Effect::KvDelete { .. }
        | Effect::KvKeys { .. }
        | Effect::BackupNewest { .. }
        | Effect::BackupCreate { .. }
        | Effect::BackupRestore { .. } => {}
    }
}

fn answer(answer: &mut Answer) {
    match answer {
        Answer::Evidence(seen) => evidence(seen),
        Answer::Output(output) => {
            bytes(&mut output.stdout);
            bytes(&mut output.stderr);
        }
        Answer::Response(response) => {
            fields(&mut response.headers);
            bytes(&mut response.body);
        }
        Answer::Value(value) => value.iter_mut().for_each(bytes),
        Answer::Signal { text: said, .. } => text(said),
        Answer::Done
        | Answer::Now(_)
        | Answer::Status(_)
        | Answer::Swapped(_)
        | Answer::Keys(_)
        | Answer::Backup(_)
        | Answer::Restored { .. } => {}
    }
}

fn evidence(seen: &mut [Evidence]) {
    for evidence in seen {
        text(&mut evidence.message);
        evidence.output.iter_mut().for_each(text);
    }
}

fn fields(fields: &mut [(String, String)]) {
    fields.iter_mut().for_each(|(_, value)| text(value));
}

/// That there was nothing is no content.
fn text(text: &mut String) {
    if !text.is_empty() {
        REDACTED.clone_into(text);
    }
}

fn bytes(blob: &mut Blob) {
    if !blob.0.is_empty() {
        blob.0 = REDACTED.into();
    }
}

/// Whom a request went to; its path may be a secret of its own.
fn origin_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '\\', '?', '#']).next();
    let authority = authority.unwrap_or_default();
    let host = authority.rsplit_once('@');
    let host = host.map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/{REDACTED}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        effect::{CommandOutput, HttpMethod, HttpRequest, HttpResponse},
        id::OperationId,
        record::EntryKind,
        time::Timestamp,
    };

    fn redacted(effect: Effect, result: Result<Answer, EffectError>) -> EffectEntry {
        let entry = EffectEntry {
            operation: OperationId::parse("op-01K0000000000000000000000A").unwrap(),
            number: 1,
            at: Timestamp::from_millis(1),
            kind: EntryKind::Result,
            request_hash: Some(effect.request_hash()),
            effect,
            result: Some(result),
            call: Some(1),
            fencing: 1,
            before: None,
            until: None,
        };
        entry.redacted()
    }

    #[test]
    fn no_content_is_left_of_any_effect_and_its_answer() {
        let private = || Blob(b"private".to_vec());
        let pair = || vec![("name".to_owned(), "private".to_owned())];
        let send = Effect::HttpSend(HttpRequest {
            method: HttpMethod::Post,
            url: "https://private:private@api.example:8443/private?private#private".to_owned(),
            headers: pair(),
            body: private(),
            timeout_ms: None,
            signing: None,
        });
        let run = Effect::CommandRun {
            name: "flush".to_owned(),
            arguments: pair(),
        };
        let swap = Effect::KvCompareAndSet {
            key: "key".to_owned(),
            expected: Some(private()),
            value: private(),
        };
        let set = Effect::KvSet {
            key: "key".to_owned(),
            value: private(),
        };
        let get = Effect::KvGet {
            key: "key".to_owned(),
        };
        let check = Effect::TargetCheck {
            target: "api".to_owned(),
        };
        let awaits = Effect::AwaitSignal {
            name: "go".to_owned(),
            until: Timestamp::from_millis(9),
        };
        let signal = Answer::Signal {
            number: 1,
            text: "private".to_owned(),
        };
        let response = Answer::Response(HttpResponse {
            status: 201,
            headers: pair(),
            body: private(),
        });
        let output = Answer::Output(CommandOutput {
            exit_code: 3,
            stdout: private(),
            stderr: private(),
            truncated: false,
        });
        let seen = Answer::Evidence(vec![Evidence {
            check: "up".to_owned(),
            observed_at: Timestamp::from_millis(1),
            message: "private".to_owned(),
            value: None,
            score: None,
            output: Some("private".to_owned()),
        }]);
        for (effect, result, kept) in [
            (send, Ok(response), "https://api.example:8443/redacted"),
            (run.clone(), Ok(output), "flush"),
            (swap, Ok(Answer::Swapped(false)), "key"),
            (set, Ok(Answer::Done), "key"),
            (get, Ok(Answer::Value(Some(private()))), "key"),
            (check, Ok(seen), "up"),
            (awaits, Ok(signal), "go"),
            (
                run,
                Err(EffectError::Failed("private".to_owned())),
                "failed",
            ),
        ] {
            let hash = effect.request_hash();
            let json = serde_json::to_string(&redacted(effect, result)).unwrap();
            assert!(!json.contains("private"), "{json}");
            assert!(!json.contains(&hash), "{json}");
            assert!(json.contains(kept) && json.contains(REDACTED), "{json}");
        }
    }

    #[test]
    fn that_there_was_nothing_is_still_seen() {
        let get = Effect::KvGet {
            key: "key".to_owned(),
        };
        let empty = Answer::Value(Some(Blob::default()));
        let entry = redacted(get, Ok(empty.clone()));
        assert_eq!(entry.result, Some(Ok(empty)));
        assert_eq!(origin_of("no url"), "://no url/redacted");
    }
}
