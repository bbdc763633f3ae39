use super::*;
use crate::{
    alert::{AlertStatus, after_failure, delivery::LONGEST_WAIT},
    id::IdSource,
};
use proptest::prelude::*;
use std::{cmp::Reverse, collections::HashSet};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn second(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn plugin(name: &str) -> PluginName {
    PluginName::parse(name).unwrap()
}

fn entry(number: u64, alerter: &str, dedup_key: &str, due: Timestamp) -> OutboxEntry {
    OutboxEntry {
        alert: Alert {
            id: AlertId::new(IdSource::new(number).next(due)),
            dedup_key: dedup_key.to_owned(),
            status: AlertStatus::Firing,
            severity: Severity::High,
            at: due,
            kind: "operation.failed".to_owned(),
            title: String::new(),
            body: String::new(),
            target: None,
            operation: None,
            labels: Vec::new(),
        },
        alerter: plugin(alerter),
        attempts: 0,
        tried_for: Duration::ZERO,
        due,
        last_error: None,
        follows: false,
        begun: false,
        part_of: None,
        in_place_of: Vec::new(),
    }
}

fn outbox_of(entries: &[OutboxEntry]) -> Outbox {
    let mut outbox = Outbox::default();
    for entry in entries {
        assert_eq!(outbox.add(entry.clone()), None);
    }
    outbox
}

/// One delivery at a time to each alerter, and none to those that are busy.
fn one_each(busy: &BTreeSet<PluginName>) -> impl Fn(&PluginName) -> usize {
    move |alerter: &PluginName| usize::from(!busy.contains(alerter))
}

fn always_one(_: &PluginName) -> usize {
    1
}

/// The outbox as alerter, key and the second in which it is due; what is delivered in second 100, by its place.
fn check_next(outbox: &[(&str, &str, u64)], busy: &[&str], expected: &[usize], rest: Option<u64>) {
    let entries: Vec<_> = (0..)
        .zip(outbox)
        .map(|(number, (alerter, key, due))| entry(number, alerter, key, second(*due)))
        .collect();
    let busy = busy.iter().map(|name| plugin(name)).collect();
    let found = outbox_of(&entries).due(one_each(&busy), second(100));
    let expected = expected.iter().map(|place| entries[*place].clone());
    assert_eq!(
        found,
        (expected.collect(), rest.map(Duration::from_secs)),
        "{outbox:?}"
    );
}

#[test]
fn each_alerter_gets_its_oldest_due_alert_unless_it_is_busy() {
    check_next(&[], &[], &[], None);
    let outbox = [
        ("mail", "a", 100),
        ("mail", "b", 90),
        ("page", "a", 130),
        ("page", "b", 120),
        ("log", "a", 90),
    ];
    check_next(&outbox, &["log"], &[0], Some(20));
    check_next(&outbox, &["mail", "page"], &[4], None);
}

#[test]
fn no_alert_overtakes_an_earlier_one_about_the_same() {
    // The firing one is delayed, the resolved one has to wait for it; others do not.
    let outbox = [
        ("page", "a", 130),
        ("page", "a", 100),
        ("mail", "a", 100),
        ("page", "b", 100),
    ];
    check_next(&outbox, &[], &[2, 3], None);
    check_next(&outbox[..3], &[], &[2], Some(30));
    check_next(&outbox[..2], &[], &[], Some(30));
    check_next(&outbox[..2], &["page"], &[], None);
}

#[test]
fn a_clock_that_went_back_has_nothing_wait_for_longer_than_the_longest_wait() {
    check_next(&[("page", "a", 100 + 3_600)], &[], &[], Some(3_600));
    check_next(&[("page", "a", 100 + 3_601)], &[], &[0], None);
}

#[test]
fn what_is_due_in_seconds_does_not_wait_for_the_size_of_a_jump() {
    let begin = second(1_000_000);
    let mut outbox = outbox_of(&[entry(1, "page", "a", begin + 2 * SECOND)]);
    assert_eq!(outbox.due(always_one, begin), (vec![], Some(2 * SECOND)));
    // It is set back by half an hour, and looked at again a minute later.
    let now = begin - 30 * 60 * SECOND + 60 * SECOND;
    let (due, rest) = outbox.due(always_one, now);
    assert_eq!((due.len(), rest), (0, Some(2 * SECOND)));
    let (due, _) = outbox.due(always_one, now + 2 * SECOND);
    assert_eq!(due.len(), 1);
    // What was given goes on as if nothing had been.
    let later = after_failure(due[0].clone(), String::new(), None, now + 2 * SECOND).unwrap();
    outbox.ended(&later.alert.id, &later.alerter);
    outbox.change(later);
    let (due, rest) = outbox.due(always_one, now + 2 * SECOND);
    assert_eq!((due.len(), rest), (0, Some(SECOND)));
    assert_eq!(outbox.due(always_one, now + 3 * SECOND).0.len(), 1);
}

#[test]
fn what_waited_behind_an_alert_is_given_up_a_day_after_it_was_raised_too() {
    let at = second(1);
    let given_up = entry(1, "page", "a", at);
    let behind = entry(2, "page", "a", at + 6 * HOUR);
    let outbox = outbox_of(&[given_up.clone(), entry(3, "mail", "a", at), behind.clone()]);
    let (alert, now) = (&given_up.alert, at + 24 * HOUR);
    let next = outbox
        .after_giving_up(alert, &given_up.alerter, now)
        .unwrap();
    assert_eq!(next.alert, behind.alert);
    assert_eq!((next.tried_for, next.due), (18 * HOUR, now));
    let alone = outbox_of(std::slice::from_ref(&given_up));
    assert_eq!(alone.after_giving_up(alert, &given_up.alerter, now), None);
    // Where it is a day old already it has one attempt.
    let old = OutboxEntry {
        tried_for: GIVEN_UP_AFTER,
        ..next
    };
    assert_eq!(after_failure(old, String::new(), None, now), None);
}

#[test]
fn of_too_many_the_oldest_of_the_least_severe_goes() {
    let mut outbox = Outbox::default();
    for number in 0..Outbox::MOST as u64 {
        let mut entry = entry(number, "page", &number.to_string(), second(1));
        if number == 7 || number == 9 {
            entry.alert.severity = Severity::Low;
        }
        assert_eq!(outbox.add(entry), None);
    }
    for (number, gone) in (1_000_000..).zip(["7", "9", "0"]) {
        let more = entry(number, "page", &number.to_string(), second(1));
        assert_eq!(outbox.add(more).unwrap().alert.dedup_key, gone);
    }
    let mut least = entry(1, "mail", "least", second(1));
    least.alert.severity = Severity::Low;
    assert_eq!(outbox.add(least.clone()), Some(least));
}

fn severe(mut entry: OutboxEntry, severity: Severity) -> OutboxEntry {
    entry.alert.severity = severity;
    entry
}

/// The keys of what is given, in order.
fn keys(due: &[OutboxEntry]) -> Vec<&str> {
    let keys = due.iter().map(|entry| entry.alert.dedup_key.as_str());
    keys.collect()
}

#[test]
fn the_most_severe_goes_first_also_where_it_comes_last() {
    let at = second(1);
    let mut outbox = Outbox::default();
    for (number, severity) in (1..).zip([Severity::Low, Severity::High, Severity::Critical]) {
        let entry = entry(number, "page", severity.as_str(), at);
        outbox.add(severe(entry, severity));
    }
    let (due, _) = outbox.due(|_| 2, at);
    assert_eq!(keys(&due), ["critical", "high"]);
    outbox.done(&due[0].alert.id, &due[0].alerter);
    let (none, _) = outbox.due(|_| 2, at);
    assert!(none.is_empty(), "its delivery has not ended");
    outbox.ended(&due[0].alert.id, &due[0].alerter);
    assert_eq!(keys(&outbox.due(|_| 2, at).0), ["low"]);
}

#[test]
fn what_stands_before_a_more_severe_one_about_the_same_is_as_urgent() {
    let at = second(1);
    let mut outbox = outbox_of(&[
        severe(entry(1, "page", "a", at), Severity::Low),
        entry(2, "page", "b", at),
    ]);
    // Both are ready when the third comes.
    assert!(outbox.due(|_| 0, at).0.is_empty());
    outbox.add(severe(entry(3, "page", "a", at), Severity::Critical));
    let (due, _) = outbox.due(|_| 1, at);
    assert_eq!((due.len(), due[0].alert.severity), (1, Severity::Low));
    let first = &due[0];
    outbox.done(&first.alert.id, &first.alerter);
    outbox.ended(&first.alert.id, &first.alerter);
    let (due, _) = outbox.due(|_| 1, at);
    assert_eq!(due[0].alert.severity, Severity::Critical);
}

#[test]
fn many_are_under_way_and_slow_alerters_leave_a_place_to_every_other() {
    let at = second(1);
    let mut outbox = Outbox::default();
    for number in 0..100 {
        for (alerter, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            let number = number * 10 + alerter as u64;
            outbox.add(entry(number, name, &number.to_string(), at));
        }
    }
    outbox.add(entry(5_000, "z", "z", at));
    let (due, rest) = outbox.due(|_| 1_000, at);
    let of = |name: &str| {
        let own = due.iter().filter(|entry| entry.alerter.as_str() == name);
        own.count()
    };
    assert_eq!(rest, None);
    let most = Outbox::MOST_OF_ONE;
    let mut names = ["a", "b", "c", "d", "e"].into_iter();
    assert!(names.all(|name| of(name) <= most));
    assert!(of("e") >= 1 && of("z") == 1);
    // One to each alerter that has none comes on top.
    assert!(due.len() >= Outbox::MOST_AT_ONCE && due.len() < Outbox::MOST_AT_ONCE + 6);
    assert!(outbox.due(|_| 1_000, at).0.is_empty());
}

#[test]
fn a_delivery_that_ends_without_a_word_is_due_again_and_is_given_once_at_a_time() {
    let at = second(1);
    let mut outbox = outbox_of(&[entry(1, "page", "a", at), entry(2, "page", "a", at)]);
    let (due, _) = outbox.due(|_| 8, at);
    assert_eq!(due.len(), 1);
    assert_eq!(outbox.due(|_| 8, at), (vec![], None));
    outbox.ended(&due[0].alert.id, &due[0].alerter);
    assert_eq!(outbox.due(|_| 8, at).0, due);
}

#[test]
fn what_is_under_way_is_never_pushed_out() {
    let at = second(1);
    let mut outbox = outbox_of(&[severe(entry(1, "page", "first", at), Severity::Low)]);
    assert_eq!(outbox.due(always_one, at).0.len(), 1);
    for number in 2..=Outbox::MOST as u64 {
        let low = severe(
            entry(number, "page", &number.to_string(), at),
            Severity::Low,
        );
        assert_eq!(outbox.add(low), None);
    }
    let more = entry(1_000_000, "page", "more", at);
    assert_eq!(outbox.add(more).unwrap().alert.dedup_key, "2");
}

/// What it must do, in the plainest form.
#[derive(Default)]
struct Plain {
    entries: Vec<OutboxEntry>,
    /// The deliveries that have not ended.
    under_way: Vec<(AlertId, PluginName)>,
    /// Those of them of which nobody has said what came of them.
    given: HashSet<(AlertId, PluginName)>,
}

fn name_of(entry: &OutboxEntry) -> (AlertId, PluginName) {
    (entry.alert.id.clone(), entry.alerter.clone())
}

impl Plain {
    fn due(&mut self, most: usize, now: Timestamp) -> (Vec<OutboxEntry>, Option<Duration>) {
        let (mut lanes, mut ready, mut waits) = (HashSet::new(), Vec::new(), Vec::new());
        for (place, entry) in self.entries.iter().enumerate() {
            if !lanes.insert(delivery_lane(entry)) || self.given.contains(&name_of(entry)) {
                continue;
            }
            let in_line = self.entries.iter();
            let in_line = in_line.filter(|other| delivery_lane(other) == delivery_lane(entry));
            let urgency = in_line.map(|other| other.alert.severity).max();
            if entry.due <= now || entry.due.since(now) > LONGEST_WAIT {
                ready.push((Reverse(urgency), place));
            } else {
                waits.push((entry.alerter.clone(), entry.due.since(now)));
            }
        }
        ready.sort();
        let mut due = Vec::new();
        for (_, place) in ready {
            let entry = self.entries[place].clone();
            if self.has_room(&entry.alerter, most) {
                self.under_way.push(name_of(&entry));
                self.given.insert(name_of(&entry));
                due.push(entry);
            }
        }
        let waits = waits
            .iter()
            .filter(|(alerter, _)| self.has_room(alerter, most));
        let rest = waits.map(|(_, wait)| *wait).min();
        (due, rest)
    }

    fn has_room(&self, alerter: &PluginName, most: usize) -> bool {
        let own = self.under_way.iter().filter(|(_, by)| by == alerter);
        own.count() < most
    }

    /// Whether it was under way.
    fn said(&mut self, entry: &OutboxEntry) -> bool {
        self.given.remove(&name_of(entry))
    }

    fn ended(&mut self, entry: &OutboxEntry) {
        let name = name_of(entry);
        self.under_way.retain(|one| *one != name);
        self.given.remove(&name);
    }

    fn place(&self, number: usize) -> Option<usize> {
        (!self.entries.is_empty()).then(|| number % self.entries.len())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8, u8, u16, u8),
    /// The one at this place, modulo what there is.
    Done(usize),
    Delay(usize, u16),
    /// Its delivery breaks off, where there is one.
    BreakOff(usize),
    /// The clock goes on.
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8, 0..3_u8, 0..3_600_u16, 0..4_u8)
            .prop_map(|(alerter, key, due, severity)| Step::Add(alerter, key, due, severity)),
        2 => any::<usize>().prop_map(Step::Done),
        2 => (any::<usize>(), 0..3_600_u16).prop_map(|(place, due)| Step::Delay(place, due)),
        1 => any::<usize>().prop_map(Step::BreakOff),
        2 => (0..3_000_u16).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn it_gives_what_a_list_read_whole_would_give(
        steps in prop::collection::vec(step(), 1..60),
        most in 0..4_usize,
    ) {
        let name = |number: u8| plugin(["log", "mail", "page"][usize::from(number)]);
        let (mut outbox, mut plain, mut now) = (Outbox::default(), Plain::default(), second(1));
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Add(alerter, key, due, severity) => {
                    let alerter = name(alerter);
                    let due = now + u32::from(due) * SECOND;
                    let entry = entry(number as u64, alerter.as_str(), &key.to_string(), due);
                    let entry = severe(entry, Severity::ALL[usize::from(severity)]);
                    prop_assert_eq!(outbox.add(entry.clone()), None);
                    plain.entries.push(entry);
                }
                Step::Done(place) => if let Some(place) = plain.place(place) {
                    let entry = plain.entries.remove(place);
                    outbox.done(&entry.alert.id, &entry.alerter);
                    if plain.said(&entry) {
                        outbox.ended(&entry.alert.id, &entry.alerter);
                        plain.ended(&entry);
                    }
                },
                Step::Delay(place, due) => if let Some(place) = plain.place(place) {
                    plain.entries[place].due = now + u32::from(due) * SECOND;
                    let entry = plain.entries[place].clone();
                    outbox.change(entry.clone());
                    if plain.said(&entry) {
                        outbox.ended(&entry.alert.id, &entry.alerter);
                        plain.ended(&entry);
                    }
                },
                Step::BreakOff(place) => if let Some(place) = plain.place(place) {
                    let entry = plain.entries[place].clone();
                    if plain.given.contains(&name_of(&entry)) {
                        outbox.ended(&entry.alert.id, &entry.alerter);
                        plain.ended(&entry);
                    }
                },
                Step::Pass(length) => now = now + u32::from(length) * SECOND,
            }
            prop_assert_eq!(outbox.due(|_| most, now), plain.due(most, now));
        }
    }
}
