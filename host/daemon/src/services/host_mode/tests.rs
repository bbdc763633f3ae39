use super::*;
use crate::{
    ports::{
        Boxed,
        fakes::{FakeWorld, NOW, operation},
    },
    services::testing::{ManualClock, MemoryJournal, specs, wait_until, within},
};
use mainstay_domain::{
    breaker::CircuitState,
    coordination::{Consensus, NodeInfo, Work},
    effect::EffectError,
    event::EventData,
    fallback::{FallbackReason, HOLD},
    health::{Health, Observation},
    name::{FailureType, TargetName},
    operation::{Operation, OperationState},
};
use std::collections::HashMap;
use tokio::sync::watch;

const WELL: (Health, CircuitState) = (Health::Healthy, CircuitState::Closed);
const DOWN: (Health, CircuitState) = (Health::Failed, CircuitState::Open);

/// Sees what it is told to.
#[derive(Default)]
struct ToldWatch(Mutex<HashMap<TargetName, (Health, CircuitState)>>);

impl ToldWatch {
    fn set(&self, target: &str, seen: (Health, CircuitState)) {
        self.0.lock().insert(specs::name(target), seen);
    }
}

impl Watch for ToldWatch {
    fn check_now(&self, _: TargetName) -> Boxed<'_, Result<Vec<Observation>, EffectError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
    fn handler_acted(&self, _: &TargetName) {}
    fn is_failing(&self, _: &TargetName, _: &FailureType) -> bool {
        false
    }
    fn health(&self, target: &TargetName) -> Option<(Health, CircuitState)> {
        self.0.lock().get(target).copied()
    }
    fn heartbeat(&self, _: &TargetName) -> bool {
        false
    }
}

/// Writes down what it is asked for.
#[derive(Default)]
struct ToldCoordinator(Mutex<Vec<String>>);

impl ToldCoordinator {
    fn said<T: Send + 'static>(
        &self,
        what: String,
        answer: T,
    ) -> Boxed<'_, Result<T, CoordinationError>> {
        self.0.lock().push(what);
        Box::pin(std::future::ready(Ok(answer)))
    }
}

impl Coordinator for ToldCoordinator {
    fn startup(&self, beat: NodeBeat) -> Boxed<'_, Result<(), CoordinationError>> {
        self.said(format!("startup {} {}", beat.name, beat.mode), ())
    }
    fn shutdown(&self) -> Boxed<'_, Result<(), CoordinationError>> {
        self.said("shutdown".to_owned(), ())
    }
    fn elect_leader(&self) -> Boxed<'_, Result<bool, CoordinationError>> {
        self.said("elect leader".to_owned(), true)
    }
    fn assign_work(&self, work: Work) -> Boxed<'_, Result<String, CoordinationError>> {
        self.said(format!("assign {}", work.key), "test".to_owned())
    }
    fn heartbeat(&self, beat: NodeBeat) -> Boxed<'_, Result<(), CoordinationError>> {
        self.said(format!("heartbeat {} {}", beat.name, beat.mode), ())
    }
    fn get_nodes(&self) -> Boxed<'_, Result<Vec<NodeInfo>, CoordinationError>> {
        self.said("nodes".to_owned(), Vec::new())
    }
    fn get_consensus(&self) -> Boxed<'_, Result<Consensus, CoordinationError>> {
        self.said("consensus".to_owned(), Consensus::of(&[], 1, None))
    }
}

/// A host with these targets.
fn shared(journal: Arc<dyn crate::ports::Journal>, clock: Arc<ManualClock>) -> Shared {
    let targets = ["api", "redis", "web"].map(|name| specs::target(name, Vec::new()));
    let (_, spec) = watch::channel(specs::spec(targets.into()));
    Shared {
        journal,
        clock,
        spec,
    }
}

fn changes(events: &[Event]) -> Vec<(FallbackMode, FallbackMode, Severity)> {
    let changes = events.iter().filter_map(|event| match &event.data {
        EventData::ModeChanged(facts) => Some((facts.from, facts.to, event.severity)),
        _ => None,
    });
    changes.collect()
}

#[tokio::test]
async fn the_mode_follows_the_targets_at_once_and_comes_back_after_the_hold() {
    use FallbackMode::{Heuristic, Primary, Safe};
    let (journal, clock) = (MemoryJournal::new(), ManualClock::new());
    let seen = Arc::new(ToldWatch::default());
    let shared = shared(journal.clone(), clock.clone());
    let mode = HostMode::new(shared, seen.clone(), FailedAttempts::default());
    assert!(
        journal.events().is_empty(),
        "nothing is known, and nothing is amiss"
    );
    assert_eq!(mode.rest(), BEAT);
    for target in ["api", "redis", "web"] {
        seen.set(target, WELL);
    }
    seen.set("api", DOWN);
    mode.look();
    seen.set("redis", DOWN);
    clock.advance(Duration::from_secs(1));
    mode.look();
    let condition = mode.condition();
    assert_eq!(condition.mode, Safe);
    assert_eq!((condition.health.failed, condition.health.healthy), (2, 1));
    let since = condition.mode_since;
    seen.set("api", WELL);
    seen.set("redis", WELL);
    mode.look();
    assert_eq!(mode.condition().mode, Safe, "the hold is not over");
    assert_eq!(mode.condition().mode_since, since);
    clock.advance(HOLD - Duration::from_secs(1));
    mode.look();
    assert_eq!(mode.condition().mode, Safe);
    assert!(
        mode.rest() <= Duration::from_millis(1_001),
        "{:?}",
        mode.rest()
    );
    clock.advance(Duration::from_secs(1));
    mode.look();
    assert_eq!(
        changes(&journal.events()),
        [
            (Primary, Heuristic, Severity::Medium),
            (Heuristic, Safe, Severity::High),
            (Safe, Primary, Severity::Low),
        ]
    );
}

#[tokio::test]
async fn what_the_daemon_before_left_failing_counts_from_the_start() {
    let (journal, clock) = (MemoryJournal::new(), ManualClock::new());
    let seen = Arc::new(ToldWatch::default());
    seen.set("api", DOWN);
    seen.set("web", DOWN);
    let mode = HostMode::new(
        shared(journal.clone(), clock),
        seen,
        FailedAttempts::default(),
    );
    assert_eq!(mode.condition().mode, FallbackMode::Safe);
    assert_eq!(journal.kinds(), [EventKind::ModeChanged]);
}

#[test]
fn each_change_is_told_in_a_sentence_that_is_as_bad_as_it_is() {
    use FallbackMode::{Heuristic, Primary, Safe};
    for (from, to, reason, severity, message) in [
        (
            Primary,
            Safe,
            FallbackReason::FailedTargets(2),
            Severity::High,
            "the mode is safe, and was primary: 2 targets have failed",
        ),
        (
            Primary,
            Heuristic,
            FallbackReason::FailedAttempts(51),
            Severity::Medium,
            "the mode is heuristic, and was primary: 51 attempts to recover failed within the hour",
        ),
        (
            Safe,
            Heuristic,
            FallbackReason::OpenCircuits(1),
            Severity::Low,
            "the mode is heuristic, and was safe: 1 circuit is open",
        ),
        (
            Heuristic,
            Primary,
            FallbackReason::Calm,
            Severity::Low,
            "the mode is primary, and was heuristic: nothing has called for a worse one for a while",
        ),
    ] {
        let event = event_of(&FallbackChange { from, to, reason }, NOW);
        assert_eq!(
            (event.severity, event.message.as_str()),
            (severity, message)
        );
    }
}

#[tokio::test]
async fn attempts_that_failed_before_the_start_are_counted() {
    let world = FakeWorld::new(16);
    let (succeeded, _) = operation(2);
    let failed = Operation {
        state: OperationState::Failed,
        attempts: 5,
        ..succeeded
    };
    world.operations.lock().push((failed, Vec::new()));
    let later = NOW + Duration::from_secs(600);
    assert_eq!(recent_failures(&*world, later).await.count(later), 5);
}

#[tokio::test(start_paused = true)]
async fn the_service_takes_part_beats_hears_what_happens_and_leaves() {
    let world = FakeWorld::new(64);
    let seen = Arc::new(ToldWatch::default());
    let coordinator = Arc::new(ToldCoordinator::default());
    let shared = shared(world.clone(), ManualClock::new());
    let feed = EventFeed::of_newest(0, &*world, world.clone())
        .await
        .unwrap();
    let service = HostModeService {
        mode: HostMode::new(shared, seen.clone(), FailedAttempts::default()),
        coordinator: coordinator.clone(),
        feed,
    };
    let mode = service.mode.clone();
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    let said = |what: &str| coordinator.0.lock().iter().any(|one| one == what);
    wait_until("a beat though nothing happens", || {
        said("heartbeat test primary")
    })
    .await;
    seen.set("api", DOWN);
    seen.set("redis", DOWN);
    world.happen(EventKind::CircuitOpened, |event| event);
    wait_until("the others hear of it", || said("heartbeat test safe")).await;
    assert_eq!(mode.condition().mode, FallbackMode::Safe);
    stop.cancel();
    within(running).await.unwrap();
    let all = coordinator.0.lock().clone();
    assert_eq!(all.first().unwrap(), "startup test primary");
    assert_eq!(all.get(1).unwrap(), "elect leader");
    assert_eq!(all.last().unwrap(), "shutdown");
    assert_eq!(changes(&world.events.lock()).len(), 1);
}
