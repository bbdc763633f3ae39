//! What the breaker does, step by step.
//!
//! Length: one table of steps for each rule, beside one another.

use super::*;
use crate::{
    name::TargetName,
    phase::Phase,
    spec::{CheckKind, FailOf},
    time::Timestamp,
};
use proptest::prelude::*;

mod moment;
mod start;
mod stranger;

fn check_spec(name: &str, failure: &str, fail_after: u32, recover_after: u32) -> CheckSpec {
    CheckSpec {
        name: CheckName::parse(name).unwrap(),
        kind: CheckKind::Tcp {
            address: "127.0.0.1:1".to_owned(),
            warn_latency: None,
        },
        every: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        fail_after,
        fail_of: None,
        recover_after,
        jitter: Duration::ZERO,
        failure: FailureType::parse(failure).unwrap(),
        severity: Severity::High,
    }
}

const BREAKER: BreakerSpec = BreakerSpec {
    open_for: Duration::from_secs(30),
};

const START: Duration = Duration::from_secs(10);

/// `a` and `c` raise `down` after 2 failures and 3, `b` raises `slow` after 3; 2 successes close each.
fn three_checks() -> TargetHealth {
    let checks = [
        check_spec("a", "down", 2, 2),
        check_spec("b", "slow", 3, 2),
        check_spec("c", "down", 3, 2),
    ];
    TargetHealth::new(&checks, None, BREAKER)
}

fn only_a() -> TargetHealth {
    TargetHealth::new(&[check_spec("a", "down", 2, 2)], None, BREAKER)
}

/// `a`, and the exit of the child, which is called `exited`.
fn a_and_exit() -> TargetHealth {
    let failure = FailureType::parse("exited").unwrap();
    let exit = Some((&failure, Severity::High));
    TargetHealth::new(&[check_spec("a", "down", 2, 2)], exit, BREAKER)
}

fn only_exit() -> TargetHealth {
    let failure = FailureType::parse("service-down").unwrap();
    TargetHealth::new(&[], Some((&failure, Severity::High)), BREAKER)
}

fn seen(check: &str, outcome: Outcome) -> Observation {
    Observation {
        target: TargetName::parse("api").unwrap(),
        check: CheckName::parse(check).unwrap(),
        outcome,
        evidence: Evidence {
            check: check.to_owned(),
            observed_at: Timestamp::from_millis(0),
            message: format!("{check} looked"),
            value: None,
            output: None,
            score: None,
        },
    }
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_secs(seconds))
}

/// What a check saw, or `exit`, the life of the child.
fn see(health: &mut TargetHealth, name: &str, outcome: Outcome, now: u64) -> Vec<HealthChange> {
    match name {
        "exit" => health.observe_exit(&seen("process", outcome), at(now)),
        _ => health.observe(&seen(name, outcome), at(now)),
    }
}

/// Steps: `a-` failed, `a+` healthy, `a~` degraded, `a?` unknown, `acted`, `start` for ten seconds, `ended`, or a number: the second at
/// which it is tried to tick.
fn play(health: &mut TargetHealth, steps: &str) -> Vec<HealthChange> {
    let mut changes = Vec::new();
    let mut now = 0;
    for step in steps.split_whitespace() {
        let outcome = match step.as_bytes().last() {
            Some(b'-') => Outcome::Failed,
            Some(b'~') => Outcome::Degraded,
            Some(b'?') => Outcome::Unknown,
            _ => Outcome::Healthy,
        };
        changes.extend(match step {
            "acted" => health.handler_acted(),
            "start" => health.started(START, at(now)),
            "ended" => health.ended(),
            "forks" => health.forks(Duration::from_secs(5), at(now)),
            "runs" => {
                health.runs(at(now));
                Vec::new()
            }
            _ if step.parse::<u64>().is_ok() => {
                now = step.parse().unwrap();
                health.tick(at(now))
            }
            _ => see(health, &step[..step.len() - 1], outcome, now),
        });
    }
    changes
}

/// Circuit and failures alone, as words.
fn words(changes: &[HealthChange]) -> String {
    let words = changes.iter().filter_map(|change| match change {
        HealthChange::CircuitOpened => Some("open".to_owned()),
        HealthChange::CircuitHalfOpened => Some("half".to_owned()),
        HealthChange::CircuitClosed => Some("closed".to_owned()),
        HealthChange::FailureRaised { failure, .. } => Some(format!("raise:{failure}")),
        HealthChange::FailureCleared { failure } => Some(format!("clear:{failure}")),
        HealthChange::FailureUnseen { failure } => Some(format!("unseen:{failure}")),
        HealthChange::CheckLate { check } => Some(format!("late:{check}")),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn check(mut health: TargetHealth, steps: &str, expected: &str) {
    assert_eq!(
        words(&play(&mut health, steps)),
        expected,
        "after `{steps}`"
    );
}

#[test]
fn failures_in_a_row_open_the_circuit_once_and_successes_between_them_do_not() {
    check(only_a(), "a-", "");
    check(only_a(), "a- a+ a- a~ a-", "");
    check(only_a(), "a- a-", "open raise:down");
    // [seed 001] A success lowers no count that is at nothing already.
    check(only_a(), "a+ a+ a- a+ a+ a- a-", "open raise:down");
    check(only_a(), "a- a- a- a- a-", "open raise:down");
}

#[test]
fn an_open_circuit_is_tried_after_open_for_and_not_before() {
    check(only_a(), "a- a- 29 a+ a+ a+", "open raise:down");
    check(only_a(), "a- a- 30 a+", "open raise:down half");
    check(
        only_a(),
        "a- a- 30 a+ a~",
        "open raise:down half clear:down closed",
    );
}

#[test]
fn a_handler_that_acted_starts_a_trial_at_once_and_old_successes_do_not_count() {
    check(only_a(), "a- a- a+ a+ acted a+", "open raise:down half");
    check(
        only_a(),
        "a- a- acted a+ acted a+ a+",
        "open raise:down half clear:down closed",
    );
    check(only_a(), "a+ a+ acted a+ a+", "half closed");
}

#[test]
fn a_failure_during_a_trial_reopens_and_is_raised_again_once() {
    check(
        only_a(),
        "a- a- 30 a- a- a-",
        "open raise:down half open raise:down",
    );
    check(
        only_a(),
        "a- a- 30 a- 59 a+ a+ a+ 60 a+ a+",
        "open raise:down half open raise:down half clear:down closed",
    );
}

#[test]
fn a_target_that_is_slow_to_start_need_not_wait_for_open_for_again() {
    check(
        only_a(),
        "a- a- acted a- a- a- a+ a+",
        "open raise:down half open raise:down half clear:down closed",
    );
}

/// Trap 5 of the seeds' systems: a second failure during a recovery was dropped.
#[test]
fn trap_5_a_second_failure_on_an_open_circuit_is_raised_too() {
    check(
        three_checks(),
        "a- a- b- b- b-",
        "open raise:down raise:slow",
    );
    // … and the end of the first does not wait for the end of the second, nor hide it.
    check(
        three_checks(),
        "a- a- b- b- b- acted a+ b- a+ b-",
        "open raise:down raise:slow half open raise:slow clear:down",
    );
}

#[test]
fn two_checks_that_raise_the_same_failure_raise_it_once_and_clear_it_together() {
    check(three_checks(), "a- a- c- c- c-", "open raise:down");
    check(
        three_checks(),
        "a- a- c- c- c- 30 a+ a+ c+ b+ b+",
        "open raise:down half",
    );
    check(
        three_checks(),
        "a- a- c- c- c- 30 a+ a+ c+ b+ b+ c+",
        "open raise:down half clear:down closed",
    );
}

#[test]
fn a_worse_check_of_a_failure_that_holds_raises_it_again_once_and_a_lesser_one_does_not() {
    let with = |name, severity| CheckSpec {
        severity,
        ..check_spec(name, "down", 1, 1)
    };
    let checks = [
        with("a", Severity::Medium),
        with("b", Severity::Critical),
        with("c", Severity::High),
    ];
    let health = || TargetHealth::new(&checks, None, BREAKER);
    check(health(), "a- b- b- a- c-", "open raise:down raise:down");
    check(health(), "b- a- c-", "open raise:down");
    let changes = play(&mut health(), "a- c- b-").into_iter();
    let raised = changes.filter_map(|change| match change {
        HealthChange::FailureRaised { severity, .. } => Some(severity),
        _ => None,
    });
    let worse = [Severity::Medium, Severity::High, Severity::Critical];
    assert_eq!(raised.collect::<Vec<_>>(), worse);
}

#[test]
fn a_circuit_closes_only_when_every_check_has_passed_afresh() {
    check(
        three_checks(),
        "a- a- 30 a+ a+ b+ c+ c+",
        "open raise:down half clear:down",
    );
    check(
        three_checks(),
        "a- a- 30 a+ a+ b+ c+ c+ b+",
        "open raise:down half clear:down closed",
    );
}

#[test]
fn a_check_below_its_limit_reopens_a_trial_without_raising_a_failure_of_its_own() {
    check(
        three_checks(),
        "a- a- acted b- a+ a+ b+ b+ c+ c+",
        "open raise:down half open clear:down half closed",
    );
    // But where nothing else holds, it is the reason.
    check(
        three_checks(),
        "a- a- acted a+ a+ b-",
        "open raise:down half clear:down open raise:slow",
    );
}

#[test]
fn an_exit_is_raised_at_once_and_a_running_process_closes_the_trial() {
    check(only_exit(), "exit-", "open raise:service-down");
    check(
        only_exit(),
        "exit- exit+ acted 1",
        "open raise:service-down half clear:service-down closed",
    );
    check(
        only_exit(),
        "exit- acted exit+ 1",
        "open raise:service-down half clear:service-down closed",
    );
    check(
        only_exit(),
        "exit- exit+ 30 exit-",
        "open raise:service-down half clear:service-down closed open raise:service-down",
    );
}

#[test]
fn each_exit_is_raised_while_the_failure_holds_but_not_that_the_process_is_still_down() {
    let once = "open raise:service-down";
    check(only_exit(), "exit- exit- exit-", once);
    check(
        only_exit(),
        "exit- exit+ exit- exit- exit+ exit-",
        "open raise:service-down raise:service-down raise:service-down",
    );
}

#[test]
fn a_running_process_does_not_have_to_be_told_again_for_other_checks_to_close() {
    let failure = FailureType::parse("exited").unwrap();
    let health = TargetHealth::new(
        &[check_spec("a", "down", 2, 2)],
        Some((&failure, Severity::High)),
        BREAKER,
    );
    check(
        health,
        "exit+ a- a- 30 a+ a+",
        "open raise:down half clear:down closed",
    );
}

#[test]
fn an_exit_counts_at_once_beside_a_configured_check_called_process() {
    let failure = FailureType::parse("exited").unwrap();
    let checks = [check_spec("process", "gone", 2, 1)];
    let health = TargetHealth::new(&checks, Some((&failure, Severity::High)), BREAKER);
    check(health.clone(), "exit-", "open raise:exited");
    check(health.clone(), "process- process-", "open raise:gone");
    check(
        health,
        "exit- process- process- acted exit+ process+ 1",
        "open raise:exited raise:gone half clear:gone clear:exited closed",
    );
}

#[test]
fn health_follows_the_checks() {
    let mut health = only_a();
    for (step, expected) in [
        ("a+", Health::Healthy),
        ("a-", Health::Degraded),
        ("a-", Health::Failed),
        ("a+", Health::Failed),
        ("acted", Health::Failed),
        ("a~", Health::Failed),
        ("a~", Health::Degraded),
        ("a+", Health::Healthy),
    ] {
        play(&mut health, step);
        assert_eq!(health.health(), expected, "after {step}");
    }
}

#[test]
fn each_failing_run_and_the_first_good_one_are_told() {
    let name = CheckName::parse("a").unwrap();
    let changes = play(&mut only_a(), "a- a+ a+");
    assert_eq!(
        changes,
        [
            HealthChange::CheckFailed {
                check: name.clone(),
                in_a_row: 1
            },
            HealthChange::HealthChanged {
                from: Health::Unknown,
                to: Health::Degraded
            },
            HealthChange::CheckRecovered { check: name },
            HealthChange::HealthChanged {
                from: Health::Degraded,
                to: Health::Healthy
            },
        ]
    );
}

#[test]
fn what_was_told_of_a_check_before_a_restart_or_another_config_is_told_to_be_over() {
    let name = CheckName::parse("a").unwrap();
    let recovered = HealthChange::CheckRecovered {
        check: name.clone(),
    };
    let told = |changes: &[HealthChange]| changes.iter().filter(|c| **c == recovered).count();
    let mut health = only_a();
    health.resume_told(&name);
    assert_eq!(told(&play(&mut health, "a+ a+ a+")), 1);
    // One that still warns is told to, and then that it does not.
    let mut health = only_a();
    health.resume_told(&name);
    assert_eq!(told(&play(&mut health, "a~ a~")), 0);
    let over = HealthChange::CheckUndegraded {
        check: name.clone(),
    };
    assert!(play(&mut health, "a+").contains(&over));
    for before in ["a-", "a~"] {
        let mut health = only_a();
        play(&mut health, before);
        let other = check_spec("a", "down", 3, 2);
        health.reconfigure(&[other], None, BREAKER, None, at(0));
        assert_eq!(told(&play(&mut health, "a+ a+")), 1, "{before}");
    }
}

#[test]
fn another_config_keeps_the_counts_of_what_is_the_same() {
    let mut health = only_a();
    play(&mut health, "a-");
    let slower = CheckSpec {
        every: Duration::from_secs(60),
        ..check_spec("a", "down", 2, 2)
    };
    assert_eq!(
        health.reconfigure(&[slower], None, BREAKER, None, at(0)),
        []
    );
    assert_eq!(words(&play(&mut health, "a-")), "open raise:down");
    let renamed = [check_spec("a", "slow", 2, 2)];
    let changes = health.reconfigure(&renamed, None, BREAKER, None, at(0));
    assert_eq!(words(&changes), "unseen:down closed", "it may fail still");
    assert_eq!(health.health(), Health::Unknown);
}

#[test]
fn a_check_whose_settings_changed_has_seen_nothing_yet() {
    let other = || CheckSpec {
        kind: CheckKind::Tcp {
            address: "127.0.0.1:2".to_owned(),
            warn_latency: None,
        },
        ..check_spec("a", "down", 2, 2)
    };
    let slower = || CheckSpec {
        timeout: Duration::from_secs(2),
        ..check_spec("a", "down", 2, 2)
    };
    let both: [fn() -> CheckSpec; 2] = [other, slower];
    for changed in both {
        let mut health = only_a();
        play(&mut health, "a-");
        health.reconfigure(&[changed()], None, BREAKER, None, at(0));
        assert_eq!(health.health(), Health::Unknown);
        assert_eq!(words(&play(&mut health, "a-")), "", "counted anew");
        assert_eq!(words(&play(&mut health, "a-")), "open raise:down");

        // Nobody has seen that it passes.
        health.reconfigure(&[check_spec("a", "down", 2, 2)], None, BREAKER, None, at(0));
        assert_eq!(
            (health.health(), health.circuit()),
            (Health::Failed, CircuitState::Open)
        );
        assert_eq!(words(&play(&mut health, "a+")), "");
        assert_eq!(words(&play(&mut health, "a+")), "clear:down half closed");
    }
}

#[test]
fn a_child_that_is_down_stays_down_when_its_exit_is_called_otherwise() {
    let down = seen("process", Outcome::Failed);
    let mut health = only_exit();
    play(&mut health, "exit-");
    let failure = FailureType::parse("slow").unwrap();
    let exit = Some((&failure, Severity::High));
    let changes = health.reconfigure(&[], exit, BREAKER, Some(&down), at(1));
    assert_eq!(words(&changes), "raise:slow unseen:service-down");
    assert_eq!(
        (health.health(), health.circuit()),
        (Health::Failed, CircuitState::Open)
    );

    // Another name for what a check, which is gone, has raised already.
    let mut health = TargetHealth::new(&[check_spec("a", "slow", 1, 1)], None, BREAKER);
    play(&mut health, "a-");
    let changes = health.reconfigure(&[], exit, BREAKER, Some(&down), at(1));
    assert_eq!(words(&changes), "", "it holds as before");
    assert_eq!(health.circuit(), CircuitState::Open);

    // What was told already is not counted once more.
    let changes = health.reconfigure(&[], exit, BREAKER, Some(&down), at(2));
    assert_eq!(changes, []);
}

#[test]
fn what_is_no_check_of_the_target_changes_nothing() {
    assert_eq!(play(&mut only_a(), "z- z- z- z+"), []);
}

#[test]
fn what_held_when_the_host_ended_holds_until_its_checks_pass_afresh() {
    let (down, gone) = ("down", "gone");
    let failures = [down, gone].map(|name| FailureType::parse(name).unwrap());
    let mut health = three_checks();
    failures.iter().for_each(|failure| health.resume(failure));
    assert_eq!(
        (health.health(), health.circuit()),
        (Health::Failed, CircuitState::HalfOpen)
    );
    assert!(health.is_failing(&failures[0]) && !health.is_failing(&failures[1]));
    for (check, clears) in [("a", false), ("c", false), ("a", false), ("c", true)] {
        let changes = health.observe(&seen(check, Outcome::Healthy), at(1));
        let cleared = HealthChange::FailureCleared {
            failure: failures[0].clone(),
        };
        assert_eq!(changes.contains(&cleared), clears, "{check}: {changes:?}");
    }

    let mut health = three_checks();
    failures.iter().for_each(|failure| health.resume(failure));
    let changes = health.observe(&seen("a", Outcome::Failed), at(1));
    assert!(
        changes.contains(&HealthChange::CircuitOpened),
        "{changes:?}"
    );
    assert!(health.is_failing(&failures[0]));
}

proptest! {
    #[test]
    fn whatever_happens_an_open_circuit_has_a_reason_and_a_closed_one_none(
        steps in proptest::collection::vec((0_usize..15, 0_u64..20), 0..200)
    ) {
        let failure = FailureType::parse("exited").unwrap();
        let checks = [
            check_spec("a", "down", 2, 2),
            check_spec("b", "slow", 3, 1),
            check_spec("c", "down", 1, 3),
        ];
        let mut health = TargetHealth::new(&checks, Some((&failure, Severity::High)), BREAKER);
        let names = ["a", "b", "c", "exit"];
        let outcomes = [Outcome::Healthy, Outcome::Degraded, Outcome::Failed];
        let mut now = 0;
        let mut raised = std::collections::BTreeSet::new();
        for (step, wait) in steps {
            now += wait;
            let before = health.circuit();
            let mut changes = health.tick(at(now));
            changes.extend(match step {
                12 => health.handler_acted(),
                13 => health.started(START, at(now)),
                14 => health.ended(),
                _ => see(&mut health, names[step / 3], outcomes[step % 3], now),
            });
            let mut circuit = before;
            for change in &changes {
                match change {
                    HealthChange::CircuitOpened => { prop_assert_ne!(circuit, CircuitState::Open); circuit = CircuitState::Open; }
                    HealthChange::CircuitHalfOpened => { prop_assert_ne!(circuit, CircuitState::HalfOpen); circuit = CircuitState::HalfOpen; }
                    HealthChange::CircuitClosed => { prop_assert_eq!(circuit, CircuitState::HalfOpen); circuit = CircuitState::Closed; }
                    HealthChange::FailureRaised { failure, .. } => { raised.insert(failure.clone()); }
                    HealthChange::FailureCleared { failure } => { prop_assert!(raised.remove(failure)); }
                    _ => {}
                }
            }
            prop_assert_eq!(circuit, health.circuit());
            let failing: std::collections::BTreeSet<_> = health.failing().cloned().collect();
            prop_assert_eq!(&failing, &raised);
            match health.circuit() {
                CircuitState::Open => prop_assert!(!failing.is_empty()),
                CircuitState::Closed => prop_assert!(failing.is_empty()),
                CircuitState::HalfOpen => {}
            }
        }
    }
}

/// Fails where so many of its last so many looks have.
fn with_fail_of(failures: u32, of: u32) -> CheckSpec {
    CheckSpec {
        fail_of: Some(FailOf { failures, of }),
        ..check_spec("a", "down", 2, 2)
    }
}

#[test]
fn so_many_failures_of_the_last_looks_open_the_circuit_whatever_lies_between() {
    let health = || TargetHealth::new(&[with_fail_of(3, 5)], None, BREAKER);
    check(health(), "a- a- a+ a+", "");
    check(health(), "a- a+ a- a+", "");
    check(health(), "a- a+ a- a+ a-", "open raise:down");
    check(health(), "a- a+ a- a+ a+ a-", "");
    // What was before its recovery is no part of the next failure.
    let recovered = "a- a- a- acted a+ a+";
    let until = "open raise:down half clear:down closed";
    check(health(), &format!("{recovered} a- a+ a- a+"), until);
    check(
        health(),
        &format!("{recovered} a- a+ a- a-"),
        &format!("{until} open raise:down"),
    );

    // Another rule has seen nothing.
    let mut health = health();
    play(&mut health, "a- a-");
    health.reconfigure(&[with_fail_of(3, 6)], None, BREAKER, None, at(0));
    assert_eq!(words(&play(&mut health, "a- a-")), "");
    assert_eq!(words(&play(&mut health, "a-")), "open raise:down");
}

#[test]
fn what_could_not_be_seen_is_not_counted() {
    check(only_a(), "a? a? a? a?", "");
    check(only_a(), "a- a? a? a-", "open raise:down");
    check(
        only_a(),
        "a- a- 30 a+ a? a? a+",
        "open raise:down half clear:down closed",
    );
    let mut health = only_a();
    play(&mut health, "a+");
    let name = CheckName::parse("a").unwrap();
    health.lost_sight(&name);
    assert_eq!(
        (health.health(), health.circuit()),
        (Health::Unknown, CircuitState::Closed)
    );
    play(&mut health, "a?");
    assert_eq!(health.health(), Health::Unknown);
    play(&mut health, "a+");
    assert_eq!(health.health(), Health::Healthy);
    play(&mut health, "a- a-");
    health.lost_sight(&name);
    assert_eq!(health.health(), Health::Failed, "it holds as before");
}

#[test]
fn a_failing_check_that_is_renamed_or_moved_has_to_pass_before_its_failure_is_over() {
    let moved = || CheckSpec {
        kind: CheckKind::Tcp {
            address: "127.0.0.1:2".to_owned(),
            warn_latency: None,
        },
        ..check_spec("b", "down", 2, 2)
    };
    let renamed = || check_spec("b", "down", 2, 2);
    let both: [fn() -> CheckSpec; 2] = [renamed, moved];
    for changed in both {
        let mut health = only_a();
        play(&mut health, "a- a-");
        let changes = health.reconfigure(&[changed()], None, BREAKER, None, at(0));
        assert_eq!(words(&changes), "", "nobody has seen that it passes");
        assert_eq!(
            (health.health(), health.circuit()),
            (Health::Failed, CircuitState::Open)
        );
        assert_eq!(words(&play(&mut health, "b- b-")), "", "it holds already");
        assert_eq!(
            words(&play(&mut health, "acted b+ b+")),
            "half clear:down closed"
        );
    }
    // Others that saw it before, and see it pass, are enough.
    let mut health = three_checks();
    play(&mut health, "a- a- c+");
    let rest = [check_spec("b", "slow", 3, 2), check_spec("c", "down", 3, 2)];
    let changes = health.reconfigure(&rest, None, BREAKER, None, at(0));
    assert_eq!(words(&changes), "clear:down closed");
}

/// [seed 001] The threshold multipliers: launch 2.0, deployment 1.5, normal and payload 1.0, safe 0.8.
#[test]
fn a_phase_multiplies_how_many_failures_are_enough_and_an_end_of_the_process_is_certain_in_each() {
    for (phase, enough) in [
        (Phase::Launch, 10),
        (Phase::Deployment, 8),
        (Phase::Normal, 5),
        (Phase::Payload, 5),
        (Phase::Safe, 4),
    ] {
        let mut target = TargetHealth::new(&[check_spec("a", "down", 5, 2)], None, BREAKER);
        target.set_multiplier(phase.multiplier());
        for number in 1..=enough {
            let now = Monotonic::from_start(Duration::from_secs(number));
            let changes = target.observe(&seen("a", Outcome::Failed), now);
            let opens = changes.contains(&HealthChange::CircuitOpened);
            assert_eq!(opens, number == enough, "{phase} {number}");
        }
        let mut child = only_exit();
        child.set_multiplier(phase.multiplier());
        let ended = seen(CheckName::process().as_str(), Outcome::Failed);
        let changes = child.observe_exit(&ended, Monotonic::default());
        assert!(changes.contains(&HealthChange::CircuitOpened), "{phase}");
    }
}

#[test]
fn of_the_last_looks_a_phase_asks_for_no_more_than_there_are() {
    let mut spec = check_spec("a", "down", 5, 2);
    spec.fail_of = Some(FailOf { failures: 2, of: 3 });
    let mut target = TargetHealth::new(&[spec], None, BREAKER);
    target.set_multiplier(Phase::Launch.multiplier());
    let mut opens = (1..=3).map(|number| {
        let now = Monotonic::from_start(Duration::from_secs(number));
        let changes = target.observe(&seen("a", Outcome::Failed), now);
        changes.contains(&HealthChange::CircuitOpened)
    });
    assert!(!opens.next().unwrap() && !opens.next().unwrap() && opens.next().unwrap());
}
