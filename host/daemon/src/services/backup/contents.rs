//! What backups hold, for who looks into them.
//!
//! Invariant: no job's turn is waited for: what is committed does not change. What seems damaged is looked at again in the
//! job's turn before it counts as that, for retention may have moved it meanwhile.

use super::{BackupError, BackupService, plan::ids, port::refused};
use crate::ports::{
    BackupStore, BackupStoreError, BackupViews, Boxed, Changes, DocumentFilter, OnProgress,
    Refused, TakeContent,
};
use mainstay_domain::{
    archive::{DocumentKey, Entry, State, compare, missing_words},
    backup_chain::{BackupChainError, plan_restore},
    id::BackupId,
    name::JobName,
    text::list,
};

impl BackupService {
    /// The job of a backup, and the chain that it needs.
    fn chain_of(&self, id: &BackupId) -> Result<(JobName, Vec<BackupId>), BackupError> {
        let catalog = self.core.catalog.lock();
        let unknown = || BackupChainError::Unknown(id.clone());
        let job = catalog.get(id).ok_or_else(unknown)?.job;
        let plan = plan_restore(&catalog.of(Some(&job)), id)?;
        Ok((job, ids(&plan)))
    }

    /// Looks into the store, and where something seems damaged once more in the job's turn.
    async fn look<T: Send + 'static>(
        &self,
        job: &JobName,
        look: impl Fn(&dyn BackupStore) -> Result<T, BackupStoreError> + Clone + Send + 'static,
    ) -> Result<T, BackupError> {
        let seen = self.with_store(look.clone()).await;
        if !matches!(seen, Err(BackupStoreError::Corrupted { .. })) {
            return Ok(seen?);
        }
        let service = self.clone();
        let again = async move {
            let seen = service.with_store(look).await;
            service.mark_if_corrupted(seen).await
        };
        self.in_turn_of(job, again).await
    }

    async fn state_of(&self, id: &BackupId, progress: OnProgress) -> Result<State, BackupError> {
        let (job, chain) = self.chain_of(id)?;
        let of_job = job.clone();
        let look = move |store: &dyn BackupStore| store.state(&of_job, &chain, &progress);
        self.look(&job, look).await
    }

    async fn documents_of(
        &self,
        id: BackupId,
        filter: DocumentFilter,
        progress: OnProgress,
    ) -> Result<Vec<(DocumentKey, Entry)>, BackupError> {
        let DocumentFilter { only, pattern } = filter;
        let state = self.state_of(&id, progress).await?;
        if let Some((missing, longer)) = only.missing_in(&state) {
            let why = missing_words(&id.to_string(), missing, longer.as_ref());
            return Err(BackupError::Refused(why));
        }
        let is_meant = |key: &DocumentKey| {
            only.holds(key) && pattern.as_ref().is_none_or(|pattern| pattern.names(key))
        };
        let meant = state.into_iter().filter(|(key, _)| is_meant(key));
        Ok(meant.collect())
    }

    async fn changes_of(
        &self,
        from: BackupId,
        to: Option<BackupId>,
        progress: OnProgress,
    ) -> Result<Changes, BackupError> {
        let before = self.state_of(&from, progress.clone()).await?;
        if let Some(to) = to {
            let after = self.state_of(&to, progress).await?;
            return Ok(Changes {
                changes: compare(&before, &after),
                notes: Vec::new(),
            });
        }
        let (job, _) = self.chain_of(&from)?;
        let spec = self.job(&job)?;
        let live = self
            .with_store(move |store| {
                store.live((spec.sources.as_slice(), &spec.reading), &progress)
            })
            .await?;
        let compared = before.into_iter();
        let compared: State = compared
            .filter(|(key, _)| !is_among(key, &live.not_read))
            .collect();
        let mut notes = live.notes;
        if !live.not_read.is_empty() {
            notes.push(format!(
                "not compared: {}, which lies in no directory",
                list(&live.not_read, "none")
            ));
        }
        Ok(Changes {
            changes: compare(&compared, &live.state),
            notes,
        })
    }

    async fn content_of(
        &self,
        id: BackupId,
        key: DocumentKey,
        progress: OnProgress,
        mut take: TakeContent,
    ) -> Result<(), BackupError> {
        let (job, chain) = self.chain_of(&id)?;
        let read = self.with_store(move |store| {
            let mut hand_on = |bytes: &[u8]| match take(bytes) {
                true => Ok(()),
                // Nobody reads on.
                false => Err(BackupStoreError::Interrupted),
            };
            store.content(&job, &chain, &key, &progress, &mut hand_on)
        });
        Ok(read.await?)
    }
}

/// Whether a document has one of these keys, or lies below it.
fn is_among(key: &DocumentKey, tops: &[DocumentKey]) -> bool {
    let is_top = |key: &str| tops.iter().any(|top| top.as_str() == key);
    is_top(key.as_str()) || key.ancestors().any(is_top)
}

impl BackupViews for BackupService {
    fn documents(
        &self,
        id: BackupId,
        filter: DocumentFilter,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Vec<(DocumentKey, Entry)>, Refused>> {
        let documents = self.documents_of(id, filter, progress);
        Box::pin(async move { documents.await.map_err(refused) })
    }

    fn changes(
        &self,
        from: BackupId,
        to: Option<BackupId>,
        progress: OnProgress,
    ) -> Boxed<'_, Result<Changes, Refused>> {
        let changes = self.changes_of(from, to, progress);
        Box::pin(async move { changes.await.map_err(refused) })
    }

    fn content(
        &self,
        id: BackupId,
        key: DocumentKey,
        progress: OnProgress,
        take: TakeContent,
    ) -> Boxed<'_, Result<(), Refused>> {
        let content = self.content_of(id, key, progress, take);
        Box::pin(async move { content.await.map_err(refused) })
    }
}
