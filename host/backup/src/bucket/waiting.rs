//! The one place where work that blocks waits for what does not: the requests to buckets.

use super::trouble::{Told, Trouble, explained, said};
use object_store::Error;
use std::{
    future::Future,
    io,
    sync::{Arc, OnceLock, mpsc},
};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// What goes on and will have an answer.
#[derive(Debug)]
pub(super) struct Begun<T> {
    answer: mpsc::Receiver<Option<Result<T, Error>>>,
    told: Arc<Told>,
}

impl<T> Begun<T> {
    /// Waits for it.
    pub(super) fn end(self) -> io::Result<T> {
        match self.answer.recv() {
            Ok(Some(done)) => done.map_err(|error| explained(&error, &self.told)),
            Ok(None) => Err(io::Error::other(Trouble::Interrupted)),
            Err(_) => Err(said("what asked the server broke off".to_owned())),
        }
    }
}

/// Begins what asks a bucket, of which people are told so; soon after `stop` it is given up.
pub(super) fn begin<T: Send + 'static>(
    told: &Arc<Told>,
    stop: &CancellationToken,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> io::Result<Begun<T>> {
    let (sender, answer) = mpsc::sync_channel(1);
    let stop = stop.clone();
    runtime()?.spawn(async move {
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            done = work => Some(done),
        };
        // Nobody waits for what is given up.
        let _ = sender.send(done);
    });
    let told = Arc::clone(told);
    Ok(Begun { answer, told })
}

/// Who waits for networks: one thread for all buckets, from the first request on.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        let builder = builder
            .worker_threads(1)
            .thread_name("objects")
            .enable_all();
        builder.build().map_err(|error| error.to_string())
    });
    let cannot = |why: &String| said(format!("nothing can wait for networks: {why}"));
    made.as_ref().map_err(cannot)
}
