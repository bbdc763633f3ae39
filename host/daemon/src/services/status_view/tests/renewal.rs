//! What one change costs, and that nothing is missed.

use super::*;
use crate::{
    ports::{
        AcknowledgeRequest, Active, Boxed, Decision, HostView, LastReload, PauseRequest,
        PhaseRequest, RecoverRequest, RecoveryControl, Refused, Resolution, StatusFacts,
        TargetControl, Watch,
        fakes::{incident, operation_id},
    },
    services::testing::specs::name,
};
use mainstay_domain::{
    actor::Actor,
    breaker::CircuitState,
    effect::{EffectError, Signal, TargetStatus},
    health::{Health, Observation},
    id::OperationId,
    name::{FailureType, TargetName},
    operation::Operation,
    policy::{EffectivePolicy, GateNumbers, Phase},
    recovery::{NewSignal, PolicyOrder},
    time::Timestamp,
};
use parking_lot::MutexGuard;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A host whose targets change as they are told to.
#[derive(Default)]
struct Changing {
    now: Mutex<Now>,
    changed: ChangedTargets,
}

#[derive(Default)]
struct Now {
    targets: Arc<[(TargetName, u8)]>,
    failing: BTreeSet<TargetName>,
    restarts: BTreeMap<TargetName, u32>,
    active: BTreeMap<TargetName, Active>,
    paused: BTreeSet<TargetName>,
    paused_host: bool,
}

impl Changing {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock()
    }
}

impl HostView for Changing {
    fn facts(&self) -> StatusFacts {
        StatusFacts {
            targets: Arc::clone(&self.now().targets),
            ..FakeWorld::new(1).facts()
        }
    }
    fn last_reload(&self) -> Option<LastReload> {
        None
    }
}

impl Watch for Changing {
    fn check_now(&self, _: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>> {
        unreachable!("the status asks for no check")
    }
    fn handler_acted(&self, _: &TargetName) {}
    fn is_failing(&self, _: &TargetName, _: &FailureType) -> bool {
        false
    }
    fn health(&self, target: &TargetName) -> Option<(Health, CircuitState)> {
        Some(match self.now().failing.contains(target) {
            true => (Health::Failed, CircuitState::Open),
            false => (Health::Healthy, CircuitState::Closed),
        })
    }
    fn heartbeat(&self, _: &TargetName) -> bool {
        false
    }
}

impl TargetControl for Changing {
    fn status(&self, target: &TargetName) -> Option<TargetStatus> {
        let restarts = self.now().restarts.get(target).copied()?;
        Some(TargetStatus {
            health: Health::Healthy,
            running: Some(true),
            pid: Some(1_000 + restarts),
            started_at: None,
            restarts,
        })
    }
    fn start(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        unreachable!("the status starts nothing")
    }
    fn stop(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        unreachable!("the status stops nothing")
    }
    fn restart(&self, _: TargetName) -> Boxed<'_, Result<(), EffectError>> {
        unreachable!("the status restarts nothing")
    }
    fn signal(&self, _: TargetName, _: Signal) -> Boxed<'_, Result<(), EffectError>> {
        unreachable!("the status signals nothing")
    }
}

impl RecoveryControl for Changing {
    fn recover(&self, _: RecoverRequest) -> Boxed<'_, Result<OperationId, Refused>> {
        unreachable!("the status recovers nothing")
    }
    fn decide(&self, _: Decision) -> Boxed<'_, Result<Operation, Refused>> {
        unreachable!("the status decides nothing")
    }
    fn acknowledge(&self, _: AcknowledgeRequest) -> Boxed<'_, Result<(), Refused>> {
        unreachable!("the status takes nothing on")
    }
    fn resolve(&self, _: Resolution) -> Boxed<'_, Result<Operation, Refused>> {
        unreachable!("the status resolves nothing")
    }
    fn signal(&self, _: NewSignal) -> Boxed<'_, Result<Operation, Refused>> {
        unreachable!("the status signals nothing")
    }
    fn pause_for(&self, _: PauseRequest) -> Boxed<'_, Result<(), Refused>> {
        unreachable!()
    }
    fn paused_until(&self, _: Option<&TargetName>) -> Option<Timestamp> {
        None
    }
    fn pause(&self, _: Option<TargetName>, _: bool, _: Actor) -> Boxed<'_, Result<(), Refused>> {
        unreachable!("the status pauses nothing")
    }
    fn is_paused(&self, target: Option<&TargetName>) -> bool {
        let now = self.now();
        target.map_or(now.paused_host, |target| now.paused.contains(target))
    }
    fn phase(&self) -> Phase {
        Phase::Normal
    }
    fn policy(&self, _: TargetName) -> Boxed<'_, Result<EffectivePolicy, Refused>> {
        unreachable!("the status shows no policy")
    }
    fn set_policy(&self, _: PolicyOrder) -> Boxed<'_, Result<EffectivePolicy, Refused>> {
        unreachable!("the status sets no policy")
    }
    fn set_phase(&self, _: PhaseRequest) -> Boxed<'_, Result<(), Refused>> {
        unreachable!("the status changes no phase")
    }
    fn active(&self, target: &TargetName) -> Option<Active> {
        self.now().active.get(target).cloned()
    }
    fn gate(&self) -> Boxed<'_, Option<GateNumbers>> {
        unreachable!("the status shows no numbers")
    }
}

struct Bench {
    world: Arc<FakeWorld>,
    host: Arc<Changing>,
    sources: StatusSources,
    cache: StatusCache,
}

impl Bench {
    fn new(targets: Arc<[(TargetName, u8)]>) -> Self {
        let (world, host) = (FakeWorld::new(1), Arc::new(Changing::default()));
        host.now().targets = targets;
        let sources = StatusSources {
            host: host.clone(),
            plugins: world.clone(),
            watch: host.clone(),
            targets: host.clone(),
            recovery: host.clone(),
            silences: world.clone(),
            backups: world.clone(),
            condition: world.clone(),
            clock: world.clone(),
            changed: host.changed.clone(),
        };
        let cache = StatusCache::new(sources.clone(), &*world);
        Self {
            world,
            host,
            sources,
            cache,
        }
    }

    /// The answer to a question after a while.
    fn ask(&self) -> Arc<[u8]> {
        self.world.clock_ms.fetch_add(100, Ordering::SeqCst);
        self.cache.json()
    }

    /// The same, gathered from scratch.
    fn expected(&self) -> Vec<u8> {
        serde_json::to_vec(&self.sources.gather()).unwrap()
    }
}

/// Targets with this priority.
fn listed(numbers: impl Iterator<Item = u8>, priority: u8) -> Arc<[(TargetName, u8)]> {
    numbers
        .map(|number| (name(&format!("t-{number}")), priority))
        .collect()
}

#[test]
fn one_change_gathers_one_row_and_none_gives_the_same_answer() {
    let bench = Bench::new(listed(0..200, 5));
    let first = bench.ask();
    assert_eq!(bench.cache.gathered_rows(), 200);
    assert!(Arc::ptr_eq(&first, &bench.ask()), "the same bytes");

    bench.host.now().failing.insert(name("t-7"));
    bench.host.changed.note(&name("t-7"));
    let second = bench.ask();
    assert_eq!(bench.cache.gathered_rows(), 201);
    assert_ne!(first, second);

    // Noted, and as it was.
    bench.host.changed.note(&name("t-7"));
    assert!(Arc::ptr_eq(&second, &bench.ask()));
    assert_eq!(bench.cache.gathered_rows(), 202);

    bench.host.now().paused.insert(name("t-9"));
    bench.host.changed.note(&name("t-9"));
    bench.ask();
    assert_eq!(bench.cache.gathered_rows(), 203);

    let mut other = listed(0..200, 5).to_vec();
    (other[3].1, other[4].0) = (1, name("new"));
    bench.host.now().targets = other.into();
    bench.ask();
    let gathered = bench.cache.gathered_rows();
    assert_eq!(gathered, 205, "another priority, and a new one");
}

proptest! {
    #[test]
    fn the_answer_is_always_what_gathering_all_of_it_gives(
        steps in proptest::collection::vec((0_u8..8, 0_u8..6, any::<bool>()), 1..60),
    ) {
        let bench = Bench::new(listed(0..6, 5));
        for (step, number, on) in steps {
            let target = name(&format!("t-{number}"));
            let mut now = bench.host.now();
            match (step, on) {
                (0, true) => {
                    now.failing.insert(target.clone());
                }
                (0, false) => {
                    now.failing.remove(&target);
                }
                (1, _) => *now.restarts.entry(target.clone()).or_default() += 1,
                (2, _) => {
                    let active = Active {
                        incident: on.then(|| incident().id),
                        is_failing: on,
                        operation: Some(operation_id(number)),
                        rests: None,
                        held: None,
                        pause: None,
                        waits: on
                            .then(|| (incident().id, "a person".to_owned()))
                            .into_iter()
                            .collect(),
                        operations: Default::default(),
                    };
                    now.active.insert(target.clone(), active);
                }
                (3, _) => {
                    now.active.remove(&target);
                }
                (4, true) => {
                    now.paused.insert(target.clone());
                }
                (4, false) => {
                    now.paused.remove(&target);
                }
                (5, _) => now.paused_host = on,
                (6, _) => now.targets = listed((0..number).rev(), u8::from(on)),
                _ => {}
            }
            drop(now);
            match step {
                // As the monitor, the supervisor and recovery do.
                0..=4 => bench.host.changed.note(&target),
                7 => {
                    let (answer, expected) = (bench.ask(), bench.expected());
                    prop_assert_eq!(&answer[..], &expected[..]);
                }
                _ => {}
            }
        }
        let (answer, expected) = (bench.ask(), bench.expected());
        prop_assert_eq!(&answer[..], &expected[..]);
    }
}
