//! Which alerts are delivered now, when one that was not delivered is tried again, and when it is given up.

use super::OutboxEntry;
use crate::{name::PluginName, time::Timestamp};
use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

const LONGEST: Duration = Duration::from_secs(300);
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The oldest due entry of each alerter that is not busy, and how long until the next is due, if one is. `outbox` is
/// in the order in which the alerts were raised. What is said about one thing is delivered in that order: while an
/// earlier entry for the same alerter and with the same key is in the outbox, a later one has to wait.
pub fn next_deliveries(
    outbox: Vec<OutboxEntry>,
    mut busy: BTreeSet<PluginName>,
    now: Timestamp,
) -> (Vec<OutboxEntry>, Option<Duration>) {
    let mut earlier = HashSet::new();
    let mut deliveries = Vec::new();
    let mut rest: Option<Duration> = None;
    for entry in outbox {
        let is_first = earlier.insert((entry.alerter.clone(), entry.alert.dedup_key.clone()));
        if !is_first || busy.contains(&entry.alerter) {
            continue;
        }
        if entry.due > now {
            let wait = entry.due.since(now);
            rest = Some(rest.map_or(wait, |rest| rest.min(wait)));
        } else {
            busy.insert(entry.alerter.clone());
            deliveries.push(entry);
        }
    }
    (deliveries, rest)
}

/// How long is waited after so many attempts: a second, doubled each time up to five minutes; nothing before the first.
pub fn retry_after(attempts: u32) -> Duration {
    let Some(doublings) = attempts.checked_sub(1) else {
        return Duration::ZERO;
    };
    Duration::from_secs(2_u64.saturating_pow(doublings)).min(LONGEST)
}

/// An attempt failed, and said this. The entry as it is tried again; `None` where the alert is a day old: it is
/// abandoned.
pub fn after_failure(mut entry: OutboxEntry, error: String, now: Timestamp) -> Option<OutboxEntry> {
    if now.since(entry.alert.at) >= GIVEN_UP_AFTER {
        return None;
    }
    entry.attempts = entry.attempts.saturating_add(1);
    entry.due = now + retry_after(entry.attempts);
    entry.last_error = Some(error);
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alert::{Alert, AlertStatus},
        id::AlertId,
        name::PluginName,
        severity::Severity,
    };

    fn check(attempts: u32, seconds: u64) {
        assert_eq!(
            retry_after(attempts),
            Duration::from_secs(seconds),
            "{attempts}"
        );
    }

    #[test]
    fn the_wait_doubles_from_a_second_to_five_minutes() {
        check(0, 0);
        check(1, 1);
        check(2, 2);
        check(9, 256);
        check(10, 300);
        check(u32::MAX, 300);
    }

    fn entry(alerter: &str, dedup_key: &str, due: Timestamp) -> OutboxEntry {
        OutboxEntry {
            alert: Alert {
                id: AlertId::parse("alr-01K0000000000000000000000A").unwrap(),
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
            alerter: PluginName::parse(alerter).unwrap(),
            attempts: 0,
            due,
            last_error: None,
        }
    }

    /// The outbox as alerter, key and the second in which it is due; what is delivered in second 100, by its place.
    fn check_next(
        outbox: &[(&str, &str, u64)],
        busy: &[&str],
        expected: &[usize],
        rest: Option<u64>,
    ) {
        let second = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        let entries: Vec<_> = outbox
            .iter()
            .map(|(alerter, key, due)| entry(alerter, key, second(*due)))
            .collect();
        let busy = busy.iter().map(|name| PluginName::parse(name).unwrap());
        let found = next_deliveries(entries.clone(), busy.collect(), second(100));
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
        check_next(&outbox, &[], &[2, 3], Some(30));
        check_next(&outbox[..2], &[], &[], Some(30));
        check_next(&outbox[..2], &["page"], &[], None);
    }

    #[test]
    fn an_alert_is_tried_for_a_day_and_then_given_up() {
        let at = Timestamp::from_millis(1_000);
        let mut entry = entry("webhook", "key", at);
        let mut attempts = 0;
        let end = loop {
            let now = entry.due;
            match after_failure(entry, "no route".to_owned(), now) {
                Some(again) => {
                    assert!(again.due > now);
                    assert_eq!(again.last_error.as_deref(), Some("no route"));
                    attempts = again.attempts;
                    entry = again;
                }
                None => break now,
            }
        };
        assert!(end.since(at) >= GIVEN_UP_AFTER && end.since(at) < GIVEN_UP_AFTER + LONGEST);
        assert!(attempts > 280, "{attempts}");
    }
}
