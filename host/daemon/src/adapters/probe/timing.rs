//! How long a look may take.

use super::{Seen, blocking::hangs_beside, length, words::no_answer};
use mainstay_domain::spec::CheckSpec;
use std::{fmt::Display, time::Duration};

/// A time-out that comes so much too late shows that the daemon itself was held up: it was stopped, or had no processor.
const HELD_UP: Duration = Duration::from_millis(250);

/// The look, or that it had no answer within the check's timeout. A wait for a thread is no part of it, for that says
/// nothing about the target.
pub(super) async fn within(check: &CheckSpec, look: impl Future<Output = Seen>) -> Seen {
    let seen = in_time(check, check.timeout, look).await;
    seen.unwrap_or_else(|seen| seen)
}

/// As [`within`], of what is read on this machine: where that hangs beside the target, it says nothing about it.
pub(super) async fn read_within(check: &CheckSpec, look: impl Future<Output = Seen>) -> Seen {
    let seen = in_time(check, check.timeout, look).await;
    seen.unwrap_or_else(|late| match hangs_beside(&check.kind) {
        true => late.into_unknown(),
        false => late,
    })
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

/// What is read of a file that is no part of the target, `what`. That it is not read within the check's timeout says nothing
/// about the target.
pub(super) async fn read_in_time<T>(
    check: &CheckSpec,
    what: impl Display,
    read: impl Future<Output = Result<T, Seen>>,
) -> Result<T, Seen> {
    let read = in_time(check, check.timeout, read).await;
    read.unwrap_or_else(|late| {
        let within = length(check.timeout);
        let message = format!("{what}: it could not be read within {within}");
        Err(Seen { message, ..late }.into_unknown())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use mainstay_domain::{health::Outcome, spec::CheckKind};
    use std::path::PathBuf;

    #[tokio::test(start_paused = true)]
    async fn a_file_beside_the_target_that_is_not_read_in_time_says_nothing_about_it() {
        let check = specs::check("it");
        let read = read_in_time(&check, "r:1: `ca` /file", std::future::ready(Ok(7))).await;
        assert_eq!(read, Ok(7));
        let never = std::future::pending::<Result<u32, Seen>>();
        let seen = read_in_time(&check, "r:1: `ca` /file", never).await;
        let seen = seen.unwrap_err();
        assert_eq!(seen.outcome, Some(Outcome::Unknown));
        let within = length(check.timeout);
        let message = format!("r:1: `ca` /file: it could not be read within {within}");
        assert_eq!(seen.message, message);
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_beside_the_target_is_unknown_and_what_is_looked_at_itself_has_failed() {
        let hung = PathBuf::from("/hung");
        let process = CheckKind::Process {
            pid_file: Some(hung.clone()),
        };
        let file = CheckKind::File {
            path: hung,
            max_age: None,
            min_bytes: None,
            contains: None,
        };
        for (kind, expected) in [(process, Outcome::Unknown), (file, Outcome::Failed)] {
            let check = CheckSpec {
                kind,
                ..specs::check("it")
            };
            let seen = read_within(&check, std::future::pending()).await;
            assert_eq!(seen.outcome, Some(expected), "{seen:?}");
        }
    }
}
