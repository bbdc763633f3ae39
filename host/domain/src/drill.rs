//! Drills: a target is broken on purpose, and its recovery is timed against its objective.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a target is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillMethod {
    /// Its supervised process is killed.
    Kill,
    /// Its supervised process is asked to end, as by somebody who does not tell the host.
    Stop,
    /// The operator's command for that cuts it off.
    Block,
    /// The operator's command for that fills something of it.
    Fill,
    /// Another command of the operator's breaks it.
    Command,
}

impl DrillMethod {
    /// Every method.
    pub const ALL: [DrillMethod; 5] = [
        DrillMethod::Kill,
        DrillMethod::Stop,
        DrillMethod::Block,
        DrillMethod::Fill,
        DrillMethod::Command,
    ];

    /// The word that operators write.
    pub fn as_str(self) -> &'static str {
        match self {
            DrillMethod::Kill => "kill",
            DrillMethod::Stop => "stop",
            DrillMethod::Block => "block",
            DrillMethod::Fill => "fill",
            DrillMethod::Command => "command",
        }
    }

    /// Reads a word.
    ///
    /// # Errors
    /// It is none; what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut methods = Self::ALL.into_iter();
        methods
            .find(|method| method.as_str() == text)
            .ok_or_else(|| "allowed are kill, stop, block, fill and command".to_owned())
    }
}

impl std::fmt::Display for DrillMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillEnd {
    /// It was healthy again after so long, counted from the break.
    Healthy(Duration),
    /// Its failure was noticed, and it was not healthy again in all the time that the drill had.
    NotRecovered,
    /// Nobody noticed the failure in all that time.
    NotNoticed,
    /// The daemon ended, or was told to, before that was known.
    CutOff,
}

impl DrillEnd {
    /// A drill waits so long for the recovery: twice the objective, and a moment for what is quick.
    pub fn patience(rto: Duration) -> Duration {
        rto.saturating_mul(2).max(Duration::from_secs(1))
    }

    /// Whether the target was healthy again within its objective.
    pub fn is_met(self, rto: Duration) -> bool {
        matches!(self, DrillEnd::Healthy(took) if took <= rto)
    }

    /// What came of it: `done` where the objective was met, else why not.
    pub fn outcome(self, rto: Duration) -> String {
        match self {
            DrillEnd::Healthy(took) if took <= rto => "done".to_owned(),
            DrillEnd::Healthy(took) => {
                format!("healthy again after {took:?}, which is more than its objective of {rto:?}")
            }
            DrillEnd::NotRecovered => format!(
                "not healthy again within {:?}, and its objective is {rto:?}; its incident is open",
                Self::patience(rto)
            ),
            DrillEnd::NotNoticed => {
                format!(
                    "nobody noticed that failure within {:?}",
                    Self::patience(rto)
                )
            }
            DrillEnd::CutOff => {
                "the daemon ended before it was known; `mainstay status` shows how the target is"
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objective_is_met_by_a_recovery_in_time_alone() {
        let rto = Duration::from_secs(10);
        for (end, is_met, says) in [
            (DrillEnd::Healthy(Duration::from_secs(10)), true, "done"),
            (
                DrillEnd::Healthy(Duration::from_secs(11)),
                false,
                "healthy again after 11s",
            ),
            (
                DrillEnd::NotRecovered,
                false,
                "not healthy again within 20s",
            ),
            (DrillEnd::NotNoticed, false, "nobody noticed"),
            (DrillEnd::CutOff, false, "the daemon ended"),
        ] {
            assert_eq!(end.is_met(rto), is_met, "{end:?}");
            assert!(end.outcome(rto).starts_with(says), "{}", end.outcome(rto));
        }
    }

    #[test]
    fn a_method_is_written_as_it_is_read() {
        for method in DrillMethod::ALL {
            assert_eq!(DrillMethod::parse(method.as_str()), Ok(method));
        }
        assert!(DrillMethod::parse("burn").is_err());
    }
}
