//! What people were told by the daemons before, and not yet that it is over; and what they ordered for a while.
//!
//! Invariant: a fault is known however long ago it was told, and however much happened since; only where that takes too
//! long, as on a disk that hardly answers, what is old is not known.
//! Invariant: a start reads what is open and what came since the last look for what is over, however long the history is.

use crate::{
    ports::{Browse, Journal, StoreError},
    services::shared::Shared,
};
use mainstay_domain::{
    alert::OpenAlerts,
    event::{Event, EventKind},
    name::PluginName,
    pause::TimedPauses,
    policy::PolicyHistory,
    record::Change,
    severity::Severity,
    silence::Silences,
    spec::{AlertRoute, Spec},
};
use semver::VersionReq;
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// For so long the whole history is gone through: the start must not wait for more.
const LONGEST: Duration = Duration::from_secs(10);

/// So many events are read at a time.
const PAGE: u32 = 2_000;

/// How often what is over is taken out of what a start looks for.
const SETTLE_EVERY: Duration = Duration::from_secs(3600);

/// So many of the newest events say what is open where the whole history cannot.
const NEWEST: u32 = 10_000;

/// What the events of the journal say of now.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What is open, by the routes of the config.
    pub(super) open: OpenAlerts,
    /// The pauses that have an end.
    pub(super) pauses: TimedPauses,
    /// The silences that were not ended.
    pub(super) silences: Silences,
    /// The phase, and which recoveries began of late.
    pub(super) policy: PolicyHistory,
    /// The number of the last event that was read.
    last: u64,
}

/// The kinds of events that say anything of now.
static KINDS: LazyLock<Vec<EventKind>> = LazyLock::new(|| {
    let mut kinds = OpenAlerts::kinds().to_vec();
    kinds.extend([EventKind::SilenceBegan, EventKind::SilenceEnded]);
    kinds.extend(PolicyHistory::KINDS);
    kinds
});

impl Told {
    fn replay(&mut self, page: &[Event], routes: &[AlertRoute], host_name: &str) {
        self.open.replay(page, routes, host_name);
        self.pauses.replay(page);
        self.silences.replay(page);
        self.policy.replay(page);
    }

    /// Whether this event may make a difference to any of it.
    fn need(&self, event: &Event, host_name: &str) -> bool {
        // A pause of which the end was not told is open.
        self.open.need(event, host_name)
            || self.silences.need(event)
            || self.pauses.need(event)
            || self.policy.needs(event)
    }
}

/// What is open, by the events of the journal and the routes of this config, and what is ordered for a while.
pub(super) async fn told(records: &dyn Browse, spec: &Spec) -> Told {
    let of_all = of_all(records, &spec.alerts, &spec.host.name);
    let why = match tokio::time::timeout(LONGEST, of_all).await {
        Ok(Ok(told)) => return told,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("the journal was not read within {LONGEST:?}"),
    };
    tracing::warn!(why, "of what people were told only the newest is known");
    let mut told = Told::default();
    match records.last_events(NEWEST).await {
        Ok(newest) => told.replay(&newest, &spec.alerts, &spec.host.name),
        Err(error) => {
            tracing::warn!(%error, "what the daemons before told people of is not known");
        }
    }
    told.open.replay_ended();
    told
}

async fn of_all(
    records: &dyn Browse,
    routes: &[AlertRoute],
    host_name: &str,
) -> Result<Told, StoreError> {
    let mut told = Told::default();
    loop {
        let page = records.events_of(&KINDS, told.last, PAGE).await?;
        let Some(last) = page.last() else {
            told.open.replay_ended();
            return Ok(told);
        };
        told.last = last.seq;
        told.replay(&page, routes, host_name);
    }
}

/// Takes what is over out of what a start looks for, now and then, until it is told to stop.
pub(super) async fn keep_short(records: Arc<dyn Browse>, shared: Shared, stop: CancellationToken) {
    loop {
        let host_name = shared.spec.borrow().host.name.clone();
        let settled = settle(&*records, &*shared.journal, &host_name);
        match stop.run_until_cancelled(settled).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(%error, "the next start reads more events than it needs to");
            }
        }
        tokio::select! { biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SETTLE_EVERY) => {}
        }
    }
}

/// What is open is judged as if somebody were told of everything: the routes of the next config may be others.
async fn settle(
    records: &dyn Browse,
    journal: &dyn Journal,
    host_name: &str,
) -> Result<(), StoreError> {
    let Ok(alerter) = PluginName::parse("anybody") else {
        return Ok(());
    };
    let route = AlertRoute {
        min_severity: Severity::Low,
        events: EventKind::ALL.to_vec(),
        target: None,
        alerter,
        version: VersionReq::STAR,
        grouping: None,
    };
    let told = of_all(records, &[route], host_name).await?;
    let mut after = 0;
    while after < told.last {
        let mut page = records.events_of(&KINDS, after, PAGE).await?;
        after = page.last().map_or(told.last, |event| event.seq);
        page.retain(|event| event.seq <= told.last && !told.need(event, host_name));
        if !page.is_empty() {
            let over = page.iter().map(|event| event.seq).collect();
            let changes = vec![Change::NotSought(over)];
            journal.commit(changes.into()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{name::JobName, time::Timestamp};
    use mainstay_store::{SqliteJournal, StateDirectory};

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn event(kind: EventKind) -> Event {
        Event::new(kind, Severity::High, AT, "x")
    }

    fn of_job(kind: EventKind, job: &str) -> Event {
        event(kind).with_job(&JobName::parse(job).unwrap())
    }

    fn journal(directory: &tempfile::TempDir) -> SqliteJournal {
        let taken = StateDirectory::take(&directory.path().join("state")).unwrap();
        SqliteJournal::open(taken).unwrap()
    }

    /// One that sends to `page` what is an alert by default.
    fn spec() -> Spec {
        let mut spec = Spec::clone(&crate::services::testing::specs::spec(Vec::new()));
        spec.alerts = vec![AlertRoute {
            min_severity: Severity::Low,
            events: Vec::new(),
            target: None,
            alerter: PluginName::parse("page").unwrap(),
            version: VersionReq::STAR,
            grouping: None,
        }];
        spec
    }

    #[tokio::test]
    async fn a_fault_is_known_though_very_many_events_came_since() {
        let failed = of_job(EventKind::BackupFailed, "state");
        let mut changes = vec![Change::Event(event(EventKind::HostStarted))];
        changes.push(Change::Event(failed));
        changes.push(Change::Event(event(EventKind::ConfigRejected)));
        let others = (0..NEWEST + 10).map(|_| Change::Event(event(EventKind::PluginLogged)));
        changes.extend(others);
        changes.push(Change::Event(event(EventKind::ConfigApplied)));
        let directory = tempfile::tempdir().unwrap();
        let journal = journal(&directory);
        journal.commit(changes.into()).await.unwrap();
        let open = told(&journal, &spec()).await.open;
        assert!(open.has(EventKind::BackupFailed));
        assert!(!open.has(EventKind::ConfigRejected), "it is over");
    }

    #[tokio::test]
    async fn a_start_looks_for_what_is_open_and_no_more_for_what_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let journal = journal(&directory);
        let mut changes = vec![Change::Event(event(EventKind::HostStarted))];
        changes.push(Change::Event(of_job(EventKind::DrillFailed, "state")));
        for _ in 0..PAGE {
            changes.push(Change::Event(event(EventKind::ConfigRejected)));
            changes.push(Change::Event(event(EventKind::ConfigApplied)));
            changes.push(Change::Event(of_job(EventKind::DrillFailed, "other")));
            changes.push(Change::Event(of_job(EventKind::DrillPassed, "other")));
        }
        journal.commit(changes.into()).await.unwrap();
        let name = spec().host.name;
        settle(&journal, &journal, &name).await.unwrap();
        let sought = async || {
            let sought = journal.events_of(&KINDS, 0, PAGE).await;
            let kinds = sought.unwrap().into_iter().map(|event| event.kind);
            kinds.collect::<Vec<_>>()
        };
        assert_eq!(
            sought().await,
            [EventKind::HostStarted, EventKind::DrillFailed]
        );
        let open = told(&journal, &spec()).await.open;
        let jobs = open.jobs_with(EventKind::DrillFailed);
        assert_eq!(jobs, [JobName::parse("state").unwrap()]);
        // No event is lost by it.
        let newest = journal.last_events(1).await.unwrap();
        assert_eq!(newest[0].seq, 2 + 4 * u64::from(PAGE));
        assert_eq!(newest[0].kind, EventKind::DrillPassed);

        let over = of_job(EventKind::DrillPassed, "state");
        let changes = vec![Change::Event(over)];
        journal.commit(changes.into()).await.unwrap();
        settle(&journal, &journal, &name).await.unwrap();
        assert_eq!(sought().await, [EventKind::HostStarted]);
    }
}
