//! Which lines of the end of a log are new since the last look at it.
//!
//! Invariant: pure. How much a log has grown decides where its lines repeat themselves; where that is not known, as after a
//! rotation, the longest piece that both looks have in common does.

/// What came since the last look.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    pub(super) lines: Vec<String>,
    /// Whether nothing that was seen before is still there, so that lines between may be missing.
    pub(super) may_lack: bool,
}

/// What was seen last.
#[derive(Debug)]
pub(super) struct Followed {
    lines: Vec<String>,
    bytes: u64,
}

impl Followed {
    /// After a first look at the end of a log, of whole lines.
    pub(super) fn new(text: &str, bytes: u64) -> Self {
        Self {
            lines: text.lines().map(str::to_owned).collect(),
            bytes,
        }
    }

    /// The lines that have come since.
    pub(super) fn news(&mut self, text: &str, bytes: u64) -> News {
        let now: Vec<String> = text.lines().map(str::to_owned).collect();
        let grown = bytes.checked_sub(self.bytes);
        let known = known_lines(&self.lines, &now, grown);
        let lines = now.get(known..).unwrap_or_default().to_vec();
        let may_lack = known == 0 && !self.lines.is_empty() && !lines.is_empty();
        self.lines = now;
        self.bytes = bytes;
        News { lines, may_lack }
    }
}

/// How many of the lines of now, from the first on, were seen before.
fn known_lines(before: &[String], now: &[String], grown: Option<u64>) -> usize {
    let is_known = |count: usize| {
        let (end, begin) = (before.len().checked_sub(count), now.get(..count));
        end.is_some_and(|end| before.get(end..) == begin)
    };
    let likely = grown.map(|grown| now.len() - lines_of(now, grown));
    // None at all is believed only where there is nothing in common: a secret that was taken out makes lines shorter.
    if let Some(likely) = likely.filter(|likely| *likely > 0 && is_known(*likely)) {
        return likely;
    }
    let most = before.len().min(now.len());
    (0..=most).rev().find(|count| is_known(*count)).unwrap_or(0)
}

/// How many of the last lines have so many bytes.
fn lines_of(lines: &[String], bytes: u64) -> usize {
    let mut left = bytes;
    let fits = lines.iter().rev().take_while(|line| {
        let taken = left.checked_sub(line.len() as u64 + 1);
        left = taken.unwrap_or(0);
        taken.is_some()
    });
    fits.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: (&str, u64), now: (&str, u64), expected: &[&str]) {
        let mut followed = Followed::new(before.0, before.1);
        let news = followed.news(now.0, now.1);
        assert_eq!(news.lines, expected, "{before:?} {now:?}");
        let again = followed.news(now.0, now.1);
        assert!(again.lines.is_empty() && !again.may_lack, "{now:?}");
    }

    #[test]
    fn what_comes_is_told_once_also_where_lines_repeat_themselves() {
        check(("a\nb\n", 4), ("a\nb\n", 4), &[]);
        check(("a\nb\n", 4), ("a\nb\nc\n", 6), &["c"]);
        check(("", 0), ("a\n", 2), &["a"]);
        // The end of a log that is longer than what is looked at.
        check(("t\nt\nt\n", 100), ("t\nt\nt\n", 104), &["t", "t"]);
        check(("a\nb\nc\n", 100), ("c\nd\ne\n", 104), &["d", "e"]);
    }

    #[test]
    fn a_rotation_and_a_burst_lose_nothing_that_is_still_there() {
        // The front was taken off, and two lines came.
        check(("a\nb\nc\n", 100), ("c\nd\ne\n", 6), &["d", "e"]);
        // Nothing of before is left.
        check(("a\nb\nc\n", 6), ("x\ny\nz\n", 100), &["x", "y", "z"]);
        // A secret was taken out, so that the bytes do not say how many lines came.
        check(("a\n", 2), ("a\n[secret:x]\n", 9), &["[secret:x]"]);
        check(("a\n", 2), ("a\n[secret:x]\n", 99), &["[secret:x]"]);
    }

    #[test]
    fn where_nothing_of_before_is_left_lines_may_be_missing_and_nowhere_else() {
        for (before, now, expected) in [
            ("a\nb\n", "x\ny\n", true),
            ("a\nb\n", "b\nx\n", false),
            ("a\nb\n", "a\nb\n", false),
            ("", "x\n", false),
            // It was emptied.
            ("a\n", "", false),
        ] {
            let mut followed = Followed::new(before, 100);
            let news = followed.news(now, 50);
            assert_eq!(news.may_lack, expected, "{before:?} {now:?}");
        }
    }
}
