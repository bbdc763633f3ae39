//! Queries over operations and incidents.

use super::fixtures::*;
use crate::{
    port::{
        AlertFilter, Browse, EventFilter, HistoryFilter, IncidentFilter, Journal, Reading, Recover,
        StatisticsFilter, TargetStatistics, Values,
    },
    sqlite::{
        FILE_NAME, SqliteJournal,
        newest::{history_sql, incidents_sql},
    },
};
use mainstay_domain::{
    event::Event, incident::IncidentState, operation::OperationState, record::Change,
};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;

#[tokio::test]
async fn history_is_filtered_and_newest_first() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for n in 0..60 {
        let name = ["api", "redis", "web"][n as usize % 3];
        let state = if n % 2 == 0 {
            OperationState::Succeeded
        } else {
            OperationState::Failed
        };
        drop(journal.commit(vec![Change::Operation(operation(n, name, state))].into()));
    }
    journal.written().await.unwrap();
    let numbers = async |filter: HistoryFilter| -> Vec<u32> {
        let found = journal.history(filter).await.unwrap();
        found.iter().map(|operation| operation.attempts).collect()
    };
    let limit = 4;
    let all = HistoryFilter {
        limit,
        ..HistoryFilter::default()
    };
    assert_eq!(numbers(all.clone()).await, [59, 58, 57, 56]);
    let redis = HistoryFilter {
        target: Some(target("redis")),
        ..all.clone()
    };
    assert_eq!(numbers(redis.clone()).await, [58, 55, 52, 49]);
    let failed = HistoryFilter {
        state: Some(OperationState::Failed),
        ..redis.clone()
    };
    assert_eq!(numbers(failed.clone()).await, [55, 49, 43, 37]);
    let named = HistoryFilter {
        failure: Some(failure("redis-down")),
        ..failed.clone()
    };
    assert_eq!(numbers(named).await, [55, 49, 43, 37]);
    let other = HistoryFilter {
        failure: Some(failure("api-down")),
        ..failed
    };
    assert_eq!(numbers(other).await, [0; 0]);
    let late = HistoryFilter {
        since: Some(at(55)),
        ..redis.clone()
    };
    assert_eq!(numbers(late).await, [58, 55]);
    for filter in [&all, &redis] {
        let whole = HistoryFilter {
            limit: 60,
            ..filter.clone()
        };
        let whole = numbers(whole).await;
        let mut paged = Vec::new();
        let mut next = filter.clone();
        loop {
            let page = journal.history(next.clone()).await.unwrap();
            let Some(last) = page.last() else { break };
            next.before = Some(last.id.clone());
            paged.extend(page.iter().map(|operation| operation.attempts));
        }
        assert_eq!(paged, whole);
    }
    let none = HistoryFilter { limit: 0, ..all };
    assert_eq!(numbers(none).await, [0; 0]);
}

#[tokio::test]
async fn every_history_query_is_answered_from_an_index_in_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    journal.written().await.unwrap();
    for filters in 0..16 {
        let columns = [
            "target = 't'",
            "failure = 'f'",
            "state = 's'",
            "detected_at >= 5",
        ];
        let chosen: Vec<String> = (0..4)
            .filter(|bit| filters >> bit & 1 == 1)
            .map(|bit| columns[bit].to_owned())
            .collect();
        let has_state = filters & 4 == 4;
        let states = match has_state {
            true => vec![
                Some(OperationState::Succeeded),
                Some(OperationState::Validating),
            ],
            false => vec![None],
        };
        for state in states {
            let sql = format!("EXPLAIN QUERY PLAN {}", history_sql(state, &chosen));
            let plan = plan(&journal, sql).await;
            let what = format!("{state:?}, {chosen:?}: {plan}");
            // Each half reads its index in its order: nothing is put in order, and nothing is gone through.
            assert!(!plan.contains("TEMP B-TREE"), "{what}");
            let is_of = |half: &str| plan.contains(&format!("USING INDEX operations_{half}"));
            let has_ended = state.is_none_or(OperationState::is_final);
            let is_open = state.is_none_or(|state| !state.is_final());
            assert_eq!(is_of("open"), is_open, "{what}");
            let halves = usize::from(has_ended) + usize::from(is_open);
            let indices = plan.matches("USING INDEX operations_").count();
            assert_eq!(indices, halves, "{what}");
            let equal = chosen
                .iter()
                .filter(|column| column.contains(" = "))
                .count();
            let expected = if has_ended { equal } else { 0 };
            assert_eq!(plan.matches("=?").count(), expected, "{what}");
        }
    }
}

/// A recovery begins when they are on the disk.
#[tokio::test]
async fn what_is_not_over_is_written_in_few_pages() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let log = directory.path().join(format!("{FILE_NAME}-wal"));
    for n in 0..20 {
        let over = vec![
            Change::Operation(operation(n, "api", OperationState::Succeeded)),
            Change::Incident(incident(n, "api", IncidentState::Recovered).into()),
        ];
        journal.commit(over.into()).await.unwrap();
    }
    let before = log.metadata().unwrap().len();
    let begun = vec![
        Change::Operation(operation(20, "api", OperationState::Scheduled)),
        Change::Incident(incident(20, "api", IncidentState::Open).into()),
    ];
    journal.commit(begun.into()).await.unwrap();
    let frames = (log.metadata().unwrap().len() - before) / (24 + 4_096);
    // Two tables, an index of each for the key and one for what is open, and the number of the commit; and where a page of
    // a table is full, a new one, the one above it, and the first of the file.
    assert!((1..=12).contains(&frames), "{frames}");
}

#[tokio::test]
async fn every_query_of_incidents_is_answered_from_an_index_in_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    journal.written().await.unwrap();
    for (open_only, conditions, indices) in [
        (true, &[][..], &["open"][..]),
        (false, &[][..], &["open", "newest"][..]),
        (false, &["target = 't'"][..], &["open", "t"][..]),
        (
            false,
            &["target = 't'", "opened_at >= 5"][..],
            &["open", "t"][..],
        ),
    ] {
        let conditions: Vec<String> = conditions.iter().map(|&text| text.to_owned()).collect();
        let sql = format!(
            "EXPLAIN QUERY PLAN {}",
            incidents_sql(open_only, &conditions)
        );
        let plan = plan(&journal, sql).await;
        assert!(!plan.contains("TEMP B-TREE"), "{conditions:?}: {plan}");
        let used = plan.matches("USING INDEX incidents_").count();
        assert_eq!(used, indices.len(), "{conditions:?}: {plan}");
        for index in indices {
            let index = format!("USING INDEX incidents_{index}");
            assert!(plan.contains(&index), "{conditions:?}: {plan}");
        }
    }
}

/// The steps of a query with one parameter.
async fn plan(journal: &SqliteJournal, sql: String) -> String {
    let plan = journal.readers.read(move |connection| {
        let mut statement = connection.prepare(&sql)?;
        let steps = statement.query_map([1], |row| row.get::<_, String>(3))?;
        steps.collect::<rusqlite::Result<Vec<String>>>()
    });
    plan.await.unwrap().join("; ")
}

#[tokio::test]
async fn what_has_ended_and_what_has_not_are_one_history() {
    use OperationState::{
        AwaitingManual, Cancelled, Failed, InProgress, Partial, Scheduled, Succeeded, Validating,
    };
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let states = [
        Scheduled,
        Succeeded,
        InProgress,
        Failed,
        Validating,
        Partial,
        AwaitingManual,
        Cancelled,
    ];
    for (n, state) in (0..).zip(states) {
        drop(journal.commit(vec![Change::Operation(operation(n, "api", state))].into()));
    }
    journal.written().await.unwrap();
    let all: Vec<OperationState> = states.iter().rev().copied().collect();
    let mut next = HistoryFilter {
        limit: 3,
        ..HistoryFilter::default()
    };
    let mut found = Vec::new();
    loop {
        let page = journal.history(next.clone()).await.unwrap();
        let Some(last) = page.last() else { break };
        next.before = Some(last.id.clone());
        found.extend(page.iter().map(|operation| operation.state));
    }
    assert_eq!(found, all);
    for state in states {
        let of_state = HistoryFilter {
            state: Some(state),
            ..everything()
        };
        let found = journal.history(of_state).await.unwrap();
        let found: Vec<OperationState> = found.iter().map(|found| found.state).collect();
        assert_eq!(found, [state]);
    }
    // One that ends, and one that a person takes up again, are where they belong from then on.
    let moved = [(0, Succeeded), (3, InProgress)];
    let moved = moved.map(|(n, state)| Change::Operation(operation(n, "api", state)));
    journal.commit(moved.to_vec().into()).await.unwrap();
    let recovered = journal.recovered(at(0)).await.unwrap();
    let open: Vec<u32> = recovered
        .operations
        .iter()
        .map(|open| open.attempts)
        .collect();
    assert_eq!(open, [2, 3, 4, 6]);
    let history = journal.history(everything()).await.unwrap();
    let history: Vec<u32> = history.iter().map(|found| found.attempts).collect();
    assert_eq!(history, [7, 6, 5, 4, 3, 2, 1, 0]);
}

/// Queries that take all places of those who browse, until the sender is dropped.
fn hold_all(journal: &SqliteJournal) -> (std::sync::mpsc::Sender<()>, Vec<Reading<'static, ()>>) {
    let (go_on, waits) = std::sync::mpsc::channel::<()>();
    let waits = Arc::new(std::sync::Mutex::new(waits));
    let query = |_| {
        let waits = Arc::clone(&waits);
        journal.browsers.read(move |_| {
            // Until the sender is gone.
            let _ = waits.lock().unwrap().recv();
            Ok(())
        })
    };
    (go_on, (0..4).map(query).collect())
}

#[tokio::test]
async fn a_query_whose_asker_has_gone_has_its_place_until_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    journal.written().await.unwrap();
    let (go_on, queries) = hold_all(&journal);
    let moment = Duration::from_millis(50);
    for query in queries {
        assert!(tokio::time::timeout(moment, query).await.is_err());
    }
    let early = tokio::time::timeout(moment, journal.last_events(1)).await;
    assert!(early.is_err(), "there was a fifth: {early:?}");
    drop(go_on);
    within(journal.last_events(1)).await.unwrap();
}

#[tokio::test]
async fn who_browses_holds_up_nothing_of_the_daemons_own() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let (go_on, queries) = hold_all(&journal);
    let moment = Duration::from_millis(50);
    for query in queries {
        assert!(tokio::time::timeout(moment, query).await.is_err());
    }
    let value = Values::get(&journal, plugin("probe"), "key".to_owned());
    assert_eq!(within(value).await.unwrap(), None);
    within(journal.recovered(at(0))).await.unwrap();
    within(journal.commit(vec![Change::Event(event(1))].into()))
        .await
        .unwrap();
    drop(go_on);
}

#[tokio::test]
async fn what_is_open_and_what_closed_not_long_ago_is_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let closed = |n: u64| mainstay_domain::incident::Incident {
        closed_at: Some(at(n + 1)),
        ..incident(n, "api", IncidentState::Recovered)
    };
    for n in 0..9 {
        drop(journal.commit(vec![Change::Incident(closed(n).into())].into()));
    }
    let open = incident(9, "api", IncidentState::Escalated);
    let recorded = vec![Change::Incident(open.clone().into())];
    journal.commit(recorded.into()).await.unwrap();
    let recovered = journal.recovered(at(7)).await.unwrap();
    assert_eq!(recovered.incidents, std::slice::from_ref(&open));
    assert_eq!(recovered.closed, [closed(6), closed(7), closed(8)]);
    let open_only = IncidentFilter {
        open_only: true,
        ..incidents(10)
    };
    let open_only = journal.incidents(open_only).await.unwrap();
    assert_eq!(open_only, [open]);
    let newest = journal.incidents(incidents(2)).await.unwrap();
    assert_eq!(newest[1], closed(8));
    // The clock was set back before this one.
    let last = mainstay_domain::incident::Incident {
        closed_at: Some(at(8)),
        ..incident(20, "api", IncidentState::Recovered)
    };
    let recorded = vec![Change::Incident(last.clone().into())];
    journal.commit(recorded.into()).await.unwrap();
    let recovered = journal.recovered(at(8)).await.unwrap();
    assert_eq!(recovered.closed, [closed(7), closed(8), last]);
}

#[tokio::test]
async fn incidents_of_a_target_and_since_a_time_are_listed_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for n in 0..20 {
        let name = ["api", "redis"][n as usize % 2];
        let incident = incident(n, name, IncidentState::Recovered);
        drop(journal.commit(vec![Change::Incident(incident.into())].into()));
    }
    journal.written().await.unwrap();
    let redis = IncidentFilter {
        target: Some(target("redis")),
        since: Some(at(9)),
        ..incidents(2)
    };
    let mut found = Vec::new();
    let mut next = redis;
    loop {
        let page = journal.incidents(next.clone()).await.unwrap();
        let Some(last) = page.last() else { break };
        next.before = Some(last.id.clone());
        found.extend(page.iter().map(|incident| incident.opened_at));
    }
    assert_eq!(found, [19, 17, 15, 13, 11, 9].map(at));
}

#[tokio::test]
async fn events_of_a_target_and_since_a_time_are_given_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for n in 0..40 {
        let about = match n % 4 {
            0 => event(n).with_target(&target("api")),
            _ => event(n).with_target(&target("other")),
        };
        drop(journal.commit(vec![Change::Event(about)].into()));
    }
    journal.written().await.unwrap();
    let filter = |name: Option<&str>, from: Option<u64>| EventFilter {
        target: name.map(target),
        from: from.map(at),
    };
    let read = async |filter: EventFilter, after: u64, limit: u32| -> Vec<u64> {
        let found = journal.events_like(filter, after, limit).await.unwrap();
        found.iter().map(|event| event.seq).collect()
    };
    // The event with the number `n` is of the time `n`, and has the next `seq`.
    assert_eq!(read(filter(Some("api"), None), 0, 3).await, [1, 5, 9]);
    assert_eq!(read(filter(Some("api"), None), 9, 2).await, [13, 17]);
    assert_eq!(read(filter(None, Some(37)), 0, 9).await, [38, 39, 40]);
    assert_eq!(read(filter(Some("api"), Some(30)), 0, 9).await, [33, 37]);
    assert_eq!(read(filter(Some("nobody"), None), 0, 9).await, [0; 0]);
    for (count, before) in [(0, 37), (1, 33), (9, 1), (10, 0)] {
        let api = filter(Some("api"), None);
        let found = journal.seq_before_newest_like(api, count).await.unwrap();
        assert_eq!(found, before, "{count}");
    }
}

/// The event with the number `n`, that an alert was delivered, or given up: the event is of the time `n`.
fn alert_ended(n: u64, alerter: &str, of: &str, is_given_up: bool) -> Event {
    use mainstay_domain::{
        event::{AlertDelivery, EventKind},
        name::PluginName,
    };
    let alerter = PluginName::parse(alerter).unwrap();
    let facts = AlertDelivery {
        alert: outbox_entry(n).alert.id,
        alerter: alerter.clone(),
        attempt: 1,
        detail: String::new(),
        in_place_of: Vec::new(),
    };
    let kind = match is_given_up {
        true => EventKind::AlertAbandoned,
        false => EventKind::AlertDelivered,
    };
    let about = event(n).with_target(&target(of)).with_plugin(&alerter);
    Event {
        kind,
        ..about.with_data(facts)
    }
}

#[tokio::test]
async fn the_newest_thousand_alerts_are_remembered_and_the_oldest_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    // Between them is much else, of which one speaks of such an event.
    let mut changes = Vec::new();
    for n in 0..1_010 {
        let mut other = event(n);
        other.message = r#""kind":"alert.delivered""#.to_owned();
        let ended = alert_ended(n, ["mail", "pager"][n as usize % 2], "api", n % 10 == 0);
        changes.extend([other, ended].map(Change::Event));
    }
    for some in changes.chunks(200) {
        journal.commit(some.to_vec().into()).await.unwrap();
    }
    let read = async |filter: AlertFilter| -> Vec<u64> {
        let found = journal.alerts(filter).await.unwrap();
        found.iter().map(|event| (event.seq - 2) / 2).collect()
    };
    let all = AlertFilter {
        limit: 5_000,
        ..AlertFilter::default()
    };
    let remembered = read(all.clone()).await;
    let expected: Vec<u64> = (10..1_010).rev().collect();
    assert_eq!(remembered, expected, "newest first, and no others");
    let one_more = Change::Event(alert_ended(1_010, "mail", "web", true));
    journal.commit(vec![one_more].into()).await.unwrap();
    let found = journal.alerts(all.clone()).await.unwrap();
    assert_eq!(found.len(), 1_000);
    assert_eq!(found[0].at, at(1_010));
    assert_eq!(found[999].at, at(11), "one came, and the oldest left");

    // What is asked for is looked for among those alone.
    let count = async |filter: AlertFilter| journal.alerts(filter).await.unwrap().len();
    let abandoned = AlertFilter {
        abandoned_only: true,
        ..all.clone()
    };
    assert_eq!(count(abandoned.clone()).await, 100);
    let of_web = AlertFilter {
        target: Some(target("web")),
        ..abandoned
    };
    assert_eq!(count(of_web).await, 1);
    let by = |alerter: &str| AlertFilter {
        alerter: Some(mainstay_domain::name::PluginName::parse(alerter).unwrap()),
        ..all.clone()
    };
    assert_eq!(count(by("pager")).await, 500);
    assert_eq!(count(by("nobody")).await, 0);
    let since = AlertFilter {
        since: Some(at(1_008)),
        ..all.clone()
    };
    assert_eq!(count(since).await, 3);

    // And page by page.
    let mut found = Vec::new();
    let mut next = AlertFilter {
        limit: 7,
        ..by("mail")
    };
    loop {
        let page = journal.alerts(next.clone()).await.unwrap();
        let Some(last) = page.last() else { break };
        next.before = Some(last.seq);
        found.extend(page.iter().map(|event| event.at));
    }
    let mail = (12..=1_010).rev().filter(|n| n % 2 == 0);
    assert_eq!(found, mail.map(at).collect::<Vec<_>>());
}

#[tokio::test]
async fn notes_are_found_by_what_they_are_about() {
    use mainstay_domain::event::{EventKind, NoteAdded};
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    let (noted, other) = (
        incident(1, "api", IncidentState::Open).id,
        incident(2, "api", IncidentState::Open).id,
    );
    let run = operation(3, "api", OperationState::Succeeded).id;
    let note = |incident: Option<&mainstay_domain::id::IncidentId>, text: &str| {
        let facts = NoteAdded {
            incident: incident.cloned(),
            by: "anna".to_owned(),
            note: None,
            text: text.to_owned(),
        };
        let mut event = event(1).with_data(facts);
        event.kind = EventKind::NoteAdded;
        event
    };
    let events = [
        note(Some(&noted), "one"),
        note(Some(&other), &format!("as {noted}")),
        note(None, "two").with_operation(&run),
        event(4),
        note(Some(&noted), "three"),
    ];
    let changes: Vec<Change> = events.into_iter().map(Change::Event).collect();
    journal.commit(changes.into()).await.unwrap();
    let seqs = async |about: String| -> Vec<u64> {
        let found = journal.notes(about, 9).await.unwrap();
        found.iter().map(|event| event.seq).collect()
    };
    assert_eq!(seqs(noted.to_string()).await, [1, 5]);
    assert_eq!(seqs(other.to_string()).await, [2]);
    assert_eq!(seqs(run.to_string()).await, [3]);
}

#[tokio::test]
async fn the_numbers_of_a_target_are_those_of_what_is_in_the_window() {
    use mainstay_domain::{
        event::{CircuitOpened, EventKind},
        incident::Incident,
        operation::Operation,
        severity::Severity,
    };
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    // Detected at these times, with these recovery times; the last was late, and one was before the window.
    for (n, ms) in [(5, 9_000), (10, 100), (11, 300), (12, 200), (13, 1_000)] {
        let recovered = Operation {
            recovery_ms: Some(ms),
            rto_exceeded: ms == 1_000,
            ..operation(n, "api", OperationState::Succeeded)
        };
        drop(journal.commit(vec![Change::Operation(recovered)].into()));
    }
    let planned = Operation {
        dry_run: true,
        ..operation(14, "api", OperationState::Failed)
    };
    let incident = |n: u64, name: &str, closed: Option<u64>| Incident {
        closed_at: closed.map(at),
        ..incident(
            n,
            name,
            match closed {
                Some(_) => IncidentState::Recovered,
                None => IncidentState::Open,
            },
        )
    };
    let changes = vec![
        Change::Operation(planned),
        Change::Operation(operation(15, "api", OperationState::Failed)),
        Change::Operation(operation(16, "api", OperationState::Cancelled)),
        // From before the window into it, one that overlaps, and one that lasts.
        Change::Incident(incident(2, "api", Some(12)).into()),
        Change::Incident(incident(11, "api", Some(14)).into()),
        Change::Incident(incident(18, "api", None).into()),
        Change::Incident(incident(3, "api", Some(4)).into()),
        Change::Incident(incident(15, "web", Some(16)).into()),
    ];
    journal.commit(changes.into()).await.unwrap();
    let event = |n, kind| Event::new(kind, Severity::Low, at(n), "");
    let opened = |n, name: &str| {
        let facts = CircuitOpened {
            failure: Some(failure(&format!("{name}-down"))),
        };
        Change::Event(
            event(n, EventKind::CircuitOpened)
                .with_target(&target(name))
                .with_data(facts),
        )
    };
    let closed = |n, name: &str| {
        Change::Event(event(n, EventKind::CircuitClosed).with_target(&target(name)))
    };
    let changes = vec![
        Change::Event(event(0, EventKind::HostStarted)),
        opened(2, "api"),
        closed(14, "api"),
        opened(15, "web"),
        closed(16, "web"),
        opened(18, "api"),
    ];
    journal.commit(changes.into()).await.unwrap();
    let filter = StatisticsFilter {
        target: None,
        configured: vec![target("db")],
        since: at(10),
        until: at(20),
    };
    let found = journal.statistics(filter.clone()).await.unwrap();
    let api = TargetStatistics {
        incidents: 2,
        recoveries: 4,
        failures: 1,
        timed: 4,
        mean_ms: Some(400),
        median_ms: Some(200),
        p95_ms: Some(1_000),
        late: 1,
        known: Duration::from_millis(10),
        down: Duration::from_millis(4 + 2),
        ..TargetStatistics::none(target("api"))
    };
    let web = TargetStatistics {
        incidents: 1,
        known: Duration::from_millis(10),
        down: Duration::from_millis(1),
        ..TargetStatistics::none(target("web"))
    };
    let db = TargetStatistics {
        known: Duration::from_millis(10),
        ..TargetStatistics::none(target("db"))
    };
    assert_eq!(found, [api, db, web.clone()]);
    let only = StatisticsFilter {
        target: Some(target("web")),
        ..filter
    };
    assert_eq!(journal.statistics(only).await.unwrap(), [web]);
}

#[tokio::test]
async fn what_is_too_old_is_forgotten_and_the_newest_stay() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for n in 0..150 {
        let state = if n == 3 {
            OperationState::AwaitingManual
        } else {
            OperationState::Succeeded
        };
        let operation = operation(n, "api", state);
        let closed = if n == 4 {
            IncidentState::Open
        } else {
            IncidentState::Recovered
        };
        let incident = incident(n, "api", closed);
        drop(
            journal.commit(
                vec![
                    Change::Effect(intent(&operation.id, 1)),
                    Change::Operation(operation),
                    Change::Incident(incident.into()),
                    Change::Event(event(n)),
                ]
                .into(),
            ),
        );
    }
    let counts = async || {
        let operations = journal.history(everything()).await.unwrap();
        let incidents = journal.incidents(incidents(u32::MAX)).await.unwrap();
        let events = journal.events(0, u32::MAX).await.unwrap();
        (operations.len(), incidents.len(), events.len())
    };
    let oldest = operation(0, "api", OperationState::Succeeded).id;
    journal.written().await.unwrap();
    assert!(journal.operation(oldest.clone()).await.unwrap().is_some());
    journal
        .commit(vec![Change::Forget(at(0))].into())
        .await
        .unwrap();
    assert_eq!(counts().await, (150, 150, 150), "nothing is so old");
    journal
        .commit(vec![Change::Forget(at(20))].into())
        .await
        .unwrap();
    assert_eq!(counts().await, (131, 131, 130), "what is open stays");
    journal
        .commit(vec![Change::Forget(at(1_000))].into())
        .await
        .unwrap();
    assert_eq!(counts().await, (101, 101, 100), "the newest stay");
    assert!(journal.operation(oldest).await.unwrap().is_none());
    let counted = journal.on_connection(|connection| {
        let count = |row: &rusqlite::Row<'_>| row.get(0);
        match connection.query_row("SELECT count(*) FROM effects", [], count)? {
            101 => Ok(()),
            _ => Err(rusqlite::Error::QueryReturnedNoRows),
        }
    });
    counted.await.expect("what they did went with them");
}

/// A journal with so many events, of which those in the range have another time.
async fn events_of(
    count: u64,
    others: std::ops::Range<u64>,
    time: u64,
) -> (TempDir, SqliteJournal) {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path()).unwrap();
    for n in 0..count {
        let at = at(if others.contains(&n) { time } else { n });
        drop(journal.commit(vec![Change::Event(Event { at, ..event(n) })].into()));
    }
    journal.written().await.unwrap();
    (directory, journal)
}

async fn left_after(journal: &SqliteJournal, forgotten: u64) -> Vec<u64> {
    let forget = vec![Change::Forget(at(forgotten))];
    journal.commit(forget.into()).await.unwrap();
    let left = journal.events(0, u32::MAX).await.unwrap();
    left.iter().map(|event| event.seq - 1).collect()
}

#[tokio::test]
async fn events_of_a_clock_that_was_ahead_go_with_those_around_them() {
    let (_directory, journal) = events_of(300, 0..40, 1_000_000).await;
    let from = |first: u64| (first..300).collect::<Vec<_>>();
    assert_eq!(left_after(&journal, 40).await, from(0), "none is too old");
    assert_eq!(left_after(&journal, 60).await, from(60));

    let (_directory, journal) = events_of(300, 50..80, 1_000_000).await;
    assert_eq!(left_after(&journal, 50).await, from(50));
    assert_eq!(left_after(&journal, 81).await, from(81));
}

#[tokio::test]
async fn events_of_a_clock_that_was_behind_take_no_others_with_them() {
    let (_directory, journal) = events_of(300, 150..160, 0).await;
    let expected: Vec<u64> = (20..150).chain(160..300).collect();
    assert_eq!(left_after(&journal, 20).await, expected);
}

/// Two events of one number would be two that readers who go on after a number tell apart no more.
#[tokio::test]
async fn a_counter_of_events_that_is_behind_them_gives_no_number_twice() {
    let (_directory, journal) = events_of(3, 0..0, 0).await;
    journal
        .on_connection(|connection| {
            let sql = "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'events'";
            connection.execute(sql, []).map(drop)
        })
        .await
        .unwrap();
    let told = journal.commit(vec![Change::Event(event(9))].into());
    told.await.unwrap();
    let events = journal.events(0, u32::MAX).await.unwrap();
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}
