//! Which operation starts, in every kind of world.

use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_secs(seconds))
}

fn id(number: u64) -> OperationId {
    OperationId::new(ulid::Ulid::from_parts(number, 0))
}

fn name(text: &str) -> TargetName {
    TargetName::parse(text).unwrap()
}

fn entry(number: u64, target: &str, priority: u8, due: u64) -> QueueEntry {
    QueueEntry {
        operation: id(number),
        target: name(target),
        priority,
        severity: Severity::Medium,
        due: at(due),
        depends_on: Vec::new(),
        is_manual: false,
    }
}

/// The world that the queue is asked in.
#[derive(Debug, Clone, Default)]
struct World {
    host_paused: bool,
    paused: Vec<&'static str>,
    failing: Vec<&'static str>,
    max_running: usize,
}

impl World {
    fn ask(&self, queue: &mut RecoveryQueue, now: u64) -> NextStart {
        let conditions = Conditions {
            host_paused: self.host_paused,
            is_paused: &|target| self.paused.contains(&target.as_str()),
            is_failing: &|target| self.failing.contains(&target.as_str()),
            held_back: &|_, _| None,
            max_running: NonZeroUsize::new(self.max_running).unwrap_or(NonZeroUsize::MAX),
            counts_lent: false,
        };
        // The machine says which reason is over; here any may be.
        queue.release_block(&StartBlock::HostPaused);
        for target in NAMES.into_iter().chain(["redis", "api"]).map(name) {
            queue.release_block(&StartBlock::TargetPaused(target.clone()));
            queue.release_block(&StartBlock::Dependency(target));
        }
        queue.next(&conditions, at(now))
    }
}

/// What starts now, in order, each still running; then what the queue waits for.
fn check(world: &World, entries: &[QueueEntry], now: u64, started: &[u64], then: NextStart) {
    let mut queue = RecoveryQueue::default();
    entries.iter().cloned().for_each(|entry| queue.push(entry));
    for number in started {
        let decision = world.ask(&mut queue, now);
        assert_eq!(decision, NextStart::Start(id(*number)), "{entries:?}");
    }
    assert_eq!(world.ask(&mut queue, now), then, "{entries:?}");
    assert_eq!(queue.len() + queue.running(), entries.len());
}

#[test]
fn the_more_urgent_starts_first_and_of_equals_the_older() {
    let entries = [
        entry(3, "a", 5, 0),
        entry(2, "b", 5, 0),
        entry(4, "c", 1, 0),
    ];
    check(&World::default(), &entries, 0, &[4, 2, 3], NextStart::Idle);
}

/// Trap 3 of the seeds' systems: a priority-1 task that was not due blocked due tasks of lower priority.
#[test]
fn trap_3_an_urgent_one_that_is_not_due_does_not_block_one_that_is() {
    let entries = [entry(1, "a", 1, 60), entry(2, "b", 9, 0)];
    let then = NextStart::WaitUntil(at(60));
    check(&World::default(), &entries, 0, &[2], then);
    check(&World::default(), &entries, 60, &[1, 2], NextStart::Idle);
}

/// Trap 5 of the seeds' systems: a second failure during a recovery was dropped.
#[test]
fn trap_5_a_second_failure_during_a_recovery_is_kept_and_starts_after_it() {
    let mut queue = RecoveryQueue::default();
    let world = World::default();
    queue.push(entry(1, "a", 5, 0));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Start(id(1)));
    queue.push(entry(2, "a", 1, 0));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Idle);
    queue.finished(&name("a"), &id(1));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Start(id(2)));
}

#[test]
fn a_target_waits_for_what_it_depends_on_and_lets_others_pass() {
    let mut queue = RecoveryQueue::default();
    let mut world = World {
        failing: vec!["redis"],
        ..World::default()
    };
    queue.push(QueueEntry {
        depends_on: vec![name("disk"), name("redis")],
        ..entry(1, "api", 1, 0)
    });
    queue.push(entry(2, "redis", 9, 0));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Start(id(2)));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Idle);
    world.failing.clear();
    assert_eq!(world.ask(&mut queue, 0), NextStart::Start(id(1)));
}

#[test]
fn what_is_paused_waits_and_what_is_asked_for_by_hand_does_not() {
    let manual = QueueEntry {
        is_manual: true,
        depends_on: vec![name("redis")],
        ..entry(3, "a", 9, 0)
    };
    let entries = [entry(1, "a", 1, 0), entry(2, "b", 1, 0), manual];
    let world = World {
        failing: vec!["redis"],
        paused: vec!["a"],
        ..World::default()
    };
    check(&world, &entries, 0, &[2, 3], NextStart::Idle);
    let world = World {
        host_paused: true,
        ..world
    };
    check(&world, &entries, 0, &[3], NextStart::Idle);
}

#[test]
fn no_more_run_at_one_time_than_may() {
    let entries = [
        entry(1, "a", 5, 0),
        entry(2, "b", 5, 0),
        entry(3, "c", 5, 0),
    ];
    let world = World {
        max_running: 2,
        ..World::default()
    };
    check(&world, &entries, 0, &[1, 2], NextStart::Idle);
}

#[test]
fn what_was_taken_out_does_not_start_wherever_it_stood() {
    let world = World {
        paused: vec!["b"],
        max_running: 1,
        ..World::default()
    };
    for now in [0, 10] {
        let mut queue = RecoveryQueue::default();
        queue.push(entry(1, "a", 1, 0));
        queue.push(entry(2, "b", 2, 0));
        queue.push(entry(3, "c", 3, 5));
        world.ask(&mut queue, now);
        assert_eq!(queue.remove(&id(1)), None, "it has started");
        assert!(queue.remove(&id(2)).is_some() && queue.remove(&id(3)).is_some());
        queue.finished(&name("a"), &id(1));
        assert_eq!(World::default().ask(&mut queue, 99), NextStart::Idle);
        assert_eq!(queue.len(), 0);
    }
}

#[test]
fn a_hundred_thousand_that_wait_for_one_target_are_looked_at_once() {
    let asked = std::cell::Cell::new(0_u32);
    let mut queue = RecoveryQueue::default();
    for number in 0..100_000 {
        queue.push(QueueEntry {
            depends_on: vec![name("redis")],
            ..entry(number, &format!("t{number}"), 5, 0)
        });
    }
    let conditions = Conditions {
        host_paused: false,
        is_paused: &|_| false,
        is_failing: &|_| {
            asked.set(asked.get() + 1);
            true
        },
        held_back: &|_, _| None,
        max_running: NonZeroUsize::MIN,
        counts_lent: false,
    };
    assert_eq!(queue.next(&conditions, at(0)), NextStart::Idle);
    assert_eq!(asked.replace(0), 100_000);
    for _ in 0..1_000 {
        assert_eq!(queue.next(&conditions, at(0)), NextStart::Idle);
    }
    assert_eq!(asked.get(), 0, "nothing changed for them");
}

#[test]
fn of_equally_urgent_ones_the_more_severe_starts_first() {
    let severe = QueueEntry {
        severity: Severity::Critical,
        ..entry(3, "c", 5, 0)
    };
    let entries = [entry(1, "a", 5, 0), entry(2, "b", 4, 0), severe];
    check(&World::default(), &entries, 0, &[2, 3, 1], NextStart::Idle);
}

#[test]
fn between_the_attempts_of_the_lesser_only_the_more_severe_starts() {
    let mut queue = RecoveryQueue::default();
    let world = World::default();
    queue.push(entry(1, "a", 5, 0));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Start(id(1)));
    let severe = QueueEntry {
        severity: Severity::Critical,
        ..entry(3, "a", 5, 0)
    };
    queue.push(entry(2, "a", 5, 0));
    queue.push(severe);
    assert_eq!(world.ask(&mut queue, 0), NextStart::Idle, "not during one");
    queue.rest(entry(1, "a", 5, 10));
    assert_eq!(queue.running(), 0, "what rests takes nobody's place");
    assert_eq!(world.ask(&mut queue, 1), NextStart::Start(id(3)));
    assert_eq!(world.ask(&mut queue, 20), NextStart::Idle);
    queue.finished(&name("a"), &id(3));
    assert_eq!(world.ask(&mut queue, 20), NextStart::Start(id(1)));
    queue.finished(&name("a"), &id(1));
    assert_eq!(world.ask(&mut queue, 20), NextStart::Start(id(2)));
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// The rule, written as plainly as can be: what starts among `entries`.
fn plainly(
    entries: &[QueueEntry],
    busy: &[(TargetName, OperationId)],
    world: &World,
    now: u64,
) -> Option<OperationId> {
    if busy.len() >= world.max_running {
        return None;
    }
    let may_start = |entry: &&QueueEntry| {
        let free = !world.host_paused
            && !world.paused.contains(&entry.target.as_str())
            && entry
                .depends_on
                .iter()
                .all(|d| !world.failing.contains(&d.as_str()));
        let is_busy = busy.iter().any(|(target, _)| *target == entry.target);
        entry.due <= at(now) && !is_busy && (entry.is_manual || free)
    };
    entries
        .iter()
        .filter(may_start)
        .min_by_key(|entry| rank(entry))
        .map(|entry| entry.operation.clone())
}

proptest! {
    #[test]
    fn the_queue_starts_what_the_rule_says(
        steps in proptest::collection::vec((0_u8..8, 0_usize..4, 0_u8..16, 0_u64..5), 1..120)
    ) {
        let mut queue = RecoveryQueue::default();
        let mut world = World { max_running: 3, ..World::default() };
        let mut entries: Vec<QueueEntry> = Vec::new();
        let mut busy: Vec<(TargetName, OperationId)> = Vec::new();
        let mut now = 0;
        let toggle = |names: &mut Vec<&'static str>, which: usize| {
            match names.iter().position(|n| *n == NAMES[which]) {
                Some(place) => drop(names.remove(place)),
                None => names.push(NAMES[which]),
            }
        };
        for (number, (step, which, bits, wait)) in (0..).zip(steps) {
            match step {
                0..=2 => {
                    let pushed = QueueEntry {
                        depends_on: if bits & 1 == 1 { vec![name(NAMES[(which + 1) % 4])] } else { vec![] },
                        is_manual: bits & 6 == 6,
                        severity: [Severity::Low, Severity::High][usize::from(bits >> 3)],
                        ..entry(number, NAMES[which], bits % 3, now + wait)
                    };
                    queue.push(pushed.clone());
                    entries.push(pushed);
                }
                3 => toggle(&mut world.paused, which),
                4 => toggle(&mut world.failing, which),
                5 => world.host_paused = !world.host_paused && bits > 8,
                6 => {
                    if let Some(place) = busy.iter().position(|(target, _)| target.as_str() == NAMES[which]) {
                        let (target, operation) = busy.remove(place);
                        queue.finished(&target, &operation);
                    }
                }
                _ if bits > 8 && !entries.is_empty() => {
                    let gone = entries.remove(which % entries.len());
                    prop_assert_eq!(queue.remove(&gone.operation), Some(gone));
                }
                _ => now += wait,
            }
            let expected = plainly(&entries, &busy, &world, now);
            match world.ask(&mut queue, now) {
                NextStart::Start(started) => {
                    prop_assert_eq!(Some(&started), expected.as_ref());
                    let place = entries.iter().position(|e| e.operation == started).unwrap();
                    busy.push((entries.remove(place).target, started));
                }
                NextStart::WaitUntil(due) => {
                    prop_assert_eq!(expected, None);
                    prop_assert!(due > at(now));
                    prop_assert_eq!(entries.iter().map(|e| e.due).filter(|d| *d > at(now)).min(), Some(due));
                }
                NextStart::Idle => prop_assert_eq!(expected, None),
            }
            prop_assert_eq!(queue.len(), entries.len());
        }
    }
}

#[test]
fn an_operation_that_lends_its_slot_lets_one_more_run_and_keeps_its_target() {
    let world = World {
        max_running: 1,
        ..World::default()
    };
    let mut queue = RecoveryQueue::default();
    queue.push(entry(1, "a", 5, 0));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Start(id(1)));
    queue.push(entry(2, "a", 5, 0));
    queue.push(entry(3, "b", 5, 0));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Idle, "no slot is free");
    queue.lend(&name("a"), &id(9), true);
    assert_eq!(world.ask(&mut queue, 0), NextStart::Idle, "it does not run");
    queue.lend(&name("a"), &id(1), true);
    assert_eq!(world.ask(&mut queue, 0), NextStart::Start(id(3)));
    assert_eq!(
        world.ask(&mut queue, 0),
        NextStart::Idle,
        "its target is busy"
    );
    queue.finished(&name("a"), &id(1));
    assert_eq!(
        world.ask(&mut queue, 0),
        NextStart::Idle,
        "it had lent its slot"
    );
    queue.finished(&name("b"), &id(3));
    assert_eq!(world.ask(&mut queue, 0), NextStart::Start(id(2)));
}

/// `a` is held back by the gate until it is not; `b` begins meanwhile.
#[test]
fn what_the_gate_holds_back_blocks_no_other_and_says_why() {
    let why = || Why::PerHour {
        scope: crate::policy::Scope::Target(name("a")),
        limit: 1,
        until: at(9),
    };
    let ask = |queue: &mut RecoveryQueue, holds: bool| {
        let conditions = Conditions {
            host_paused: false,
            is_paused: &|_| false,
            is_failing: &|_| false,
            held_back: &|entry, _| (holds && entry.target == name("a")).then(why),
            max_running: NonZeroUsize::MAX,
            counts_lent: true,
        };
        queue.next(&conditions, at(0))
    };
    let mut queue = RecoveryQueue::default();
    queue.push(entry(1, "a", 1, 0));
    queue.push(entry(2, "b", 9, 0));
    assert_eq!(ask(&mut queue, true), NextStart::Start(id(2)));
    let block = StartBlock::Gate(why());
    assert_eq!(queue.place(&id(1)), Some(&Place::Blocked(block.clone())));
    assert_eq!(queue.gated().iter().collect::<Vec<_>>(), [&why()]);
    assert_eq!(queue.take_moved(), [name("a"), name("b")].into());
    assert_eq!(
        ask(&mut queue, false),
        NextStart::Idle,
        "nobody released it"
    );
    queue.release_block(&block);
    assert!(queue.gated().is_empty());
    assert_eq!(ask(&mut queue, false), NextStart::Start(id(1)));
}

#[test]
fn a_manual_operation_asks_the_gate_and_nobody_else() {
    let mut queue = RecoveryQueue::default();
    queue.push(QueueEntry {
        is_manual: true,
        depends_on: vec![name("redis")],
        ..entry(1, "a", 5, 0)
    });
    let ask = |queue: &mut RecoveryQueue, why: Option<Why>| {
        let conditions = Conditions {
            host_paused: true,
            is_paused: &|_| true,
            is_failing: &|_| true,
            held_back: &|_, _| why.clone(),
            max_running: NonZeroUsize::MAX,
            counts_lent: false,
        };
        queue.next(&conditions, at(0))
    };
    assert_eq!(ask(&mut queue, Some(Why::Charter)), NextStart::Idle);
    queue.release_block(&StartBlock::Gate(Why::Charter));
    assert_eq!(ask(&mut queue, None), NextStart::Start(id(1)));
}
