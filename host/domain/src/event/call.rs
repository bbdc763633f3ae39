//! What events say to programs of the calls that a daemon goes on with.

use super::OperationFacts;
use crate::{name::SignalName, time::Timestamp};
use serde::{Deserialize, Serialize};

/// A handler sleeps for long, or waits for a signal, and is not held meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationSuspended {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// When it is woken.
    pub until: Timestamp,
}

/// A person signalled to the handler of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationSignalled {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// What the signal is called. What came with it is in the record of the operation.
    pub signal: SignalName,
    /// Who did: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}

/// A handler does something else than it did before the daemon ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationDiverged {
    /// Which.
    #[serde(flatten)]
    pub about: OperationFacts,
    /// The number of the first effect that is another.
    pub number: u32,
    /// What it asked for then.
    pub recorded: String,
    /// What it asks for now.
    pub asked: String,
}

/// Nobody knows whether an effect happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectInDoubt {
    /// Its number within its operation.
    pub number: u32,
    /// What was asked, in a few words.
    pub request: String,
    /// Its idempotency key.
    pub key: String,
    /// When it was begun.
    pub begun_at: Timestamp,
}

/// A person said whether an effect happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectResolved {
    /// Its number within its operation.
    pub number: u32,
    /// What was asked, in a few words.
    pub request: String,
    /// Whether it happened.
    pub happened: bool,
    /// Who says so: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    pub note: Option<String>,
}
