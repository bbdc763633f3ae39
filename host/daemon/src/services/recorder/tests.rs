use super::*;
use crate::services::{
    alerts::arrivals,
    testing::{MemoryJournal, specs, within},
};
use mainstay_domain::{
    alert::AlertStatus, name::PluginName, severity::Severity, spec::AlertRoute, time::Timestamp,
};
use semver::VersionReq;

fn failed(title: &str) -> Change {
    let at = Timestamp::from_millis(1_700_000_000_000);
    Change::Event(
        Event::new(EventKind::IncidentOpened, Severity::High, at, title)
            .with_target(&specs::name("api")),
    )
}

/// Everything is an alert for `page`.
fn paging() -> Arc<Spec> {
    let mut config = (*specs::spec(Vec::new())).clone();
    config.alerts = vec![AlertRoute {
        min_severity: Severity::Low,
        events: Vec::new(),
        target: None,
        alerter: PluginName::parse("page").unwrap(),
        version: VersionReq::STAR,
    }];
    Arc::new(config)
}

/// One whose daemon was the first.
fn recorder(
    journal: Arc<MemoryJournal>,
    spec: watch::Receiver<Arc<Spec>>,
    arriving: mpsc::UnboundedSender<Arrival>,
) -> Recorder {
    let (ids, open) = (IdSource::new(1), OpenAlerts::default());
    Recorder::new(journal, spec, ids, open, arriving)
}

#[tokio::test]
async fn an_alert_is_written_with_its_event_and_handed_on_in_order_also_where_both_are_held() {
    for is_held in [false, true] {
        let journal = MemoryJournal::new();
        if is_held {
            journal.hold();
        }
        let (_sender, spec) = watch::channel(paging());
        let (arriving, mut arrivals) = arrivals();
        let recorder = recorder(journal.clone(), spec, arriving);
        for title in ["first", "second"] {
            let answer = within(recorder.commit(vec![failed(title)].into()))
                .await
                .unwrap();
            assert_eq!(answer.is_durable(), !is_held);
        }
        let quiet = within(recorder.commit(Vec::new().into())).await.unwrap();
        assert_eq!(quiet.is_durable(), !is_held);
        let written: Vec<OutboxEntry> = journal
            .changes()
            .into_iter()
            .filter_map(|change| match change {
                Change::Alert(entry) => Some(entry),
                _ => None,
            })
            .collect();
        assert_eq!(written.len(), 2);
        for entry in written {
            assert_eq!(within(arrivals.next()).await, [entry]);
        }
        let expected = [EventKind::IncidentOpened, EventKind::AlertQueued].repeat(2);
        assert_eq!(journal.kinds(), expected);
    }
}

#[tokio::test]
async fn what_was_refused_and_is_submitted_again_sends_its_alert_once() {
    let journal = MemoryJournal::new();
    let (_sender, spec) = watch::channel(paging());
    let (arriving, mut arrivals) = arrivals();
    let recorder = recorder(journal.clone(), spec, arriving);
    journal.fill(true);
    let refused = || vec![failed("first")];
    within(recorder.commit(refused().into())).await.unwrap_err();
    for _ in 0..3 {
        within(recorder.commit_again(refused().into()))
            .await
            .unwrap_err();
    }
    journal.fill(false);
    within(recorder.commit_again(refused().into()))
        .await
        .unwrap();
    within(recorder.commit(vec![failed("second")].into()))
        .await
        .unwrap();
    for title in ["first", "second"] {
        let entries = within(arrivals.next()).await;
        assert_eq!(entries.len(), 1);
        let body = &entries[0].alert.body;
        assert!(body.contains(title), "{body}");
    }
}

#[tokio::test]
async fn what_was_told_is_told_to_be_over_though_no_route_asks_for_its_end() {
    let journal = MemoryJournal::new();
    let (_sender, spec) = watch::channel(paging());
    let (arriving, mut arrivals) = arrivals();
    let recorder = recorder(journal.clone(), spec, arriving);
    let at = Timestamp::from_millis(1_700_000_000_000);
    for (kind, severity) in [
        (EventKind::ConfigApplied, Severity::Low),
        (EventKind::ConfigRejected, Severity::High),
        (EventKind::ConfigApplied, Severity::Low),
    ] {
        let event = Event::new(kind, severity, at, "x");
        let changes = vec![Change::Event(event)];
        within(recorder.commit(changes.into())).await.unwrap();
    }
    let mut told = Vec::new();
    for _ in 0..2 {
        let entry = within(arrivals.next()).await.remove(0);
        told.push((entry.alert.kind, entry.alert.status));
    }
    assert_eq!(
        told,
        [
            ("config.rejected".to_owned(), AlertStatus::Firing),
            ("config.applied".to_owned(), AlertStatus::Resolved),
        ]
    );
}
