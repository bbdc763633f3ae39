//! What is read of the logs of targets.

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// Without secrets; it begins with a whole line, and may end within one.
    pub text: String,
    /// How long the whole log is, with what was rotated of it and is still there.
    pub bytes: u64,
}
