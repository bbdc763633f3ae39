//! The terminal that the daemon was started in, and whether it is gone.
//!
//! A terminal that is closed sends SIGHUP, as who asks for a reload does. The two are told apart by the terminal itself: the
//! kernel takes it from every process of its session when it hangs up.
//!
//! Invariant: a daemon without a terminal, and one that was started with SIGHUP ignored (by `nohup`), never ends for it;
//! and one in the background ends for it only where it gets the signal, which a shell does not send to what it has disowned.

use std::time::Duration;
use tokio::time::Instant;

/// The signal may come some moments before the terminal is gone: so long it is looked at.
const GOES_WITHIN: Duration = Duration::from_secs(2);
/// How often, meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// How often the terminal of a daemon in the foreground is looked at without a signal.
const LOOK_AT_REST: Duration = Duration::from_secs(1);

/// The terminal of this process.
pub(super) struct Terminal {
    /// There was one at the start that counts.
    is_watched: bool,
    /// At the last look the daemon was what is typed to.
    is_in_front: bool,
    /// After a signal it is looked at until then.
    look_until: Option<Instant>,
}

/// What the kernel says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// There is none, or none any more.
    None,
    /// There is one, and the process is in its foreground, or not.
    There { is_in_front: bool },
}

impl Terminal {
    /// The one of this process; it does not count where SIGHUP was ignored when the process was started.
    pub(super) fn of_start(is_hang_up_ignored: bool) -> Self {
        Self::seen_first(seen(), is_hang_up_ignored)
    }

    fn seen_first(seen: Seen, is_hang_up_ignored: bool) -> Self {
        Self {
            is_watched: seen != Seen::None && !is_hang_up_ignored,
            is_in_front: seen == Seen::There { is_in_front: true },
            look_until: None,
        }
    }

    /// SIGHUP came; whether it came because the terminal is gone. Where it is not, it may be within moments.
    pub(super) fn hung_up(&mut self) -> bool {
        self.look_until = Some(Instant::now() + GOES_WITHIN);
        self.look()
    }

    /// When it is to be looked at next, if it is.
    pub(super) fn next_look(&mut self) -> Option<Duration> {
        if !self.is_watched {
            return None;
        }
        if self.look_until.is_some_and(|until| Instant::now() < until) {
            return Some(LOOK);
        }
        self.look_until = None;
        self.is_in_front.then_some(LOOK_AT_REST)
    }

    /// Whether it is gone, and the daemon with it.
    pub(super) fn look(&mut self) -> bool {
        self.take_up(seen())
    }

    fn take_up(&mut self, seen: Seen) -> bool {
        match seen {
            Seen::None => self.is_watched && (self.is_in_front || self.look_until.is_some()),
            Seen::There { is_in_front } => {
                self.is_in_front = is_in_front;
                false
            }
        }
    }
}

fn seen() -> Seen {
    parse(&std::fs::read_to_string("/proc/self/stat").unwrap_or_default())
}

/// Reads `/proc/PID/stat`. The name in it may have blanks and brackets of its own.
fn parse(stat: &str) -> Seen {
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let mut fields = fields.split(' ').skip(2);
    let (group, _session) = (fields.next(), fields.next());
    let (terminal, in_front) = (fields.next(), fields.next());
    match terminal {
        None | Some("0") => Seen::None,
        Some(_) => Seen::There {
            is_in_front: group == in_front,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRONT: Seen = Seen::There { is_in_front: true };
    const BACK: Seen = Seen::There { is_in_front: false };

    #[test]
    fn the_terminal_is_read_behind_a_name_with_brackets() {
        for (stat, expected) in [
            ("7 (a) b) S 1 7 7 34816 7 4194304 1", FRONT),
            ("7 (mainstay) S 1 7 5 34816 5 4194304 1", BACK),
            ("7 (mainstay) S 1 7 7 0 -1 4194304 1", Seen::None),
            ("", Seen::None),
        ] {
            assert_eq!(parse(stat), expected, "{stat}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_that_is_gone_ends_who_ran_in_it_and_nobody_else() {
        // What was there at the start, whether SIGHUP was ignored then, whether it comes; whether the daemon ends.
        for (first, is_ignored, is_signalled, ends) in [
            (FRONT, false, true, true),
            // The signal was lost.
            (FRONT, false, false, true),
            (FRONT, true, true, false),
            (BACK, false, true, true),
            // It was disowned.
            (BACK, false, false, false),
            (Seen::None, false, true, false),
        ] {
            let mut terminal = Terminal::seen_first(first, is_ignored);
            let case = format!("{first:?} {is_ignored} {is_signalled}");
            if is_signalled {
                terminal.look_until = Some(Instant::now() + GOES_WITHIN);
                assert_eq!(terminal.next_look(), ends.then_some(LOOK), "{case}");
            }
            assert_eq!(terminal.take_up(Seen::None), ends, "{case}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_with_the_terminal_there_is_forgotten_after_a_moment() {
        let mut terminal = Terminal::seen_first(BACK, false);
        terminal.look_until = Some(Instant::now() + GOES_WITHIN);
        assert!(!terminal.take_up(BACK));
        tokio::time::advance(GOES_WITHIN).await;
        assert_eq!(terminal.next_look(), None);
        assert!(!terminal.take_up(Seen::None), "it was disowned since");
    }
}
