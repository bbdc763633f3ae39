use super::*;
use crate::services::{
    alerts::arrivals,
    testing::{MemoryJournal, specs, within},
};
use mainstay_domain::{
    alert::AlertStatus,
    event::{CheckFailed, CircuitOpened},
    name::{CheckName, JobName, PluginName},
    severity::Severity,
    spec::{AlertRoute, JobSpec, RetentionSpec},
    time::Timestamp,
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
        grouping: None,
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

/// What fires of a job, and of a target and its check.
fn of_subjects() -> [Event; 6] {
    let at = Timestamp::from_millis(1_700_000_000_000);
    let job = JobName::parse("state").unwrap();
    let of = |kind| Event::new(kind, Severity::High, at, "x");
    let failed = CheckFailed {
        check: specs::check("tcp").name,
        in_a_row: 1,
        value: None,
    };
    let opened = CircuitOpened { failure: None };
    [
        of(EventKind::BackupFailed).with_job(&job),
        of(EventKind::BackupRpoMissed).with_job(&job),
        of(EventKind::RetentionFailed).with_job(&job),
        of(EventKind::DrillFailed).with_job(&job),
        of(EventKind::CheckFailed)
            .with_target(&specs::name("api"))
            .with_data(failed),
        of(EventKind::CircuitOpened)
            .with_target(&specs::name("api"))
            .with_data(opened),
    ]
}

#[tokio::test]
async fn what_the_config_does_not_name_any_more_is_told_to_be_over_once() {
    let journal = MemoryJournal::new();
    let mut config = (*paging()).clone();
    config.alerts[0].events = EventKind::ALL.to_vec();
    let events = &mut config.alerts[0].events;
    events.retain(|kind| !matches!(kind, EventKind::ConfigApplied | EventKind::HostStarted));
    let without = Arc::new(config.clone());
    let api = specs::target("api", vec![specs::check("tcp")]);
    config.targets = vec![api].into();
    config.jobs = vec![JobSpec {
        name: JobName::parse("state").unwrap(),
        sources: Vec::new(),
        reading: mainstay_domain::spec::ReadingSpec::default(),
        after: Vec::new(),
        full: None,
        differential: None,
        incremental: None,
        rpo: Some(std::time::Duration::from_secs(60)),
        stale_after: None,
        compression: 3,
        shrink_guard: None,
        hooks: mainstay_domain::spec::HookSpec::default(),
        retention: Some(RetentionSpec {
            policy: PluginName::parse("keep").unwrap(),
            version: VersionReq::STAR,
            every: std::time::Duration::from_secs(60),
            min_redundancy: 1,
            immutable_for: std::time::Duration::ZERO,
            trash_for: std::time::Duration::ZERO,
        }),
        checkpoints: None,
        proofs: mainstay_domain::spec::ProofSchedules::default(),
        drill: mainstay_domain::spec::RestoreDrillSpec::default(),
        starts: mainstay_domain::spec::StartSpec::default(),
        archive: None,
        tiers: Default::default(),
        sealing: mainstay_domain::spec::SealingSpec::default(),
    }];
    let (sender, spec) = watch::channel(Arc::new(config));
    let (arriving, _arrivals) = arrivals();
    let recorder = recorder(journal.clone(), spec, arriving);
    let at = Timestamp::from_millis(1_700_000_000_000);
    let of_host = |kind| vec![Change::Event(Event::new(kind, Severity::Low, at, "x"))];
    let resolved = || -> Vec<(String, String)> {
        let changes = journal.changes().into_iter();
        let resolved = changes.filter_map(|change| match change {
            Change::Alert(entry) if entry.alert.status == AlertStatus::Resolved => {
                Some((entry.alert.dedup_key, entry.alert.body))
            }
            _ => None,
        });
        resolved.collect()
    };
    for event in of_subjects() {
        within(recorder.commit(vec![Change::Event(event)].into()))
            .await
            .unwrap();
    }
    within(recorder.commit(of_host(EventKind::ConfigApplied).into()))
        .await
        .unwrap();
    assert!(resolved().is_empty(), "it is all there");
    sender.send_replace(without.clone());
    for _ in 0..2 {
        within(recorder.commit(of_host(EventKind::ConfigApplied).into()))
            .await
            .unwrap();
        let keys: Vec<String> = resolved().into_iter().map(|(key, _)| key).collect();
        let host = &without.host.name;
        let expected = [
            "backup/state",
            "check/api/tcp",
            "circuit/api",
            "drill/state",
            "retention/state",
        ];
        assert_eq!(keys, expected.map(|key| format!("{host}/{key}")));
    }
    let (_, body) = &resolved()[0];
    assert!(
        body.contains("the config does not name job state any more"),
        "{body}"
    );
    // The next daemon knows that it was told.
    let mut open = OpenAlerts::default();
    open.replay(&journal.events(), &without.alerts, &without.host.name);
    open.replay_ended();
    for event in of_subjects() {
        assert!(!open.has(event.kind), "{}", event.kind);
    }
}

/// A supervised process is looked at without a check of it, and its end is told as that of one.
#[tokio::test]
async fn that_a_process_ended_is_not_over_for_want_of_a_check_of_it() {
    let journal = MemoryJournal::new();
    let mut config = (*paging()).clone();
    config.alerts[0].events = vec![EventKind::CheckFailed];
    config.targets = vec![specs::child("web", &["true"])].into();
    let (_sender, spec) = watch::channel(Arc::new(config));
    let (arriving, _arrivals) = arrivals();
    let recorder = recorder(journal.clone(), spec, arriving);
    let at = Timestamp::from_millis(1_700_000_000_000);
    let of = |kind| Event::new(kind, Severity::Low, at, "x");
    let failed = CheckFailed {
        check: CheckName::process(),
        in_a_row: 1,
        value: None,
    };
    let ended = of(EventKind::CheckFailed).with_target(&specs::name("web"));
    for event in [
        ended.with_data(failed),
        of(EventKind::ConfigApplied),
        of(EventKind::HostStarted),
    ] {
        within(recorder.commit(vec![Change::Event(event)].into()))
            .await
            .unwrap();
    }
    let changes = journal.changes().into_iter();
    let told = changes.filter_map(|change| match change {
        Change::Alert(entry) => Some(entry.alert.status),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [AlertStatus::Firing]);
}

#[tokio::test]
async fn an_alert_of_what_is_broken_for_a_drill_says_so_until_the_drill_is_over() {
    let journal = MemoryJournal::new();
    let (_sender, spec) = watch::channel(paging());
    let (arriving, mut arrived) = mpsc::unbounded_channel();
    let recorder = recorder(journal.clone(), spec, arriving);
    let of = |kind, target: &str| {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let event = Event::new(kind, Severity::Medium, at, "so");
        Change::Event(event.with_target(&specs::name(target)))
    };
    let mut titles = Vec::new();
    for changes in [
        vec![of(EventKind::TargetBroken, "api")],
        vec![of(EventKind::IncidentOpened, "api")],
        vec![of(EventKind::IncidentOpened, "db")],
        vec![of(EventKind::TargetDrilled, "api")],
        vec![of(EventKind::CircuitFlapping, "api")],
    ] {
        within(recorder.commit(changes.into())).await.unwrap();
        while let Ok(arrival) = arrived.try_recv() {
            let entries = arrival.entries.into_iter();
            titles.extend(entries.map(|entry| (entry.alert.title, entry.alert.labels)));
        }
    }
    let marked: Vec<bool> = titles
        .iter()
        .map(|(title, labels)| {
            let has_label = labels.contains(&("drill".to_owned(), "true".to_owned()));
            assert_eq!(title.starts_with("DRILL: "), has_label, "{title}");
            has_label
        })
        .collect();
    assert_eq!(marked, [true, false, false], "{titles:?}");
}
