//! What of directories a job reads.

/// What of the directories among a job's sources is read. What is left out makes no backup incomplete, and a restore in
/// place leaves it where it is.
///
/// ```
/// let reading = mainstay_domain::spec::ReadingSpec::default();
/// assert!(reading.exclude.is_empty() && !reading.exclude_caches && reading.one_filesystem);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingSpec {
    /// Patterns of what is left out, with all that is below it, held against paths below the source; checked. One without a
    /// slash names what has that name, wherever it is; any other is meant from the source on. Default none.
    pub exclude: Vec<String>,
    /// Whether of each directory below a source that says that it is a cache, by a CACHEDIR.TAG with its signature
    /// (<https://bford.info/cachedir/>), nothing but that is read; default false.
    pub exclude_caches: bool,
    /// Whether a directory on another file system than its source is read as an empty one; default true.
    pub one_filesystem: bool,
}

impl Default for ReadingSpec {
    fn default() -> Self {
        Self {
            exclude: Vec::new(),
            exclude_caches: false,
            one_filesystem: true,
        }
    }
}
