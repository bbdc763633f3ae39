//! The stream of events, one JSON object a line, read and sent a page at a time.
//!
//! Invariant: no event is left out or given twice; see [`crate::services::feed`].

use super::{Served, error::ApiError, extract::Parameters, names, requests};
use crate::{ports::StoreError, services::feed::EventFeed};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use mainstay_api::EventQuery;
use mainstay_domain::event::Event;
use std::{convert::Infallible, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Events that are given where the query names none of `since`, `from` and `limit`.
const LIMIT: u32 = 50;

/// The newest events that are given at once.
const MAX_LIMIT: u32 = 10_000;

/// Lines as they are sent.
pub(super) const NDJSON: [(axum::http::HeaderName, &str); 1] =
    [(CONTENT_TYPE, "application/x-ndjson")];

pub(super) async fn events(
    State(served): State<Arc<Served>>,
    Parameters(query): Parameters<EventQuery>,
) -> Result<Response, ApiError> {
    let (journal, records) = (&*served.ports.journal, served.ports.records.clone());
    let follow = query.follow.unwrap_or(false);
    let filter = requests::events(&query)?;
    names::known(&served, filter.target.as_ref()).await?;
    // Who says since when wants all from then on.
    let begins = query.since.or_else(|| filter.from.map(|_| 0));
    let (feed, left) = match begins {
        Some(seq) => {
            let feed = EventFeed::after(seq, journal, records).only(filter);
            (feed, query.limit)
        }
        None => {
            let limit = query.limit.unwrap_or(LIMIT).min(MAX_LIMIT);
            let feed = EventFeed::of_newest_like(filter, limit, journal, records).await?;
            (feed, (!follow).then_some(limit))
        }
    };
    let reader = Reader {
        feed: Some(feed),
        left,
        follow,
        stop: served.stop.clone(),
    };
    let lines = stream::unfold(reader, |mut reader| async move {
        Some((Ok::<_, Infallible>(reader.next().await?), reader))
    });
    Ok((NDJSON, Body::from_stream(lines)).into_response())
}

struct Reader {
    /// None after an error.
    feed: Option<EventFeed>,
    /// So many events are still given; none: no bound.
    left: Option<u32>,
    follow: bool,
    stop: CancellationToken,
}

impl Reader {
    /// The next lines; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.left == Some(0) {
            return None;
        }
        let feed = self.feed.as_mut()?;
        let read = if self.follow {
            tokio::select! { biased;
                () = self.stop.cancelled() => Ok(None),
                read = feed.next() => read,
            }
        } else {
            let read = feed.next_recorded().await;
            read.map(|events| (!events.is_empty()).then_some(events))
        };
        match read {
            Ok(events) => events.map(|mut events| {
                if let Some(left) = &mut self.left {
                    events.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    let given = u32::try_from(events.len()).unwrap_or(u32::MAX);
                    *left = left.saturating_sub(given);
                }
                lines(&events)
            }),
            Err(error) => {
                self.feed = None;
                Some(error_line(error))
            }
        }
    }
}

fn lines(events: &[Arc<Event>]) -> Bytes {
    let forms = events
        .iter()
        .map(|event| mainstay_api::Event::from(&**event));
    forms.flat_map(|event| line(&event)).collect()
}

fn error_line(error: StoreError) -> Bytes {
    line(&ApiError::from(error).into_body()).into()
}

/// One value as one line.
pub(super) fn line(value: &impl serde::Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}
