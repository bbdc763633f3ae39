//! The machine's clocks.

use crate::ports::Clock;
use mainstay_domain::time::{Monotonic, Timestamp, millis};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall clock and monotonic clock of the machine.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    /// Since the boot, suspensions included.
    booted: Duration,
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
            booted: since_boot(),
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

    fn with_suspension(&self) -> Monotonic {
        Monotonic::from_start(since_boot().saturating_sub(self.booted))
    }
}

/// Since the boot, suspensions included, by a clock that nobody sets.
pub(super) fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    // The clock is never before the boot.
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
