//! What is told together, and that nothing of it is lost or doubled wherever a daemon ends.

use super::*;
use crate::{alert::Alert, id::AlertId};
use proptest::prelude::*;

const WAIT: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);
const GROUP: &str = "db1/alerts";

/// An outbox on a disk, the daemon that works on it, and what its receiver got.
struct World {
    rows: Vec<OutboxEntry>,
    groups: AlertGroups,
    /// What is to be delivered, in order.
    line: Vec<OutboxEntry>,
    ids: IdSource,
    now: Timestamp,
    received: Vec<Alert>,
    /// What is wrong, with how often each was, and how bad it is.
    wrong: BTreeMap<String, Severity>,
    episodes: BTreeMap<String, u32>,
}

impl World {
    fn new() -> Self {
        Self {
            rows: Vec::new(),
            groups: AlertGroups::default(),
            line: Vec::new(),
            ids: IdSource::new(1),
            now: Timestamp::from_millis(1_700_000_000_000),
            received: Vec::new(),
            wrong: BTreeMap::new(),
            episodes: BTreeMap::new(),
        }
    }

    /// What is said of this episode of it.
    fn title(&self, key: &str) -> String {
        format!("{key}#{};", self.episodes[key])
    }

    fn raise(&mut self, key: &str, status: AlertStatus, severity: Severity, follows: bool) {
        let title = self.title(key);
        let alert = Alert {
            id: AlertId::new(self.ids.next(self.now)),
            dedup_key: key.to_owned(),
            status,
            severity,
            at: self.now,
            kind: "incident.opened".to_owned(),
            title: format!("[db1] {title}"),
            body: format!("What happened: {title}\n"),
            target: None,
            operation: None,
            labels: Vec::new(),
        };
        let mut entry = OutboxEntry::new(alert, PluginName::parse("page").unwrap());
        entry.follows = follows;
        // With its event, before anybody is handed it.
        self.rows.push(entry.clone());
        self.arrive(entry);
    }

    /// It fires, or what was said of it gets worse.
    fn fire(&mut self, key: &str, severity: Severity) {
        let follows = self.wrong.contains_key(key);
        if !follows {
            *self.episodes.entry(key.to_owned()).or_default() += 1;
        }
        let worst = self.wrong.entry(key.to_owned()).or_insert(severity);
        *worst = severity.max(*worst);
        self.raise(key, AlertStatus::Firing, severity, follows);
    }

    fn resolve(&mut self, key: &str) {
        if let Some(severity) = self.wrong.remove(key) {
            self.raise(key, AlertStatus::Resolved, severity, false);
        }
    }

    fn arrive(&mut self, entry: OutboxEntry) {
        let rule = (!entry.may_have_arrived()).then(|| GroupRule {
            key: GROUP.to_owned(),
            wait: WAIT,
        });
        let steps = self.ask(|groups, telling| groups.arrive(entry, rule, telling));
        self.take(steps);
    }

    fn ask<T>(&mut self, ask: impl FnOnce(&mut AlertGroups, &mut Telling<'_>) -> T) -> T {
        let mut telling = Telling {
            host_name: "db1",
            now: self.now,
            ids: &mut self.ids,
        };
        ask(&mut self.groups, &mut telling)
    }

    fn pass(&mut self, length: Duration) {
        self.now = self.now + length;
        let steps = self.ask(|groups, telling| groups.due(telling));
        self.take(steps);
    }

    fn take(&mut self, steps: Vec<GroupStep>) {
        for step in steps {
            match step {
                GroupStep::Alone(entry) => self.line.push(*entry),
                GroupStep::Together(together) => {
                    for entry in together.told.iter().chain(&together.members) {
                        self.write(entry);
                    }
                    let is_done = |row: &OutboxEntry| {
                        let mut done = together.done.iter();
                        done.any(|entry| entry.alert.id == row.alert.id)
                    };
                    self.rows.retain(|row| !is_done(row));
                    self.line.extend(together.told);
                }
            }
        }
    }

    /// Inserts or replaces, in its place.
    fn write(&mut self, entry: &OutboxEntry) {
        let mut rows = self.rows.iter_mut();
        match rows.find(|row| row.alert.id == entry.alert.id) {
            Some(row) => *row = entry.clone(),
            None => self.rows.push(entry.clone()),
        }
    }

    /// Delivers the first; the daemon may end before this step of it.
    fn deliver(&mut self, ends_before: Option<u8>) {
        if self.line.is_empty() {
            return;
        }
        let mut entry = self.line.remove(0);
        entry.begun = true;
        self.write(&entry);
        if ends_before == Some(0) {
            return self.crash();
        }
        // Receivers deduplicate by the identifier.
        if self.received.iter().all(|alert| alert.id != entry.alert.id) {
            self.received.push(entry.alert.clone());
        }
        if ends_before == Some(1) {
            return self.crash();
        }
        self.rows.retain(|row| row.alert.id != entry.alert.id);
        if ends_before == Some(2) {
            self.crash();
        }
    }

    fn deliver_all(&mut self) {
        while !self.line.is_empty() {
            self.deliver(None);
        }
    }

    /// The daemon ends, and the next one takes up the outbox.
    fn crash(&mut self) {
        self.groups = AlertGroups::default();
        self.line.clear();
        for row in self.rows.clone() {
            self.arrive(row);
        }
    }

    /// What came in since, a line each: `STATUS SEVERITY KEY`.
    fn take_received(&mut self) -> Vec<String> {
        self.deliver_all();
        let line = |alert: Alert| {
            let status = match alert.status {
                AlertStatus::Firing => "firing",
                AlertStatus::Resolved => "resolved",
            };
            format!("{status} {} {}", alert.severity, alert.dedup_key)
        };
        self.received.drain(..).map(line).collect()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn what_fires_within_the_wait_is_one_alert_that_is_over_when_all_of_it_is() {
    let mut world = World::new();
    world.fire("a", Severity::Low);
    world.pass(3 * SECOND);
    world.fire("b", Severity::High);
    world.fire("c", Severity::Medium);
    assert_eq!(world.take_received(), NOTHING);
    world.pass(7 * SECOND);
    world.deliver_all();
    let told = world.received.pop().unwrap();
    assert_eq!(world.take_received(), NOTHING, "one");
    assert_eq!((told.severity, told.kind.as_str()), (Severity::High, KIND));
    assert_eq!(told.title, "[db1] 3 alerts, the most severe: b#1;");
    let place = |text: &str| told.body.find(text).unwrap();
    assert!(place("b#1;") < place("c#1;") && place("c#1;") < place("a#1;"));
    for key in ["b", "a"] {
        world.resolve(key);
        world.pass(WAIT);
        assert_eq!(world.take_received(), NOTHING, "c is not over");
    }
    world.resolve("c");
    let over = format!("resolved high {GROUP}");
    assert_eq!(world.take_received(), [over], "as severe as it was told");
    assert!(world.rows.is_empty(), "{:?}", world.rows);
}

#[test]
fn one_alone_is_told_as_itself_and_so_is_its_end() {
    let mut world = World::new();
    world.fire("a", Severity::High);
    world.fire("a", Severity::High);
    world.pass(WAIT);
    assert_eq!(world.take_received(), ["firing high a", "firing high a"]);
    // What comes later is no part of what was told as itself.
    for key in ["b", "c"] {
        world.fire(key, Severity::Low);
    }
    world.pass(WAIT);
    assert_eq!(world.take_received(), [format!("firing low {GROUP}")]);
    world.resolve("a");
    assert_eq!(world.take_received(), ["resolved high a"]);
}

#[test]
fn a_critical_one_does_not_wait_and_takes_along_what_waits_of_the_same() {
    let mut world = World::new();
    world.fire("a", Severity::High);
    world.fire("b", Severity::High);
    world.fire("c", Severity::Critical);
    assert_eq!(world.take_received(), ["firing critical c"]);
    world.fire("a", Severity::Critical);
    let both = ["firing high a", "firing critical a"];
    assert_eq!(world.take_received(), both);
    world.pass(WAIT);
    assert_eq!(world.take_received(), ["firing high b"]);
}

#[test]
fn what_joins_later_or_gets_worse_updates_the_alert_of_the_group() {
    let mut world = World::new();
    let firing = |severity: &str| vec![format!("firing {severity} {GROUP}")];
    world.fire("a", Severity::Low);
    world.fire("b", Severity::Low);
    world.pass(WAIT);
    assert_eq!(world.take_received(), firing("low"));
    world.fire("c", Severity::Medium);
    world.fire("a", Severity::High);
    assert_eq!(world.take_received(), NOTHING, "it waits too");
    world.pass(WAIT);
    world.deliver_all();
    let labels = &world.received[0].labels;
    assert!(labels.contains(&("update".to_owned(), "true".to_owned())));
    assert!(labels.contains(&("alerts".to_owned(), "3".to_owned())));
    assert_eq!(world.take_received(), firing("high"));
    world.fire("b", Severity::Critical);
    assert_eq!(world.take_received(), firing("critical"), "at once");
    world.crash();
    for key in ["b", "c", "a"] {
        assert_eq!(world.take_received(), NOTHING);
        world.resolve(key);
    }
    let over = format!("resolved critical {GROUP}");
    assert_eq!(world.take_received(), [over], "though b ended before");
}

#[test]
fn what_was_to_be_told_as_itself_before_the_group_is_so_by_the_next_daemon_too() {
    let mut world = World::new();
    world.fire("a", Severity::High);
    world.pass(WAIT);
    world.resolve("a");
    // The receiver has none of it yet.
    world.fire("a", Severity::High);
    world.fire("b", Severity::High);
    world.pass(WAIT);
    world.crash();
    let group = format!("firing high {GROUP}");
    let told = ["firing high a", "resolved high a", group.as_str()];
    assert_eq!(world.take_received(), told);
    world.resolve("b");
    assert_eq!(world.take_received(), NOTHING, "a is not over");
    world.resolve("a");
    assert_eq!(world.take_received(), [format!("resolved high {GROUP}")]);
}

#[test]
fn a_message_knows_whom_it_stands_for() {
    let mut world = World::new();
    for key in ["a", "b"] {
        world.fire(key, Severity::High);
    }
    world.pass(WAIT);
    let firing = |alert: &Alert| alert.status == AlertStatus::Firing;
    let arrived: BTreeSet<AlertId> = world
        .rows
        .iter()
        .map(|entry| entry.alert.id.clone())
        .collect();
    let message = world
        .line
        .iter()
        .find(|entry| firing(&entry.alert))
        .unwrap();
    assert!(message.is_of_group());
    assert_eq!(message.in_place_of.len(), 2);
    assert!(message.in_place_of.iter().all(|id| arrived.contains(id)));
}

#[test]
fn what_is_over_within_the_wait_is_told_even_so() {
    let mut world = World::new();
    for key in ["a", "b"] {
        world.fire(key, Severity::High);
        world.resolve(key);
    }
    world.pass(WAIT);
    world.deliver_all();
    let told = &world.received[0];
    assert!(told.body.contains("a#1; (already over)"));
    assert_eq!(
        told.title,
        "[db1] 2 alerts, already over, the most severe: a#1;"
    );
    assert!(
        told.body.contains("\nWhat to do next: nothing; "),
        "{}",
        told.body
    );
    let both = ["firing", "resolved"].map(|status| format!("{status} high {GROUP}"));
    assert_eq!(world.take_received(), both);
}

#[test]
fn a_member_of_which_nothing_will_say_that_it_is_over_does_not_keep_its_group_open() {
    let mut world = World::new();
    world.fire("a", Severity::High);
    world.fire("b", Severity::High);
    world.pass(WAIT);
    world.deliver_all();
    world.received.clear();
    let page = PluginName::parse("page").unwrap();
    world.resolve("a");
    for key in ["a", "b"] {
        let together = world.ask(|groups, telling| groups.forget(&page, key, telling));
        world.take(together.map(GroupStep::Together).into_iter().collect());
    }
    world.deliver_all();
    let over = &world.received[0].body;
    let what = "told in this group is over, or nothing will be said of it any more\n";
    assert!(over.contains(what), "{over}");
    assert_eq!(world.take_received(), [format!("resolved high {GROUP}")]);
    assert!(world.rows.is_empty(), "{:?}", world.rows);
}

#[test]
fn of_very_many_the_first_are_named_and_the_number_of_the_others_is() {
    let mut world = World::new();
    for number in 0..100 {
        world.fire(&format!("k{number}"), Severity::Low);
    }
    world.pass(WAIT);
    world.deliver_all();
    let told = world.received.remove(0);
    assert!(told.title.contains("100 alerts"), "{}", told.title);
    assert!(told.body.contains("  and 80 more\n"), "{}", told.body);
    assert!(told.body.lines().count() < 40, "{}", told.body);
}

#[test]
fn a_clock_that_is_set_back_has_nobody_wait_for_the_size_of_the_jump() {
    let mut world = World::new();
    world.fire("a", Severity::High);
    world.now = world.now - Duration::from_secs(3_600);
    world.pass(Duration::ZERO);
    assert_eq!(world.groups.next(world.now), Some(WAIT));
    world.pass(WAIT);
    assert_eq!(world.take_received(), ["firing high a"]);
    assert_eq!(world.groups.next(world.now), None);
}

#[derive(Debug, Clone)]
enum Step {
    Fire(u8, u8),
    Resolve(u8),
    Pass(u8),
    Deliver(Option<u8>),
    /// The daemon ends.
    Crash,
    /// It ends when it has decided, and nothing of that is written.
    CrashUnwritten,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..5_u8, 0..4_u8).prop_map(|(key, severity)| Step::Fire(key, severity)),
        4 => (0..5_u8).prop_map(Step::Resolve),
        4 => (0..12_u8).prop_map(Step::Pass),
        4 => proptest::option::of(0..3_u8).prop_map(Step::Deliver),
        1 => Just(Step::Crash),
        1 => Just(Step::CrashUnwritten),
    ]
}

/// By key, what came in never is over before it fires, and is over in the end, by a message as severe as any of them.
fn check_keys(received: &[Alert]) {
    let mut open: BTreeMap<&str, Severity> = BTreeMap::new();
    for alert in received {
        let key = alert.dedup_key.as_str();
        match alert.status {
            AlertStatus::Firing => {
                let worst = open.entry(key).or_insert(alert.severity);
                *worst = alert.severity.max(*worst);
            }
            AlertStatus::Resolved => {
                let worst = open.remove(key);
                assert!(worst.is_some(), "{key} is over and did not fire");
                assert!(worst.is_some_and(|worst| alert.severity >= worst), "{key}");
            }
        }
    }
    assert!(open.is_empty(), "never over: {open:?}");
}

/// Each that fired was told as itself, or in the alert of the group, and not both.
fn check_told(world: &World) {
    for (key, count) in &world.episodes {
        for episode in 1..=*count {
            let title = format!("{key}#{episode};");
            let firing = world
                .received
                .iter()
                .filter(|alert| alert.status == AlertStatus::Firing);
            let telling = firing.filter(|alert| alert.body.contains(&title));
            let keys: BTreeSet<&str> = telling.map(|alert| alert.dedup_key.as_str()).collect();
            assert_eq!(keys.len(), 1, "{title} was told in {keys:?}");
        }
    }
}

proptest! {
    #[test]
    fn each_is_told_once_and_told_to_be_over_wherever_a_daemon_ends(
        steps in proptest::collection::vec((step(), proptest::bool::weighted(0.2)), 0..40),
    ) {
        let mut world = World::new();
        for (step, crashes) in steps {
            match step {
                Step::Fire(key, severity) => {
                    world.fire(&format!("k{key}"), Severity::ALL[usize::from(severity)]);
                }
                Step::Resolve(key) => world.resolve(&format!("k{key}")),
                Step::Pass(seconds) => world.pass(u32::from(seconds) * SECOND),
                Step::Deliver(ends_before) => world.deliver(ends_before),
                Step::Crash => world.crash(),
                Step::CrashUnwritten => {
                    drop(world.ask(|groups, telling| groups.due(telling)));
                    world.crash();
                }
            }
            if crashes {
                world.crash();
            }
        }
        for key in 0..5 {
            world.resolve(&format!("k{key}"));
        }
        world.pass(2 * WAIT);
        world.deliver_all();
        check_keys(&world.received);
        check_told(&world);
        prop_assert!(world.rows.is_empty(), "{:?}", world.rows);
        prop_assert_eq!(world.groups.members.len(), 0);
    }
}
