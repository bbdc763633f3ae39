//! The circuit of a tier: one that failed again and again is left alone for a while, so that not every backup is copied to it
//! in vain.
//!
//! Invariant: no clock; callers pass `now`. A clock that was set back keeps no circuit open.

use crate::{backoff::Backoff, time::Timestamp};
use std::time::Duration;

/// So many failures in a row open it.
const FAILURES: u32 = 3;
const WAITS: Backoff = Backoff::doubled(Duration::from_secs(60), Duration::from_secs(3600));

/// What is known of a tier: nothing bad, by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TierCircuit {
    in_a_row: u32,
    failed_at: Option<Timestamp>,
    why: String,
}

impl TierCircuit {
    /// It did not take a backup, and why; a sentence for people.
    pub fn failed(&mut self, why: String, now: Timestamp) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.failed_at = Some(now);
        self.why = why;
    }

    /// It took a backup.
    pub fn worked(&mut self) {
        *self = Self::default();
    }

    /// When it failed last, and why; none where it took the last backup that it was to take.
    pub fn last_failure(&self) -> Option<(Timestamp, &str)> {
        Some((self.failed_at?, self.why.as_str()))
    }

    /// Until when it is open, and what the last failure was; none where the tier may be tried: it did not fail three times in
    /// a row, or a minute has passed since, and twice as long with each failure more, up to an hour.
    pub fn open_until(&self, now: Timestamp) -> Option<(Timestamp, &str)> {
        let failed_at = self.failed_at?;
        let too_many = self.in_a_row.saturating_sub(FAILURES - 1);
        let until = failed_at + WAITS.after(too_many);
        (failed_at <= now && now < until).then_some((until, self.why.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_735_689_600_000);

    fn failed(times: u32) -> TierCircuit {
        let mut circuit = TierCircuit::default();
        for number in 0..times {
            circuit.failed(format!("failure {number}"), START);
        }
        circuit
    }

    #[test]
    fn it_opens_with_the_third_failure_for_ever_longer_up_to_an_hour() {
        for (failures, seconds) in [
            (0, 0),
            (1, 0),
            (2, 0),
            (3, 60),
            (4, 120),
            (8, 1920),
            (9, 3600),
            (u32::from(u16::MAX), 3600),
        ] {
            let circuit = failed(failures);
            let open = circuit.open_until(START);
            let expected = (seconds > 0).then_some(START + Duration::from_secs(seconds));
            assert_eq!(open.map(|(until, _)| until), expected, "{failures}");
            let later = START + Duration::from_secs(seconds);
            assert_eq!(circuit.open_until(later), None, "{failures}");
            let before = START - Duration::from_secs(1);
            assert_eq!(circuit.open_until(before), None, "{failures}");
        }
    }

    #[test]
    fn it_names_the_last_failure_and_one_success_closes_it() {
        let mut circuit = failed(4);
        let (_, why) = circuit.open_until(START).unwrap();
        assert_eq!(why, "failure 3");
        assert_eq!(circuit.last_failure(), Some((START, "failure 3")));
        circuit.worked();
        assert_eq!(circuit, TierCircuit::default());
        assert_eq!(circuit.last_failure(), None);
        assert_eq!(circuit.open_until(START), None);
    }
}
