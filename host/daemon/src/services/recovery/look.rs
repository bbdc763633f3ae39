//! How an operation sees whether its failure is gone.

use crate::ports::Watch;
use mainstay_domain::{
    effect::EffectError,
    health::{Observation, Outcome},
    id::OperationId,
    name::{FailureType, TargetName},
    recovery::{Input, Look, LookResult},
    spec::{Spec, TargetSpec},
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
    let seen = match seen {
        Ok(Ok(seen)) => judge(spec.target(&asked.target), &asked.failure, &seen),
        Ok(Err(EffectError::Unavailable(_))) => LookResult::NotYet,
        Ok(Err(_)) => LookResult::Failing,
        Err(error) => {
            tracing::error!(target = %asked.target, %error, "a look broke off; report this as a defect");
            LookResult::NotYet
        }
    };
    let is_down = watch.is_down(&asked.target) && seen != LookResult::NotYet;
    let look = Look {
        number: asked.number,
        seen: match is_down {
            true => LookResult::Down,
            false => seen,
        },
        is_present: watch.is_failing(&asked.target, &asked.failure),
    };
    Input::Looked(asked.operation, look)
}

/// What the checks that see this failure saw: another failure of the target is not this operation's. One that no check
/// sees is judged by all of them.
fn judge(target: Option<&TargetSpec>, failure: &FailureType, seen: &[Observation]) -> LookResult {
    let is_own =
        |one: &&Observation| target.is_some_and(|target| target.is_seen_by(failure, &one.check));
    let has_own = seen.iter().any(|one| is_own(&one));
    let judged = seen.iter().filter(|one| !has_own || is_own(one));
    judged.fold(LookResult::Healthy, |so_far, one| match one.outcome {
        Outcome::Failed => LookResult::Failing,
        Outcome::Unknown if so_far == LookResult::Healthy => LookResult::Unseen,
        Outcome::Healthy | Outcome::Degraded | Outcome::Unknown => so_far,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use mainstay_domain::{health::Evidence, name::CheckName, time::Timestamp};

    #[test]
    fn what_could_not_be_seen_is_neither_passed_nor_failed() {
        use Outcome::{Degraded, Failed, Healthy, Unknown};
        let target = specs::target("api", vec![specs::check("tcp"), specs::check("http")]);
        let seen = |outcomes: &[(&str, Outcome)]| {
            let outcomes = outcomes.iter().map(|(check, outcome)| Observation {
                target: specs::name("api"),
                check: CheckName::parse(check).unwrap(),
                outcome: *outcome,
                evidence: Evidence {
                    check: (*check).to_owned(),
                    observed_at: Timestamp::from_millis(0),
                    message: "as it is".to_owned(),
                    value: None,
                },
            });
            let outcomes: Vec<_> = outcomes.collect();
            judge(Some(&target), &specs::failure("tcp-down"), &outcomes)
        };
        for (outcomes, expected) in [
            (
                vec![("tcp", Healthy), ("http", Unknown)],
                LookResult::Healthy,
            ),
            (vec![("tcp", Degraded)], LookResult::Healthy),
            (vec![("tcp", Unknown), ("http", Failed)], LookResult::Unseen),
            (vec![("tcp", Failed)], LookResult::Failing),
            (
                vec![("http", Unknown), ("http", Failed)],
                LookResult::Failing,
            ),
            (
                vec![("http", Failed), ("http", Unknown)],
                LookResult::Failing,
            ),
            (vec![], LookResult::Healthy),
        ] {
            assert_eq!(seen(&outcomes), expected, "{outcomes:?}");
        }
    }
}
