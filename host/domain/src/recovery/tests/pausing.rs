//! Pauses that end by themselves.

use super::{
    super::{Command, Input, LookResult, PauseSummary, Refusal, Reply, Ticket},
    fixtures::{BEGIN, route, spec, target, usual},
    world::World,
};
use crate::{
    event::EventKind,
    name::TargetName,
    pause::LONGEST_PAUSE,
    severity::Severity::High,
    spec::{MaintenanceBegin, MaintenanceSpec, Spec, TargetSpec},
};
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
fn what_a_pause_keeps_from_beginning_says_so_and_shows_no_time_that_has_passed() {
    for (target, of_host) in [(None, true), (Some("api"), false)] {
        for timed in [false, true] {
            let mut world = World::new(usual());
            let until = timed.then(|| world.at().now + Duration::from_millis(HOUR));
            match timed {
                true => drop(pause_for(&mut world, target, HOUR)),
                false => drop(world.pause(target, true)),
            }
            world.raise("api down", High);
            let expected = PauseSummary {
                of_host,
                by: Some("ann".to_owned()),
                until,
            };
            let api = TargetName::parse("api").unwrap();
            for _ in 0..2 {
                let summary = world.machine.summary_of(&api);
                assert_eq!(summary.pause.as_ref(), Some(&expected));
                let own = summary.operation.and_then(|id| summary.operations.get(&id));
                let whose = if of_host { "" } else { " api" };
                let words = format!(
                    "automatic recovery is paused by ann; `mainstay resume{whose}` lets it go on"
                );
                assert_eq!(own, Some(&words));
                assert_eq!((summary.rests, summary.held), (None, None));
                world.restart(1_000);
            }
            let resumed = match of_host {
                true => world.command(resume(None)),
                false => world.command(resume(Some("api"))),
            };
            assert_eq!(resumed, Reply::Done);
            assert_eq!(world.machine.summary_of(&api).pause, None);
        }
    }
}

fn resume(target: Option<&str>) -> Command {
    Command::Pause {
        target: target.map(|name| TargetName::parse(name).unwrap()),
        paused: false,
        by: "ben".into(),
    }
}

#[test]
fn a_pause_that_begins_or_ends_renews_what_is_shown_of_what_it_holds() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(super::fixtures::retryable());
    let api = TargetName::parse("api").unwrap();
    for paused in [true, false] {
        let command = Command::Pause {
            target: None,
            paused,
            by: "ann".into(),
        };
        let outcome = world.input(Input::Command(command, Ticket(99)));
        assert!(outcome.changed.contains(&api), "{paused}");
        let summary = world.machine.summary_of(&api);
        assert_eq!(summary.pause.is_some(), paused);
        assert_eq!(summary.rests.is_some(), !paused);
    }
}

#[test]
fn what_is_due_and_waits_for_another_target_says_so_in_place_of_a_time() {
    let api = TargetName::parse("api").unwrap();
    let dependent = TargetSpec {
        depends_on: vec![TargetName::parse("db").unwrap()],
        ..target("api")
    };
    let mut world = World::new(spec(vec![dependent, target("db")], vec![route()]));
    world.raise("api down", High);
    world.answer(super::fixtures::retryable());
    world.raise("db down", High);
    let resting = world.machine.summary_of(&api);
    let words: Vec<&String> = resting.operations.values().collect();
    assert_eq!(words, ["between two attempts"]);
    assert!(resting.rests.is_some());
    let outcome = world.wait(1_000);
    assert!(outcome.changed.contains(&api));
    let summary = world.machine.summary_of(&api);
    assert_eq!(summary.rests, None);
    let held = summary.held.expect("it waits");
    assert!(held.contains("db"), "{held}");
    let words: Vec<&String> = summary.operations.values().collect();
    assert_eq!(words, [&held]);
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

/// `api` is in maintenance for the first hours.
fn in_maintenance(hours: u64) -> Spec {
    let window = MaintenanceSpec {
        targets: vec![TargetName::parse("api").unwrap()],
        begins: MaintenanceBegin::At(BEGIN),
        length: Duration::from_millis(hours * HOUR),
        holds_alerts: true,
        pauses_recovery: true,
    };
    Spec {
        maintenance: vec![window],
        ..usual()
    }
}

fn is_paused(world: &World) -> bool {
    let api = TargetName::parse("api").unwrap();
    world.machine.is_paused(Some(&api))
}

#[test]
fn a_window_that_was_taken_out_or_shortened_while_no_daemon_was_there_pauses_no_longer() {
    for (then, lasts) in [
        (usual(), 0),
        (in_maintenance(2), HOUR),
        (in_maintenance(3), 2 * HOUR),
    ] {
        let mut world = World::new(in_maintenance(3));
        world.wait(1);
        assert!(is_paused(&world));
        world.spec = then;
        world.restart(HOUR - 1);
        world.wait(lasts.saturating_sub(1));
        assert_eq!(is_paused(&world), lasts > 0);
        world.wait(2);
        assert!(!is_paused(&world));
    }
}

#[test]
fn what_a_person_asked_for_holds_where_a_longer_window_is_taken_out() {
    let mut world = World::new(usual());
    pause_for(&mut world, Some("api"), HOUR);
    world.configure(in_maintenance(3));
    world.wait(1);
    let until = world.machine.paused_until();
    let until: Vec<_> = until.values().collect();
    assert_eq!(until, [&(BEGIN + Duration::from_millis(3 * HOUR))]);
    world.configure(usual());
    world.wait(HOUR - 2);
    assert!(is_paused(&world));
    world.wait(1);
    assert!(!is_paused(&world));
}

#[test]
fn what_a_person_resumed_in_a_window_stays_so_over_restarts_until_the_next_window() {
    let mut world = World::new(in_maintenance(3));
    world.wait(1);
    assert!(is_paused(&world));
    world.pause(Some("api"), false);
    for _ in 0..2 {
        world.restart(1_000);
        assert!(!is_paused(&world));
    }
    let mut later = in_maintenance(3);
    later.maintenance[0].begins = MaintenanceBegin::At(BEGIN + Duration::from_secs(60));
    world.spec = later;
    world.restart(60_000);
    assert!(is_paused(&world));
}

#[test]
fn what_a_person_resumed_in_a_window_stays_so_where_the_config_gets_other_windows() {
    let mut world = World::new(in_maintenance(3));
    world.wait(1);
    assert!(is_paused(&world));
    world.pause(Some("api"), false);
    let mut more = in_maintenance(3);
    let mut of_db = more.maintenance[0].clone();
    of_db.targets = vec![TargetName::parse("db").unwrap()];
    more.maintenance.push(of_db);
    world.configure(more);
    world.wait(1);
    assert!(!is_paused(&world));
    let mut later = in_maintenance(3);
    later.maintenance[0].begins = MaintenanceBegin::At(BEGIN + Duration::from_secs(60));
    world.configure(later);
    world.wait(60_000);
    assert!(is_paused(&world), "it is another window");
}

#[test]
fn a_window_that_the_config_gets_pauses_also_what_a_person_had_resumed_since_its_begin() {
    let mut world = World::new(usual());
    world.pause(Some("api"), true);
    world.wait(1_000);
    world.pause(Some("api"), false);
    world.wait(1_000);
    world.configure(in_maintenance(3));
    world.wait(1);
    assert!(is_paused(&world));
    world.wait(1_000);
    world.pause(Some("api"), false);
    // It is the same window, and ends later.
    world.configure(in_maintenance(4));
    world.wait(60_000);
    assert!(!is_paused(&world));
}
