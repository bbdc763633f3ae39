//! Asks plugins for the documents of a backup, page by page.
//!
//! Invariant: one version gives all pages of a run, and of each page it is checked that it goes on where the one before ended
//! before any of it is stored.
//! Invariant: of what a plugin says in place of a page some letters are told, in which no secret is and nothing disturbs a reader.

use crate::ports::{
    BackupStoreError, Collecting, Collector, Collectors, OnSourcePart, Secrets, SourcePart,
};
use mainstay_domain::{
    call::{CollectFailure, CollectRequest, CollectedPages, Cursor, Page},
    text::visible,
};
use std::time::Duration;

/// So many bytes are asked for at once.
const PAGE_BYTES: u32 = 1 << 20;
/// So often a page is asked for at most.
const ATTEMPTS: u32 = 3;
/// After the first attempt; twice as long after each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// So many letters are told of why there is no page; the answer may be as long as a page is.
const MOST_TOLD: usize = 1000;

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
        let what: String = secrets.conceal_text(what).chars().take(MOST_TOLD).collect();
        format!("the plugin {} {}", source.plugin, visible(&what))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Boxed, SecretError};
    use mainstay_domain::{
        backup::BackupType,
        call::Part,
        id::BackupId,
        name::{JobName, PluginName, SecretName},
        spec::PluginSource,
        time::Timestamp,
    };
    use parking_lot::Mutex;
    use semver::VersionReq;
    use std::sync::Arc;

    /// Conceals the one value that there is.
    struct OneSecret;

    impl Secrets for OneSecret {
        fn value(&self, name: &SecretName) -> Result<String, SecretError> {
            Err(SecretError::Unknown(name.clone()))
        }
        fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
            let text = String::from_utf8_lossy(&bytes).replace("s3cr3t", "${secret:token}");
            text.into_bytes()
        }
    }

    type Answers = Mutex<Vec<Result<Page, CollectFailure>>>;

    /// Gives these answers, and keeps what it was asked.
    struct Script {
        answers: Answers,
        asked: Mutex<Vec<CollectRequest>>,
    }

    impl Collector for Script {
        fn page(
            &self,
            request: CollectRequest,
            _: Duration,
        ) -> Boxed<'_, Result<Page, CollectFailure>> {
            self.asked.lock().push(request);
            let answer = self.answers.lock().remove(0);
            Box::pin(std::future::ready(answer))
        }
    }

    struct Found(Arc<Script>);

    impl Collectors for Found {
        fn collector(
            &self,
            _: PluginName,
            _: VersionReq,
            _: Duration,
        ) -> Boxed<'_, Result<Arc<dyn Collector>, String>> {
            let found: Arc<dyn Collector> = self.0.clone();
            Box::pin(std::future::ready(Ok(found)))
        }
    }

    /// How it ended, what was handed on, and where each page was to begin.
    async fn collected(
        answers: Vec<Result<Page, CollectFailure>>,
    ) -> (Result<(), BackupStoreError>, String, Vec<String>) {
        let script = Arc::new(Script {
            answers: Mutex::new(answers),
            asked: Mutex::default(),
        });
        let source = PluginSource {
            plugin: PluginName::parse("export").unwrap(),
            version: VersionReq::STAR,
            prefix: "export".to_owned(),
            timeout: Duration::from_secs(60),
        };
        let now = Timestamp::from_millis(0);
        let mut ids = mainstay_domain::id::IdSource::new(1);
        let asked = Collecting {
            source: &source,
            job: &JobName::parse("state").unwrap(),
            backup: &BackupId::new(BackupType::Full, ids.next(now)),
            backup_type: BackupType::Full,
            started_at: now,
        };
        let mut taken = String::new();
        let mut on_part = |part: SourcePart<'_>| {
            taken.push_str(part.key);
            taken.push_str(&String::from_utf8_lossy(part.bytes));
            taken.push(if part.last { ';' } else { '+' });
            Ok(())
        };
        let found = Found(script.clone());
        let run = "run-0".to_owned();
        let ended = collect(&found, &OneSecret, &asked, run, &mut on_part).await;
        let requests = script.asked.lock();
        assert!(requests.iter().all(|request| request.at.run == "run-0"));
        let positions = requests
            .iter()
            .map(|request| String::from_utf8_lossy(&request.at.position).into_owned());
        let positions = positions.collect();
        (ended, taken, positions)
    }

    fn page(key: &str, (offset, last): (u64, bool), next: Option<&str>) -> Page {
        Page {
            parts: vec![Part {
                key: key.to_owned(),
                offset,
                bytes: b"1".to_vec(),
                last,
            }],
            next: next.map(|position| Cursor {
                run: "run-0".to_owned(),
                position: position.into(),
            }),
            ..Page::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pages_are_asked_for_one_after_the_other_and_again_where_that_may_help() {
        let busy = || Err(CollectFailure::Retryable("busy".to_owned()));
        let first = || Ok(page("a", (0, false), Some("2")));
        let last = || Ok(page("a", (1, true), None));
        let (ended, taken, positions) = collected(vec![first(), busy(), busy(), last()]).await;
        assert_eq!(ended, Ok(()));
        assert_eq!(taken, "a1+a1;");
        assert_eq!(positions, ["", "2", "2", "2"]);
        let (ended, taken, positions) = collected(vec![busy(), busy(), busy()]).await;
        let error = ended.unwrap_err().to_string();
        assert_eq!(error, "the plugin export gave no page: busy");
        assert_eq!((taken.as_str(), positions.len()), ("", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_not_handed_on_and_a_change_is_told_apart() {
        let gap = vec![Ok(page("a", (7, true), None))];
        let (ended, taken, _) = collected(gap).await;
        let error = ended.unwrap_err();
        assert!(matches!(error, BackupStoreError::Source(_)), "{error}");
        assert!(error.to_string().contains("from 7 on"), "{error}");
        assert_eq!(taken, "");
        let moved = CollectFailure::ChangedUnderneath("s3cr3t moved".to_owned());
        let (ended, _, _) = collected(vec![Err(moved)]).await;
        let why = "the plugin export gave no page: what it reads changed meanwhile: ${secret:token} moved";
        assert_eq!(ended, Err(BackupStoreError::SourceChanged(why.to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_long_reason_some_is_told_and_it_disturbs_nobody() {
        let long = format!("\u{1b}[2J\n{}", "a".repeat(1 << 20));
        let (ended, _, _) = collected(vec![Err(CollectFailure::Permanent(long))]).await;
        let error = ended.unwrap_err().to_string();
        assert!(error.len() < 2 * MOST_TOLD, "{}", error.len());
        assert!(!error.contains(['\u{1b}', '\n']), "{error}");
        assert!(error.contains("[2J"), "{error}");
    }
}
