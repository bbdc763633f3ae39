//! What is validated while the process of its target does not run.

use super::{
    super::LookResult,
    fixtures::{done, route, spec, target},
    world::World,
};
use crate::{
    name::{CheckName, FailureType},
    operation::OperationState,
    severity::Severity::{self, Critical},
    spec::{CheckKind, CheckSpec},
};
use std::time::Duration;

/// Whether the disk has room, which no process says.
fn disk_check() -> CheckSpec {
    CheckSpec {
        name: CheckName::parse("disk").unwrap(),
        kind: CheckKind::Disk {
            path: "/".into(),
            max_percent: 95.0,
            warn_percent: None,
        },
        every: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        fail_after: 1,
        fail_of: None,
        recover_after: 1,
        jitter: Duration::ZERO,
        failure: FailureType::parse("disk-full").unwrap(),
        severity: Severity::High,
    }
}

#[test]
fn an_exit_says_nothing_of_a_failure_that_is_seen_without_the_process() {
    let mut api = target("api");
    api.checks = vec![disk_check()];
    let mut world = World::new(spec(vec![api], vec![route()]));
    world.raise("api disk-full", Critical);
    world.answer(done());
    world.exit("api");
    assert_eq!(world.stage("api disk-full"), "validating");
    world.see(LookResult::Healthy);
    let states = world.operations.values().map(|one| one.state);
    assert_eq!(states.collect::<Vec<_>>(), [OperationState::Succeeded]);
}
