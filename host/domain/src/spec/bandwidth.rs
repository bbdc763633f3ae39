//! How fast bytes may go to a tier and come from it, as configured.

/// A limit at a time of day. See [`crate::bandwidth::limit_at`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BandwidthSpec {
    /// From this minute of the day on, 0 to 1439.
    pub from: u16,
    /// Until this one, 1 to 1440, another than `from`; where it is before that, it is one of the next day.
    pub to: u16,
    /// Whose day: an IANA name, checked; default `UTC`.
    pub zone: String,
    /// Bytes a second in all, both ways; at least 16 KiB.
    pub limit: u64,
}
