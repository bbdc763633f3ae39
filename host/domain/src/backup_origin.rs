//! How a backup was taken.

use serde::{Deserialize, Serialize};

/// How a backup was taken, as its manifest says. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupOrigin {
    /// How long it took to read, store and verify it, in milliseconds.
    pub elapsed_ms: u64,
    /// What was read, and as what where it is named; for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Whose identities open it, as `age1…`; none where it is not encrypted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// The public key of the host that stands for it, 64 hexadecimal digits; none where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}
