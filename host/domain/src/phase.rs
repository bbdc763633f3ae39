//! The phases of operation: how cautious automatic recovery is [seed 001].
//!
//! Invariant: the way from phase to phase is one table; from each there is a way to `safe`, at once.

use crate::{severity::Severity, text::excerpt};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A phase of operation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Something is begun that must not be disturbed: only what is critical is recovered.
    Launch,
    /// A change is rolled out: what is high or critical is recovered.
    Deployment,
    /// Everything is recovered.
    #[default]
    Normal,
    /// The work that everything else is for is done: what is medium or worse is recovered.
    Payload,
    /// Nothing is recovered by itself.
    Safe,
}

/// How many times as much it takes until something counts as failed, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiplier(u32);

impl Default for Multiplier {
    /// As much as ever.
    fn default() -> Self {
        Self(100)
    }
}

impl Multiplier {
    /// The nearest hundredth of a factor; what is below nothing is nothing.
    ///
    /// ```
    /// use mainstay_domain::policy::Multiplier;
    /// assert_eq!(Multiplier::new(1.5).threshold(5), 8);
    /// ```
    pub fn new(factor: f64) -> Self {
        Self((factor * 100.0).round() as u32)
    }

    /// The factor.
    pub fn factor(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// A number of failures, times the multiplier: rounded up, and at least one.
    pub fn threshold(self, failures: u32) -> u32 {
        let hundredths = u64::from(failures) * u64::from(self.0);
        u32::try_from(hundredths.div_ceil(100).max(1)).unwrap_or(u32::MAX)
    }
}

/// A text that is no phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no phase: launch, deployment, normal, payload and safe are")]
pub struct UnknownPhase(String);

/// What becomes of a change of the phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseChange {
    /// It is the present one.
    Same,
    /// It is another one now.
    Changed,
    /// There is no way from the present one to that.
    Refused,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Phase; 5] = [
        Phase::Launch,
        Phase::Deployment,
        Phase::Normal,
        Phase::Payload,
        Phase::Safe,
    ];

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Launch => "launch",
            Phase::Deployment => "deployment",
            Phase::Normal => "normal",
            Phase::Payload => "payload",
            Phase::Safe => "safe",
        }
    }

    /// Reads the word.
    ///
    /// # Errors
    /// It is no phase.
    pub fn parse(text: &str) -> Result<Self, UnknownPhase> {
        let mut all = Self::ALL.into_iter();
        all.find(|phase| phase.as_str() == text)
            .ok_or_else(|| UnknownPhase(excerpt(text)))
    }

    /// The least severity that is recovered automatically; none: nothing is.
    pub fn least(self) -> Option<Severity> {
        match self {
            Phase::Launch => Some(Severity::Critical),
            Phase::Deployment => Some(Severity::High),
            // What is low is only logged in the seed's usual phase; here a route says what is not to be recovered.
            Phase::Normal => Some(Severity::Low),
            Phase::Payload => Some(Severity::Medium),
            Phase::Safe => None,
        }
    }

    /// How many times as much it takes until something counts as failed: launch 2.0, deployment 1.5, normal and payload 1.0,
    /// safe 0.8.
    pub fn multiplier(self) -> Multiplier {
        Multiplier(match self {
            Phase::Launch => 200,
            Phase::Deployment => 150,
            Phase::Normal | Phase::Payload => 100,
            Phase::Safe => 80,
        })
    }

    /// Where it goes from here.
    pub fn next(self) -> &'static [Phase] {
        match self {
            Phase::Launch => &[Phase::Deployment, Phase::Safe],
            Phase::Deployment => &[Phase::Normal, Phase::Safe],
            Phase::Normal => &[Phase::Payload, Phase::Safe],
            Phase::Payload => &[Phase::Normal, Phase::Safe],
            Phase::Safe => &[Phase::Normal, Phase::Deployment, Phase::Launch],
        }
    }

    /// What becomes of a change to that phase.
    pub fn change_to(self, to: Phase) -> PhaseChange {
        match () {
            () if self == to => PhaseChange::Same,
            () if self.next().contains(&to) => PhaseChange::Changed,
            () => PhaseChange::Refused,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [seed 001] The multipliers 2.0, 1.5, 1.0, 1.0, 0.8, and who is recovered: launch critical; deployment critical and
    /// high; payload medium and above; safe nobody.
    #[test]
    fn each_phase_has_the_multiplier_and_the_severities_of_the_seed() {
        let found =
            Phase::ALL.map(|phase| (phase.as_str(), phase.multiplier().factor(), phase.least()));
        let expected = [
            ("launch", 2.0, Some(Severity::Critical)),
            ("deployment", 1.5, Some(Severity::High)),
            ("normal", 1.0, Some(Severity::Low)),
            ("payload", 1.0, Some(Severity::Medium)),
            ("safe", 0.8, None),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_threshold_is_rounded_up_and_never_nothing() {
        for (phase, failures, expected) in [
            (Phase::Launch, 5, 10),
            (Phase::Deployment, 5, 8),
            (Phase::Deployment, 1, 2),
            (Phase::Normal, 5, 5),
            (Phase::Payload, 3, 3),
            (Phase::Safe, 5, 4),
            (Phase::Safe, 1, 1),
            (Phase::Launch, u32::MAX, u32::MAX),
            (Phase::Safe, 0, 1),
        ] {
            let found = phase.multiplier().threshold(failures);
            assert_eq!(found, expected, "{phase} {failures}");
        }
        for (factor, failures, expected) in [
            (1.1, 10, 11),
            (1.25, 4, 5),
            (0.1, 5, 1),
            (100.0, 5, 500),
            (-1.0, 5, 1),
            (f64::NAN, 5, 1),
        ] {
            let found = Multiplier::new(factor).threshold(failures);
            assert_eq!(found, expected, "{factor} {failures}");
        }
        assert_eq!(Multiplier::default(), Phase::Normal.multiplier());
    }

    /// [seed 001] launch → deployment → normal ⇄ payload; any → safe; safe → normal, deployment, launch.
    #[test]
    fn the_whole_table_of_ways_is_the_seeds() {
        // Columns: launch, deployment, normal, payload, safe.
        let table = ["=y--y", "-=y-y", "--=yy", "--y=y", "yyy-="];
        for (from, row) in Phase::ALL.into_iter().zip(table) {
            for (to, expected) in Phase::ALL.into_iter().zip(row.chars()) {
                let found = match from.change_to(to) {
                    PhaseChange::Same => '=',
                    PhaseChange::Changed => 'y',
                    PhaseChange::Refused => '-',
                };
                assert_eq!(found, expected, "{from} to {to}");
            }
        }
        assert_eq!(Phase::default(), Phase::Normal);
    }

    #[test]
    fn words_are_read_as_they_are_printed_and_others_are_refused() {
        for phase in Phase::ALL {
            assert_eq!(Phase::parse(phase.as_str()), Ok(phase));
        }
        let error = Phase::parse("Launch").unwrap_err().to_string();
        assert!(error.contains("`Launch` is no phase"), "{error}");
    }
}
