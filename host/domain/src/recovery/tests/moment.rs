//! An operation whose process was started a moment ago.

use super::{
    super::{CONCURRENT_OPERATIONS, LookResult},
    fixtures::{done, route, spec, target, usual},
    world::World,
};
use crate::severity::Severity;

#[test]
fn a_process_that_runs_only_for_a_moment_is_no_success_until_it_has_run_for_one() {
    let mut world = World::new(usual());
    world.raise("api down", Severity::High);
    world.answer(done());
    world.see(LookResult::Settling);
    assert_eq!(world.stage("api down"), "validating");
    world.wait(999);
    assert!(world.looks.is_empty(), "it is not looked at all the time");
    world.wait(1);
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
}

#[test]
fn one_that_ends_within_its_moment_ends_the_attempt() {
    let mut world = World::new(usual());
    world.raise("api down", Severity::High);
    world.answer(done());
    world.see(LookResult::Settling);
    world.exit("api");
    assert_eq!(world.stage("api down"), "resting");
    assert_eq!(world.operation("api down").attempts, 1);
}

#[test]
fn a_moment_that_is_longer_than_the_validation_is_waited_for_once() {
    let mut world = World::new(usual());
    world.raise("api down", Severity::High);
    world.answer(done());
    world.pass(4_900);
    world.see(LookResult::Settling);
    assert_eq!(world.stage("api down"), "validating");
    world.wait(1_000);
    assert_eq!(world.looks.len(), 1, "after its time was over");
    world.see(LookResult::Settling);
    for _ in 0..20 {
        if world.stage("api down") != "validating" {
            break;
        }
        world.wait(1_000);
        if !world.looks.is_empty() {
            world.see(LookResult::Settling);
        }
    }
    assert_eq!(world.stage("api down"), "resting");
    let said = format!("{:?}", world.machine);
    assert!(said.contains("before it had run for a moment"), "{said}");
}

#[test]
fn what_only_waits_for_a_moment_holds_up_no_other() {
    let most = CONCURRENT_OPERATIONS.get();
    let names: Vec<String> = (0..=most).map(|number| format!("t{number}")).collect();
    let targets = names.iter().map(|name| target(name)).collect();
    let mut world = World::new(spec(targets, vec![route()]));
    for name in &names {
        world.raise(&format!("{name} down"), Severity::High);
    }
    let last = format!("{} down", names[most]);
    assert_eq!(world.stage(&last), "scheduled");
    world.answer(done());
    assert_eq!(world.stage(&last), "scheduled", "its checks are looked at");
    world.see(LookResult::Settling);
    assert_ne!(world.stage(&last), "scheduled");
    assert_eq!(world.stage("t0 down"), "validating");
}
