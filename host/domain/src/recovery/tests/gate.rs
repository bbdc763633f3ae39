//! The gate: phases, budgets and floors, and that they hold over restarts.

use super::{
    super::{
        Attempt, Command, Input, LookResult, NotHandled, PolicyOrder, Refusal, Reply, Stage, Verb,
    },
    fixtures::{BEGIN, done, plugin, retryable, route, spec, step, target, usual, with_route},
    world::World,
};
use crate::{
    event::EventKind,
    name::{GroupName, PluginName, TargetName},
    policy::{CharterBreach, GateReason, Phase, Scope, TargetPolicy, WaitReason},
    replay::Halt,
    severity::Severity::{Critical, High, Low, Medium},
    spec::{
        BudgetSpec, CharterSpec, GroupSpec, OnFailure, OverBudget, PhaseSpec, RouteSpec, Spec,
        StepSpec, TargetPolicySpec, TargetSpec,
    },
    time::Timestamp,
};
use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

const HOUR: u64 = 3_600_000;

fn set_phase(world: &mut World, to: Phase) -> Reply {
    world.command(Command::SetPhase {
        to,
        reason: "so".to_owned(),
        by: "ann".into(),
    })
}

fn name(text: &str) -> TargetName {
    TargetName::parse(text).unwrap()
}

fn budget(concurrent: u32, per_hour: u32, over: OverBudget) -> BudgetSpec {
    BudgetSpec {
        concurrent: NonZeroU32::new(concurrent),
        per_hour: NonZeroU32::new(per_hour),
        over,
    }
}

/// `a`, `b` and `c` are one group.
fn grouped(budget: BudgetSpec, floor: u32) -> Spec {
    let members = ["a", "b", "c"];
    let mut spec = spec(members.map(target).into(), vec![route()]);
    let web = GroupName::parse("web").unwrap();
    for member in members.map(name) {
        let own = TargetPolicySpec {
            group: Some(web.clone()),
            ..TargetPolicySpec::default()
        };
        spec.policy.targets.insert(member, own);
    }
    let group = GroupSpec {
        members: members.map(name).into(),
        budget,
        floor,
    };
    spec.policy.groups.insert(web, group);
    spec
}

fn with_host(host: BudgetSpec) -> Spec {
    let mut spec = usual();
    spec.policy.host = host;
    spec
}

/// [seed 001] In a launch only what is critical is recovered, in a deployment what is high or critical, and in safe nothing.
#[test]
fn a_phase_holds_back_what_it_does_not_recover_and_lets_it_go_when_it_is_over() {
    let mut world = World::new(usual());
    set_phase(&mut world, Phase::Safe);
    set_phase(&mut world, Phase::Launch);
    world.raise("api down", High);
    assert_eq!(world.stage("api down"), "scheduled");
    let held = world.machine.summary_of(&name("api")).held.unwrap();
    assert!(
        held.contains("in the phase launch only what is critical"),
        "{held}"
    );
    world.raise("db down", Critical);
    assert_eq!(world.called(), ["db down"]);
    assert_eq!(world.calls[0].request.phase, "launch");
    world.pass(10);
    set_phase(&mut world, Phase::Deployment);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["db down", "api down"]);
    assert_eq!(world.machine.summary_of(&name("api")).held, None);
}

#[test]
fn the_gate_in_numbers_is_how_much_is_used_and_what_it_has_refused() {
    let mut world = World::new(grouped(budget(1, 5, OverBudget::Wait), 0));
    world.raise("a down", High);
    world.raise("b down", High);
    assert_eq!(world.called(), ["a down"]);
    let numbers = world.machine.gate_numbers(world.at());
    let of_group = &numbers.budgets[0];
    assert_eq!(
        of_group.scope,
        Scope::Group(GroupName::parse("web").unwrap())
    );
    assert_eq!((of_group.running, of_group.begun), (1, 1));
    let at_once = GateReason::AtOnce;
    assert_eq!(numbers.waiting, [(WaitReason::Gate(at_once), 1)].into());
    assert!(numbers.refusals[&at_once] >= 1, "{numbers:?}");
    assert_eq!(numbers.refusals.len(), 1, "{numbers:?}");
    world.pause(None, true);
    world.raise("c down", High);
    let numbers = world.machine.gate_numbers(world.at());
    assert_eq!(numbers.waiting, [(WaitReason::Pause, 2)].into());
    world.wait(HOUR);
    let later = world.machine.gate_numbers(world.at());
    assert_eq!(later.budgets[0].begun, 0, "the hour is over");
}

#[test]
fn the_phase_survives_the_daemon_and_each_change_is_an_event_with_who_and_why() {
    let mut world = World::new(usual());
    assert_eq!(set_phase(&mut world, Phase::Payload), Reply::Done);
    assert_eq!(set_phase(&mut world, Phase::Payload), Reply::Done);
    assert_eq!(world.count(EventKind::PhaseChanged), 1, "it was so before");
    world.restart(HOUR);
    assert_eq!(world.machine.phase(), Phase::Payload);
    world.raise("api down", Low);
    assert_eq!(world.stage("api down"), "scheduled");
    world.raise("db down", Medium);
    assert_eq!(world.called(), ["db down"]);
    let event = world
        .events
        .iter()
        .find(|event| event.kind == EventKind::PhaseChanged);
    assert_eq!(
        event.unwrap().message,
        "ann changed the phase from normal to payload: so"
    );
}

#[test]
fn the_audit_log_says_in_which_phase_from_its_change_and_from_the_start_of_a_daemon_on() {
    let mut world = World::new(usual());
    set_phase(&mut world, Phase::Safe);
    let said = |world: &World| world.audited.clone().map(|context| context.phase);
    assert_eq!(said(&world).as_deref(), Some("safe"));
    world.audited = None;
    world.configure(usual());
    assert_eq!(world.audited, None, "it holds on");
    world.restart(1_000);
    assert_eq!(said(&world).as_deref(), Some("safe"));
}

#[test]
fn a_way_that_the_seed_does_not_have_is_refused_and_says_which_there_are() {
    let mut world = World::new(usual());
    let reply = set_phase(&mut world, Phase::Launch);
    let Reply::Refused(Refusal::Conflict(why)) = reply else {
        panic!("{reply:?}");
    };
    assert!(
        why.ends_with("from normal it goes to payload, safe"),
        "{why}"
    );
    assert_eq!(world.machine.phase(), Phase::Normal);
}

#[test]
fn a_call_that_has_begun_goes_on_in_every_phase() {
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.keep_on_record();
    let left = Duration::from_secs(60);
    let until = world.at().now + left;
    world.answer(Err(NotHandled::Halted(Halt::Suspended { until, left })));
    set_phase(&mut world, Phase::Safe);
    world.wait(60_000);
    assert_eq!(world.called(), ["api down"]);
    world.restart(10);
    assert_eq!(world.called(), ["api down"]);
    assert!(world.calls[0].resumed);
}

#[test]
fn a_person_recovers_in_every_phase() {
    let mut world = World::new(usual());
    set_phase(&mut world, Phase::Safe);
    world.raise("api down", Critical);
    assert_eq!(world.called(), [""; 0]);
    world.ask_for("api down", false);
    assert_eq!(world.called(), ["api down"]);
}

#[test]
fn a_handler_that_the_phase_forbids_is_not_called_and_that_is_on_the_record() {
    let mut spec = usual();
    let rule = PhaseSpec {
        forbidden: [plugin("fix")].into(),
        ..PhaseSpec::of(Phase::Normal)
    };
    spec.policy.phases.insert(Phase::Normal, rule);
    let mut world = World::new(spec);
    world.raise("api down", High);
    assert_eq!(world.called(), [""; 0]);
    let operation = world.operations.values().next().unwrap();
    assert_eq!(
        operation.error.as_deref(),
        Some("fix was not called: it is forbidden in the phase normal [skipped-phase]")
    );
    assert_eq!(operation.actions.len(), 1, "{:?}", operation.actions);
}

/// [seed 001] A phase has handlers that it allows and handlers that it forbids; what is in both is forbidden.
#[test]
fn a_phase_that_allows_some_handlers_has_no_other_called() {
    for (allowed, forbidden, called) in [
        (vec!["fix"], vec![], vec!["api down"]),
        (vec!["other"], vec![], vec![]),
        (vec!["fix"], vec!["fix"], vec![]),
        (vec![], vec![], vec![]),
    ] {
        let mut spec = usual();
        let rule = PhaseSpec {
            allowed: Some(allowed.iter().map(|name| plugin(name)).collect()),
            forbidden: forbidden.iter().map(|name| plugin(name)).collect(),
            ..PhaseSpec::of(Phase::Normal)
        };
        spec.policy.phases.insert(Phase::Normal, rule);
        let mut world = World::new(spec);
        world.raise("api down", High);
        assert_eq!(world.called(), called, "{allowed:?} {forbidden:?}");
        let operation = world.operations.values().next().unwrap();
        let word = operation
            .actions
            .iter()
            .any(|action| action.ends_with("[skipped-phase]"));
        assert_eq!(word, called.is_empty(), "{:?}", operation.actions);
    }
}

#[test]
fn above_the_hour_a_person_is_asked_and_told_why_and_their_approval_is_enough() {
    let mut world = World::new(with_host(budget(0, 1, OverBudget::Ask)));
    world.raise("api down", High);
    world.raise("db down", High);
    assert_eq!(world.called(), ["api down"]);
    assert_eq!(world.stage("db down"), "asking");
    let asked = world.operation("db down");
    let why = "the budget of the host is 1 recovery an hour, and is used up";
    assert_eq!(asked.error.as_deref(), Some(why));
    assert_eq!(world.count(EventKind::OperationAwaitingManual), 1);
    world.restart(1_000);
    assert_eq!(world.stage("db down"), "asking");
    world.decide(Verb::Approve, &asked.id);
    assert_eq!(world.called().last().map(String::as_str), Some("db down"));
}

#[test]
fn what_a_person_is_asked_about_for_a_budget_begins_where_another_config_has_room_for_it() {
    let mut world = World::new(grouped(budget(0, 1, OverBudget::Ask), 0));
    for failure in ["a down", "b down", "c down"] {
        world.raise(failure, High);
    }
    assert_eq!(world.called(), ["a down"]);
    world.pass(10);
    world.configure(grouped(budget(3, 1, OverBudget::Ask), 0));
    assert_eq!(world.stage("b down"), "asking", "it has no more room");
    world.configure(grouped(budget(3, 2, OverBudget::Ask), 0));
    assert_eq!(world.stage("b down"), "looking");
    assert_eq!(world.stage("c down"), "asking", "there is room for one");
    assert_eq!(world.count(EventKind::OperationAwaitingManual), 2);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["a down", "b down"]);
    world.configure(grouped(budget(3, 2, OverBudget::Wait), 0));
    assert_eq!(world.stage("c down"), "scheduled", "it waits by itself");
}

#[test]
fn above_the_hour_what_waits_begins_when_there_is_room_and_says_when_that_is() {
    let mut world = World::new(with_host(budget(0, 1, OverBudget::Wait)));
    world.raise("api down", High);
    world.recover_it();
    world.pass(1_000);
    world.raise("db down", High);
    assert_eq!(world.stage("db down"), "scheduled");
    let summary = world.machine.summary_of(&name("db"));
    let (until, why) = summary.rests.unwrap();
    assert_eq!(until, BEGIN + Duration::from_millis(HOUR));
    assert_eq!(
        summary.held,
        Some(format!("it is due, and is held back: {why}"))
    );
    // A restart neither forgets nor prolongs it.
    world.restart(1_000);
    assert_eq!(world.stage("db down"), "scheduled");
    let until = world.machine.summary_of(&name("db")).rests.unwrap().0;
    assert_eq!(until, BEGIN + Duration::from_millis(HOUR));
    let due = world.machine.wakes_at().unwrap();
    assert!(
        due.elapsed() <= Duration::from_millis(HOUR - 2_000),
        "{due:?}"
    );
    world.wait(HOUR - 2_001);
    assert_eq!(world.stage("db down"), "scheduled");
    world.wait(1);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["db down"]);
}

#[test]
fn of_a_group_no_more_run_at_one_time_than_its_budget_says() {
    let mut world = World::new(grouped(budget(1, 0, OverBudget::Ask), 0));
    for failure in ["a down", "b down", "c down"] {
        world.raise(failure, High);
    }
    assert_eq!(world.called(), ["a down"]);
    let held = world.machine.summary_of(&name("b")).held.unwrap();
    assert_eq!(
        held,
        "it is due, and is held back: the budget of the group web is 1 recovery at one time"
    );
    world.answer(done());
    assert_eq!(world.called(), [""; 0], "its checks are looked at");
    world.pass(10);
    world.see(LookResult::Healthy);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["b down"]);
    // Between two attempts another has the room.
    world.answer(retryable());
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["c down"]);
}

#[test]
fn above_the_hour_of_its_target_what_waits_begins_when_there_is_room_in_that() {
    let mut spec = usual();
    let own = TargetPolicySpec {
        budget: budget(0, 1, OverBudget::Wait),
        ..TargetPolicySpec::default()
    };
    spec.policy.targets.insert(name("api"), own);
    let mut world = World::new(spec);
    world.raise("api down", High);
    world.recover_it();
    world.pass(1_000);
    world.raise("api slow", High);
    world.wait(HOUR - 1_001);
    assert_eq!(world.stage("api slow"), "scheduled");
    let due = world.machine.wakes_at().unwrap();
    assert_eq!(due.elapsed(), Duration::from_millis(HOUR));
    world.wait(1);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["api slow"]);
}

/// So many are looked at as have room when one ends, and not all that wait.
#[test]
fn each_of_many_that_wait_for_the_budget_of_their_group_is_held_back_once() {
    const MEMBERS: u32 = 60;
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("t{number}")).collect();
    let targets = names.iter().map(|text| target(text)).collect();
    let mut spec = spec(targets, vec![route()]);
    let web = GroupName::parse("web").unwrap();
    for member in &names {
        let own = TargetPolicySpec {
            group: Some(web.clone()),
            ..TargetPolicySpec::default()
        };
        spec.policy.targets.insert(name(member), own);
    }
    let group = GroupSpec {
        members: names.iter().map(|member| name(member)).collect(),
        budget: budget(2, 0, OverBudget::Ask),
        floor: 0,
    };
    spec.policy.groups.insert(web, group);
    let mut world = World::new(spec);
    for member in &names {
        world.raise(&format!("{member} down"), High);
    }
    let mut turns = 0;
    while world.machine.cases().any(|(_, case)| case.is_failing()) {
        turns += 1;
        assert!(turns < 2_000, "it comes to no end");
        world.pass(10);
        go_on(&mut world);
        assert!(touched(&world).0 <= 2);
    }
    assert_eq!(world.count(EventKind::OperationSucceeded), 60);
    let numbers = world.machine.gate_numbers(world.at());
    assert_eq!(
        numbers.refusals[&GateReason::AtOnce],
        u64::from(MEMBERS) - 2
    );
}

/// The first of those that wait for the budget cannot begin for another reason: the room is for who is behind them.
#[test]
fn what_waits_for_something_else_too_leaves_the_room_of_the_budget_to_others() {
    let mut world = World::new(grouped(budget(1, 0, OverBudget::Ask), 0));
    for failure in ["a down", "b down", "c down"] {
        world.raise(failure, High);
    }
    assert_eq!(world.called(), ["a down"]);
    world.pause(Some("b"), true);
    world.pass(10);
    world.recover_it();
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["c down"]);
    world.pass(10);
    world.recover_it();
    assert_eq!(world.called(), [""; 0]);
    world.pause(Some("b"), false);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["b down"]);
}

#[test]
fn below_the_floor_of_its_group_a_member_is_for_people() {
    let mut world = World::new(grouped(BudgetSpec::default(), 2));
    world.raise("a down", High);
    assert_eq!(world.called(), ["a down"]);
    world.raise("b down", High);
    assert_eq!(world.stage("b down"), "asking");
    let asked = world.operation("b down");
    let why = "of the group web one other is healthy, and its floor is 2";
    assert_eq!(asked.error.as_deref(), Some(why));
}

#[test]
fn a_budget_that_is_widened_lets_go_what_it_held_back() {
    let mut world = World::new(with_host(budget(0, 1, OverBudget::Wait)));
    world.raise("api down", High);
    world.raise("db down", High);
    assert_eq!(world.called(), ["api down"]);
    world.pass(10);
    world.configure(with_host(budget(0, 2, OverBudget::Wait)));
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["api down", "db down"]);
}

/// What runs, and what has begun within the last hour.
fn touched(world: &World) -> (usize, usize) {
    let cases = world.machine.cases();
    let running = cases.filter(|(_, case)| matches!(case.stage, Stage::Running(_)));
    let now = world.at().now;
    let started = world.events.iter().filter(|event| {
        event.kind == EventKind::OperationStarted
            && now.since(event.at) < Duration::from_millis(HOUR)
    });
    (running.count(), started.count())
}

/// Answers the oldest call, and each look as it should be: what has not been recovered fails, the rest is healthy.
fn go_on(world: &mut World) {
    if !world.calls.is_empty() {
        world.answer(done());
    }
    let Some((id, _)) = world.looks.first().cloned() else {
        return;
    };
    let looks_first = world.machine.cases().any(|(_, case)| match &case.stage {
        Stage::Running(running) => {
            running.work.operation.id == id && matches!(running.attempt, Attempt::Looking(_))
        }
        _ => false,
    });
    world.see(match looks_first {
        true => LookResult::Failing,
        false => LookResult::Healthy,
    });
}

/// A hundred targets fail at once, of which every tenth depends on the one before it and is the most urgent; five may run at
/// one time, and twenty begin within an hour. The daemon is lost again and again.
#[test]
fn many_failures_at_once_stay_within_the_budget_over_restarts_urgent_first_dependencies_first() {
    let names: Vec<String> = (0..100).map(|number| format!("t{number}")).collect();
    let targets = names.iter().enumerate().map(|(number, text)| TargetSpec {
        priority: match number % 10 {
            9 => 1,
            _ => u8::try_from(number % 7 + 2).unwrap(),
        },
        depends_on: match number % 10 {
            9 => vec![name(&format!("t{}", number - 1))],
            _ => Vec::new(),
        },
        ..target(text)
    });
    let mut spec = spec(targets.collect(), vec![route()]);
    spec.policy.host = budget(5, 20, OverBudget::Wait);
    let mut world = World::new(spec);
    world.pause(None, true);
    for text in &names {
        world.raise(&format!("{text} down"), High);
    }
    world.pass(10);
    world.pause(None, false);
    let mut turns = 0;
    while world.machine.cases().any(|(_, case)| case.is_failing()) {
        turns += 1;
        assert!(turns < 20_000, "it comes to no end");
        go_on(&mut world);
        let (running, within) = touched(&world);
        assert!(running <= 5, "{running} run");
        assert!(within <= 20, "{within} within the hour");
        match turns % 100 {
            0 => drop(world.restart(1_000)),
            _ => drop(world.wait(5_000)),
        }
    }
    let when = |kind: EventKind| -> BTreeMap<String, (usize, Timestamp)> {
        let events = world.events.iter().enumerate();
        let of_kind = events.filter(|(_, event)| event.kind == kind);
        of_kind
            .map(|(place, event)| {
                (
                    event.target.as_ref().unwrap().to_string(),
                    (place, event.at),
                )
            })
            .collect()
    };
    let (started, succeeded) = (
        when(EventKind::OperationStarted),
        when(EventKind::OperationSucceeded),
    );
    assert_eq!((started.len(), succeeded.len()), (100, 100));
    let mut free: Vec<(usize, u8)> = Vec::new();
    for (number, text) in names.iter().enumerate() {
        match number % 10 {
            9 => {
                let before = &succeeded[&format!("t{}", number - 1)];
                assert!(
                    before.0 < started[text].0,
                    "{text} began before what it depends on"
                );
            }
            _ => free.push((
                started[text].0,
                world.spec.targets.named(&name(text)).unwrap().priority,
            )),
        }
    }
    free.sort_unstable();
    assert!(free.is_sorted_by_key(|(_, priority)| *priority), "{free:?}");
}

fn set_policy(world: &mut World, policy: TargetPolicy, clear: bool) -> Reply {
    world.command(Command::SetPolicy(PolicyOrder {
        target: name("api"),
        policy,
        clear,
        reason: "so".to_owned(),
        by: "ann".into(),
    }))
}

#[test]
fn a_policy_that_is_set_holds_over_restarts_and_another_config_until_it_is_cleared() {
    let mut world = World::new(usual());
    let asks = TargetPolicy {
        ask: Some(true),
        ..TargetPolicy::default()
    };
    set_policy(&mut world, asks, false);
    world.restart(10);
    world.configure(usual());
    world.raise("db down", High);
    world.raise("api down", High);
    assert_eq!(world.called(), ["db down"]);
    assert_eq!(world.stage("api down"), "asking");
    world.pass(10);
    let reply = set_policy(&mut world, TargetPolicy::default(), true);
    assert!(matches!(reply, Reply::Policy(_)), "{reply:?}");
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["db down", "api down"]);
    assert_eq!(world.count(EventKind::PolicyChanged), 2);
}

/// [seed 002] The digest is looked at when something is scheduled, when it is executed, and when a policy is changed.
#[test]
fn a_charter_that_is_another_one_holds_back_everything_until_it_is_whole() {
    let breach = || Some(CharterBreach::Unreadable("gone".to_owned()));
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.input(Input::Charter(breach()));
    world.input(Input::Charter(breach()));
    assert_eq!(world.count(EventKind::CharterBroken), 1);
    world.raise("db down", High);
    assert_eq!(
        world.called(),
        ["api down"],
        "a call that runs is not cut off"
    );
    assert_eq!(world.stage("db down"), "scheduled");
    let held = world.machine.summary_of(&name("db")).held.unwrap();
    assert!(held.ends_with("[MS-0405]"), "{held}");
    let refused = [
        set_phase(&mut world, Phase::Safe),
        set_policy(&mut world, TargetPolicy::default(), true),
        world.ask_for("db down", false),
    ];
    for reply in refused {
        let is_refused = matches!(&reply, Reply::Refused(Refusal::NotAllowed(why)) if why.ends_with("[MS-0405]"));
        assert!(is_refused, "{reply:?}");
    }
    world.pass(10);
    world.input(Input::Charter(None));
    assert_eq!(world.count(EventKind::CharterWhole), 1);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["api down", "db down"]);
}

#[test]
fn a_charter_that_breaks_in_the_last_call_of_an_attempt_does_not_undo_what_it_did() {
    let breach = CharterBreach::Unreadable("gone".to_owned());
    let mut world = World::new(usual());
    world.raise("api down", High);
    world.input(Input::Charter(Some(breach)));
    world.answer(done());
    assert_eq!(world.stage("api down"), "validating");
    world.see(LookResult::Healthy);
    assert_eq!(world.stage("api down"), "watched");
}

#[test]
fn a_step_that_is_withheld_has_not_failed_so_it_does_not_stop_its_chain() {
    let first = StepSpec {
        on_failure: Some(OnFailure::Stop),
        ..step("fix")
    };
    let mut spec = with_route(RouteSpec {
        chain: vec![first, step("other")],
        ..route()
    });
    let rule = PhaseSpec {
        forbidden: [plugin("fix")].into(),
        ..PhaseSpec::of(Phase::Normal)
    };
    spec.policy.phases.insert(Phase::Normal, rule);
    let mut world = World::new(spec);
    world.raise("api down", High);
    assert_eq!(world.calls[0].handler, plugin("other"));
    world.recover_it();
    assert_eq!(world.stage("api down"), "watched");
}

#[test]
fn what_the_charter_forbids_is_escalated_and_left_to_people() {
    let mut spec = usual();
    spec.policy.charter = Some(CharterSpec {
        file: "/charter.toml".into(),
        sha256: "ab".repeat(32),
        targets: [name("api")].into(),
        handlers: [plugin("fix")].into(),
    });
    let mut world = World::new(spec);
    world.raise("api down", High);
    assert_eq!(world.stage("api down"), "unrouted");
    assert_eq!(world.count(EventKind::OperationEscalated), 1);
    world.raise("db down", High);
    assert_eq!(world.called(), [""; 0]);
    let failed = world.operations.values().next().unwrap();
    let why = "fix was not called: the charter forbids it [skipped-charter]";
    assert_eq!(failed.error.as_deref(), Some(why));
    world.ask_for("api down", false);
    assert_eq!(world.called(), ["api down"]);
}

#[test]
fn a_step_is_said_to_be_withheld_only_where_it_was_its_turn() {
    let mut spec = with_route(RouteSpec {
        chain: vec![step("fix"), step("other")],
        ..route()
    });
    let rule = PhaseSpec {
        forbidden: [plugin("other")].into(),
        ..PhaseSpec::of(Phase::Normal)
    };
    spec.policy.phases.insert(Phase::Normal, rule);
    // The step before it failed.
    let mut world = World::new(spec.clone());
    world.raise("api down", High);
    world.answer(retryable());
    assert_eq!(world.operation("api down").actions, [""; 0]);
    // By the time that it was its turn it was allowed.
    let mut world = World::new(spec);
    world.raise("api down", High);
    set_phase(&mut world, Phase::Payload);
    world.answer(done());
    assert_eq!(world.calls[0].handler, plugin("other"));
    assert_eq!(world.operation("api down").actions, ["restarted"]);
}

#[test]
fn what_waits_for_its_turn_waits_for_its_only_handler_too_where_that_recovered_another_failure() {
    let mut spec = usual();
    let minute = Duration::from_secs(60);
    spec.policy.cooldowns.insert(plugin("fix"), minute);
    let mut world = World::new(spec);
    world.raise("api down", High);
    world.raise("api slow", Medium);
    world.recover_it();
    assert_eq!(world.stage("api slow"), "scheduled");
    assert_eq!(world.waits("api slow"), minute);
    assert_eq!(world.count(EventKind::OperationEscalated), 0);
    world.wait(60_000);
    world.see(LookResult::Failing);
    assert_eq!(world.called(), ["api slow"]);
}

#[test]
fn a_handler_that_rests_for_a_target_is_passed_over_and_the_next_is_called() {
    let mut spec = with_route(RouteSpec {
        relapse_window: Duration::ZERO,
        chain: vec![step("fix"), step("other")],
        ..route()
    });
    spec.policy
        .cooldowns
        .insert(plugin("fix"), Duration::from_millis(HOUR));
    let mut world = World::new(spec);
    world.raise("api down", High);
    // What acted is what rests.
    for result in [done(), Ok(Default::default())] {
        world.answer(result);
    }
    world.see(LookResult::Healthy);
    for restarts in [false, true] {
        if restarts {
            world.restart(10);
        }
        world.pass(10);
        world.raise("api down", High);
        let called: Vec<&str> = world
            .calls
            .iter()
            .map(|call| call.handler.as_str())
            .collect();
        assert_eq!(called, ["other"]);
        world.recover_it();
        let why = "fix was not called: it rests after a recovery [skipped-cooldown]";
        let operations = world.operations.values();
        let noted = operations.filter(|one| one.actions.iter().any(|action| action == why));
        assert_eq!(noted.count(), 1 + usize::from(restarts));
    }
    world.raise("db down", High);
    assert_eq!(
        world.calls[0].handler,
        plugin("fix"),
        "it is another target"
    );
}

#[test]
fn a_handler_rests_no_longer_than_it_is_to_where_the_clock_is_set_back() {
    for restarts in [false, true] {
        let mut spec = usual();
        let rest = Duration::from_secs(120);
        spec.policy.cooldowns.insert(plugin("fix"), rest);
        let mut world = World::new(spec);
        world.set_ahead(Duration::from_secs(86_400));
        world.raise("api down", High);
        world.recover_it();
        world.wait(60_000);
        world.set_ahead(Duration::ZERO);
        if restarts {
            world.restart(1_000);
            world.wait(1_000);
        }
        world.raise("api slow", High);
        assert_eq!(world.stage("api slow"), "scheduled", "{restarts}");
        world.wait(120_000);
        world.see(LookResult::Failing);
        assert_eq!(world.called(), ["api slow"], "{restarts}");
    }
}

/// Until when `api down` cools down, and which of its handlers rest.
fn shown(world: &mut World) -> (Option<Timestamp>, Vec<(PluginName, Timestamp)>) {
    let policy = match world.command(Command::ShowPolicy(name("api"))) {
        Reply::Policy(policy) => policy,
        other => panic!("{other:?}"),
    };
    let mut routes = policy.routes.iter();
    let of_down = routes.find(|one| one.failure.as_str() == "down").unwrap();
    (of_down.cooling_until, of_down.resting.clone())
}

/// [seed 001] Whether it is available, and else when: of a failure, and of a handler.
#[test]
fn what_cools_down_and_who_rests_is_shown_with_until_when_over_a_restart() {
    let (half, whole) = (Duration::from_secs(30), Duration::from_secs(60));
    let mut spec = with_route(RouteSpec {
        cooldown: half,
        relapse_window: Duration::ZERO,
        ..route()
    });
    spec.policy.cooldowns.insert(plugin("fix"), whole);
    let mut world = World::new(spec);
    assert_eq!(shown(&mut world), (None, Vec::new()));
    world.raise("api down", High);
    world.recover_it();
    let since = world.at().now;
    let resting = vec![(plugin("fix"), since + whole)];
    assert_eq!(shown(&mut world), (Some(since + half), resting.clone()));
    world.restart(1_000);
    assert_eq!(shown(&mut world), (Some(since + half), resting.clone()));
    world.pass(29_000);
    assert_eq!(shown(&mut world), (None, resting));
    world.pass(30_000);
    assert_eq!(shown(&mut world), (None, Vec::new()));
}
