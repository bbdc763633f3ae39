//! How an operation sees whether its failure is gone.
//!
//! Invariant: a failure is not gone before every check that raises it has seen something, nor before the process of a
//! supervised target has run for a moment. Nothing is done about it because a check
//! says that it is too soon: it is looked at again. That the process does not run says nothing of a failure that is seen
//! without it.

use crate::ports::Watch;
use mainstay_domain::{
    effect::EffectError,
    id::OperationId,
    name::{FailureType, TargetName},
    recovery::{Input, Judged, Look, LookResult},
    spec::Spec,
};
use std::sync::Arc;

/// What is to be looked at.
pub(super) struct Asked {
    pub(super) operation: OperationId,
    pub(super) number: u64,
    pub(super) target: TargetName,
    pub(super) failure: FailureType,
    pub(super) acted: bool,
}

/// Runs the checks of a target once. A fault of the host in that is no sight of anything: it is looked at again.
pub(super) async fn look(watch: Arc<dyn Watch>, spec: Arc<Spec>, asked: Asked) -> Input {
    if asked.acted {
        watch.handler_acted(&asked.target);
    }
    let (own, target) = (Arc::clone(&watch), asked.target.clone());
    let seen = tokio::spawn(async move { own.check_now(target).await }).await;
    let is_unborn = matches!(&seen, Ok(Err(EffectError::Unavailable(_))) | Err(_));
    let is_present = watch.is_failing(&asked.target, &asked.failure);
    let (seen, results) = match seen {
        Ok(Ok(seen)) => {
            let judged = Judged::by(spec.target(&asked.target), &asked.failure, &seen);
            (judged.result(), judged.said())
        }
        Ok(Err(EffectError::Unavailable(_))) => (LookResult::NotYet, Vec::new()),
        Ok(Err(_)) => (LookResult::Failing, Vec::new()),
        Err(error) => {
            tracing::error!(target = %asked.target, %error, "a look broke off; report this as a defect");
            (LookResult::NotYet, Vec::new())
        }
    };
    let target = spec.target(&asked.target);
    let is_seen_anyway =
        target.is_some_and(|target| target.is_seen_without_process(&asked.failure));
    let is_down = !is_unborn && !is_seen_anyway && watch.is_down(&asked.target);
    let look = Look {
        number: asked.number,
        seen: match seen {
            _ if is_down => LookResult::Down,
            // Who reports it sees what no check does.
            _ if watch.is_reported(&asked.target, &asked.failure) => LookResult::Failing,
            LookResult::Healthy if watch.is_settling(&asked.target) => LookResult::Settling,
            seen => seen,
        },
        is_present,
        results,
    };
    Input::Looked(asked.operation, look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ports::Boxed, services::testing::specs};
    use mainstay_domain::{
        breaker::CircuitState,
        health::{Evidence, Health, Observation, Outcome},
        name::CheckName,
        spec::{CheckKind, CheckSpec},
        time::Timestamp,
    };

    /// What is asked for, what each check saw, and what that comes to.
    type Row = (&'static str, &'static [(&'static str, Outcome)], LookResult);

    fn observation(check: &str, outcome: Outcome) -> Observation {
        Observation {
            target: specs::name("api"),
            check: CheckName::parse(check).unwrap(),
            outcome,
            evidence: Evidence {
                check: check.to_owned(),
                observed_at: Timestamp::from_millis(0),
                message: String::new(),
                value: None,
                output: None,
                score: None,
            },
        }
    }

    /// Its failure holds, and no check has anything to say yet.
    struct TooSoon;

    impl Watch for TooSoon {
        fn check_now(&self, _: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }
        fn handler_acted(&self, _: &TargetName) {}
        fn is_failing(&self, _: &TargetName, _: &FailureType) -> bool {
            true
        }
        fn health(&self, _: &TargetName) -> Option<(Health, CircuitState)> {
            None
        }
        fn heartbeat(&self, _: &TargetName) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn a_look_that_came_too_soon_is_no_failure_though_the_failure_still_holds() {
        let target = specs::target("api", vec![specs::check("cpu")]);
        let operation = OperationId::parse("op-01K0000000000000000000000A").unwrap();
        let asked = Asked {
            operation,
            number: 1,
            target: specs::name("api"),
            failure: specs::failure("cpu-down"),
            acted: false,
        };
        let input = look(Arc::new(TooSoon), specs::spec(vec![target]), asked).await;
        let Input::Looked(_, look) = input else {
            panic!("{input:?}");
        };
        assert_eq!((look.seen, look.is_present), (LookResult::NotYet, true));
    }

    /// Its process does not run, and its disk has room.
    struct Down;

    impl Watch for Down {
        fn check_now(&self, _: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>> {
            let seen = vec![observation("disk", Outcome::Healthy)];
            Box::pin(std::future::ready(Ok(seen)))
        }
        fn handler_acted(&self, _: &TargetName) {}
        fn is_down(&self, _: &TargetName) -> bool {
            true
        }
        fn is_failing(&self, _: &TargetName, failure: &FailureType) -> bool {
            *failure != specs::failure("disk-down")
        }
        fn health(&self, _: &TargetName) -> Option<(Health, CircuitState)> {
            None
        }
        fn heartbeat(&self, _: &TargetName) -> bool {
            false
        }
    }

    #[tokio::test]
    async fn a_failure_that_is_seen_without_the_process_is_over_though_that_does_not_run() {
        let disk = CheckSpec {
            kind: CheckKind::Disk {
                path: "/".into(),
                max_percent: 95.0,
                warn_percent: None,
            },
            ..specs::check("disk")
        };
        let target = specs::target("api", vec![disk, specs::check("tcp")]);
        let spec = specs::spec(vec![target]);
        for (failure, expected) in [
            ("disk-down", (LookResult::Healthy, false)),
            ("tcp-down", (LookResult::Down, true)),
        ] {
            let asked = Asked {
                operation: OperationId::parse("op-01K0000000000000000000000A").unwrap(),
                number: 1,
                target: specs::name("api"),
                failure: specs::failure(failure),
                acted: true,
            };
            let input = look(Arc::new(Down), Arc::clone(&spec), asked).await;
            let Input::Looked(_, look) = input else {
                panic!("{input:?}");
            };
            assert_eq!((look.seen, look.is_present), expected, "{failure}");
        }
    }

    #[test]
    fn what_could_not_be_seen_is_neither_passed_nor_failed() {
        use Outcome::{Degraded, Failed, Healthy, Unknown};
        let target = specs::target("api", vec![specs::check("tcp"), specs::check("http")]);
        for (outcomes, expected) in [
            (
                vec![("tcp", Healthy), ("http", Unknown)],
                LookResult::Healthy,
            ),
            (vec![("tcp", Degraded)], LookResult::Healthy),
            (vec![("tcp", Unknown), ("http", Failed)], LookResult::Unseen),
            (vec![("tcp", Failed)], LookResult::Failing),
            (vec![], LookResult::NotYet),
        ] {
            let seen = outcomes.iter();
            let seen: Vec<_> = seen
                .map(|(check, outcome)| observation(check, *outcome))
                .collect();
            let found = Judged::by(Some(&target), &specs::failure("tcp-down"), &seen).result();
            assert_eq!(found, expected, "{outcomes:?}");
        }
        // No check is of this failure: all are asked.
        for (one, other, expected) in [
            (Unknown, Failed, LookResult::Failing),
            (Failed, Unknown, LookResult::Failing),
            (Healthy, Unknown, LookResult::Unseen),
        ] {
            let seen = [observation("tcp", one), observation("http", other)];
            let found = Judged::by(Some(&target), &specs::failure("other"), &seen).result();
            assert_eq!(found, expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_failure_whose_own_check_says_nothing_yet_is_not_gone_for_the_others_pass() {
        use Outcome::{Degraded, Failed, Healthy};
        let api = specs::target("api", vec![specs::check("cpu"), specs::check("tcp")]);
        let table: [Row; 7] = [
            ("cpu-down", &[("tcp", Healthy)], LookResult::NotYet),
            ("cpu-down", &[("tcp", Failed)], LookResult::NotYet),
            ("cpu-down", &[], LookResult::NotYet),
            (
                "cpu-down",
                &[("cpu", Degraded), ("tcp", Failed)],
                LookResult::Healthy,
            ),
            (
                "cpu-down",
                &[("cpu", Failed), ("tcp", Healthy)],
                LookResult::Failing,
            ),
            ("unseen", &[("tcp", Healthy)], LookResult::Healthy),
            ("unseen", &[("tcp", Failed)], LookResult::Failing),
        ];
        for (failure, seen, expected) in table {
            let seen: Vec<Observation> = seen
                .iter()
                .map(|(check, outcome)| observation(check, *outcome))
                .collect();
            let found = Judged::by(Some(&api), &specs::failure(failure), &seen).result();
            assert_eq!(found, expected, "{failure} {seen:?}");
        }
    }
}
