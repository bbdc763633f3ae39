//! What people signal to the handler of an operation.
//!
//! Invariant: a signal stays in the record of its operation, also where the handler has had it. Which it has had the
//! journal says: an [`Answer::Signal`](crate::effect::Answer::Signal) has the number of its signal.

use crate::{name::SignalName, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So many signals one operation takes.
pub const MAX_SIGNALS: usize = 32;

/// The longest text of a signal, in bytes.
pub const MAX_SIGNAL_BYTES: usize = 4 << 10;

/// A signal that an operation has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedSignal {
    /// Its number within its operation, from 1.
    pub number: u32,
    /// What it is called.
    pub name: SignalName,
    /// What came with it; may be empty.
    pub text: String,
    /// When it came.
    pub at: Timestamp,
    /// Who sent it: the user of the socket's peer, or the name of the token's secret.
    pub by: String,
    /// What they say about themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A signal that a handler waits for, and that was not there when it was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedSignal {
    /// What it is called.
    pub name: SignalName,
    /// So many signals the operation had by then, whatever their names.
    pub seen: usize,
    /// Until when it is waited for.
    pub until: Timestamp,
    /// How long that is.
    pub left: Duration,
}
