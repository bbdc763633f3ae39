//! Work that takes long, and answers with lines: its progress at most every 100 ms, and every second where nothing moves,
//! so that who asked can tell slow work from a daemon that hangs; what it finds meanwhile; then one result or one error. The
//! first line comes within a second, also where the work still waits its turn; where it is refused before, the answer is an
//! ordinary error.
//!
//! Invariant: what was found comes in its order, and before the result; who does not read holds up the work that finds it.

use super::{
    error::ApiError,
    events::{NDJSON, line},
};
use crate::ports::{OnProgress, Progress, Refused};
use axum::{
    body::{Body as HttpBody, Bytes},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use mainstay_api::{ContentLine, ErrorBody, WorkLine};
use mainstay_domain::{
    pace::{Amount, pace},
    time::millis,
};
use serde::Serialize;
use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// Progress is sent at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Without new progress the last one is sent again after this.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// By then an answer begins, so that who asked sees that the work waits.
const FIRST_LINE_WITHIN: Duration = Duration::from_secs(1);

/// So many lines wait for who reads them.
const WAITING: usize = 64;

/// A line of such an answer.
pub(super) trait Line: Serialize + Send + 'static {
    /// It goes on.
    fn progress(progress: mainstay_api::Progress) -> Self;
    /// It was not done.
    fn error(error: ErrorBody) -> Self;
}

impl Line for WorkLine {
    fn progress(progress: mainstay_api::Progress) -> Self {
        Self::Progress { progress }
    }

    fn error(error: ErrorBody) -> Self {
        Self::Error(error)
    }
}

impl Line for ContentLine {
    fn progress(progress: mainstay_api::Progress) -> Self {
        Self::Progress { progress }
    }

    fn error(error: ErrorBody) -> Self {
        Self::Error(error)
    }
}

/// Begins the work and answers with its lines; what it gives is the last of them.
pub(super) async fn long_lines<L: Line, F>(
    work: impl FnOnce(OnProgress, mpsc::Sender<L>) -> F,
) -> Result<Response, ApiError>
where
    F: Future<Output = Result<L, Refused>> + Send + 'static,
{
    // Of progress only the newest counts, so telling it never waits for the client.
    let (sender, progress) = watch::channel(Progress::default());
    let on_progress: OnProgress = Arc::new(move |progress| {
        sender.send_replace(progress);
    });
    let (found, lines) = mpsc::channel(WAITING);
    // In a task, so that a client that does not read holds up nobody; it ends with the answer.
    let task = tokio::spawn(work(on_progress, found));
    let mut work = Work {
        task: Some(AbortOnDropHandle::new(task)),
        answer: None,
        lines,
        progress,
        next: Instant::now(),
        began: None,
    };
    let first = match timeout(FIRST_LINE_WITHIN, work.next_line()).await {
        Ok(Some(Err(error))) => return Err(error),
        Ok(line) => line,
        Err(_) => Some(Ok(work.progress_line())),
    };
    let lines = stream::unfold((first, work), |(first, mut work)| async move {
        let next = match first {
            Some(line) => line,
            None => work.next_line().await?,
        };
        let next = next.unwrap_or_else(|error| L::error(error.into_body()));
        Some((Ok::<_, Infallible>(Bytes::from(line(&next))), (None, work)))
    });
    Ok((NDJSON, HttpBody::from_stream(lines)).into_response())
}

struct Work<L> {
    task: Option<AbortOnDropHandle<Result<L, Refused>>>,
    /// What it ended with, until that was told.
    answer: Option<Result<L, ApiError>>,
    lines: mpsc::Receiver<L>,
    progress: watch::Receiver<Progress>,
    next: Instant,
    /// When something was first done, and how much was by then.
    began: Option<(Instant, Amount)>,
}

impl<L: Line> Work<L> {
    /// The next line; `None` after the result or the error.
    async fn next_line(&mut self) -> Option<Result<L, ApiError>> {
        if let Some(task) = self.task.as_mut() {
            let progress = async {
                tokio::time::sleep_until(self.next).await;
                match timeout(ALIVE_EVERY, self.progress.changed()).await {
                    Ok(Ok(())) | Err(_) => {}
                    // The work tells no progress; or it is over, and its result is about to come.
                    Ok(Err(_)) => tokio::time::sleep(ALIVE_EVERY).await,
                }
            };
            tokio::select! { biased;
                Some(found) = self.lines.recv() => return Some(Ok(found)),
                answer = task => {
                    self.task = None;
                    self.answer = Some(match answer {
                        Ok(Ok(result)) => Ok(result),
                        Ok(Err(refused)) => Err(refused.into()),
                        Err(_) => Err(ApiError::ended()),
                    });
                }
                () = progress => return Some(Ok(self.progress_line())),
            }
        }
        // What was found just before it ended.
        match self.lines.try_recv() {
            Ok(found) => Some(Ok(found)),
            Err(_) => self.answer.take(),
        }
    }

    /// How far it has come by now.
    fn progress_line(&mut self) -> L {
        self.next = Instant::now() + PROGRESS_EVERY;
        let Progress {
            documents,
            total,
            bytes,
            total_bytes,
        } = *self.progress.borrow_and_update();
        let done = Amount { documents, bytes };
        let pace = match self.began {
            // It may have waited for its turn until now.
            None if done == Amount::default() => None,
            None => {
                self.began = Some((Instant::now(), done));
                None
            }
            Some((at, began)) => pace(began, done, (total, total_bytes), at.elapsed()),
        };
        L::progress(mainstay_api::Progress {
            documents,
            total,
            bytes,
            total_bytes,
            per_second_bytes: pace.map(|pace| pace.bytes_per_second),
            remaining_ms: pace.and_then(|pace| pace.remaining).map(millis),
        })
    }
}
