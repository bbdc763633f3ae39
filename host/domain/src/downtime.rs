//! For how long something failed, of incidents that may overlap.

use crate::time::Timestamp;
use std::time::Duration;

/// The time within a window in which at least one incident was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downtime {
    /// Up to here everything is counted.
    counted_to: Timestamp,
    /// The end of the window.
    until: Timestamp,
    total: Duration,
}

impl Downtime {
    /// Nothing has failed yet, of a window from `since` until `until`.
    pub fn within(since: Timestamp, until: Timestamp) -> Self {
        Self {
            counted_to: since,
            until,
            total: Duration::ZERO,
        }
    }

    /// Counts an incident; none of the ones before was opened later. One without an end lasts.
    ///
    /// ```
    /// use mainstay_domain::{downtime::Downtime, time::Timestamp};
    /// use std::time::Duration;
    /// let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
    /// let mut down = Downtime::within(at(10), at(100));
    /// down.add(at(0), Some(at(20)));
    /// down.add(at(15), Some(at(30)));
    /// down.add(at(16), Some(at(18)));
    /// down.add(at(90), None);
    /// assert_eq!(down.total(), Duration::from_secs(20 + 10));
    /// ```
    pub fn add(&mut self, opened: Timestamp, closed: Option<Timestamp>) {
        let from = opened.max(self.counted_to);
        let to = closed.unwrap_or(self.until).min(self.until);
        if to > from {
            self.total += to.since(from);
            self.counted_to = to;
        }
    }

    /// How long in all.
    pub fn total(&self) -> Duration {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn what_is_outside_of_the_window_is_not_counted() {
        for (opened, closed, seconds) in [
            (0, Some(5), 0),
            (0, Some(10), 0),
            (0, Some(200), 90),
            (0, None, 90),
            (100, None, 0),
            (150, None, 0),
            (50, Some(40), 0),
        ] {
            let mut down = Downtime::within(at(10), at(100));
            down.add(at(opened), closed.map(at));
            let expected = Duration::from_secs(seconds);
            assert_eq!(down.total(), expected, "{opened} to {closed:?}");
        }
    }
}
