//! A mount point among what a backup reads.

use serde::{Deserialize, Serialize};

/// A directory of a backup's sources at which something is mounted, or was. Serialised as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceMount {
    /// Its path, for people: what of it is no UTF-8 is replaced.
    pub path: String,
    /// Whether it was mounted in the newest backup before it that counts, and is an empty directory now, on the file system of
    /// the one that it is in. Otherwise something else is mounted there than around it, of which something was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vanished: bool,
}
