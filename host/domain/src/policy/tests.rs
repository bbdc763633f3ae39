//! What the gate answers, in every kind of world; and that a budget is never exceeded.

use super::*;
use crate::spec::PolicySpec;
use proptest::prelude::*;
use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_secs(seconds))
}

fn web() -> GroupName {
    GroupName::parse("web").unwrap()
}

fn facts(phase: Phase) -> Facts {
    Facts {
        is_charter_broken: false,
        breach: None,
        phase,
        rule: PhaseSpec::of(phase),
        floor: None,
        budgets: Vec::new(),
    }
}

fn ask(severity: Severity) -> Ask {
    Ask {
        severity,
        is_manual: false,
        is_counted: false,
    }
}

fn budget(concurrent: u32, per_hour: u32, over: OverBudget) -> BudgetSpec {
    BudgetSpec {
        concurrent: NonZeroU32::new(concurrent),
        per_hour: NonZeroU32::new(per_hour),
        over,
    }
}

fn spent(scope: Scope, budget: BudgetSpec, running: u32, begun: u32) -> Spent {
    Spent {
        scope,
        budget,
        running,
        begun,
        frees_at: Some(at(60)),
    }
}

/// [seed 001] Launch recovers what is critical, deployment what is high or worse, payload what is medium or worse, safe
/// nothing; normal everything.
#[test]
fn a_phase_lets_through_what_the_seed_says_and_holds_back_the_rest() {
    // Columns: low, medium, high, critical.
    let table = ["---y", "--yy", "yyyy", "-yyy", "----"];
    for (phase, row) in Phase::ALL.into_iter().zip(table) {
        for (severity, expected) in Severity::ALL.into_iter().zip(row.chars()) {
            let answer = gate(&ask(severity), &facts(phase));
            match expected {
                'y' => assert_eq!(answer, Gate::Go, "{phase} {severity}"),
                _ => {
                    let least = phase.least();
                    assert_eq!(answer, Gate::Wait(Why::Phase { phase, least }));
                }
            }
        }
    }
}

#[test]
fn a_person_is_held_back_by_nothing_of_it() {
    let mut facts = facts(Phase::Safe);
    facts.floor = Some(Floor {
        group: web(),
        healthy: 0,
        least: 9,
    });
    facts.budgets = vec![spent(Scope::Host, budget(1, 1, OverBudget::Ask), 9, 9)];
    let by_hand = Ask {
        is_manual: true,
        ..ask(Severity::Low)
    };
    assert_eq!(gate(&by_hand, &facts), Gate::Go);
}

#[test]
fn a_budget_of_the_hour_asks_or_waits_and_does_not_count_twice() {
    let why = |scope| Why::PerHour {
        scope,
        limit: 3,
        until: at(60),
    };
    for (begun, over, is_counted, expected) in [
        (2, OverBudget::Ask, false, Gate::Go),
        (3, OverBudget::Ask, false, Gate::Ask(why(Scope::Host))),
        (3, OverBudget::Wait, false, Gate::Wait(why(Scope::Host))),
        (4, OverBudget::Wait, false, Gate::Wait(why(Scope::Host))),
        (3, OverBudget::Ask, true, Gate::Go),
    ] {
        let mut facts = facts(Phase::Normal);
        facts.budgets = vec![spent(Scope::Host, budget(0, 3, over), 0, begun)];
        let ask = Ask {
            is_counted,
            ..ask(Severity::High)
        };
        assert_eq!(
            gate(&ask, &facts),
            expected,
            "{begun} {over:?} {is_counted}"
        );
    }
}

#[test]
fn what_runs_at_one_time_is_bounded_also_for_what_has_begun_before() {
    for (running, expected) in [
        (1, Gate::Go),
        (
            2,
            Gate::Wait(Why::AtOnce {
                scope: Scope::Group(web()),
                limit: 2,
            }),
        ),
    ] {
        let mut facts = facts(Phase::Normal);
        let of_web = budget(2, 0, OverBudget::Ask);
        facts.budgets = vec![spent(Scope::Group(web()), of_web, running, 0)];
        for is_counted in [false, true] {
            let ask = Ask {
                is_counted,
                ..ask(Severity::Low)
            };
            assert_eq!(gate(&ask, &facts), expected, "{running}");
        }
    }
}

#[test]
fn below_its_floor_a_group_is_for_people() {
    for (healthy, goes) in [(0, false), (1, false), (2, true), (3, true)] {
        let mut facts = facts(Phase::Normal);
        facts.floor = Some(Floor {
            group: web(),
            healthy,
            least: 2,
        });
        let answer = gate(&ask(Severity::Critical), &facts);
        assert_eq!(answer == Gate::Go, goes, "{healthy}");
        assert!(!matches!(answer, Gate::Wait(_)), "{healthy}");
    }
}

#[test]
fn a_charter_forbids_what_is_automatic_and_a_broken_one_holds_back_everybody() {
    let breach = Breach::Target(TargetName::parse("db").unwrap());
    let by_hand = Ask {
        is_manual: true,
        ..ask(Severity::Low)
    };
    let mut facts = facts(Phase::Normal);
    facts.breach = Some(breach.clone());
    assert_eq!(gate(&ask(Severity::Critical), &facts), Gate::Forbid(breach));
    assert_eq!(gate(&by_hand, &facts), Gate::Go);
    facts.is_charter_broken = true;
    for ask in [by_hand, ask(Severity::Critical)] {
        assert_eq!(gate(&ask, &facts), Gate::Wait(Why::Charter));
    }
}

#[test]
fn every_reason_is_a_sentence_with_its_numbers() {
    let (group, phase) = (web(), Phase::Launch);
    for (why, expected) in [
        (
            Why::Phase {
                phase,
                least: phase.least(),
            },
            "in the phase launch only what is critical or worse is recovered automatically",
        ),
        (
            Why::Phase {
                phase: Phase::Safe,
                least: None,
            },
            "in the phase safe nothing is recovered automatically",
        ),
        (
            Why::Floor {
                group: group.clone(),
                healthy: 1,
                least: 2,
            },
            "of the group web one other is healthy, and its floor is 2",
        ),
        (
            Why::AtOnce {
                scope: Scope::Group(group),
                limit: 1,
            },
            "the budget of the group web is 1 recovery at one time",
        ),
        (
            Why::PerHour {
                scope: Scope::Host,
                limit: 60,
                until: at(1),
            },
            "the budget of the host is 60 recoveries an hour, and is used up",
        ),
    ] {
        assert_eq!(why.to_string(), expected);
    }
}

/// What a random world does next.
#[derive(Debug, Clone)]
enum Step {
    /// A target wants to be recovered.
    Wants(u8),
    /// What runs of it ends.
    Ends(u8),
    /// Seconds pass.
    Passes(u16),
    /// The daemon is lost, and another reads when recoveries began.
    Restarts(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..12).prop_map(Step::Wants),
        3 => (0_u8..12).prop_map(Step::Ends),
        2 => (0_u16..900).prop_map(Step::Passes),
        1 => (0_u16..900).prop_map(Step::Restarts),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// By the gate and the ledger alone: whatever happens, and however often the daemon is lost, no more run at one time and
    /// no more begin within any hour than the budget says.
    #[test]
    fn no_budget_is_ever_exceeded(steps in steps(), most in 1_u32..5, hourly in 1_u32..9) {
        let policy = PolicySpec::default();
        let budget = budget(most, hourly, OverBudget::Wait);
        let (mut clock, mut started) = (0_u64, 0_u64);
        let mut ledger = Ledger::default();
        // What the journal has: when each began, by the clock that never restarts.
        let mut begun: Vec<(u64, TargetName)> = Vec::new();
        let mut running: BTreeSet<u8> = BTreeSet::new();
        let name = |number: u8| TargetName::parse(&format!("t{number}")).unwrap();
        for step in steps {
            let now = at(clock - started);
            match step {
                Step::Wants(number) if !running.contains(&number) => {
                    let mut facts = facts(Phase::Normal);
                    let count = ledger.begun(&Scope::Host, now);
                    facts.budgets = vec![Spent {
                        scope: Scope::Host,
                        budget,
                        running: u32::try_from(running.len()).unwrap(),
                        begun: count,
                        frees_at: ledger.frees_at(&Scope::Host, hourly, 0, now),
                    }];
                    match gate(&ask(Severity::High), &facts) {
                        Gate::Go => {
                            ledger.begin(&name(number), &policy, now);
                            begun.push((clock, name(number)));
                            running.insert(number);
                        }
                        Gate::Wait(Why::PerHour { until, .. }) => prop_assert!(until > now),
                        Gate::Wait(_) => prop_assert!(running.len() >= most as usize),
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
                Step::Wants(_) => {}
                Step::Ends(number) => drop(running.remove(&number)),
                Step::Passes(seconds) => clock += u64::from(seconds),
                Step::Restarts(seconds) => {
                    clock += u64::from(seconds);
                    started = clock;
                    ledger = Ledger::default();
                    for (then, target) in &begun {
                        let age = Duration::from_secs(clock - then);
                        ledger.began_before(target, age, &policy, at(0));
                    }
                }
            }
            prop_assert!(running.len() <= most as usize);
            let within = begun.iter().filter(|(then, _)| clock - then < 3_600).count();
            prop_assert!(within <= hourly as usize, "{within} within the hour");
        }
    }
}
