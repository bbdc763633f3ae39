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
        Ok(Ok(seen)) if all_pass(spec.target(&asked.target), &asked.failure, &seen) => {
            LookResult::Healthy
        }
        Ok(Err(EffectError::Unavailable(_))) => LookResult::NotYet,
        Ok(Ok(_) | Err(_)) => LookResult::Failing,
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

/// Whether the checks that see this failure passed: another failure of the target is not this operation's. One that no
/// check sees is judged by all of them.
fn all_pass(target: Option<&TargetSpec>, failure: &FailureType, seen: &[Observation]) -> bool {
    let is_own =
        |one: &&Observation| target.is_some_and(|target| target.is_seen_by(failure, &one.check));
    let has_own = seen.iter().any(|one| is_own(&one));
    let mut judged = seen.iter().filter(|one| !has_own || is_own(one));
    judged.all(|one| one.outcome != Outcome::Failed)
}
