//! Asks plugins for the documents of a backup, page by page.
//!
//! Invariant: one version gives all pages of a run, and of each page it is checked that it goes on where the one before ended
//! before any of it is stored.

use crate::ports::{
    BackupStoreError, Collecting, Collector, Collectors, OnSourcePart, Secrets, SourcePart,
};
use mainstay_domain::call::{CollectFailure, CollectRequest, CollectedPages, Cursor, Page};
use std::time::Duration;

/// So many bytes are asked for at once.
const PAGE_BYTES: u32 = 1 << 20;
/// So often a page is asked for at most.
const ATTEMPTS: u32 = 3;
/// After the first attempt; twice as long after each further one.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks for all pages of a run with this name.
pub(super) async fn collect(
    collectors: &dyn Collectors,
    secrets: &dyn Secrets,
    asked: &Collecting<'_>,
    run: String,
    on_part: &mut OnSourcePart<'_>,
) -> Result<(), BackupStoreError> {
    let source = asked.source;
    let told = |what: &str| {
        let what = secrets.conceal_text(what);
        format!("the plugin {} {what}", source.plugin)
    };
    let failed = |what: &str| BackupStoreError::Source(told(what));
    let found = collectors.collector(
        source.plugin.clone(),
        source.version.clone(),
        source.timeout,
    );
    let collector = found
        .await
        .map_err(|why| failed(&format!("cannot be asked: {why}")))?;
    let mut pages = CollectedPages::default();
    let mut request = CollectRequest {
        job: asked.job.clone(),
        backup_type: asked.backup_type,
        started_at: asked.started_at,
        since: None,
        at: Cursor {
            run,
            position: Vec::new(),
        },
        page_bytes: PAGE_BYTES,
    };
    loop {
        let page = page(&*collector, &request, source.timeout).await;
        let page = page.map_err(|failure| match failure {
            CollectFailure::Retryable(_) | CollectFailure::Permanent(_) => {
                failed(&format!("gave no page: {failure}"))
            }
            CollectFailure::ChangedUnderneath(_) => {
                BackupStoreError::SourceChanged(told(&format!("gave no page: {failure}")))
            }
        })?;
        let taken = pages.take(&request, &page);
        taken.map_err(|fault| failed(&fault.to_string()))?;
        for part in &page.parts {
            on_part(SourcePart {
                key: &part.key,
                bytes: &part.bytes,
                last: part.last,
            })?;
        }
        match page.next {
            None => return Ok(()),
            Some(next) => request.at = next,
        }
    }
}

/// One page, asked for again where that may help.
async fn page(
    collector: &dyn Collector,
    request: &CollectRequest,
    timeout: Duration,
) -> Result<Page, CollectFailure> {
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match collector.page(request.clone(), timeout).await {
            Err(CollectFailure::Retryable(_)) => {
                tracing::debug!(job = %request.job, "a page of a backup is asked for again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
            answer => return answer,
        }
    }
    collector.page(request.clone(), timeout).await
}
