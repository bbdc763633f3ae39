//! Whether the newest verified backup of a job is as new as its recovery point objective asks.
//!
//! Invariant: the age of a backup grows by the time lived: a wall clock that jumps misses no objective, and one that is
//! set back hides none that is missed.
//! Invariant: what is missed is told once, until it is met again, by however many daemons.

use crate::time::{Monotonic, Timestamp};
use std::time::Duration;

/// What was just seen is not judged: a wall clock that jumped is set right, and a backup that is due is being taken.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// One job's objective.
#[derive(Debug, Clone, Copy, Default)]
pub struct RpoWatch {
    seen: Option<Seen>,
    /// What the objective was, and when it has to be looked at again.
    next: Option<(Duration, Monotonic)>,
    is_missed: bool,
}

/// The newest verified backup, when it was first seen to be that.
#[derive(Debug, Clone, Copy)]
struct Seen {
    created_at: Option<Timestamp>,
    /// How old it was then.
    age: Duration,
    at: Monotonic,
}

impl RpoWatch {
    /// The daemon before told that it is missed, and no backup was verified since.
    pub fn told() -> Self {
        Self {
            is_missed: true,
            ..Self::default()
        }
    }

    /// A backup was taken and verified; it took so long.
    pub fn taken(&mut self, created_at: Timestamp, took: Duration, monotonic: Monotonic) {
        self.seen = Some(Seen {
            created_at: Some(created_at),
            age: took,
            at: monotonic,
        });
        self.next = None;
    }

    /// What was the newest verified backup may be none any more.
    pub fn look_again(&mut self) {
        self.next = None;
    }

    /// Whether [`RpoWatch::look`] could say anything that it has not said.
    pub fn is_due(&self, rpo: Duration, monotonic: Monotonic) -> bool {
        self.next
            .is_none_or(|(of, due)| of != rpo || due <= monotonic)
    }

    /// When it has to be looked at again.
    pub fn next(&self) -> Option<Monotonic> {
        self.next.map(|(_, due)| due)
    }

    /// Looks at the time at which the newest verified backup was taken, absent where there is none. Whether the
    /// objective is missed, and nobody was told.
    pub fn look(
        &mut self,
        newest: Option<Timestamp>,
        rpo: Duration,
        now: Timestamp,
        monotonic: Monotonic,
    ) -> bool {
        let seen = match self.seen {
            Some(seen) if seen.created_at == newest => seen,
            // Of one that lies in the future, and where there is none, only what is lived counts.
            _ => Seen {
                created_at: newest,
                age: newest.map_or(Duration::ZERO, |created_at| now.since(created_at)),
                at: monotonic,
            },
        };
        self.seen = Some(seen);
        let missed_at = seen.at + rpo.saturating_sub(seen.age).max(rpo.min(FIRST_LOOK));
        let is_missed = monotonic > missed_at;
        // What is not judged yet is not met for that, and without a backup nothing is.
        let is_met = newest.is_some() && monotonic < seen.at + rpo.saturating_sub(seen.age);
        let due = match is_missed {
            true => monotonic + FIRST_LOOK,
            false => missed_at + Duration::from_millis(1),
        };
        self.next = Some((rpo, due));
        let is_news = is_missed && !self.is_missed;
        self.is_missed = is_missed || (self.is_missed && !is_met);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);
    const SECOND: Duration = Duration::from_secs(1);

    fn at(length: Duration) -> Monotonic {
        Monotonic::from_start(length)
    }

    #[test]
    fn it_is_missed_when_the_newest_backup_has_lived_too_long_and_told_once() {
        let mut watch = RpoWatch::default();
        let newest = Some(NOW - HOUR / 2);
        assert!(watch.is_due(HOUR, at(Duration::ZERO)));
        assert!(!watch.look(newest, HOUR, NOW, at(Duration::ZERO)));
        assert!(!watch.is_due(HOUR, at(HOUR / 2)));
        let late = at(HOUR / 2 + SECOND);
        assert!(watch.is_due(HOUR, late) && watch.is_due(2 * HOUR, at(SECOND)));
        assert!(watch.look(newest, HOUR, NOW, late));
        assert!(!watch.look(newest, HOUR, NOW, at(HOUR)), "once");
        watch.taken(NOW, SECOND, at(HOUR));
        assert!(!watch.look(Some(NOW), HOUR, NOW, at(HOUR)));
        assert!(watch.look(Some(NOW), HOUR, NOW, at(2 * HOUR)), "again");
    }

    #[test]
    fn what_the_daemon_before_told_is_told_again_only_after_it_was_met() {
        for newest in [Some(NOW - 30 * HOUR), Some(NOW - HOUR), None] {
            let mut watch = RpoWatch::told();
            for lived in [0, 1, 59, 61, 3_599, 3_601, 7_300] {
                let news = watch.look(newest, HOUR, NOW, at(lived * SECOND));
                assert!(!news, "{newest:?} {lived}");
            }
            watch.taken(NOW, SECOND, at(3 * HOUR));
            assert!(!watch.look(Some(NOW), HOUR, NOW, at(3 * HOUR)));
            assert!(watch.look(Some(NOW), HOUR, NOW, at(4 * HOUR)), "again");
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_neither_misses_nor_hides_it() {
        let day = 24 * HOUR;
        for (wall, lived, missed) in [
            (NOW + day, HOUR / 2, false),
            (NOW - day, HOUR / 2, false),
            (NOW - day, 2 * HOUR, true),
            (NOW, 2 * HOUR, true),
        ] {
            let mut watch = RpoWatch::default();
            watch.taken(NOW, SECOND, at(Duration::ZERO));
            let found = watch.look(Some(NOW), HOUR, wall, at(lived));
            assert_eq!(found, missed, "{wall} {lived:?}");
        }
    }

    #[test]
    fn what_is_too_old_at_the_start_is_not_judged_before_a_minute_has_passed() {
        for newest in [Some(NOW - 30 * HOUR), Some(NOW - 2 * HOUR)] {
            let mut watch = RpoWatch::default();
            assert!(!watch.look(newest, HOUR, NOW, at(Duration::ZERO)));
            assert!(!watch.look(newest, HOUR, NOW, at(59 * SECOND)));
            assert!(watch.look(newest, HOUR, NOW, at(61 * SECOND)));
        }
    }

    #[test]
    fn a_job_without_a_backup_and_one_from_the_future_have_their_whole_objective() {
        for newest in [None, Some(NOW + 1_000 * HOUR)] {
            let mut watch = RpoWatch::default();
            assert!(!watch.look(newest, HOUR, NOW, at(Duration::ZERO)));
            assert!(!watch.look(newest, HOUR, NOW, at(HOUR)));
            assert!(watch.look(newest, HOUR, NOW, at(HOUR + SECOND)));
        }
    }
}
