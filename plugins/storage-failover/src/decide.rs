//! When an object store that was away is gone back to; plain Rust, without the host.
//!
//! Invariant: it is not gone back to before as many looks in a row passed as are asked for, each its pause after the one
//! before: a store that comes and goes is not followed.
//! Invariant: the number of looks and of ways back is bounded, however long is waited.

use mainstay_plugin_sdk::durable::{DurationMs, Output, Timestamp};

/// The longest pause between two looks, milliseconds, unless `every` or the whole wait are long.
const LONGEST_PAUSE: DurationMs = 600_000;
/// So many of the longest pauses fill the whole wait at most: by default a plugin may ask for a thousand effects in a call.
const MOST_PAUSES: u64 = 144;
/// The longest part of an output that is told, in characters.
const LONGEST_TOLD: usize = 300;

/// Where things are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the object store.
    Store,
    /// On this machine.
    Local,
}

impl Place {
    /// The word that a command printed.
    pub(crate) fn read(printed: &str) -> Option<Self> {
        match printed.trim() {
            "store" => Some(Self::Store),
            "local" => Some(Self::Local),
            _ => None,
        }
    }

    /// What is so where it could not be switched to.
    pub(crate) fn is_not_reached(self) -> &'static str {
        match self {
            Self::Store => "things are still stored locally",
            Self::Local => "things still go to the object store",
        }
    }
}

/// What to do after a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look again then.
    LookAt(Timestamp),
    /// It is healthy.
    GoBack,
    /// It was not gone back to for too long.
    GiveUp,
}

/// The looks at an object store that is away.
#[derive(Debug)]
pub(crate) struct Waiting {
    since: Timestamp,
    until: Timestamp,
    every: DurationMs,
    /// The next pause after a look that failed.
    pause: DurationMs,
    longest: DurationMs,
    passes: u32,
    passed: u32,
}

impl Waiting {
    pub(crate) fn new(since: Timestamp, every: DurationMs, passes: u32, wait: DurationMs) -> Self {
        let every = every.max(1);
        Self {
            since,
            until: since.saturating_add(wait),
            every,
            pause: every,
            longest: LONGEST_PAUSE.max(wait / MOST_PAUSES).max(every),
            passes,
            passed: 0,
        }
    }

    /// When it is looked at first.
    pub(crate) fn first(&self) -> Step {
        Step::LookAt(self.since.saturating_add(self.every))
    }

    /// What follows from a look.
    pub(crate) fn after(&mut self, now: Timestamp, has_passed: bool) -> Step {
        if has_passed {
            self.passed = self.passed.saturating_add(1);
            if self.passed >= self.passes {
                return Step::GoBack;
            }
            return Step::LookAt(now.saturating_add(self.every));
        }
        self.passed = 0;
        if now >= self.until {
            return Step::GiveUp;
        }
        self.pause = self
            .pause
            .saturating_add(self.pause.div_ceil(2))
            .min(self.longest);
        Step::LookAt(now.saturating_add(self.pause).min(self.until))
    }

    /// What follows where it was healthy, and could not be gone back to: a longer pause, and then one look that passes is
    /// enough.
    pub(crate) fn after_failed_return(&mut self, now: Timestamp) -> Step {
        let step = self.after(now, false);
        self.passed = self.passes.saturating_sub(1);
        step
    }
}

/// How it went back, after so many milliseconds, for people; `failed` says why it could not the last time, where it could not.
pub(crate) fn went_back(target: &str, after: DurationMs, failed: Option<&str>) -> String {
    let seconds = after / 1_000;
    match failed {
        None => format!("went back to {target} after {seconds} s"),
        Some(why) => {
            format!("went back to {target} after {seconds} s, where it failed before: {why}")
        }
    }
}

/// What a person has to do where the object store does not come back; or where it is healthy and cannot be gone back to, for
/// which `failed` is the reason.
pub(crate) fn operator_steps(target: &str, to_store: &str, failed: Option<&str>) -> Vec<String> {
    let (how_it_is, what_lacks) = match failed {
        None => (
            format!("{target} is still away"),
            format!(
                "find out what {target} lacks; its checks say what they see: `mainstay status`"
            ),
        ),
        Some(why) => (
            format!("{target} could not be gone back to"),
            format!("find out why: {why}"),
        ),
    };
    vec![
        format!("{how_it_is}, and things are stored locally: see that there is room"),
        what_lacks,
        format!(
            "when it is healthy, run what `{to_store}` runs, or `mainstay recover {target}`: nothing goes back by itself now"
        ),
        "approve this operation when its checks pass".to_owned(),
    ]
}

/// How a command ended, for people: its status, and the last line that says why.
pub(crate) fn said(output: &Output) -> String {
    let texts = [&output.stderr, &output.stdout].map(|text| String::from_utf8_lossy(text));
    let last = texts.iter().find_map(|text| {
        let mut lines = text.lines().map(str::trim);
        lines.rfind(|line| !line.is_empty())
    });
    match last {
        None => format!("exit {}", output.exit_code),
        Some(line) => {
            let line: String = line.chars().take(LONGEST_TOLD).collect();
            format!("exit {}: {line}", output.exit_code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of the looks, all of which say the same, and what ends them.
    fn looks(mut waiting: Waiting, says: impl Fn(usize) -> bool) -> (Vec<Timestamp>, Step) {
        let mut moments = Vec::new();
        let mut step = waiting.first();
        while let Step::LookAt(moment) = step {
            moments.push(moment);
            step = waiting.after(moment, says(moments.len()));
            assert!(moments.len() < 10_000, "it ends");
        }
        (moments, step)
    }

    #[test]
    fn pauses_grow_by_half_and_the_last_look_is_at_the_end() {
        let (moments, end) = looks(Waiting::new(0, 10_000, 3, 60_000), |_| false);
        assert_eq!(moments, [10_000, 25_000, 47_500, 60_000]);
        assert_eq!(end, Step::GiveUp);
    }

    #[test]
    fn it_goes_back_after_so_many_looks_in_a_row() {
        let (moments, end) = looks(Waiting::new(0, 10, 3, 60_000), |look| look != 2);
        assert_eq!(moments, [10, 20, 35, 45, 55]);
        assert_eq!(end, Step::GoBack);
        let (moments, end) = looks(Waiting::new(0, 10, 1, 60_000), |_| true);
        assert_eq!((moments, end), (vec![10], Step::GoBack));
    }

    #[test]
    fn one_that_passes_at_the_end_is_looked_at_to_the_last_of_the_looks() {
        let (moments, end) = looks(Waiting::new(0, 10, 3, 10), |_| true);
        assert_eq!((moments, end), (vec![10, 20, 30], Step::GoBack));
    }

    #[test]
    fn a_way_back_that_failed_is_tried_again_after_one_look_and_a_longer_pause() {
        let mut waiting = Waiting::new(0, 10, 3, 1_000);
        for now in [10, 20] {
            assert_eq!(waiting.after(now, true), Step::LookAt(now + 10));
        }
        assert_eq!(waiting.after(30, true), Step::GoBack);
        assert_eq!(waiting.after_failed_return(30), Step::LookAt(45));
        assert_eq!(waiting.after(45, true), Step::GoBack);
        assert_eq!(waiting.after_failed_return(45), Step::LookAt(68));
        // It went away again: that it is well has to last anew.
        assert_eq!(waiting.after(68, false), Step::LookAt(103));
        assert_eq!(waiting.after(103, true), Step::LookAt(113));
        assert_eq!(waiting.after_failed_return(1_000), Step::GiveUp);
    }

    #[test]
    fn ways_back_are_few_however_long_they_fail() {
        const DAY: DurationMs = 86_400_000;
        for wait in [DAY, 30 * DAY] {
            let mut waiting = Waiting::new(0, 10_000, 3, wait);
            let (mut step, mut now, mut effects) = (waiting.first(), 0, 0);
            loop {
                step = match step {
                    Step::LookAt(moment) => {
                        (now, effects) = (moment, effects + 2);
                        waiting.after(now, true)
                    }
                    Step::GoBack => {
                        effects += 2;
                        waiting.after_failed_return(now)
                    }
                    Step::GiveUp => break,
                };
                assert!(effects < 800, "{effects} at {now}");
            }
            assert!(now >= wait, "{now}");
        }
    }

    #[test]
    fn looks_are_few_however_long_is_waited_and_however_often_it_comes_and_goes() {
        const DAY: DurationMs = 86_400_000;
        for wait in [DAY, 30 * DAY] {
            let (moments, end) = looks(Waiting::new(0, 10_000, 3, wait), |_| false);
            assert!(moments.len() < 170, "{}", moments.len());
            assert_eq!(end, Step::GiveUp);
            let (moments, end) = looks(Waiting::new(0, 10_000, 3, wait), |look| look % 2 == 0);
            assert!(moments.len() < 330, "{}", moments.len());
            assert_eq!(end, Step::GiveUp);
        }
    }

    #[test]
    fn a_place_is_one_word() {
        for (printed, place) in [
            ("store\n", Some(Place::Store)),
            (" local ", Some(Place::Local)),
            ("", None),
            ("Local", None),
            ("store local", None),
        ] {
            assert_eq!(Place::read(printed), place, "{printed}");
        }
    }
}
