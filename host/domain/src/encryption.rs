//! How archives of backups are encrypted.

use serde::{Deserialize, Serialize};

/// How a compressed archive is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Encryption {
    /// It is not.
    None,
    /// As <https://age-encryption.org/v1> says, to X25519 recipients.
    Age {
        /// Whose identities open it, as `age1…`; at least one, each once.
        recipients: Vec<String>,
    },
}
