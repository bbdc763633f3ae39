//! When an alert that was not delivered is tried again, and when it is given up.

use super::OutboxEntry;
use crate::time::Timestamp;
use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(300);
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

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

    #[test]
    fn an_alert_is_tried_for_a_day_and_then_given_up() {
        let at = Timestamp::from_millis(1_000);
        let mut entry = OutboxEntry {
            alert: Alert {
                id: AlertId::parse("alr-01K0000000000000000000000A").unwrap(),
                dedup_key: "key".to_owned(),
                status: AlertStatus::Firing,
                severity: Severity::High,
                at,
                kind: "operation.failed".to_owned(),
                title: String::new(),
                body: String::new(),
                target: None,
                operation: None,
                labels: Vec::new(),
            },
            alerter: PluginName::parse("webhook").unwrap(),
            attempts: 0,
            due: at,
            last_error: None,
        };
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
