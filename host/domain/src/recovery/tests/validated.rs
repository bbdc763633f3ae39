//! What the checks said that validated an attempt stays on record with its operation.

use super::{
    super::{Input, Look, LookResult},
    fixtures::{BEGIN, done, usual},
    world::World,
};
use crate::{
    health::Outcome,
    name::CheckName,
    operation::{OperationState, ValidationResult},
    severity::Severity,
};

fn said(outcome: Outcome, message: &str) -> ValidationResult {
    ValidationResult {
        check: CheckName::parse("tcp").unwrap(),
        outcome,
        message: message.to_owned(),
        at: BEGIN,
    }
}

/// The oldest look is answered, and its check said this.
fn look(world: &mut World, seen: LookResult, said: ValidationResult) {
    let (id, number) = world.looks.remove(0);
    let look = Look {
        number,
        seen,
        is_present: seen != LookResult::Healthy,
        results: vec![said],
    };
    world.input(Input::Looked(id, look));
}

#[test]
fn an_operation_keeps_what_the_look_said_that_decided_on_its_last_attempt() {
    let mut world = World::new(usual());
    world.raise("api down", Severity::High);
    world.answer(done());
    // It passes by its own time alone: what it said is not the end of it.
    look(
        &mut world,
        LookResult::Failing,
        said(Outcome::Failed, "at first"),
    );
    assert_eq!(world.stage("api down"), "validating");
    let kept = &world.operation("api down").validation_results;
    assert!(kept.is_empty(), "{kept:?}");
    world.wait(60_000);
    look(
        &mut world,
        LookResult::Failing,
        said(Outcome::Failed, "refused"),
    );
    assert_eq!(world.stage("api down"), "resting");
    let kept = &world.operation("api down").validation_results;
    assert_eq!(*kept, [said(Outcome::Failed, "refused")]);

    // What was said of the first attempt says nothing of the second.
    world.attempt_again();
    world.answer(done());
    assert_eq!(world.stage("api down"), "validating");
    let kept = &world.operation("api down").validation_results;
    assert!(kept.is_empty(), "{kept:?}");
    look(
        &mut world,
        LookResult::Healthy,
        said(Outcome::Degraded, "900 ms"),
    );
    let ended = world.operations.values().next().unwrap();
    assert_eq!(ended.state, OperationState::Succeeded);
    assert_eq!(
        ended.validation_results,
        [said(Outcome::Degraded, "900 ms")]
    );
}
