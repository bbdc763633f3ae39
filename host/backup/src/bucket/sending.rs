//! How requests are sent: each goes on for as long as it moves, however long all of it takes.
//!
//! Invariant: what does not move is given up: no [`STEP`] of a body, nor an answer, is waited for longer than [`PATIENCE`]; but for
//! the answer to what was sent, which may lie in buffers on its way, twice as long as that took is added.

use hyper::{
    Response,
    body::{Body, Bytes, Frame, SizeHint},
};
use mainstay_domain::text::causes;
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use parking_lot::Mutex;
use reqwest::{Client, Request, Url};
use std::{
    error::Error,
    future::Future,
    io::{self, ErrorKind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// So many bytes are a move.
const STEP: usize = 64 << 10;
/// So long one is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug, thiserror::Error)]
#[error("nothing of it moved for {} s", .0.as_secs())]
struct Stalled(Duration);

fn stalled(patience: Duration) -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, Stalled(patience))
}

/// Sends by the host's client.
#[derive(Debug)]
pub(super) struct Sending(pub(super) Client);

impl HttpService for Sending {
    fn call<'life0, 'async_trait>(
        &'life0 self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let url = Url::parse(&parts.uri.to_string())
                .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
            let mut request = Request::new(parts.method, url);
            *request.headers_mut() = parts.headers;
            let moves = Arc::new(Mutex::new(Moves::begin(Instant::now())));
            let whole = body.as_bytes().cloned();
            *request.body_mut() = Some(match whole {
                // What is no content of a backup is short.
                Some(whole) => {
                    moves.lock().is_sent = true;
                    whole.into()
                }
                None => reqwest::Body::wrap(Going::new(body, Arc::clone(&moves))),
            });
            let answer = while_it_moves(self.0.execute(request), &moves, PATIENCE);
            let answer = answer.await?.map_err(explained)?;
            let (parts, body) = Response::<reqwest::Body>::from(answer).into_parts();
            let body = HttpResponseBody::new(Coming::new(body, PATIENCE));
            Ok(HttpResponse::from_parts(parts, body))
        })
    }
}

/// How far a request has come.
#[derive(Debug, Clone, Copy)]
struct Moves {
    began: Instant,
    last: Instant,
    /// Its body was handed over.
    is_sent: bool,
}

impl Moves {
    fn begin(now: Instant) -> Self {
        Self {
            began: now,
            last: now,
            is_sent: false,
        }
    }

    /// When it is given up where it does not move until then.
    fn ends_at(&self, patience: Duration) -> Instant {
        let in_buffers = match self.is_sent {
            true => 2 * self.last.duration_since(self.began),
            false => Duration::ZERO,
        };
        self.last + patience + in_buffers
    }
}

/// Waits for an answer for as long as its request moves.
async fn while_it_moves<T>(
    work: impl Future<Output = T>,
    moves: &Mutex<Moves>,
    patience: Duration,
) -> Result<T, HttpError> {
    let mut work = pin!(work);
    loop {
        let until = moves.lock().ends_at(patience);
        tokio::select! { biased;
            done = &mut work => return Ok(done),
            () = sleep_until(until) => {}
        }
        let has_moved = moves.lock().ends_at(patience) > until;
        if !has_moved {
            return Err(stalled(patience));
        }
    }
}

/// The body of a request, which goes in steps.
struct Going {
    body: HttpRequestBody,
    /// What of it was asked for and has not gone.
    rest: Bytes,
    moves: Arc<Mutex<Moves>>,
}

impl Going {
    fn new(body: HttpRequestBody, moves: Arc<Mutex<Moves>>) -> Self {
        moves.lock().is_sent = body.is_end_stream();
        Self {
            body,
            rest: Bytes::new(),
            moves,
        }
    }
}

impl Body for Going {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return other,
            }
        }
        let step = this.rest.split_to(STEP.min(this.rest.len()));
        let is_sent = this.is_end_stream();
        let mut moves = this.moves.lock();
        moves.last = Instant::now();
        moves.is_sent = is_sent;
        drop(moves);
        Poll::Ready(Some(Ok(Frame::data(step))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        match self.body.size_hint().exact() {
            Some(length) => SizeHint::with_exact(length + rest),
            None => SizeHint::default(),
        }
    }
}

/// The body of an answer, for as long as it moves.
struct Coming<B> {
    body: B,
    /// What has come since the last step.
    count: usize,
    patience: Duration,
    until: Pin<Box<Sleep>>,
}

impl<B> Coming<B> {
    fn new(body: B, patience: Duration) -> Self {
        Self {
            body,
            count: 0,
            patience,
            until: Box::pin(sleep_until(Instant::now() + patience)),
        }
    }
}

impl<B: Body<Data = Bytes, Error = reqwest::Error> + Unpin> Body for Coming<B> {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.count += frame.data_ref().map_or(0, Bytes::len);
                if this.count >= STEP {
                    this.count = 0;
                    this.until.as_mut().reset(Instant::now() + this.patience);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(explained(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match this.until.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(stalled(this.patience)))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An error of the client, of the kind by which a request is made again or not.
fn explained(error: reqwest::Error) -> HttpError {
    let kind = match &error {
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_connect() => HttpErrorKind::Connect,
        error if error.is_decode() => HttpErrorKind::Decode,
        error => causes(error)
            .find_map(kind_of)
            .unwrap_or(HttpErrorKind::Unknown),
    };
    HttpError::new(kind, error.without_url())
}

fn kind_of(cause: &(dyn Error + 'static)) -> Option<HttpErrorKind> {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        if error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted() {
            return Some(HttpErrorKind::Request);
        }
        if error.is_timeout() {
            return Some(HttpErrorKind::Timeout);
        }
    }
    match cause.downcast_ref::<io::Error>()?.kind() {
        ErrorKind::TimedOut => Some(HttpErrorKind::Timeout),
        ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(HttpErrorKind::Interrupted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use object_store::PutPayload;
    use std::future::{pending, poll_fn};
    use tokio::runtime::{Builder, Runtime};

    const SHORT: Duration = Duration::from_millis(5);

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_request_ends_by_its_last_move_and_not_by_its_length() {
        let began = Instant::now();
        let mut moves = Moves::begin(began);
        assert_eq!(moves.ends_at(PATIENCE), began + PATIENCE);
        moves.last = began + 100 * PATIENCE;
        assert_eq!(moves.ends_at(PATIENCE), began + 101 * PATIENCE);
        moves.is_sent = true;
        assert_eq!(moves.ends_at(PATIENCE), began + 301 * PATIENCE);
    }

    #[test]
    fn what_does_not_move_is_given_up() {
        runtime().block_on(async {
            let moves = Mutex::new(Moves::begin(Instant::now()));
            let waited = while_it_moves(pending::<()>(), &moves, SHORT).await;
            assert_eq!(waited.unwrap_err().kind(), HttpErrorKind::Timeout);
            let silent = stream::pending::<Result<Bytes, io::Error>>();
            let mut coming = Coming::new(reqwest::Body::wrap_stream(silent), SHORT);
            let frame = poll_fn(|context| Pin::new(&mut coming).poll_frame(context)).await;
            let error = frame.unwrap().unwrap_err();
            assert_eq!(error.kind(), HttpErrorKind::Timeout);
            assert!(error.to_string().contains("nothing of it moved"), "{error}");
        });
    }

    #[test]
    fn what_is_sent_goes_in_steps_and_is_what_it_was() {
        runtime().block_on(async {
            let bytes: Vec<u8> = (0..3 * STEP + 5).map(|at| (at % 251) as u8).collect();
            let moves = Arc::new(Mutex::new(Moves::begin(Instant::now())));
            let body = HttpRequestBody::from(PutPayload::from(bytes.clone()));
            let mut going = Going::new(body, Arc::clone(&moves));
            let (mut sent, mut steps) = (Vec::new(), 0);
            while let Some(frame) =
                poll_fn(|context| Pin::new(&mut going).poll_frame(context)).await
            {
                sent.extend(frame.unwrap().into_data().unwrap());
                steps += 1;
                let left = going.size_hint().exact();
                assert_eq!(left, Some((bytes.len() - sent.len()) as u64));
                assert_eq!(moves.lock().is_sent, sent.len() == bytes.len());
            }
            assert!(sent == bytes);
            assert_eq!(steps, 4);
        });
    }
}
