//! When what is in the outbox is delivered, in paused time.

use super::*;
use crate::{
    ports::{
        Boxed, Clock, Commit, Committed, Journal, StoreError, StoreErrorKind,
        fakes::{FakeWorld, NOW},
    },
    services::testing::specs::spec,
};
use mainstay_domain::{
    alert::{Alert, AlertStatus},
    id::{AlertId, IdSource},
    plugin::PluginIdentity,
    spec::{AlertGrouping, AlertRoute, GroupBy, Spec},
    time::Monotonic,
};
use parking_lot::Mutex;
use semver::{Version, VersionReq};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tokio::{sync::watch, time::Instant};

/// A wall clock that goes on as the paused time does.
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        NOW + self.0.elapsed()
    }
    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(self.0.elapsed())
    }
    fn with_suspension(&self) -> Monotonic {
        self.monotonic()
    }
}

/// Nothing is held back.
struct HoldsNothing;

impl AlertHolds for HoldsNothing {
    fn why(&self, _: &Alert) -> Option<String> {
        None
    }
}

/// What an alerter does with an attempt.
enum Act {
    Deliver,
    DeliverAfter(Duration),
    Delay(Option<Duration>),
    Panic,
}

/// Alerters that do as they are told, and the attempts made: alerter, title of the alert, seconds after the start.
struct FakeAlerters {
    act: fn(alerter: &str, title: &str, attempt: u32) -> Act,
    attempts: Mutex<Vec<(String, String, u64)>>,
    start: Instant,
}

impl Alerters for FakeAlerters {
    fn deliver(
        &self,
        alerter: PluginName,
        _: VersionReq,
        alert: Alert,
        attempt: u32,
    ) -> Boxed<'_, Delivery> {
        let made = (
            alerter.to_string(),
            alert.title.clone(),
            self.start.elapsed().as_secs(),
        );
        let mut attempts = self.attempts.lock();
        attempts.push(made);
        let act = match attempts.len() {
            // Attempts without pause are to fail a test and not to hang it.
            1_000.. => Act::DeliverAfter(Duration::from_secs(3_600)),
            _ => (self.act)(alerter.as_str(), &alert.title, attempt),
        };
        drop(attempts);
        Box::pin(async move {
            match act {
                Act::Deliver => {}
                Act::DeliverAfter(length) => tokio::time::sleep(length).await,
                Act::Delay(not_before) => {
                    return Delivery::Delayed {
                        why: "busy".to_owned(),
                        not_before,
                    };
                }
                Act::Panic => panic!("as told"),
            }
            let by = PluginIdentity {
                name: alerter,
                version: Version::new(1, 0, 0),
                digest: "ab".repeat(32),
            };
            Delivery::Delivered {
                by,
                reference: None,
            }
        })
    }
}

/// An alert for an alerter, due at once; what has the same key is about the same thing.
fn entry(number: u64, alerter: &str, dedup_key: &str, title: &str) -> OutboxEntry {
    OutboxEntry {
        alert: Alert {
            id: AlertId::new(IdSource::new(number).next(NOW)),
            dedup_key: dedup_key.to_owned(),
            status: AlertStatus::Firing,
            severity: Severity::High,
            at: NOW,
            kind: "operation.failed".to_owned(),
            title: title.to_owned(),
            body: String::new(),
            target: None,
            operation: None,
            labels: Vec::new(),
        },
        alerter: PluginName::parse(alerter).unwrap(),
        attempts: 0,
        tried_for: Duration::ZERO,
        due: NOW,
        last_error: None,
        follows: false,
        begun: false,
        part_of: None,
        in_place_of: Vec::new(),
    }
}

/// Runs the service for so long, and stops it: the attempts made, and how long the stop took.
async fn attempts(
    world: &Arc<FakeWorld>,
    length: Duration,
    act: fn(&str, &str, u32) -> Act,
) -> (Vec<(String, String, u64)>, Duration) {
    let (_sender, arrivals) = arrivals();
    attempts_with(world, arrivals, length, act).await
}

/// A service whose alerters are these, with what waits in the outbox.
fn service(
    world: &Arc<FakeWorld>,
    arrivals: Arrivals,
    start: Instant,
    alerters: Arc<dyn Alerters>,
    holds: Arc<dyn AlertHolds>,
) -> AlertService {
    let (_spec, spec) = watch::channel(spec(Vec::new()));
    AlertService {
        shared: Shared {
            journal: world.clone(),
            clock: Arc::new(PausedClock(start)),
            spec,
        },
        undelivered: world.outbox.lock().clone(),
        arrivals,
        alerters,
        holds,
        numbers: Numbers::new().unwrap(),
        health: AlerterHealth::default(),
        ids: IdSource::new(1_000_000),
        forgotten: Vec::new(),
    }
}

/// The same, with what comes while it runs.
async fn attempts_with(
    world: &Arc<FakeWorld>,
    arrivals: Arrivals,
    length: Duration,
    act: fn(&str, &str, u32) -> Act,
) -> (Vec<(String, String, u64)>, Duration) {
    let start = Instant::now();
    let alerters = Arc::new(FakeAlerters {
        act,
        attempts: Mutex::default(),
        start,
    });
    let holds = Arc::new(HoldsNothing);
    let service = service(world, arrivals, start, alerters.clone(), holds);
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    tokio::time::sleep(length).await;
    stop.cancel();
    let stopping = Instant::now();
    running.await.unwrap();
    let made = alerters.attempts.lock().clone();
    (made, stopping.elapsed())
}

/// When each attempt of an alerter was made, in seconds.
fn times_of(alerter: &str, made: &[(String, String, u64)]) -> Vec<u64> {
    let own = made.iter().filter(|(by, ..)| by == alerter);
    own.map(|(.., seconds)| *seconds).collect()
}

#[tokio::test(start_paused = true)]
async fn while_the_journal_cannot_be_written_nothing_is_sent_twice() {
    let world = FakeWorld::new(16);
    world.put(entry(1, "webhook", "a", "first"));
    world.failing_commits.store(5, SeqCst);
    let (made, _) = attempts(&world, Duration::from_secs(60), |_, _, _| Act::Deliver).await;
    assert_eq!(times_of("webhook", &made), [0]);
    assert!(world.outbox.lock().is_empty());
    let events = world.events.lock();
    assert_eq!(events.last().unwrap().kind, EventKind::AlertDelivered);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_journal_that_cannot_be_written() {
    let world = FakeWorld::new(16);
    world.put(entry(1, "webhook", "a", "first"));
    world.failing_commits.store(1_000, SeqCst);
    let (made, stopping) =
        attempts(&world, Duration::from_secs(3_600), |_, _, _| Act::Deliver).await;
    assert_eq!(times_of("webhook", &made), [0]);
    assert_eq!(stopping, Duration::ZERO);
    let tried = 1_000 - world.failing_commits.load(SeqCst);
    assert!(tried < 25, "the pauses grow: {tried}");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_panics_is_an_attempt_that_failed_and_frees_no_other_alerter() {
    let world = FakeWorld::new(16);
    world.put(entry(1, "slow", "a", "first"));
    world.put(entry(2, "broken", "a", "first"));
    let (made, _) = attempts(
        &world,
        Duration::from_secs(5),
        |alerter, _, _| match alerter {
            "slow" => Act::DeliverAfter(Duration::from_secs(60)),
            _ => Act::Panic,
        },
    )
    .await;
    assert_eq!(times_of("slow", &made), [0]);
    assert_eq!(times_of("broken", &made), [0, 1, 3]);
    let outbox = world.outbox.lock();
    assert_eq!(outbox.len(), 1);
    assert_eq!(outbox[0].attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn what_resolves_an_alert_is_not_delivered_before_it() {
    let world = FakeWorld::new(16);
    world.put(entry(1, "webhook", "a", "firing"));
    world.put(entry(2, "webhook", "a", "resolved"));
    world.put(entry(3, "webhook", "b", "other"));
    let (made, _) = attempts(&world, Duration::from_secs(60), |_, title, attempt| match (
        title, attempt,
    ) {
        ("firing", 1) => Act::Delay(None),
        _ => Act::Deliver,
    })
    .await;
    let titles: Vec<_> = made.iter().map(|(_, title, _)| title.as_str()).collect();
    assert_eq!(titles, ["firing", "other", "firing", "resolved"]);
    assert_eq!(times_of("webhook", &made), [0, 0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_years_is_tried_again_after_an_hour() {
    let world = FakeWorld::new(16);
    world.put(entry(1, "webhook", "a", "first"));
    let length = Duration::from_secs(2 * 3_600);
    let (made, _) = attempts(&world, length, |_, _, attempt| match attempt {
        1 => Act::Delay(Some(Duration::from_secs(999_999_999))),
        _ => Act::Deliver,
    })
    .await;
    assert_eq!(times_of("webhook", &made), [0, 3_600]);
}

#[tokio::test(start_paused = true)]
async fn what_piles_up_behind_an_alerter_that_is_gone_is_given_up_within_the_same_day() {
    let world = FakeWorld::new(16);
    for number in 1..=3 {
        world.put(entry(number, "webhook", "a", &number.to_string()));
    }
    let length = Duration::from_secs(25 * 3_600);
    let (made, _) = attempts(&world, length, |_, _, _| Act::Delay(None)).await;
    assert!(world.outbox.lock().is_empty());
    let of = |title: &str| made.iter().filter(|(_, made, _)| made == title).count();
    assert!(of("1") > 280, "{}", of("1"));
    assert_eq!((of("2"), of("3")), (1, 1));
    let events = world.events.lock();
    let given_up = events
        .iter()
        .filter(|event| event.kind == EventKind::AlertAbandoned);
    assert_eq!(given_up.count(), 3);
}

/// An arrival whose event is answered with this.
fn arrival(entry: OutboxEntry, written: Commit) -> Arrival {
    Arrival {
        entries: vec![entry],
        written,
    }
}

fn answered(answer: Result<Committed, StoreError>) -> Commit {
    Box::pin(std::future::ready(answer))
}

#[tokio::test(start_paused = true)]
async fn alerts_go_out_in_their_order_while_the_disk_is_full() {
    let world = FakeWorld::new(16);
    let (sender, arrivals) = arrivals();
    let full = StoreError::new(StoreErrorKind::Full, "the journal in memory takes no more");
    let held = answered(Ok(Committed::Held));
    assert!(
        sender
            .send(arrival(entry(1, "webhook", "a", "held"), held))
            .is_ok()
    );
    let refused = answered(Err(full));
    assert!(
        sender
            .send(arrival(entry(2, "webhook", "a", "refused"), refused))
            .is_ok()
    );
    let length = Duration::from_secs(10);
    let (made, _) = attempts_with(&world, arrivals, length, |_, _, _| Act::Deliver).await;
    let titles: Vec<_> = made.iter().map(|(_, title, _)| title.as_str()).collect();
    assert_eq!(titles, ["held", "refused"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_not_sent_before_its_event_is_written_and_none_overtakes_it() {
    let world = FakeWorld::new(16);
    let (sender, arrivals) = arrivals();
    let written: Commit = Box::pin(async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(Committed::Durable(Vec::new()))
    });
    assert!(
        sender
            .send(arrival(entry(1, "webhook", "a", "first"), written))
            .is_ok()
    );
    let written = answered(Ok(Committed::Durable(Vec::new())));
    assert!(
        sender
            .send(arrival(entry(2, "webhook", "b", "second"), written))
            .is_ok()
    );
    let length = Duration::from_secs(10);
    let (made, _) = attempts_with(&world, arrivals, length, |_, _, _| Act::Deliver).await;
    let titles: Vec<_> = made.iter().map(|(_, title, _)| title.as_str()).collect();
    assert_eq!(titles, ["first", "second"]);
    assert_eq!(times_of("webhook", &made), [5, 5]);
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_is_not_sent_again_though_the_journal_never_takes_the_outcome() {
    let world = FakeWorld::new(16);
    world.put(entry(1, "webhook", "a", "first"));
    world.failing_commits.store(u32::MAX, SeqCst);
    let length = Duration::from_secs(7 * 3_600);
    let (made, _) = attempts(&world, length, |_, _, _| Act::Deliver).await;
    assert_eq!(times_of("webhook", &made), [0]);
}

#[tokio::test(start_paused = true)]
async fn two_thousand_to_a_receiver_that_takes_100_ms_are_all_sent_once_the_critical_one_at_once() {
    let world = FakeWorld::new(1 << 16);
    for number in 1..=2_000 {
        let mut entry = entry(number, "webhook", &number.to_string(), "info");
        entry.alert.severity = Severity::Low;
        world.put(entry);
    }
    let mut last = entry(20_000, "webhook", "critical", "critical");
    last.alert.severity = Severity::Critical;
    world.put(last);
    let (_sender, arrivals) = arrivals();
    let start = Instant::now();
    let alerters = Arc::new(SlowReceiver::default());
    let holds = Arc::new(HoldsNothing);
    let service = service(&world, arrivals, start, alerters.clone(), holds);
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    tokio::time::timeout(Duration::from_secs(600), async {
        while !world.outbox.lock().is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await
    .unwrap();
    stop.cancel();
    running.await.unwrap();
    let state = alerters.0.lock();
    assert_eq!(state.delivered.len(), 2_001);
    assert!(state.delivered[..10].contains(&"critical".to_owned()));
    let different: std::collections::HashSet<&String> = state.delivered.iter().collect();
    assert_eq!(different.len(), 2_001);
    assert_eq!(state.most, 8, "as many as the plugin may have calls");
}

/// Takes 100 ms for each, and takes a tenth only at the third attempt.
#[derive(Default)]
struct SlowReceiver(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// By key.
    delivered: Vec<String>,
    /// At one time.
    now: usize,
    /// The most at one time.
    most: usize,
}

impl Alerters for SlowReceiver {
    fn deliver(
        &self,
        alerter: PluginName,
        _: VersionReq,
        alert: Alert,
        attempt: u32,
    ) -> Boxed<'_, Delivery> {
        Box::pin(async move {
            {
                let mut seen = self.0.lock();
                seen.now += 1;
                seen.most = seen.most.max(seen.now);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            let mut seen = self.0.lock();
            seen.now -= 1;
            if alert.dedup_key.ends_with('7') && attempt < 3 {
                return Delivery::Delayed {
                    why: "503".to_owned(),
                    not_before: None,
                };
            }
            seen.delivered.push(alert.dedup_key);
            Delivery::Delivered {
                by: PluginIdentity {
                    name: alerter,
                    version: Version::new(1, 0, 0),
                    digest: "ab".repeat(32),
                },
                reference: None,
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_long_holds_up_no_other_to_the_same_receiver() {
    let world = FakeWorld::new(64);
    world.put(entry(1, "webhook", "a", "slow"));
    world.put(entry(2, "webhook", "b", "quick"));
    world.put(entry(3, "webhook", "a", "behind the slow one"));
    let (made, _) = attempts(
        &world,
        Duration::from_secs(120),
        |_, title, _| match title {
            "slow" => Act::DeliverAfter(Duration::from_secs(60)),
            _ => Act::Deliver,
        },
    )
    .await;
    let titles: Vec<_> = made.iter().map(|(_, title, _)| title.as_str()).collect();
    assert_eq!(titles, ["slow", "quick", "behind the slow one"]);
    assert_eq!(times_of("webhook", &made), [0, 0, 60]);
}

/// Holds everything back, and counts how often it is asked.
#[derive(Default)]
struct HoldsAll(AtomicU32);

impl AlertHolds for HoldsAll {
    fn why(&self, _: &Alert) -> Option<String> {
        self.0.fetch_add(1, SeqCst);
        Some("it is silenced".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_is_not_gone_through_for_each_that_arrives_and_once_where_much_is_over() {
    const MANY: u32 = 100;
    let world = FakeWorld::new(1024);
    let (sender, arrivals) = arrivals();
    let start = Instant::now();
    let holds = Arc::new(HoldsAll::default());
    let alerters = Arc::new(SlowReceiver::default());
    let service = service(&world, arrivals, start, alerters, holds.clone());
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    for number in 1..=u64::from(MANY) {
        let entry = entry(number, "webhook", &number.to_string(), "held");
        let written = answered(Ok(Committed::Durable(Vec::new())));
        assert!(sender.send(arrival(entry, written)).is_ok());
    }
    let second = Duration::from_secs(1);
    tokio::time::sleep(second).await;
    assert_eq!(holds.0.load(SeqCst), MANY, "once for each that arrived");
    for _ in 0..MANY {
        let closed = Event::new(EventKind::IncidentClosed, Severity::Low, NOW, "closed");
        drop(world.commit(vec![Change::Event(closed)].into()));
    }
    tokio::time::sleep(second).await;
    assert_eq!(holds.0.load(SeqCst), 2 * MANY, "and once more for each");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_an_alerter_is_sent_at_once_when_it_is_proved_to_deliver() {
    let world = FakeWorld::new(16);
    world.put(entry(1, "webhook", "a", "first"));
    let (_sender, arrivals) = arrivals();
    let start = Instant::now();
    let alerters = Arc::new(FakeAlerters {
        act: |_, _, _| Act::Delay(Some(Duration::from_secs(3_000))),
        attempts: Mutex::default(),
        start,
    });
    let holds = Arc::new(HoldsNothing);
    let service = service(&world, arrivals, start, alerters.clone(), holds);
    let health = service.health.clone();
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    tokio::time::sleep(Duration::from_secs(100)).await;
    health.proved(&PluginName::parse("webhook").unwrap());
    tokio::time::sleep(Duration::from_secs(100)).await;
    stop.cancel();
    running.await.unwrap();
    let made = alerters.attempts.lock().clone();
    assert_eq!(times_of("webhook", &made), [0, 100]);
}

/// Runs the service for a minute with a route that tells together, by target and failure, what fires within ten seconds; the attempts.
async fn grouped(world: &Arc<FakeWorld>, holds: Arc<dyn AlertHolds>) -> Vec<(String, String, u64)> {
    let (_sender, arrivals) = arrivals();
    let start = Instant::now();
    let alerters = Arc::new(FakeAlerters {
        act: |_, _, _| Act::Deliver,
        attempts: Mutex::default(),
        start,
    });
    let mut service = service(world, arrivals, start, alerters.clone(), holds);
    let mut config = Spec::clone(&spec(Vec::new()));
    config.alerts = vec![AlertRoute {
        min_severity: Severity::Low,
        events: Vec::new(),
        target: None,
        alerter: PluginName::parse("webhook").unwrap(),
        version: VersionReq::STAR,
        grouping: Some(AlertGrouping {
            wait: Duration::from_secs(10),
            by: vec![GroupBy::Target, GroupBy::Failure],
        }),
    }];
    let (_config, grouping) = watch::channel(Arc::new(config));
    service.shared.spec = grouping;
    let stop = CancellationToken::new();
    let running = tokio::spawn(service.run(stop.clone()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    stop.cancel();
    running.await.unwrap();
    alerters.attempts.lock().clone()
}

#[tokio::test(start_paused = true)]
async fn what_a_route_tells_together_is_one_delivery_and_so_is_its_end_after_a_restart() {
    let world = FakeWorld::new(64);
    let of = |number, key: &str, target: &str| {
        let mut entry = entry(number, "webhook", key, key);
        entry.alert.target = Some(crate::services::testing::specs::name(target));
        entry
    };
    for (number, key) in [(1, "a"), (2, "b"), (3, "c")] {
        world.put(of(number, key, "web"));
    }
    world.put(of(4, "d", "db"));
    let mut slow = of(5, "e", "web");
    let failure = ("failure".to_owned(), "slow".to_owned());
    slow.alert.labels.push(failure);
    world.put(slow);
    let made = grouped(&world, Arc::new(HoldsNothing)).await;
    let titles: Vec<&str> = made.iter().map(|(_, title, _)| title.as_str()).collect();
    let together = "[test] 3 alerts, the most severe: a";
    assert_eq!(titles, ["d", together, "e"]);
    assert_eq!(times_of("webhook", &made), [10, 10, 10]);
    let members = world.outbox.lock().clone();
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|member| {
        let part = member.part_of.as_ref();
        part.is_some_and(|part| part.group == "test/alerts/target=web/failure=")
    }));
    let kinds = |kind: EventKind| {
        let events = world.events.lock();
        events.iter().filter(|event| event.kind == kind).count()
    };
    assert_eq!(kinds(EventKind::AlertGrouped), 3);
    assert_eq!(kinds(EventKind::AlertDelivered), 3);
    // The next daemon reads of all ends but one.
    let over = |number, key: &str| {
        let mut entry = of(number, key, "web");
        entry.alert.status = AlertStatus::Resolved;
        entry
    };
    world.put(over(6, "a"));
    world.put(over(7, "b"));
    assert!(grouped(&world, Arc::new(HoldsNothing)).await.is_empty());
    assert_eq!(world.outbox.lock().len(), 1);
    world.put(over(8, "c"));
    let made = grouped(&world, Arc::new(HoldsNothing)).await;
    let titles: Vec<&str> = made.iter().map(|(_, title, _)| title.as_str()).collect();
    assert_eq!(titles, ["[test] all alerts of a group are over"]);
    assert!(world.outbox.lock().is_empty());
}

/// Holds the alerts of groups back.
struct HoldsGroups;

impl AlertHolds for HoldsGroups {
    fn why(&self, alert: &Alert) -> Option<String> {
        (alert.dedup_key == "test/alerts/target=/failure=").then(|| "it is silenced".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn who_silences_the_key_of_a_group_is_not_told_of_it_until_that_ends() {
    let world = FakeWorld::new(64);
    for (number, key) in [(1, "a"), (2, "b")] {
        world.put(entry(number, "webhook", key, key));
    }
    // Also over a restart.
    for _ in 0..2 {
        assert!(grouped(&world, Arc::new(HoldsGroups)).await.is_empty());
    }
    assert_eq!(world.outbox.lock().len(), 3, "the group's, and its members");
    let made = grouped(&world, Arc::new(HoldsNothing)).await;
    let titles: Vec<&str> = made.iter().map(|(_, title, _)| title.as_str()).collect();
    assert_eq!(titles, ["[test] 2 alerts, the most severe: a"]);
    let events = world.events.lock();
    let held = events
        .iter()
        .filter(|event| event.kind == EventKind::AlertHeld);
    assert_eq!(held.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_critical_has_no_end_or_may_have_arrived_waits_for_no_others() {
    let world = FakeWorld::new(64);
    let mut critical = entry(1, "webhook", "a", "critical");
    critical.alert.severity = Severity::Critical;
    let mut news = entry(2, "webhook", "b", "news");
    news.alert.kind = "process.exited".to_owned();
    let mut cut = entry(3, "webhook", "c", "cut");
    cut.begun = true;
    for one in [critical, news, cut] {
        world.put(one);
    }
    for (number, key) in [(4, "d"), (5, "e")] {
        world.put(entry(number, "webhook", key, key));
    }
    let made = grouped(&world, Arc::new(HoldsNothing)).await;
    assert_eq!(times_of("webhook", &made), [0, 0, 0, 10]);
    let titles: Vec<&str> = made.iter().map(|(_, title, _)| title.as_str()).collect();
    assert_eq!(titles[..3], ["critical", "news", "cut"]);
}
