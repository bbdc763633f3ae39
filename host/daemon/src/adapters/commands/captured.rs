//! What is kept of an output.
//!
//! Invariant: secrets are taken out of it before it is cut.

use crate::{adapters::secrets::MAX_CONCEALED_BYTES, ports::Secrets};
use mainstay_domain::blob::Blob;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The beginning of an output.
pub(super) struct Captured {
    bytes: Vec<u8>,
    max: usize,
    seen: u64,
}

impl Captured {
    pub(super) fn new(max: u64) -> Self {
        Self {
            bytes: Vec::new(),
            max: usize::try_from(max).unwrap_or(usize::MAX),
            seen: 0,
        }
    }

    /// Reads to the end and keeps the beginning, so that the program is never blocked by a full pipe.
    pub(super) async fn read(&mut self, pipe: &mut Option<impl AsyncRead + Unpin>) {
        let Some(pipe) = pipe else { return };
        let mut chunk = vec![0; 16 << 10];
        while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
            self.seen += count as u64;
            // More than is wanted: a secret across the cut has to be recognised first.
            let room = self.max.saturating_add(MAX_CONCEALED_BYTES) - self.bytes.len();
            self.bytes
                .extend_from_slice(chunk.get(..count.min(room)).unwrap_or_default());
        }
    }

    pub(super) fn truncated(&self) -> bool {
        self.seen > self.max as u64
    }

    pub(super) fn finish(self, secrets: &dyn Secrets) -> Blob {
        let cut = self.seen > self.bytes.len() as u64;
        let mut bytes = secrets.conceal_piece(self.bytes);
        if cut {
            // The last bytes may be half of a secret.
            bytes.truncate(bytes.len().saturating_sub(MAX_CONCEALED_BYTES));
        }
        bytes.truncate(self.max);
        Blob(bytes)
    }
}
