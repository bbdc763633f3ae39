//! What a program prints, handed on as it comes.

use crate::ports::{BackupStoreError, OnContent};
use std::{io, os::fd::OwnedFd, process::Stdio};
use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver};
use tokio_util::sync::CancellationToken;

/// Read at once.
const PIECE: usize = 64 << 10;

/// The reading end of the pipe that a program prints into.
pub(super) struct Printed<'a, 'b> {
    pipe: Receiver,
    on_bytes: &'a mut OnContent<'b>,
    /// How the reading ended; none as long as there may be more.
    pub(super) ended: Option<Result<(), BackupStoreError>>,
    /// Cancelled where what it prints is not taken any more.
    pub(super) refused: CancellationToken,
}

impl<'a, 'b> Printed<'a, 'b> {
    /// A pipe: what the program gets as its output, and what is read. Needs a runtime.
    pub(super) fn pipe(on_bytes: &'a mut OnContent<'b>) -> io::Result<(Stdio, Self)> {
        let (reader, writer) = io::pipe()?;
        let printed = Self {
            pipe: Receiver::from_owned_fd(OwnedFd::from(reader))?,
            on_bytes,
            ended: None,
            refused: CancellationToken::new(),
        };
        Ok((Stdio::from(writer), printed))
    }

    /// Reads to the end. May be dropped, and called again.
    pub(super) async fn read(&mut self) {
        let mut piece = vec![0; PIECE];
        while self.ended.is_none() {
            self.ended = match self.pipe.read(&mut piece).await {
                Ok(0) => Some(Ok(())),
                Ok(count) => {
                    let taken = (self.on_bytes)(piece.get(..count).unwrap_or_default());
                    taken.err().map(Err)
                }
                Err(error) => Some(Err(BackupStoreError::Source(format!(
                    "what a source command prints cannot be read: {error}"
                )))),
            };
        }
        if matches!(self.ended, Some(Err(_))) {
            self.refused.cancel();
        }
    }
}
