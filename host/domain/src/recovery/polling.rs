//! When an operation looks at its target again.

use crate::{backoff::Backoff, breaker::MOMENT, time::Monotonic};
use std::time::Duration;

/// Between two looks; a target that starts slowly is asked four times a second.
const BETWEEN_LOOKS: Backoff =
    Backoff::doubled(Duration::from_millis(2), Duration::from_millis(250));

/// So long it is looked on where nobody could look by the end.
const EXTENSION: Duration = Duration::from_secs(10);

/// Looks at a target, ever more slowly, up to a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Polling {
    /// No look after this.
    pub until: Monotonic,
    /// Looks so far that did not see the end.
    failed_looks: u32,
    /// When the next is due; none while one is under way.
    pub next: Option<Monotonic>,
    /// The one that is under way, or was last.
    pub number: u64,
    /// The time was over once, and nobody had seen anything for sure.
    is_extended: bool,
    /// Since when each look has seen the end, where it has to last.
    held_since: Option<Monotonic>,
}

impl Polling {
    /// The first is under way.
    pub(super) fn begun(until: Monotonic, number: u64) -> Self {
        Self {
            until,
            failed_looks: 0,
            next: None,
            number,
            is_extended: false,
            held_since: None,
        }
    }

    /// The end was seen. Waits for the next look as long as it has to be seen on; false where it has been for so long.
    pub(super) fn hold(&mut self, now: Monotonic, length: Duration) -> bool {
        let end = *self.held_since.get_or_insert(now) + length;
        if now >= end {
            return false;
        }
        self.until = self.until.max(end);
        self.next = Some((now + BETWEEN_LOOKS.after(u32::MAX)).min(end));
        true
    }

    /// The end is not seen any more.
    pub(super) fn release(&mut self) {
        self.held_since = None;
    }

    /// The time is over, and nobody could look: the daemon may have been held up all that time. Once there is some more.
    pub(super) fn extend(&mut self, now: Monotonic) -> bool {
        if self.is_extended {
            return false;
        }
        self.is_extended = true;
        self.until = now + EXTENSION;
        self.again(now)
    }

    /// Waits until the process has run for a moment, once also where the time is over before; false where it was so
    /// already.
    pub(super) fn settle(&mut self, now: Monotonic) -> bool {
        let next = now + MOMENT;
        if next > self.until {
            if self.is_extended {
                return false;
            }
            self.is_extended = true;
            self.until = now + EXTENSION;
        }
        self.next = Some(next);
        true
    }

    /// Waits for the next look; false where the time is over.
    pub(super) fn again(&mut self, now: Monotonic) -> bool {
        if now >= self.until {
            return false;
        }
        self.failed_looks = self.failed_looks.saturating_add(1);
        self.next = Some((now + BETWEEN_LOOKS.after(self.failed_looks)).min(self.until));
        true
    }
}
