//! Whether a client takes what is sent to it.

use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep},
};

/// So often in the longest time it is looked.
const LOOKS: u32 = 4;

/// Since when a connection takes nothing of what is there for it; none while it does, or nothing is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace(Arc<Mutex<Option<Instant>>>);

impl Pace {
    /// Resolves when nothing was taken for so long though something was there. May be dropped.
    pub(super) async fn stands_still(&self, longest: Duration) {
        loop {
            sleep(longest / LOOKS).await;
            let since = *self.0.lock();
            if since.is_some_and(|since| since.elapsed() >= longest) {
                return;
            }
        }
    }

    fn told<T>(&self, taken: Poll<T>) -> Poll<T> {
        let mut since = self.0.lock();
        match taken {
            Poll::Ready(_) => *since = None,
            Poll::Pending => {
                since.get_or_insert_with(Instant::now);
            }
        }
        drop(since);
        taken
    }
}

/// A connection whose pace is known.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Pace,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.pace.told(taken)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.pace.told(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn only_who_takes_nothing_of_what_is_there_stands_still() {
        let (mut reader, writer) = tokio::io::duplex(8);
        let pace = Pace::default();
        let mut writer = Paced::new(writer, pace.clone());
        let second = Duration::from_secs(1);
        let stands_still = |longest| {
            let pace = pace.clone();
            async move {
                tokio::time::timeout(longest, pace.stands_still(second))
                    .await
                    .is_ok()
            }
        };
        assert!(!stands_still(10 * second).await, "nothing is there");
        let sending = tokio::spawn(async move {
            writer.write_all(&[7; 12]).await.unwrap();
            writer
        });
        assert!(stands_still(10 * second).await);
        let mut taken = [0; 12];
        reader.read_exact(&mut taken).await.unwrap();
        sending.await.unwrap();
        assert!(!stands_still(10 * second).await, "all of it was taken");
    }
}
