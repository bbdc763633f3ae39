//! Whether the kernel's out-of-memory killer was at work when a process was killed.
//!
//! Invariant: pure; callers pass the counts.

/// The counts of its kills, as last looked at. An end is compared with the look before the last one, for the last may
/// already have seen the kill that is only now told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OomWindow {
    before_last: Option<u64>,
    last: Option<u64>,
}

impl OomWindow {
    /// Another look; each is some seconds after the one before.
    pub(super) fn look(&mut self, count: Option<u64>) {
        self.before_last = self.last;
        self.last = count;
    }

    /// Whether it has ended a process in the seconds before this count was taken.
    pub(super) fn has_killed(self, count: Option<u64>) -> bool {
        let before = self.before_last.or(self.last);
        matches!((before, count), (Some(before), Some(count)) if count > before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(looks: &[Option<u64>]) -> OomWindow {
        let mut window = OomWindow::default();
        for &look in looks {
            window.look(look);
        }
        window
    }

    #[test]
    fn a_kill_counts_from_the_look_before_the_last_one() {
        for (looks, count, expected) in [
            (&[][..], Some(7), false),
            (&[Some(7)][..], Some(7), false),
            (&[Some(7)][..], Some(8), true),
            (&[Some(7), Some(8)][..], Some(8), true),
            (&[Some(7), Some(8), Some(8)][..], Some(8), false),
            (&[Some(7), None][..], Some(8), true),
            (&[Some(7), Some(7)][..], None, false),
            // The group was made anew.
            (&[Some(7), Some(7)][..], Some(0), false),
        ] {
            assert_eq!(
                after(looks).has_killed(count),
                expected,
                "{looks:?}, {count:?}"
            );
        }
    }
}
