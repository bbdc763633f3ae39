//! How a backup was taken.

use mainstay_domain::backup_origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a backup was taken, as its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupOrigin {
    /// How long it took to read, store and verify it, milliseconds.
    pub elapsed_ms: u64,
    /// What was read, and as what where it is named; for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Whose identities open it, as `age1…`; absent where it is not encrypted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// The public key of the host that stands for it, 64 hexadecimal digits; absent where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl From<&backup_origin::BackupOrigin> for BackupOrigin {
    fn from(origin: &backup_origin::BackupOrigin) -> Self {
        Self {
            elapsed_ms: origin.elapsed_ms,
            sources: origin.sources.clone(),
            recipients: origin.recipients.clone(),
            signed_by: origin.signed_by.clone(),
        }
    }
}
