//! How bad something is.

use crate::words::words;

words! {
    /// How bad a failure or an event is, least first.
    #[serde(rename_all = "kebab-case")]
    Severity as mainstay_domain::severity::Severity {
        /// Worth a record.
        Low,
        /// Worth a look within the day.
        Medium,
        /// Users notice.
        High,
        /// Users are down, or data is in danger.
        Critical,
    }
}
