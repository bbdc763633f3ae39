//! Long lists as one JSON array that is read and sent page by page.
//!
//! Invariant: of a list no more than a page is in memory, however long it is and however many read it at one time; the next is
//! read when the client has taken the one before.

use super::{error::ApiError, shown_operation::ShownOperation};
use crate::ports::{Reading, StoreError};
use axum::{
    body::{Body, Bytes},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use mainstay_domain::{
    audit::AuditRow,
    event::Event,
    id::{IncidentId, OperationId},
    incident::Incident,
};
use serde::Serialize;

/// Rows that are read at once.
const PAGE: u32 = 100;

/// What a list is one of.
pub(super) trait Row: Send + Sync + 'static {
    /// By which the next page begins after it.
    type Id: Clone + Send + Sync + 'static;
    /// That of this one.
    fn id(&self) -> Self::Id;
    /// As it is shown.
    fn form(&self) -> impl Serialize;
}

impl Row for ShownOperation {
    type Id = OperationId;

    fn id(&self) -> OperationId {
        self.id().clone()
    }

    fn form(&self) -> impl Serialize {
        self.form()
    }
}

impl Row for Incident {
    type Id = IncidentId;

    fn id(&self) -> IncidentId {
        self.id.clone()
    }

    fn form(&self) -> impl Serialize {
        mainstay_api::Incident::from(self)
    }
}

impl Row for AuditRow {
    type Id = u64;

    fn id(&self) -> u64 {
        self.number
    }

    fn form(&self) -> impl Serialize {
        mainstay_api::AuditRow::from(self)
    }
}

impl Row for Event {
    type Id = u64;

    fn id(&self) -> u64 {
        self.seq
    }

    fn form(&self) -> impl Serialize {
        mainstay_api::Event::from(self)
    }
}

/// Reads at most so many rows that come after one, or the first ones.
type ReadPage<R> = Box<dyn Fn(Option<<R as Row>::Id>, u32) -> Reading<'static, Vec<R>> + Send>;

/// At most `limit` rows after `before`, as the body of an answer. An error after the first page cuts the answer off.
pub(super) async fn answer<R: Row>(
    limit: u32,
    before: Option<R::Id>,
    read: impl Fn(Option<R::Id>, u32) -> Reading<'static, Vec<R>> + Send + 'static,
) -> Result<Response, ApiError> {
    let mut pages = Pages {
        read: Box::new(read),
        before,
        left: limit,
        begun: None,
        is_closed: false,
    };
    let first = pages.next().await?;
    // Where there was none there is none: what comes meanwhile is of the next answer.
    pages.is_closed = first.is_empty();
    pages.begun = Some(match pages.is_closed {
        true => Bytes::from_static(b"[]"),
        false => text(b"[", &first),
    });
    let chunks = stream::unfold(pages, |mut pages| async move {
        let chunk = pages.chunk().await?;
        Some((chunk, pages))
    });
    let body = Body::from_stream(chunks);
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

struct Pages<R: Row> {
    read: ReadPage<R>,
    before: Option<R::Id>,
    left: u32,
    /// The beginning of the answer, until it is sent.
    begun: Option<Bytes>,
    is_closed: bool,
}

impl<R: Row> Pages<R> {
    /// The next rows; none at the end.
    async fn next(&mut self) -> Result<Vec<R>, StoreError> {
        let wanted = self.left.min(PAGE);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let reading = (self.read)(self.before.clone(), wanted);
        let page = reading.await?;
        // One that this version cannot read is left out of a page, so that fewer are no sign of the end.
        let read = u32::try_from(page.len()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(read);
        if let Some(last) = page.last() {
            self.before = Some(last.id());
        }
        Ok(page)
    }

    /// The next piece of the answer; none after its last.
    async fn chunk(&mut self) -> Option<Result<Bytes, StoreError>> {
        if let Some(begun) = self.begun.take() {
            return Some(Ok(begun));
        }
        if self.is_closed {
            return None;
        }
        let page = self.next().await;
        self.is_closed = page.as_ref().map_or(true, Vec::is_empty);
        Some(page.map(|page| match page.is_empty() {
            true => Bytes::from_static(b"]"),
            false => text(b",", &page),
        }))
    }
}

/// Rows with commas between them, behind what leads.
fn text<R: Row>(lead: &[u8], rows: &[R]) -> Bytes {
    let mut text = lead.to_vec();
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            text.push(b',');
        }
        let row = serde_json::to_vec(&row.form());
        // What is shown can always be written; the array is one in any case.
        text.extend(row.unwrap_or_else(|_| b"null".to_vec()));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::StoreErrorKind;
    use parking_lot::Mutex;
    use std::sync::Arc;

    impl Row for u32 {
        type Id = u32;

        fn id(&self) -> u32 {
            *self
        }

        fn form(&self) -> impl Serialize {
            *self
        }
    }

    /// What is answered of a list that has the numbers to `end`, and what was asked for to read it.
    async fn answered(limit: u32, before: Option<u32>, end: u32) -> (Option<Vec<u32>>, Vec<u32>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let answer = answer::<u32>(limit, before, move |before, limit| {
            seen.lock().push(limit);
            let first = before.map_or(1, |before| before + 1);
            let page: Result<Vec<u32>, StoreError> = match first {
                901.. => Err(StoreError::new(StoreErrorKind::Unavailable, "it is gone")),
                first => Ok((first..=end).take(limit as usize).collect()),
            };
            Box::pin(std::future::ready(page))
        });
        let body = answer.await.unwrap().into_body();
        let text = axum::body::to_bytes(body, usize::MAX).await.ok();
        let rows = text.map(|text| serde_json::from_slice(&text).unwrap());
        let asked = asked.lock().clone();
        (rows, asked)
    }

    #[tokio::test]
    async fn a_long_list_is_read_in_pages_and_answered_as_one() {
        let whole = |end: u32| Some((1..=end).collect::<Vec<u32>>());
        assert_eq!(answered(1_000, None, 0).await.0, whole(0));
        assert_eq!(answered(0, None, 50).await, (whole(0), vec![]));
        assert_eq!(answered(7, None, 50).await, (whole(7), vec![7]));
        let (rows, asked) = answered(250, None, 500).await;
        assert_eq!((rows, asked), (whole(250), vec![100, 100, 50]));
        let (rows, asked) = answered(100_000, None, 250).await;
        assert_eq!(rows, whole(250));
        assert!(asked.iter().all(|&asked| asked <= PAGE), "{asked:?}");
        let (rows, _) = answered(3, Some(40), 50).await;
        assert_eq!(rows, Some(vec![41, 42, 43]));
    }

    #[tokio::test]
    async fn what_comes_after_an_empty_page_is_of_the_next_answer() {
        let looks = Mutex::new(0);
        let answer = answer::<u32>(10, None, move |_, _| {
            *looks.lock() += 1;
            let page: Vec<u32> = (1..*looks.lock()).collect();
            Box::pin(std::future::ready(Ok(page)))
        });
        let body = answer.await.unwrap().into_body();
        let text = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert_eq!(&text[..], b"[]");
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_ended_is_cut_off_and_no_shorter_list() {
        let (rows, _) = answered(100_000, Some(800), 2_000).await;
        assert_eq!(rows, None);
    }
}
