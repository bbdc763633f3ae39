//! One call of a handler or of a strategy, to the input that answers it.
//!
//! Invariant: a fault of the host in it is an answer that says so: another attempt may go well.

use crate::ports::Handlers;
use mainstay_domain::{
    call::RecoveryFailure,
    id::OperationId,
    recovery::{Call, Decide, Handled, Input, NotHandled},
};
use std::sync::Arc;
use tokio::task::JoinError;

pub(super) async fn call(handlers: Arc<dyn Handlers>, call: Call) -> Input {
    let (id, effects) = (call.request.operation.clone(), call.effects);
    let handled = tokio::spawn(async move { handlers.recover(call).await });
    let handled = handled
        .await
        .unwrap_or_else(|error| broke_off(&id, effects, &error));
    Input::Called(id, handled)
}

/// Asks a strategy.
pub(super) async fn decide(handlers: Arc<dyn Handlers>, asked: Decide) -> Input {
    let (id, attempt) = (asked.operation.clone(), asked.attempt);
    let next = tokio::spawn(async move { handlers.decide(asked).await });
    let next = next.await.unwrap_or_else(|error| {
        let why = format!("the call broke off: {error}; report this as a defect");
        tracing::error!(operation = %id, why);
        Err(why)
    });
    if let Err(why) = &next {
        tracing::warn!(operation = %id, why, "a strategy gave no answer, so the route's own decides");
    }
    Input::Decided(id, attempt, next)
}

fn broke_off(id: &OperationId, effects: u32, error: &JoinError) -> Handled {
    let why = format!("the call broke off: {error}; report this as a defect");
    tracing::error!(operation = %id, why);
    Handled {
        by: None,
        result: Err(NotHandled::Failed(RecoveryFailure::Retryable(why))),
        effects,
        // Nobody knows.
        acted: true,
    }
}
