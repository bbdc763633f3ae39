//! The record of one call of a recovery handler: what it takes to run the same build on the same input again.
//!
//! Invariant: a record holds secrets by name, never a value; the handles of a call follow from its seed.
//! Invariant: of a call that did nothing that the journal knows there is no record, for it can be made anew.

use crate::{
    call::{RecoverRequest, RecoveryFailure, Report},
    id::OperationId,
    name::PluginName,
    plugin::PluginIdentity,
    spec::Limits,
    time::{Timestamp, millis},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The form of a record that this version writes.
pub const CALL_FORMAT: u32 = 1;

/// 32 bytes, from which everything is drawn that is to be unguessable in a call. Written as hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallSeed(pub [u8; 32]);

/// A text that is no seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a seed has 64 hexadecimal digits, and this is another text")]
pub struct InvalidSeed;

impl TryFrom<String> for CallSeed {
    type Error = InvalidSeed;
    fn try_from(text: String) -> Result<Self, InvalidSeed> {
        let hash = blake3::Hash::from_hex(text.as_bytes()).map_err(|_| InvalidSeed)?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl From<CallSeed> for String {
    fn from(seed: CallSeed) -> String {
        blake3::Hash::from_bytes(seed.0).to_hex().to_string()
    }
}

/// Which call of its operation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallPlace {
    /// The number of the call within its operation, from 1.
    pub call: u32,
    /// The step of the chain, from 0.
    pub step: u32,
    /// When it was asked for.
    pub began_at: Timestamp,
}

/// The limits under which a call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedLimits {
    /// Linear memory, bytes.
    pub memory_bytes: u64,
    /// CPU time, milliseconds.
    pub deadline_ms: u64,
    /// Wall time, milliseconds.
    pub timeout_ms: u64,
    /// Bytes of an answer.
    pub result_bytes: u64,
    /// Effects.
    pub effects: u32,
}

impl From<&Limits> for RecordedLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes,
            deadline_ms: millis(limits.deadline),
            timeout_ms: millis(limits.timeout),
            result_bytes: limits.result_bytes,
            effects: limits.effects,
        }
    }
}

/// One call of a handler, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The form of this record.
    pub format: u32,
    /// The operation.
    pub operation: OperationId,
    /// The number of the call within its operation, from 1.
    pub call: u32,
    /// The step of the chain, from 0.
    pub step: u32,
    /// The attempt of the operation, from 1.
    pub attempt: u32,
    /// Who was called, by the name of the plugin or of its instance.
    pub plugin: PluginName,
    /// Its version.
    pub version: semver::Version,
    /// The BLAKE3 hash of its component, hexadecimal.
    pub digest: String,
    /// The version of the contract that it speaks.
    pub contract: String,
    /// What it was asked.
    pub input: RecoverRequest,
    /// Its settings as the operator wrote them, secrets by name.
    pub settings: serde_json::Value,
    /// Its limits.
    pub limits: RecordedLimits,
    /// Its chance, and the handles of its secrets, are drawn from this.
    pub seed: CallSeed,
    /// The number of its first effect within the operation.
    pub first_number: u32,
    /// When it began: its wall clock begins here.
    pub began_at: Timestamp,
    /// How long it may take, milliseconds.
    pub timeout_ms: u64,
    /// When it is woken, where it sleeps and is held by nobody meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// How often in a row it was begun again after an end of the daemon, and got no further before the next end.
    #[serde(default)]
    pub replays: u32,
    /// The fencing number of the daemon that makes it now; the guest was told that of the first.
    pub fencing: u64,
}

impl CallRecord {
    /// Who was called.
    pub fn identity(&self) -> PluginIdentity {
        PluginIdentity {
            name: self.plugin.clone(),
            version: self.version.clone(),
            digest: self.digest.clone(),
        }
    }

    /// How long it may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How many effects the operation had before it.
    pub fn effects_before(&self) -> u32 {
        self.first_number.saturating_sub(1)
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallOutcome {
    /// The handler is done.
    Done(Report),
    /// The handler answered with a failure, or gave no answer.
    Failed(RecoveryFailure),
    /// It was given up by the host; why, for people.
    GivenUp(String),
}

/// The end of a call, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEnd {
    /// When.
    pub at: Timestamp,
    /// How.
    pub outcome: CallOutcome,
}

/// A call and, where it has ended, its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedCall {
    /// What it takes to make it again.
    pub record: CallRecord,
    /// None while it has not ended.
    pub end: Option<CallEnd>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_written_as_digits_and_reads_back() {
        let seed = CallSeed([0xa7; 32]);
        let text = serde_json::to_string(&seed).unwrap();
        assert_eq!(text, format!("\"{}\"", "a7".repeat(32)));
        assert_eq!(serde_json::from_str::<CallSeed>(&text).unwrap(), seed);
        for wrong in ["\"\"", "\"a7\"", "7"] {
            assert!(serde_json::from_str::<CallSeed>(wrong).is_err(), "{wrong}");
        }
    }
}
