//! The machine's clocks.

use crate::ports::Clock;
use mainstay_domain::time::{Monotonic, Timestamp, millis};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Wall clock and monotonic clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// The monotonic clock starts at zero now.
    #[allow(
        clippy::new_without_default,
        reason = "a clock that starts now is not a default value"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(millis(since_epoch))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(self.start.elapsed())
    }
}
