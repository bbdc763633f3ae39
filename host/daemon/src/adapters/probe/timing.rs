//! How long a look may take.

use super::{Seen, words::no_answer};
use mainstay_domain::spec::CheckSpec;
use std::time::Duration;

/// A time-out that comes so much too late shows that the daemon itself was held up: it was stopped, or had no processor.
const HELD_UP: Duration = Duration::from_millis(250);

/// The look, or that it had no answer within the check's timeout. A wait for a thread is no part of it, for that says
/// nothing about the target.
pub(super) async fn within(check: &CheckSpec, look: impl Future<Output = Seen>) -> Seen {
    let seen = in_time(check, check.timeout, look).await;
    seen.unwrap_or_else(|seen| seen)
}

/// A part of a look, for which there is so much time left. The error is what is seen where that is over.
pub(super) async fn in_time<T>(
    check: &CheckSpec,
    left: Duration,
    part: impl Future<Output = T>,
) -> Result<T, Seen> {
    let start = tokio::time::Instant::now();
    let done = tokio::time::timeout(left, part).await;
    done.map_err(|_| Seen {
        is_late: start.elapsed() > left + HELD_UP,
        ..Seen::failed(no_answer(check))
    })
}
