//! Bytes that come from a tier, and go to it, no faster than its host lets them.

use crate::port::TierPace;
use mainstay_domain::name::TierName;
use std::{
    fmt,
    io::{self, Read},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Nothing is held back.
pub(super) struct AtOnce;

impl TierPace for AtOnce {
    fn pass(&self, _: &TierName, _: u64, _: &CancellationToken) {}
}

/// That of one tier.
#[derive(Clone)]
pub(super) struct Pace {
    host: Arc<dyn TierPace>,
    tier: TierName,
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pace").field(&self.tier).finish()
    }
}

impl Pace {
    pub(super) fn new(host: Arc<dyn TierPace>, tier: TierName) -> Self {
        Self { host, tier }
    }

    /// So many bytes have come, or are to go.
    pub(super) fn pass(&self, bytes: usize, stop: &CancellationToken) {
        self.host.pass(&self.tier, bytes as u64, stop);
    }
}

/// Reads from a tier.
pub(super) struct Paced<'a, T> {
    inner: T,
    pace: &'a Pace,
    stop: &'a CancellationToken,
}

impl<'a, T> Paced<'a, T> {
    pub(super) fn new(inner: T, pace: &'a Pace, stop: &'a CancellationToken) -> Self {
        Self { inner, pace, stop }
    }
}

impl<T: Read> Read for Paced<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.pace.pass(count, self.stop);
        Ok(count)
    }
}
