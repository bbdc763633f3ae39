//! What is known of services that others supervise.

use mainstay_domain::time::Timestamp;
use std::path::PathBuf;

/// Why the commands of a foreign service did not start it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStarted {
    /// When that was.
    pub at: Timestamp,
    /// Which command, how it ended and what it printed last, for people; without the name of the target.
    pub why: String,
}

/// The process of a foreign service, by a pid file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignProcess {
    /// The file of its config, else the first that one of its checks names; none where nothing names one.
    pub pid_file: Option<PathBuf>,
    /// The living process that the file names; none where it names none. The error is why that is not known, for people.
    pub pid: Result<Option<u32>, String>,
}
