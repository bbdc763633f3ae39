//! What backups hold. It is asked for with POST, for what may be read there is for those who may command alone.

use super::{
    Served,
    error::ApiError,
    extract::{Body, Given, Named},
    lines::long_lines,
    requests,
};
use crate::ports::{DocumentFilter, Refused};
use axum::{extract::State, response::Response};
use mainstay_api::{
    ContentBody, ContentEnd, ContentLine, DiffBody, Document, DocumentChange, DocumentPart,
    DocumentsBody,
};
use mainstay_domain::{
    archive::{Content, KeyPattern, Selection},
    id::BackupId,
};
use std::{borrow::Cow, sync::Arc};

fn end(notes: Vec<String>) -> ContentLine {
    let done = ContentEnd { notes };
    ContentLine::Done { done }
}

fn nobody_reads() -> Refused {
    Refused("who asked has gone".to_owned())
}

pub(super) async fn documents(
    State(served): State<Arc<Served>>,
    Named(id): Named<BackupId>,
    given: Given,
    Body(body): Body<DocumentsBody>,
) -> Result<Response, ApiError> {
    let path = body.path.as_deref();
    let key = path.map(|path| requests::key("path", path)).transpose()?;
    let filter = DocumentFilter {
        only: Selection::under(key.into_iter().collect()),
        pattern: body.pattern.as_deref().map(KeyPattern::new),
    };
    let backups = given.open(&served.ports.backups);
    long_lines(|progress, found| async move {
        for (key, entry) in backups.documents(id, filter, progress).await? {
            let document = Document::from((&key, &entry));
            let told = found.send(ContentLine::Document { document }).await;
            told.map_err(|_| nobody_reads())?;
        }
        Ok(end(Vec::new()))
    })
    .await
}

pub(super) async fn diff(
    State(served): State<Arc<Served>>,
    Named(id): Named<BackupId>,
    Body(body): Body<DiffBody>,
) -> Result<Response, ApiError> {
    let to = body.to.as_deref().map(BackupId::parse).transpose();
    let to = to.map_err(|why| ApiError::bad_body("to", why))?;
    let backups = served.ports.backups.clone();
    long_lines(|progress, found| async move {
        let compared = backups.changes(id, to, progress).await?;
        for change in &compared.changes {
            let change = DocumentChange::from(change);
            let told = found
                .send(ContentLine::Change {
                    change: Box::new(change),
                })
                .await;
            told.map_err(|_| nobody_reads())?;
        }
        Ok(end(compared.notes))
    })
    .await
}

pub(super) async fn content(
    State(served): State<Arc<Served>>,
    Named(id): Named<BackupId>,
    given: Given,
    Body(body): Body<ContentBody>,
) -> Result<Response, ApiError> {
    let key = requests::key("key", &body.key)?;
    let backups = given.open(&served.ports.backups);
    long_lines(|progress, found| async move {
        let take = move |bytes: &[u8]| {
            let Content { text, base64 } = Content::of(bytes);
            let text = text.map(Cow::into_owned);
            let part = DocumentPart { text, base64 };
            found.blocking_send(ContentLine::Part { part }).is_ok()
        };
        backups.content(id, key, progress, Box::new(take)).await?;
        Ok(end(Vec::new()))
    })
    .await
}
