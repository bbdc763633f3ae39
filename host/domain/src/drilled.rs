//! What the newest drill of a backup has measured.

use crate::{
    name::TargetName,
    time::{Timestamp, millis},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A drill that came to its end. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// When it ended.
    pub at: Timestamp,
    /// How long all that was stored took to be written into its scratch directory, milliseconds.
    pub restore_ms: u64,
    /// How long what was started on that took to be found healthy, milliseconds; absent where nothing was started, or it was
    /// not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_ms: Option<u64>,
    /// Whose recovery it would have been; absent where the job does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// The recovery time objective of that target then, milliseconds; there where `target` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_ms: Option<u64>,
    /// Why it failed, for people; absent where it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Drilled {
    /// All that a recovery would have taken, milliseconds.
    pub fn total_ms(&self) -> u64 {
        self.restore_ms
            .saturating_add(self.healthy_ms.unwrap_or_default())
    }

    /// Whether that is more than the objective of its target.
    pub fn exceeds_rto(&self) -> bool {
        self.rto_ms.is_some_and(|rto| self.total_ms() > rto)
    }

    /// What was measured, in a sentence.
    pub fn words(&self) -> String {
        let length = |ms: u64| format!("{:?}", Duration::from_millis(ms));
        let restored = length(self.restore_ms);
        let measured = match self.healthy_ms {
            Some(healthy) => format!(
                "restored in {restored} and healthy {} after its start, {} in all",
                length(healthy),
                length(self.total_ms())
            ),
            None => format!("restored in {restored}"),
        };
        match (&self.target, self.rto_ms) {
            (Some(target), Some(rto)) => {
                format!("{measured}, where the rto of {target} is {}", length(rto))
            }
            _ => measured,
        }
    }

    /// One that measured nothing but the restore.
    pub fn restored(at: Timestamp, took: Duration) -> Self {
        Self {
            at,
            restore_ms: millis(took),
            healthy_ms: None,
            target: None,
            rto_ms: None,
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_said_beside_the_objective() {
        let at = Timestamp::from_millis(1);
        let mut drilled = Drilled::restored(at, Duration::from_millis(1_500));
        assert_eq!(drilled.words(), "restored in 1.5s");
        assert!(!drilled.exceeds_rto());
        drilled.target = Some(TargetName::parse("api").unwrap());
        drilled.rto_ms = Some(2_000);
        assert_eq!(
            drilled.words(),
            "restored in 1.5s, where the rto of api is 2s"
        );
        drilled.healthy_ms = Some(500);
        assert_eq!(
            drilled.words(),
            "restored in 1.5s and healthy 500ms after its start, 2s in all, where the rto of api is 2s"
        );
        assert!(!drilled.exceeds_rto());
        drilled.healthy_ms = Some(501);
        assert!(drilled.exceeds_rto());
    }
}
