use super::*;
use crate::{
    alert::{AlertStatus, after_failure},
    id::IdSource,
};
use proptest::prelude::*;
use std::collections::HashSet;

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
    }
}

fn outbox_of(entries: &[OutboxEntry]) -> Outbox {
    let mut outbox = Outbox::default();
    for entry in entries {
        assert_eq!(outbox.add(entry.clone()), None);
    }
    outbox
}

/// The outbox as alerter, key and the second in which it is due; what is delivered in second 100, by its place.
fn check_next(outbox: &[(&str, &str, u64)], busy: &[&str], expected: &[usize], rest: Option<u64>) {
    let entries: Vec<_> = (0..)
        .zip(outbox)
        .map(|(number, (alerter, key, due))| entry(number, alerter, key, second(*due)))
        .collect();
    let busy = busy.iter().map(|name| plugin(name)).collect();
    let found = outbox_of(&entries).due(&busy, second(100));
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
    let nobody = BTreeSet::new();
    let begin = second(1_000_000);
    let mut outbox = outbox_of(&[entry(1, "page", "a", begin + 2 * SECOND)]);
    assert_eq!(outbox.due(&nobody, begin), (vec![], Some(2 * SECOND)));
    // It is set back by half an hour, and looked at again a minute later.
    let now = begin - 30 * 60 * SECOND + 60 * SECOND;
    let (due, rest) = outbox.due(&nobody, now);
    assert_eq!((due.len(), rest), (0, Some(2 * SECOND)));
    let (due, _) = outbox.due(&nobody, now + 2 * SECOND);
    assert_eq!(due.len(), 1);
    // What was given goes on as if nothing had been.
    let later = after_failure(due[0].clone(), String::new(), None, now + 2 * SECOND).unwrap();
    outbox.change(later);
    let (due, rest) = outbox.due(&nobody, now + 2 * SECOND);
    assert_eq!((due.len(), rest), (0, Some(SECOND)));
    assert_eq!(outbox.due(&nobody, now + 3 * SECOND).0.len(), 1);
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
    for (number, gone) in (20_000..).zip(["7", "9", "0"]) {
        let more = entry(number, "page", &number.to_string(), second(1));
        assert_eq!(outbox.add(more).unwrap().alert.dedup_key, gone);
    }
    let mut least = entry(1, "mail", "least", second(1));
    least.alert.severity = Severity::Low;
    assert_eq!(outbox.add(least.clone()), Some(least));
}

/// What it must do, in the plainest form.
#[derive(Default)]
struct Plain(Vec<OutboxEntry>);

impl Plain {
    fn due(
        &self,
        busy: &BTreeSet<PluginName>,
        now: Timestamp,
    ) -> (Vec<OutboxEntry>, Option<Duration>) {
        let (mut lanes, mut given) = (HashSet::new(), busy.clone());
        let mut due = Vec::new();
        let mut waits = Vec::new();
        for entry in &self.0 {
            if !lanes.insert(delivery_lane(entry)) || given.contains(&entry.alerter) {
                continue;
            }
            if entry.due <= now || entry.due.since(now) > LONGEST_WAIT {
                given.insert(entry.alerter.clone());
                due.push(entry.clone());
            } else {
                waits.push((entry.alerter.clone(), entry.due.since(now)));
            }
        }
        let waits = waits.iter().filter(|(alerter, _)| !given.contains(alerter));
        let rest = waits.map(|(_, wait)| *wait).min();
        (due, rest)
    }

    fn place(&self, number: usize) -> Option<usize> {
        (!self.0.is_empty()).then(|| number % self.0.len())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8, u8, u16),
    /// The one at this place, modulo what there is.
    Done(usize),
    Delay(usize, u16),
    /// The clock goes on.
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u8, 0..3_u8, 0..3_600_u16).prop_map(|(alerter, key, due)| Step::Add(alerter, key, due)),
        2 => any::<usize>().prop_map(Step::Done),
        2 => (any::<usize>(), 0..3_600_u16).prop_map(|(place, due)| Step::Delay(place, due)),
        2 => (0..3_000_u16).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn it_gives_what_a_list_read_whole_would_give(
        steps in prop::collection::vec(step(), 1..60),
        busy in prop::collection::btree_set(0..3_u8, 0..2),
    ) {
        let name = |number: u8| plugin(["log", "mail", "page"][usize::from(number)]);
        let busy: BTreeSet<PluginName> = busy.into_iter().map(name).collect();
        let (mut outbox, mut plain, mut now) = (Outbox::default(), Plain::default(), second(1));
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Add(alerter, key, due) => {
                    let alerter = name(alerter);
                    let entry = entry(number as u64, alerter.as_str(), &key.to_string(), now + u32::from(due) * SECOND);
                    prop_assert_eq!(outbox.add(entry.clone()), None);
                    plain.0.push(entry);
                }
                Step::Done(place) => if let Some(place) = plain.place(place) {
                    let entry = plain.0.remove(place);
                    outbox.done(&entry.alert.id, &entry.alerter);
                },
                Step::Delay(place, due) => if let Some(place) = plain.place(place) {
                    plain.0[place].due = now + u32::from(due) * SECOND;
                    outbox.change(plain.0[place].clone());
                },
                Step::Pass(length) => now = now + u32::from(length) * SECOND,
            }
            prop_assert_eq!(outbox.due(&busy, now), plain.due(&busy, now));
        }
    }
}
