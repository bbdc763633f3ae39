//! What people were told by the daemons before, and not yet that it is over.
//!
//! Invariant: a fault is known however long ago it was told, and however much happened since; only where that takes too
//! long, as on a disk that hardly answers, what is old is not known.

use crate::ports::{Browse, StoreError};
use mainstay_domain::{alert::OpenAlerts, spec::Spec};
use std::time::Duration;

/// For so long the whole history is gone through: the start must not wait for more.
const LONGEST: Duration = Duration::from_secs(10);

/// So many events are read at a time.
const PAGE: u32 = 2_000;

/// So many of the newest events say what is open where the whole history cannot.
const NEWEST: u32 = 10_000;

/// What is open, by the events of the journal and the routes of this config.
pub(super) async fn open_alerts(records: &dyn Browse, spec: &Spec) -> OpenAlerts {
    let why = match tokio::time::timeout(LONGEST, of_all(records, spec)).await {
        Ok(Ok(open)) => return open,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("the journal was not read within {LONGEST:?}"),
    };
    tracing::warn!(why, "of what people were told only the newest is known");
    match records.last_events(NEWEST).await {
        Ok(told) => OpenAlerts::replayed(&told, &spec.alerts, &spec.host.name),
        Err(error) => {
            tracing::warn!(%error, "what the daemons before told people of is not known");
            OpenAlerts::default()
        }
    }
}

async fn of_all(records: &dyn Browse, spec: &Spec) -> Result<OpenAlerts, StoreError> {
    let mut open = OpenAlerts::default();
    let mut after = 0;
    loop {
        let page = records.events_of(OpenAlerts::kinds(), after, PAGE).await?;
        let Some(last) = page.last() else {
            open.replay_ended();
            return Ok(open);
        };
        after = last.seq;
        open.replay(&page, &spec.alerts, &spec.host.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Journal;
    use mainstay_domain::{
        event::{Event, EventKind},
        name::{JobName, PluginName},
        record::Change,
        severity::Severity,
        spec::AlertRoute,
        time::Timestamp,
    };
    use mainstay_store::{SqliteJournal, StateDirectory};
    use semver::VersionReq;

    #[tokio::test]
    async fn a_fault_is_known_though_very_many_events_came_since() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let event = |kind| Event::new(kind, Severity::High, at, "x");
        let failed = event(EventKind::BackupFailed).with_job(&JobName::parse("state").unwrap());
        let mut changes = vec![Change::Event(event(EventKind::HostStarted))];
        changes.push(Change::Event(failed));
        changes.push(Change::Event(event(EventKind::ConfigRejected)));
        let others = (0..NEWEST + 10).map(|_| Change::Event(event(EventKind::PluginLogged)));
        changes.extend(others);
        changes.push(Change::Event(event(EventKind::ConfigApplied)));
        let directory = tempfile::tempdir().unwrap();
        let taken = StateDirectory::take(&directory.path().join("state")).unwrap();
        let journal = SqliteJournal::open(taken).unwrap();
        journal.commit(changes.into()).await.unwrap();
        let mut spec = Spec::clone(&crate::services::testing::specs::spec(Vec::new()));
        spec.alerts = vec![AlertRoute {
            min_severity: Severity::Low,
            events: Vec::new(),
            target: None,
            alerter: PluginName::parse("page").unwrap(),
            version: VersionReq::STAR,
        }];
        let open = open_alerts(&journal, &spec).await;
        assert!(open.has(EventKind::BackupFailed));
        assert!(!open.has(EventKind::ConfigRejected), "it is over");
    }
}
