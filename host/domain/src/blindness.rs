//! What the host could not see: checks whose looks came to nothing, for reasons of the host's own.
//!
//! Invariant: pure; callers pass the time.
//! Invariant: it is one report for the whole host, however many checks it concerns: it begins with the first check that
//! has not seen anything for long, and ends when none is left.
//! Invariant: the report of an earlier daemon ends when this one has been able to look for as long as blindness has to last,
//! or as its own does.
//! Invariant: what is told or asked of one check costs the same whatever the number of targets; a report alone costs more.

use crate::{
    event::MonitorBlind,
    name::{CheckName, TargetName},
    time::{Monotonic, Timestamp},
};
use std::{collections::BTreeMap, time::Duration};

/// A check without a real look for so long, and for so many of its periods, is blind.
const LASTING: Duration = Duration::from_secs(30);
/// See [`LASTING`].
const LASTING_PERIODS: u32 = 3;
/// So many targets are named in a report.
const MAX_NAMED: usize = 10;

/// Since when a check has not seen anything, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// When it could not look for the first time.
    pub since: Timestamp,
    /// Why it could not the last time.
    pub why: String,
}

/// One look that came to nothing.
#[derive(Debug, Clone, Copy)]
pub struct LostLook<'a> {
    /// Whose check it is.
    pub target: &'a TargetName,
    /// The check.
    pub check: &'a CheckName,
    /// Its period.
    pub every: Duration,
    /// When it should have looked.
    pub at: Timestamp,
    /// Why it could not.
    pub why: &'a str,
}

/// What a look that came to nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lost {
    /// It is blind from now on.
    pub lasts: bool,
    /// [`Blindness::of`] says something else of the target now.
    pub shows: bool,
    /// The report begins.
    pub report: Option<MonitorBlind>,
}

/// Every check that has not seen anything since its last real look.
#[derive(Debug, Default)]
pub struct Blindness {
    /// No target without a check.
    targets: BTreeMap<TargetName, BTreeMap<CheckName, Kept>>,
    /// How many of them are blind.
    lasting: usize,
    is_reported: bool,
    /// It was an earlier daemon that reported, and until then nothing shows that this one sees.
    is_doubtful_until: Option<Monotonic>,
}

#[derive(Debug)]
struct Kept {
    began: Monotonic,
    lasts: bool,
    unseen: Unseen,
}

impl Blindness {
    /// An earlier daemon told that it was blind, and not that it saw again.
    pub fn resume(&mut self, now: Monotonic) {
        self.is_reported = true;
        self.is_doubtful_until = Some(now + LASTING);
    }

    /// True where with this time the report of an earlier daemon ends: every check has looked when it was to.
    pub fn has_outlived(&mut self, now: Monotonic) -> bool {
        let is_over = self.is_doubtful_until.is_some_and(|until| now >= until);
        if !is_over || !self.targets.is_empty() {
            return false;
        }
        self.is_doubtful_until = None;
        self.ends()
    }

    /// A check could not look.
    pub fn lost(&mut self, look: LostLook<'_>, now: Monotonic) -> Lost {
        if !self.targets.contains_key(look.target) {
            self.targets.insert(look.target.clone(), BTreeMap::new());
        }
        let Some(checks) = self.targets.get_mut(look.target) else {
            return Lost::default();
        };
        let is_new = !checks.contains_key(look.check);
        if is_new {
            let unseen = Unseen {
                since: look.at,
                why: String::new(),
            };
            let (began, lasts) = (now, false);
            let kept = Kept {
                began,
                lasts,
                unseen,
            };
            checks.insert(look.check.clone(), kept);
        }
        let is_shown = longest(checks).is_some_and(|(check, _)| check == look.check);
        let Some(kept) = checks.get_mut(look.check) else {
            return Lost::default();
        };
        let is_other = kept.unseen.why != look.why;
        if is_other {
            look.why.clone_into(&mut kept.unseen.why);
        }
        let limit = look.every.saturating_mul(LASTING_PERIODS).max(LASTING);
        let lasts = !kept.lasts && now.since(kept.began) >= limit;
        kept.lasts |= lasts;
        self.lasting += usize::from(lasts);
        if lasts {
            // It goes on with this daemon, and ends as any other.
            self.is_doubtful_until = None;
        }
        let begins = lasts && !self.is_reported;
        let first = begins.then(|| kept.unseen.clone());
        self.is_reported |= begins;
        Lost {
            lasts,
            shows: is_shown && (is_new || is_other),
            report: first.map(|first| self.report(first)),
        }
    }

    /// A check has looked. True where with it the report ends.
    pub fn seen(&mut self, target: &TargetName, check: &CheckName) -> bool {
        if let Some(checks) = self.targets.get_mut(target) {
            let seen = checks.remove(check);
            let is_last = checks.is_empty();
            self.lasting -= usize::from(seen.is_some_and(|kept| kept.lasts));
            if is_last {
                self.targets.remove(target);
            }
        }
        self.ends()
    }

    /// Nothing that was seen of this target counts any more, so nothing is missed either. True where with it the report
    /// ends.
    pub fn forget(&mut self, target: &TargetName) -> bool {
        let checks = self.targets.remove(target).unwrap_or_default();
        self.lasting -= checks.values().filter(|kept| kept.lasts).count();
        self.ends()
    }

    /// Since when a check of this target has not seen anything: of several, the one that is so for the longest.
    pub fn of(&self, target: &TargetName) -> Option<Unseen> {
        let longest = self.targets.get(target).and_then(longest);
        longest.map(|(_, kept)| kept.unseen.clone())
    }

    fn ends(&mut self) -> bool {
        let ends = self.is_reported && self.is_doubtful_until.is_none() && self.lasting == 0;
        self.is_reported &= !ends;
        ends
    }

    fn report(&self, first: Unseen) -> MonitorBlind {
        let checks: usize = self.targets.values().map(BTreeMap::len).sum();
        MonitorBlind {
            checks: u64::try_from(checks).unwrap_or(u64::MAX),
            targets: u64::try_from(self.targets.len()).unwrap_or(u64::MAX),
            names: self.targets.keys().take(MAX_NAMED).cloned().collect(),
            since: first.since,
            why: first.why,
        }
    }
}

/// Of the checks of a target.
fn longest(checks: &BTreeMap<CheckName, Kept>) -> Option<(&CheckName, &Kept)> {
    checks.iter().min_by_key(|(_, kept)| kept.began)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> TargetName {
        TargetName::parse(name).unwrap()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn lose(blindness: &mut Blindness, target: &str, every: u64, second: u64) -> Lost {
        let look = LostLook {
            target: &name(target),
            check: &CheckName::parse("tcp").unwrap(),
            every: Duration::from_secs(every),
            at: at(second),
            why: "no file can be opened",
        };
        let now = Monotonic::from_start(Duration::from_secs(second));
        blindness.lost(look, now)
    }

    #[test]
    fn what_is_shown_of_a_target_changes_with_its_oldest_check_alone() {
        let mut blindness = Blindness::default();
        for (check, second, why, shows) in [
            ("tcp", 0, "no descriptors", true),
            ("tcp", 1, "no descriptors", false),
            ("http", 1, "no descriptors", false),
            ("http", 2, "no thread", false),
            ("tcp", 2, "no thread", true),
            ("tcp", 60, "no thread", false),
        ] {
            let look = LostLook {
                target: &name("web"),
                check: &CheckName::parse(check).unwrap(),
                every: Duration::from_secs(1),
                at: at(second),
                why,
            };
            let before = blindness.of(&name("web"));
            let now = Monotonic::from_start(Duration::from_secs(second));
            let lost = blindness.lost(look, now);
            assert_eq!(lost.shows, shows, "{check} {second}");
            assert_eq!(
                before != blindness.of(&name("web")),
                shows,
                "{check} {second}"
            );
        }
    }

    #[test]
    fn what_is_asked_of_one_of_a_hundred_thousand_does_not_go_through_them_all() {
        let mut blindness = Blindness::default();
        let names: Vec<TargetName> = (0..100_000).map(|one| name(&format!("t-{one}"))).collect();
        for second in [0, 30] {
            for target in &names {
                lose(&mut blindness, target.as_str(), 1, second);
            }
        }
        for (place, target) in names.iter().enumerate() {
            assert_eq!(blindness.of(target).unwrap().since, at(0));
            let ends = match place % 2 {
                0 => blindness.seen(target, &CheckName::parse("tcp").unwrap()),
                _ => blindness.forget(target),
            };
            assert_eq!(ends, place + 1 == names.len(), "{target}");
        }
        // With a cost that grows with the square this does not come to its end.
    }

    fn see(blindness: &mut Blindness, target: &str) -> bool {
        blindness.seen(&name(target), &CheckName::parse("tcp").unwrap())
    }

    #[test]
    fn a_check_is_blind_after_thirty_seconds_or_three_of_its_periods_and_a_look_begins_anew() {
        let mut blindness = Blindness::default();
        for (second, lasts) in [(0, false), (29, false), (30, true), (31, false)] {
            assert_eq!(
                lose(&mut blindness, "api", 1, second).lasts,
                lasts,
                "{second}"
            );
        }
        for (second, lasts) in [(0, false), (59, false), (60, true)] {
            assert_eq!(
                lose(&mut blindness, "db", 20, second).lasts,
                lasts,
                "{second}"
            );
        }
        assert!(!see(&mut blindness, "api"), "the other is blind still");
        assert_eq!(blindness.of(&name("api")), None);
        assert!(!lose(&mut blindness, "api", 1, 80).lasts);
        assert_eq!(blindness.of(&name("api")).unwrap().since, at(80));
        assert!(!lose(&mut blindness, "api", 1, 109).lasts);
        assert!(lose(&mut blindness, "api", 1, 110).lasts);
    }

    #[test]
    fn it_is_one_report_for_all_that_ends_with_the_last() {
        let mut blindness = Blindness::default();
        for target in ["a", "b", "c"] {
            lose(&mut blindness, target, 1, 0);
        }
        let report = lose(&mut blindness, "b", 1, 30).report.unwrap();
        assert_eq!(
            report,
            MonitorBlind {
                checks: 3,
                targets: 3,
                names: ["a", "b", "c"].map(name).to_vec(),
                since: at(0),
                why: "no file can be opened".to_owned(),
            }
        );
        let other = lose(&mut blindness, "a", 1, 31);
        assert_eq!((other.lasts, other.report), (true, None));
        assert!(!see(&mut blindness, "b") && !see(&mut blindness, "c"));
        assert!(
            blindness.forget(&name("a")),
            "it was the last that is blind"
        );
        assert!(
            !blindness.forget(&name("a")) && !see(&mut blindness, "b"),
            "told once"
        );
    }

    #[test]
    fn what_comes_to_nothing_for_a_moment_is_no_report() {
        let mut blindness = Blindness::default();
        lose(&mut blindness, "a", 1, 0);
        assert_eq!(
            blindness.of(&name("a")).unwrap().why,
            "no file can be opened"
        );
        assert!(!see(&mut blindness, "a"));
        assert_eq!(blindness.of(&name("a")), None);
    }
    #[test]
    fn the_report_of_an_earlier_daemon_ends_when_this_one_has_seen_for_long_and_not_before() {
        let second = |second: u64| Monotonic::from_start(Duration::from_secs(second));
        let mut blindness = Blindness::default();
        assert!(!blindness.has_outlived(second(90)), "there was none");
        blindness.resume(second(0));
        assert!(!see(&mut blindness, "a"), "one look proves nothing");
        assert!(!blindness.has_outlived(second(29)));
        lose(&mut blindness, "b", 1, 29);
        assert!(!blindness.has_outlived(second(30)), "one cannot look now");
        assert!(!see(&mut blindness, "b"));
        assert!(blindness.has_outlived(second(31)));
        assert!(!blindness.has_outlived(second(32)), "told once");
    }

    #[test]
    fn what_goes_on_after_a_restart_is_not_reported_again_and_ends_once() {
        let mut blindness = Blindness::default();
        blindness.resume(Monotonic::default());
        lose(&mut blindness, "a", 1, 0);
        let lost = lose(&mut blindness, "a", 1, 30);
        assert_eq!((lost.lasts, lost.report), (true, None), "they know");
        let later = Monotonic::from_start(Duration::from_secs(90));
        assert!(!blindness.has_outlived(later));
        assert!(see(&mut blindness, "a"));
        assert!(!blindness.has_outlived(later));
        lose(&mut blindness, "a", 1, 100);
        let again = lose(&mut blindness, "a", 1, 130);
        assert!(again.report.is_some());
    }
}
