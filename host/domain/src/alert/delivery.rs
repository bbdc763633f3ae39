//! Which alerts are delivered now, when one that was not delivered is tried again, and when it is given up.
//!
//! Invariant: a wall clock that jumps, as at the first synchronisation after a boot, neither has an alert given up
//! early nor has it wait for longer than [`LONGEST_WAIT`].

use super::{Alert, OutboxEntry};
use crate::{name::PluginName, time::Timestamp};
use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

/// The longest wait of the host's own back-off.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest wait at all; a receiver that asks for more gets this.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
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
        let wait = entry.due.since(now);
        // Nothing waits for longer than the longest wait: the clock has gone back.
        if !wait.is_zero() && wait <= LONGEST_WAIT {
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

/// An attempt failed, said this, and perhaps asked for a wait. The entry as it is tried again; `None` where it has
/// been tried for a day: it is abandoned. Its age does not say so, for the clock may have jumped since it was raised.
pub fn after_failure(
    mut entry: OutboxEntry,
    error: String,
    asked: Option<Duration>,
    now: Timestamp,
) -> Option<OutboxEntry> {
    let since_due = now.since(entry.due).min(LONGEST_WAIT);
    entry.tried_for = entry.tried_for.saturating_add(since_due);
    if entry.tried_for >= GIVEN_UP_AFTER {
        return None;
    }
    entry.attempts = entry.attempts.saturating_add(1);
    let asked = asked.unwrap_or_default().min(LONGEST_WAIT);
    let wait = retry_after(entry.attempts).max(asked);
    entry.tried_for = entry.tried_for.saturating_add(wait);
    entry.due = now + wait;
    entry.last_error = Some(error);
    Some(entry)
}

/// An alerter could not deliver an alert for a day. The next one about the same that had to wait for it, where there
/// is one: the time that it waited counts as tried, for else what piles up behind an alerter that is gone would be
/// given up a day after one another.
pub fn after_giving_up(
    alert: &Alert,
    alerter: &PluginName,
    outbox: Vec<OutboxEntry>,
    now: Timestamp,
) -> Option<OutboxEntry> {
    let mut next = outbox.into_iter().find(|entry| {
        entry.alerter == *alerter
            && entry.alert.dedup_key == alert.dedup_key
            && entry.alert.id != alert.id
    })?;
    next.tried_for = now.since(next.alert.at).min(GIVEN_UP_AFTER);
    next.due = now;
    Some(next)
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
            tried_for: Duration::ZERO,
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

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn no_route(entry: OutboxEntry, now: Timestamp) -> Option<OutboxEntry> {
        after_failure(entry, "no route".to_owned(), None, now)
    }

    #[test]
    fn a_clock_that_went_back_has_nothing_wait_for_longer_than_the_longest_wait() {
        check_next(&[("page", "a", 100 + 3_600)], &[], &[], Some(3_600));
        check_next(&[("page", "a", 100 + 3_601)], &[], &[0], None);
    }

    #[test]
    fn a_clock_that_jumps_forward_has_nothing_given_up() {
        let in_1970 = Timestamp::from_millis(5_000);
        let now = Timestamp::from_millis(1_700_000_000_000);
        let once = no_route(entry("page", "a", in_1970), in_1970).unwrap();
        let twice = no_route(once, now).unwrap();
        assert_eq!((twice.attempts, twice.due), (2, now + 2 * SECOND));
        assert!(twice.tried_for < 2 * HOUR, "{:?}", twice.tried_for);
    }

    #[test]
    fn a_receiver_can_ask_for_a_longer_wait_of_an_hour_at_most() {
        fn check(asked: Duration, expected: Duration) {
            let now = Timestamp::from_millis(1_000);
            let failed = entry("page", "a", now);
            let later = after_failure(failed, String::new(), Some(asked), now).unwrap();
            assert_eq!(later.due, now + expected, "{asked:?}");
        }
        check(Duration::ZERO, SECOND);
        check(30 * SECOND, 30 * SECOND);
        check(2 * HOUR, HOUR);
        check(Duration::MAX, HOUR);
    }

    #[test]
    fn what_waited_behind_an_alert_is_given_up_a_day_after_it_was_raised_too() {
        let at = Timestamp::from_millis(1_000);
        let given_up = entry("page", "a", at);
        let mut behind = entry("page", "a", at + 6 * HOUR);
        behind.alert.id = AlertId::parse("alr-01K0000000000000000000000B").unwrap();
        let outbox = vec![given_up.clone(), entry("mail", "a", at), behind.clone()];
        let (alert, now) = (&given_up.alert, at + 24 * HOUR);
        let next = after_giving_up(alert, &given_up.alerter, outbox, now).unwrap();
        assert_eq!(next.alert, behind.alert);
        assert_eq!((next.tried_for, next.due), (18 * HOUR, now));
        let alone = vec![given_up.clone()];
        assert_eq!(after_giving_up(alert, &given_up.alerter, alone, now), None);
        // Where it is a day old already it has one attempt.
        let old = OutboxEntry {
            tried_for: GIVEN_UP_AFTER,
            ..next
        };
        assert_eq!(no_route(old, now), None);
    }

    #[test]
    fn an_alert_is_tried_for_a_day_and_then_given_up() {
        let at = Timestamp::from_millis(1_000);
        let mut entry = entry("webhook", "key", at);
        let mut attempts = 0;
        let end = loop {
            let now = entry.due;
            match no_route(entry, now) {
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
