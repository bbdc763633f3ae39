//! How bad a failure is.

use serde::{Deserialize, Serialize};

/// From so many times on a failure is a recurrent one [seed 001].
const RECURRENT: u32 = 3;
/// What is less sure is not made worse by its recurrence [seed 001].
const SURE: f64 = 0.7;

/// Least first, so that `>=` compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth a record.
    Low,
    /// Worth a look within the day.
    Medium,
    /// Users notice.
    High,
    /// Users are down, or data is in danger.
    Critical,
}

impl Severity {
    /// Every severity, least first.
    pub const ALL: [Severity; 4] = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];

    /// How bad a score from 0 to 1 is [seed 001]: from 0.9 critical, from 0.7 high, from 0.4 medium, else low, and so is what
    /// is no number.
    pub fn of_score(score: f64) -> Self {
        let mut worst_first = Self::ALL.into_iter().rev();
        let found = worst_first.find(|severity| score >= severity.least_score());
        found.unwrap_or(Severity::Low)
    }

    /// How bad a failure is that came with this score and confidence, and that has occurred so often within its window, this
    /// time included [seed 001]. One that comes again and again is answered as a critical one: from the third time on, if it
    /// is at least medium, and at least 0.7 sure.
    pub fn assessed(score: f64, confidence: f64, recurrence_count: u32) -> Self {
        let of_score = Self::of_score(score);
        let is_sure = confidence >= SURE;
        match of_score >= Severity::Medium && is_sure && recurrence_count >= RECURRENT {
            true => Severity::Critical,
            false => of_score,
        }
    }

    /// The least score that is so bad [seed 001].
    pub fn least_score(self) -> f64 {
        match self {
            Severity::Low => 0.0,
            Severity::Medium => 0.4,
            Severity::High => 0.7,
            Severity::Critical => 0.9,
        }
    }

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_as_bad_as_the_seed_says() {
        for (score, severity) in [
            (f64::NAN, Severity::Low),
            (-1.0, Severity::Low),
            (0.0, Severity::Low),
            (0.399, Severity::Low),
            (0.4, Severity::Medium),
            (0.699, Severity::Medium),
            (0.7, Severity::High),
            (0.899, Severity::High),
            (0.9, Severity::Critical),
            (1.0, Severity::Critical),
            (f64::INFINITY, Severity::Critical),
        ] {
            assert_eq!(Severity::of_score(score), severity, "{score}");
        }
        for severity in Severity::ALL {
            assert_eq!(Severity::of_score(severity.least_score()), severity);
        }
    }

    #[test]
    fn what_comes_again_and_again_is_critical_where_it_is_sure_and_not_low() {
        for (score, confidence, count, severity) in [
            (0.5, 1.0, 1, Severity::Medium),
            (0.5, 1.0, 2, Severity::Medium),
            (0.5, 1.0, 3, Severity::Critical),
            (0.5, 0.7, 9, Severity::Critical),
            (0.5, 0.69, 9, Severity::Medium),
            (0.5, f64::NAN, 9, Severity::Medium),
            (0.39, 1.0, 9, Severity::Low),
            (0.9, 0.0, 1, Severity::Critical),
        ] {
            let found = Severity::assessed(score, confidence, count);
            assert_eq!(found, severity, "{score} {confidence} {count}");
        }
    }
}
