//! What a dry run answers instead of acting.
//!
//! Invariant: an answer is that of a successful effect, so the handler takes the same path and asks for the same
//! effects.

use crate::{
    backup::BackupSummary,
    blob::Blob,
    effect::{Answer, CommandOutput, Effect, EffectResult, HttpResponse},
    time::Timestamp,
};

/// What the answers are made of; the caller reads it, and none of it changes anything.
#[derive(Debug, Clone, PartialEq)]
pub struct DryRunFacts {
    /// The wall clock.
    pub now: Timestamp,
    /// For `kv.compare-and-set`: the value that is there.
    pub value: Option<Blob>,
    /// For `backups.restore`: how many documents and bytes the backup restores.
    pub restorable: (u64, u64),
}

/// The answer of a dry run; `None` for an effect that only reads, which a dry run really performs. A sleep returns at
/// once.
pub fn dry_run_answer(effect: &Effect, facts: &DryRunFacts) -> Option<EffectResult> {
    Some(Ok(match effect {
        Effect::ClockSleep { .. } => Answer::Done,
        // As if it had come.
        Effect::AwaitSignal { .. } => Answer::Signal {
            number: 0,
            text: String::new(),
        },
        _ if effect.only_reads() => return None,
        Effect::CommandRun { .. } => Answer::Output(CommandOutput {
            exit_code: 0,
            stdout: Blob(Vec::new()),
            stderr: Blob(Vec::new()),
            truncated: false,
        }),
        Effect::HttpSend(_) => Answer::Response(HttpResponse {
            status: 200,
            headers: Vec::new(),
            body: Blob(Vec::new()),
        }),
        Effect::KvCompareAndSet { expected, .. } => Answer::Swapped(*expected == facts.value),
        Effect::BackupCreate { job, backup_type } => Answer::Backup(Some(BackupSummary {
            id: "planned".to_owned(),
            job: job.clone(),
            backup_type: *backup_type,
            created_at: facts.now,
            verified_at: Some(facts.now),
            tier: "planned".to_owned(),
            stored_bytes: 0,
            parent: None,
            base: "planned".to_owned(),
            held: false,
        })),
        Effect::BackupRestore { .. } => {
            let (documents, bytes) = facts.restorable;
            Answer::Restored { documents, bytes }
        }
        _ => Answer::Done,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backup::BackupType,
        effect::{HttpMethod, HttpRequest, Signal},
    };

    fn facts() -> DryRunFacts {
        DryRunFacts {
            now: Timestamp::from_millis(7),
            value: Some(Blob(b"old".to_vec())),
            restorable: (3, 99),
        }
    }

    fn http(method: HttpMethod) -> Effect {
        Effect::HttpSend(HttpRequest {
            method,
            url: "http://127.0.0.1/".to_owned(),
            headers: Vec::new(),
            body: Blob(Vec::new()),
            timeout_ms: None,
            signing: None,
        })
    }

    fn check(effect: Effect, expected: impl FnOnce(Option<&Answer>) -> bool) {
        let answer = dry_run_answer(&effect, &facts()).map(Result::unwrap);
        assert!(expected(answer.as_ref()), "{}: {answer:?}", effect.name());
    }

    #[test]
    fn what_only_looks_is_really_performed() {
        let target = || "api".to_owned();
        check(Effect::ClockNow, |a| a.is_none());
        check(Effect::TargetStatus { target: target() }, |a| a.is_none());
        check(Effect::TargetCheck { target: target() }, |a| a.is_none());
        check(Effect::KvGet { key: "k".into() }, |a| a.is_none());
        check(http(HttpMethod::Get), |a| a.is_none());
    }

    #[test]
    fn what_acts_is_answered_as_if_it_had_gone_well() {
        let target = || "api".to_owned();
        let done = |a: Option<&Answer>| a == Some(&Answer::Done);
        check(Effect::ClockSleep { length_ms: 9 }, done);
        let awaits = Effect::AwaitSignal {
            name: "go".to_owned(),
            until: Timestamp::from_millis(9),
        };
        check(
            awaits,
            |a| matches!(a, Some(Answer::Signal { number: 0, text }) if text.is_empty()),
        );
        check(Effect::TargetStart { target: target() }, done);
        check(Effect::TargetStop { target: target() }, done);
        check(Effect::TargetRestart { target: target() }, done);
        let signal = Signal::Hup;
        check(
            Effect::TargetSend {
                target: target(),
                signal,
            },
            done,
        );
        check(Effect::KvDelete { key: "k".into() }, done);
        let run = Effect::CommandRun {
            name: "flush".into(),
            arguments: vec![],
        };
        check(
            run,
            |a| matches!(a, Some(Answer::Output(o)) if o.exit_code == 0),
        );
        check(
            http(HttpMethod::Post),
            |a| matches!(a, Some(Answer::Response(r)) if r.status == 200),
        );
        let restore = Effect::BackupRestore {
            job: "state".into(),
            id: "ful-x".into(),
        };
        let restored = Answer::Restored {
            documents: 3,
            bytes: 99,
        };
        check(restore, |a| a == Some(&restored));
        let create = Effect::BackupCreate {
            job: "state".into(),
            backup_type: BackupType::Full,
        };
        check(
            create,
            |a| matches!(a, Some(Answer::Backup(Some(b))) if b.job == "state"),
        );
    }

    #[test]
    fn a_compare_and_set_is_planned_by_the_value_that_is_there() {
        let swap = |expected: Option<&[u8]>| Effect::KvCompareAndSet {
            key: "k".into(),
            expected: expected.map(|bytes| Blob(bytes.to_vec())),
            value: Blob(Vec::new()),
        };
        check(swap(Some(b"old")), |a| a == Some(&Answer::Swapped(true)));
        check(swap(Some(b"new")), |a| a == Some(&Answer::Swapped(false)));
        check(swap(None), |a| a == Some(&Answer::Swapped(false)));
    }
}
