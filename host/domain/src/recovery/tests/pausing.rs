//! Pauses that end by themselves.

use super::{
    super::{Command, LookResult, Refusal, Reply},
    fixtures::usual,
    world::World,
};
use crate::{event::EventKind, name::TargetName, pause::LONGEST_PAUSE, severity::Severity::High};
use std::time::Duration;

const HOUR: u64 = 3_600_000;

fn pause_for(world: &mut World, target: Option<&str>, millis: u64) -> Reply {
    world.command(Command::PauseFor {
        target: target.map(|name| TargetName::parse(name).unwrap()),
        length: Duration::from_millis(millis),
        reason: "new disks".to_owned(),
        by: "ann".into(),
    })
}

#[test]
fn a_pause_for_a_while_ends_by_itself_and_what_waited_begins() {
    for target in [None, Some("api")] {
        let mut world = World::new(usual());
        assert_eq!(pause_for(&mut world, target, HOUR), Reply::Done);
        world.raise("api down", High);
        world.wait(HOUR - 1);
        assert_eq!(world.stage("api down"), "scheduled");
        assert_eq!(world.count(EventKind::HostResumed), 0);
        world.wait(1);
        assert_eq!(world.count(EventKind::HostResumed), 1);
        assert!(world.machine.paused_until().is_empty());
        world.see(LookResult::Failing);
        assert_eq!(world.called(), ["api down"]);
    }
}

#[test]
fn a_new_daemon_goes_on_with_what_remains_of_a_pause() {
    let mut world = World::new(usual());
    pause_for(&mut world, Some("api"), HOUR);
    world.restart(HOUR / 2);
    let until = world.machine.paused_until();
    let until: Vec<_> = until.values().collect();
    assert_eq!(until, [&(world.at().now + Duration::from_millis(HOUR / 2))]);
    world.wait(HOUR / 2 - 1);
    assert_eq!(world.count(EventKind::HostResumed), 0);
    world.restart(HOUR);
    assert_eq!(world.count(EventKind::HostResumed), 1, "it ended meanwhile");
    world.restart(HOUR);
    assert_eq!(world.count(EventKind::HostResumed), 1);
}

#[test]
fn the_last_word_about_a_pause_holds() {
    let mut world = World::new(usual());
    pause_for(&mut world, None, HOUR);
    world.pause(None, true);
    world.wait(2 * HOUR);
    assert!(world.machine.is_paused(None), "it has no end any more");
    pause_for(&mut world, None, HOUR);
    world.pause(None, false);
    assert!(world.machine.paused_until().is_empty());
    world.wait(2 * HOUR);
    assert_eq!(world.count(EventKind::HostResumed), 1);
}

#[test]
fn a_pause_of_nothing_of_too_much_or_of_nobody_is_refused() {
    let mut world = World::new(usual());
    let longest = u64::try_from(LONGEST_PAUSE.as_millis()).unwrap();
    for (target, millis) in [(None, 0), (None, longest + 1), (Some("nobody"), HOUR)] {
        let reply = pause_for(&mut world, target, millis);
        let is_refused = matches!(
            reply,
            Reply::Refused(Refusal::NotAllowed(_) | Refusal::Unknown(_))
        );
        assert!(is_refused, "{target:?} {millis}: {reply:?}");
    }
    assert!(!world.machine.is_paused(None));
}
