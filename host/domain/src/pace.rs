//! How fast long work goes, and how long the rest of it takes at that pace.

use std::time::Duration;

/// Before this nothing is said of the pace: the first bytes say little.
const SETTLED: Duration = Duration::from_secs(1);

/// So much of some work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Documents.
    pub documents: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How fast work goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes in a second.
    pub bytes_per_second: u64,
    /// How long the rest takes, by documents or by bytes, whichever is longer; none where nobody can tell.
    pub remaining: Option<Duration>,
}

/// The pace of work that had done `began` when it was first looked at, and has done `now` after `elapsed`; of `total` what
/// is known. None before it has settled.
pub fn pace(
    began: Amount,
    now: Amount,
    (documents, bytes): (Option<u64>, Option<u64>),
    elapsed: Duration,
) -> Option<Pace> {
    if elapsed < SETTLED {
        return None;
    }
    let rest = |began: u64, now: u64, total: Option<u64>| {
        let left = u128::from(total?.saturating_sub(now));
        let moved = u128::from(now.saturating_sub(began));
        let millis = elapsed
            .as_millis()
            .saturating_mul(left)
            .checked_div(moved)?;
        u64::try_from(millis).ok().map(Duration::from_millis)
    };
    let moved = u128::from(now.bytes.saturating_sub(began.bytes)).saturating_mul(1_000);
    let rate = moved.checked_div(elapsed.as_millis())?;
    let by_documents = rest(began.documents, now.documents, documents);
    let by_bytes = rest(began.bytes, now.bytes, bytes);
    Some(Pace {
        bytes_per_second: u64::try_from(rate).ok()?,
        remaining: by_documents.max(by_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(documents: u64, bytes: u64) -> Amount {
        Amount { documents, bytes }
    }

    #[test]
    fn the_rest_takes_as_long_as_its_slower_half() {
        let second = Duration::from_secs(1);
        // What was done at first and now, of how much, in how long; bytes a second and what remains, in seconds.
        for (began, now, total, seconds, rate, remaining) in [
            ((0, 0), (10, 500), (Some(20), Some(1_000)), 5, 100, Some(5)),
            ((0, 0), (10, 500), (Some(40), Some(1_000)), 5, 100, Some(15)),
            ((0, 0), (10, 500), (Some(20), Some(2_500)), 5, 100, Some(20)),
            ((5, 300), (10, 500), (Some(20), None), 2, 100, Some(4)),
            ((0, 0), (10, 500), (None, None), 5, 100, None),
            ((0, 0), (0, 0), (Some(5), Some(5)), 5, 0, None),
            ((0, 0), (10, 500), (Some(9), Some(400)), 5, 100, Some(0)),
        ] {
            let (began, now) = (amount(began.0, began.1), amount(now.0, now.1));
            let found = pace(began, now, total, second * seconds).unwrap();
            assert_eq!(found.bytes_per_second, rate, "{now:?} of {total:?}");
            let expected = remaining.map(Duration::from_secs);
            assert_eq!(found.remaining, expected, "{now:?} of {total:?}");
        }
        let early = pace(
            amount(0, 0),
            amount(1, 1),
            (None, None),
            Duration::from_millis(999),
        );
        assert_eq!(early, None);
    }
}
