//! When an alert that was not delivered is tried again, and when it is given up.
//!
//! Invariant: a wall clock that jumps, as at the first synchronisation after a boot, neither has an alert given up
//! early nor has it wait for longer than [`LONGEST_WAIT`].

use super::OutboxEntry;
use crate::{backoff::Backoff, time::Timestamp};
use std::time::Duration;

/// The host's own waits.
const WAITS: Backoff = Backoff::doubled(Duration::from_secs(1), Duration::from_secs(300));
/// The longest wait at all; a receiver that asks for more gets this.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// For so long an alert is tried.
pub(super) const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How long is waited after so many attempts: a second, doubled each time up to five minutes; nothing before the first.
pub fn retry_after(attempts: u32) -> Duration {
    WAITS.after(attempts)
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
            follows: false,
            begun: false,
            part_of: None,
            in_place_of: Vec::new(),
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn no_route(entry: OutboxEntry, now: Timestamp) -> Option<OutboxEntry> {
        after_failure(entry, "no route".to_owned(), None, now)
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
        assert!(
            end.since(at) >= GIVEN_UP_AFTER
                && end.since(at) < GIVEN_UP_AFTER + WAITS.after(u32::MAX)
        );
        assert!(attempts > 280, "{attempts}");
    }
}
