//! What survives the end of a daemon.

use super::{
    super::{Input, LookResult, NotHandled, Recovered, Recovery, Verb},
    fixtures::{
        done, key, missing, needs_operator, permanent, plugin, retryable, route, spec, step,
        target, usual, with_route,
    },
    stories::two_steps,
    world::World,
};
use crate::{
    event::EventKind,
    id::{IdSource, IncidentId},
    incident::Incident,
    operation::OperationState,
    replay::{Divergence, Halt},
    severity::Severity::High,
    spec::{RouteSpec, StepSpec},
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

fn without_relapse(cooldown: u64) -> World {
    World::new(with_route(RouteSpec {
        cooldown: Duration::from_secs(cooldown),
        relapse_window: Duration::ZERO,
        ..route()
    }))
}

/// What was queued is looked at when it is due, to the millisecond.
fn begins_after(world: &mut World, millis: u64) {
    world.wait(millis - 1);
    assert!(world.looks.is_empty(), "it began before {millis} ms");
    world.wait(1);
    assert_eq!(world.stage("api down"), "looking");
}

#[test]
fn a_cooldown_survives_a_restart() {
    let mut world = without_relapse(30);
    world.raise("api down", High);
    world.recover_it();
    world.restart(1_000);
    world.raise("api down", High);
    assert_eq!(world.waits("api down"), Duration::from_secs(29));
    world.restart(1_000);
    begins_after(&mut world, 28_000);
}

#[test]
fn flapping_survives_a_restart_and_is_told_once() {
    let mut world = without_relapse(0);
    for _ in 0..5 {
        world.raise("api down", High);
        world.recover_it();
        world.pass(10);
    }
    world.raise("api down", High);
    assert_eq!(world.count(EventKind::CircuitFlapping), 1);
    begins_after(&mut world, 1_000);
    world.see(LookResult::Failing);
    world.recover_it();
    world.restart(1_000);
    world.raise("api down", High);
    assert_eq!(world.waits("api down"), Duration::from_secs(2));
    assert_eq!(world.count(EventKind::CircuitFlapping), 1);
}

#[test]
fn failures_in_a_row_and_their_back_off_survive_a_restart() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    for waits in [1_000, 2_000, 4_000] {
        world.answer(permanent());
        assert_eq!(world.waits("api down"), Duration::from_millis(waits));
        world.restart(500);
        begins_after(&mut world, waits - 500);
        world.see(LookResult::Failing);
    }
    assert_eq!(world.incident("api down").failures_in_a_row, 3);
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
}

#[test]
fn what_rests_between_two_attempts_rests_as_long_as_before() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(retryable());
    world.pass(400);
    world.restart(100);
    assert_eq!(world.stage("api down"), "resting");
    begins_after(&mut world, 500);
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].request.attempt, 2);
}

#[test]
fn a_call_that_was_cut_off_is_made_again_as_the_same_attempt() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.restart(10);
    assert_eq!(world.count(EventKind::OperationResumed), 1);
    assert_eq!(world.stage("api down"), "looking");
    world.see(LookResult::Failing);
    assert_eq!(world.calls[0].request.attempt, 1);
    // Or not, for it may have helped.
    world.restart(10);
    world.see(LookResult::Healthy);
    let states: Vec<_> = world.operations.values().map(|one| one.state).collect();
    assert_eq!(states, [OperationState::Succeeded]);
}

/// Trap 2 of the seeds' systems: who led had no number by which what it had begun could be told from what came later.
#[test]
fn the_fencing_number_that_a_handler_is_told_rises_with_every_daemon() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    assert_eq!(world.calls[0].request.fencing, 1);
    for daemon in [2, 3] {
        world.restart(10);
        world.see(LookResult::Failing);
        assert_eq!(world.calls[0].request.fencing, daemon);
    }
}

#[test]
fn a_call_of_which_the_journal_lacks_something_is_neither_gone_on_with_nor_made_again_by_itself() {
    for has_record in [true, false] {
        let mut world = World::new(usual());
        world.raise("api down", High);
        world.keep_on_record();
        let id = world.operation("api down").id;
        if !has_record {
            world.open_calls.clear();
        }
        world.lost.insert(id.clone());
        world.restart(10);
        assert_eq!(world.stage("api down"), "asking", "{has_record}");
        assert!(world.calls.is_empty(), "{has_record}");
        assert!(world.open_calls.is_empty(), "{has_record}: it has its end");
        let operation = world.operation("api down");
        assert!(operation.error.unwrap().contains("set aside"));
        assert_eq!(operation.steps.len(), 2);
        // Also the next daemon only asks, until a person lets it begin from the start.
        world.restart(10);
        assert_eq!(world.stage("api down"), "asking", "{has_record}");
        world.lost.clear();
        world.decide(Verb::Approve, &id);
        assert!(!world.calls[0].resumed, "{has_record}");
    }
}

#[test]
fn a_call_that_is_on_record_is_gone_on_with_and_not_made_again() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    let before = world.calls[0].clone();
    for _ in 0..5 {
        world.restart(10);
        assert!(world.looks.is_empty(), "it is in the middle of something");
        let call = &world.calls[0];
        assert!(call.resumed);
        assert_eq!((call.place.call, call.effects), (before.place.call, 0));
        assert_eq!((call.request.attempt, &call.handler), (1, &before.handler));
    }
    assert_eq!(world.operation("api down").interruptions, 0);
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
    assert!(world.open_calls.is_empty(), "it has its end");
}

#[test]
fn a_call_that_is_gone_on_with_may_have_healed_its_target_before() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    world.pause(None, true);
    world.restart(10);
    assert_eq!(world.stage("api down"), "resting");
    world.clear("api down");
    assert_eq!(world.stage("api down"), "resting");
    world.pause(None, false);
    assert_eq!(world.stage("api down"), "calling");
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
}

#[test]
fn a_chain_goes_on_at_the_step_that_it_was_in() {
    for is_on_record in [false, true] {
        let mut world = World::new(with_route(two_steps()));
        world.raise("api down", High);
        world.answer(done());
        if is_on_record {
            world.keep_on_record();
        }
        world.restart(10);
        if !is_on_record {
            world.see(LookResult::Failing);
        }
        let call = &world.calls[0];
        assert_eq!(
            (&call.handler, call.resumed),
            (&plugin("second"), is_on_record)
        );
        world.answer(done());
        assert_eq!(world.stage("api down"), "validating", "{is_on_record}");
    }
}

#[test]
fn what_was_cut_off_is_what_recovered_a_target_that_is_healthy_after_it() {
    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    world.answer(Ok(Default::default()));
    let id = world.operation("api down").id;
    world.restart(10);
    world.see(LookResult::Healthy);
    let recovered = &world.operations[&id];
    assert_eq!(recovered.state, OperationState::Succeeded);
    assert_eq!(recovered.acted_by, Some(plugin("second")));
}

#[test]
fn a_call_that_sleeps_holds_nothing_and_goes_on_when_the_sleep_is_over() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    let halt = |world: &World| Halt::Suspended {
        until: world.at().now + Duration::from_secs(3600),
        left: Duration::from_secs(3600),
    };
    let asleep = halt(&world);
    world.answer(Err(NotHandled::Halted(asleep.clone())));
    assert_eq!(world.stage("api down"), "resting");
    assert_eq!(world.machine.calls(), 0);
    let (_, why) = world
        .machine
        .summary_of(&key("api down").target)
        .rests
        .unwrap();
    assert_eq!(why, "its handler sleeps");
    assert_eq!(world.count(EventKind::OperationSuspended), 1);
    // Another daemon asks the call itself how long it sleeps on.
    world.restart(1_000);
    assert!(world.calls[0].resumed);
    let left = Duration::from_secs(3599);
    let Halt::Suspended { until, .. } = asleep else {
        unreachable!()
    };
    world.answer(Err(NotHandled::Halted(Halt::Suspended { until, left })));
    world.wait(3_598_999);
    assert!(world.calls.is_empty(), "it sleeps");
    world.wait(1);
    let call = &world.calls[0];
    assert!(call.resumed);
    assert_eq!(
        (call.place.call, call.effects, call.request.attempt),
        (1, 0, 1)
    );
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
    assert!(world.open_calls.is_empty());
}

#[test]
fn an_hour_of_sleep_over_ten_daemons_ends_on_time_and_holds_nothing_meanwhile() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    let until = world.at().now + Duration::from_secs(3600);
    let asleep = |world: &World| {
        let left = until.since(world.at().now);
        Err(NotHandled::Halted(Halt::Suspended { until, left }))
    };
    let halted = asleep(&world);
    world.answer(halted);
    for daemon in 1..=10 {
        world.restart(300_000);
        assert!(world.calls[0].resumed, "daemon {daemon} asks the call");
        let halted = asleep(&world);
        world.answer(halted);
        assert_eq!(world.machine.calls(), 0, "daemon {daemon} holds nothing");
        assert_eq!(world.stage("api down"), "resting", "daemon {daemon}");
    }
    world.wait(599_999);
    assert!(world.calls.is_empty(), "it sleeps");
    world.wait(1);
    assert_eq!(world.at().now, until);
    let call = &world.calls[0];
    assert_eq!(
        (call.resumed, call.place.call, call.request.attempt),
        (true, 1, 1)
    );
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
    assert!(world.open_calls.is_empty());
}

#[test]
fn another_config_neither_wakes_a_call_that_sleeps_nor_lets_it_sleep_longer() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    let left = Duration::from_secs(3600);
    let until = world.at().now + left;
    world.answer(Err(NotHandled::Halted(Halt::Suspended { until, left })));
    world.pass(1_000);
    world.configure(with_route(RouteSpec {
        cooldown: Duration::from_secs(7_200),
        ..route()
    }));
    assert!(world.calls.is_empty(), "it sleeps");
    world.wait(3_599_000);
    assert!(world.calls[0].resumed);
}

#[test]
fn a_call_that_sleeps_can_be_cancelled_at_once() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    let halt = Halt::Suspended {
        until: world.at().now + Duration::from_secs(3600),
        left: Duration::from_secs(3600),
    };
    world.answer(Err(NotHandled::Halted(halt)));
    let id = world.operation("api down").id;
    world.decide(Verb::Cancel, &id);
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
}

#[test]
fn what_always_runs_is_called_also_where_a_call_is_cancelled_while_it_sleeps() {
    let always = StepSpec {
        always: true,
        ..step("alert")
    };
    let route = RouteSpec {
        chain: vec![step("fix"), step("second"), always],
        ..route()
    };
    let halt = |world: &World| {
        let left = Duration::from_secs(3600);
        let until = world.at().now + left;
        Err(NotHandled::Halted(Halt::Suspended { until, left }))
    };
    // Asked for while it sleeps, and before it would have slept.
    for sleeps in [true, false] {
        let mut world = World::new(with_route(route.clone()));
        world.raise("api down", High);
        world.keep_on_record();
        let id = world.operation("api down").id;
        let asleep = halt(&world);
        if sleeps {
            world.answer(asleep.clone());
            world.pause(None, true);
        }
        world.decide(Verb::Cancel, &id);
        if !sleeps {
            world.answer(asleep);
        }
        assert!(world.open_calls.is_empty(), "{sleeps}: it has its end");
        assert_eq!(world.calls[0].handler, plugin("alert"), "{sleeps}");
        world.answer(done());
        assert_eq!(world.operations[&id].state, OperationState::Cancelled);
        assert_eq!(world.stage("api down"), "people", "{sleeps}");
    }
    // Asked for in its call, and the daemon ends in that.
    let mut world = World::new(with_route(route));
    world.raise("api down", High);
    world.keep_on_record();
    let id = world.operation("api down").id;
    world.decide(Verb::Cancel, &id);
    world.restart(10);
    assert_eq!(world.calls[0].handler, plugin("alert"));
    world.answer(done());
    assert_eq!(world.operations[&id].state, OperationState::Cancelled);
}

#[test]
fn a_call_that_cannot_be_gone_on_with_is_left_to_a_person() {
    let diverged = Halt::Diverged(Divergence {
        number: 3,
        recorded: "targets.restart of api".to_owned(),
        asked: "targets.stop of api".to_owned(),
    });
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    world.restart(10);
    world.answer(Err(NotHandled::Halted(diverged)));
    assert_eq!(world.stage("api down"), "asking");
    assert_eq!(world.count(EventKind::OperationDiverged), 1);

    let halt = Halt::GivenUp("its build is gone".to_owned());
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    world.restart(10);
    world.answer(Err(NotHandled::Halted(halt)));
    assert_eq!(world.stage("api down"), "asking");
    let error = world.operation("api down").error.unwrap();
    assert!(error.contains("its build is gone"), "{error}");

    let mut world = World::new(with_route(two_steps()));
    world.raise("api down", High);
    world.keep_on_record();
    world.spec = with_route(route());
    world.restart(10);
    assert_eq!(world.stage("api down"), "asking");
}

#[test]
fn a_call_that_ends_the_daemon_three_times_is_left_to_a_person() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    for stage in ["calling", "calling", "asking"] {
        world.restart(10);
        if !world.looks.is_empty() {
            world.see(LookResult::Failing);
        }
        assert_eq!(world.stage("api down"), stage);
    }
}

#[test]
fn a_daemon_that_ends_before_the_call_is_made_again_is_not_ended_by_it() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.pause(None, true);
    for _ in 0..4 {
        world.restart(10);
    }
    assert_eq!(world.stage("api down"), "resting");
    assert_eq!(world.operation("api down").interruptions, 1);
}

#[test]
fn what_was_cut_off_and_is_paused_is_shown_as_paused() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.pause(None, true);
    world.restart(10);
    let summary = world.machine.summary_of(&key("api down").target);
    assert!(summary.pause.is_some() && summary.rests.is_none());
}

#[test]
fn a_validation_goes_on() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(done());
    world.restart(10);
    assert_eq!(
        (world.stage("api down"), world.looks.len()),
        ("validating", 1)
    );
    world.exit("api");
    assert_eq!(world.stage("api down"), "resting");
}

#[test]
fn what_waits_for_a_person_waits_on_with_its_steps() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(needs_operator());
    let before = world.operation("api down");
    world.restart(10);
    assert_eq!(
        (world.stage("api down"), world.operation("api down")),
        ("asking", before)
    );
}

#[test]
fn a_relapse_after_a_restart_is_the_same_incident_and_its_attempts_count_on() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    world.restart(30_000);
    assert_eq!(world.stage("api down"), "watched");
    world.raise("api down", High);
    assert_eq!(world.incidents.len(), 1);
    assert_eq!(world.calls[0].request.attempt, 2);
    world.recover_it();
    // What had come back is open until it lasts, also for the next daemon.
    world.restart(30_000);
    assert!(world.incident("api down").state.is_open());
    world.wait(30_000);
    assert_eq!(world.stage("api down"), "none");
    assert_eq!(world.count(EventKind::IncidentClosed), 2);
}

#[test]
fn a_handler_that_was_missing_ends_the_pause_also_of_the_next_daemon() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.answer(missing());
    world.restart(10);
    assert_eq!(world.stage("api down"), "scheduled");
    world.input(Input::Serves(plugin("fix")));
    assert_eq!(world.stage("api down"), "looking");
}

#[test]
fn a_pause_and_what_is_in_the_hands_of_people_survive() {
    let mut world = World::new(usual());
    world.pause(None, true);
    world.raise("api down", High);
    world.raise("db down", High);
    let id = world.operation("db down").id;
    world.decide(Verb::Cancel, &id);
    world.restart(10);
    assert!(world.machine.is_paused(None));
    assert_eq!(
        (world.stage("api down"), world.stage("db down")),
        ("scheduled", "people")
    );
    assert!(world.looks.is_empty());
}

#[test]
fn what_a_person_asked_for_while_it_was_watched_is_not_said_to_have_lasted() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    world.pass(2_000);
    world.raise("api down", High);
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
    world.ask_for("api down", false);
    world.raise("api down", High);
    world.answer(permanent());
    let id = world.operation("api down").id;
    world.decide(Verb::Cancel, &id);
    world.restart(120_000);
    assert_eq!(world.stage("api down"), "people");
    assert!(world.incident("api down").state.is_open());
}

#[test]
fn a_dry_run_ends_with_its_daemon() {
    let mut world = World::new(usual());
    world.ask_for("api down", true);
    world.restart(10);
    let states: Vec<_> = world.operations.values().map(|one| one.state).collect();
    assert_eq!(states, [OperationState::Cancelled]);
    assert_eq!(world.stage("api down"), "none");
}

#[test]
fn what_is_watched_of_a_target_that_left_the_config_meanwhile_is_over_at_the_start() {
    for relapses in [0, 1] {
        let mut world = World::new(usual());
        world.raise("api down", High);
        world.recover_it();
        if relapses > 0 {
            world.pass(100);
            world.raise("api down", High);
            world.attempt_again();
            world.recover_it();
        }
        assert_eq!(world.stage("api down"), "watched");
        world.spec = spec(vec![target("db")], vec![route()]);
        world.restart(1_000);
        assert_eq!(world.stage("api down"), "none", "{relapses}");
        assert!(!world.incident("api down").state.is_open());
    }
}

#[test]
fn the_incident_that_was_opened_last_is_watched_on_though_the_clock_was_set_back_before_it() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.recover_it();
    let older = world.incident("api down").clone();
    let newer = Incident {
        id: IncidentId::new(IdSource::new(7).next(Timestamp::from_millis(1))),
        ..older.clone()
    };
    assert!(newer.id < older.id);
    let recovered = Recovered {
        incidents: vec![older, newer.clone()],
        ..Recovered::default()
    };
    let mut machine = Recovery::new(Arc::new(usual()), IdSource::new(2));
    machine
        .apply(Input::Recovered(recovered), world.at())
        .unwrap();
    let watched: Vec<_> = machine.cases().map(|(_, case)| &case.incident.id).collect();
    assert_eq!(watched, [&newer.id]);
}
