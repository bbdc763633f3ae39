//! What the host cannot see.

use super::*;
use mainstay_domain::{blindness::Unseen, event::MonitorBlind};

/// A target whose failure is raised by the third failing look in a row.
fn patient(text: &str) -> TargetSpec {
    let mut tcp = check("tcp");
    (tcp.fail_after, tcp.recover_after) = (3, 2);
    tcp.every = Duration::from_secs(1);
    target(text, vec![tcp])
}

/// Looks once, and sees this.
async fn see(bench: &Bench, of: &str, outcome: Outcome) {
    bench.probe.show("tcp", outcome);
    let seen = within(bench.monitor.check_now(name(of))).await.unwrap();
    assert_eq!(seen[0].outcome, outcome);
}

#[tokio::test]
async fn what_could_not_be_seen_counts_neither_as_a_failure_nor_as_a_success() {
    use Outcome::{Failed, Healthy, Unknown};
    let mut bench = Bench::new(vec![patient("db")]); // Not running: nothing else looks.
    for outcome in [Unknown, Unknown, Unknown, Unknown, Failed, Failed, Unknown] {
        see(&bench, "db", outcome).await;
    }
    assert!(!bench.monitor.is_failing(&name("db"), &failure("tcp-down")));
    see(&bench, "db", Failed).await;
    assert_eq!(
        bench.finding().await,
        "db raised tcp-down",
        "it is the third"
    );

    bench.monitor.handler_acted(&name("db"));
    for outcome in [Healthy, Unknown, Unknown] {
        see(&bench, "db", outcome).await;
    }
    assert!(bench.monitor.is_failing(&name("db"), &failure("tcp-down")));
    see(&bench, "db", Healthy).await;
    assert_eq!(
        bench.finding().await,
        "db cleared tcp-down",
        "it is the second"
    );
    assert_eq!(
        bench.monitor.health(&name("db")),
        Some((Health::Healthy, CircuitState::Closed))
    );
}

#[tokio::test]
async fn a_host_that_is_blind_for_long_is_one_event_for_all_and_one_more_when_it_sees_again() {
    let bench = Bench::new(vec![patient("api"), patient("db")]);
    let both = [name("api"), name("db")];
    for of in &both {
        see(&bench, of.as_str(), Outcome::Healthy).await;
        assert_eq!(bench.monitor.unseen(of), None);
    }
    let since = bench.clock.now();
    for _ in 0..4 {
        for of in &both {
            see(&bench, of.as_str(), Outcome::Unknown).await;
            let unseen = bench.monitor.unseen(of).unwrap();
            assert!(unseen.why.contains("as told"), "{unseen:?}");
        }
        let blind = bench.count(EventKind::MonitorBlind);
        assert_eq!(blind, 0, "it may pass");
        bench.clock.advance(Duration::from_secs(7));
    }
    assert_eq!(bench.monitor.health(&both[0]).unwrap().0, Health::Healthy);
    bench.clock.advance(Duration::from_secs(7));
    for of in &both {
        see(&bench, of.as_str(), Outcome::Unknown).await;
        assert_eq!(
            bench.monitor.health(of),
            Some((Health::Unknown, CircuitState::Closed))
        );
    }
    let events = bench.journal.events();
    let [told] = events.as_slice() else {
        panic!("it is one event: {events:?}");
    };
    assert_eq!((told.kind, &told.target), (EventKind::MonitorBlind, &None));
    let EventData::MonitorBlind(MonitorBlind { checks, names, .. }) = &told.data else {
        panic!("{:?}", told.data);
    };
    assert_eq!((*checks, names.as_slice()), (2, &both[..]));

    see(&bench, "api", Outcome::Healthy).await;
    assert_eq!(bench.count(EventKind::MonitorSees), 0, "the other is blind");
    assert!(
        matches!(bench.monitor.unseen(&both[1]), Some(Unseen { since: at, .. }) if at.since(since) < Duration::from_secs(60))
    );
    see(&bench, "db", Outcome::Healthy).await;
    assert_eq!(bench.count(EventKind::MonitorSees), 1);
    for of in &both {
        assert_eq!(bench.monitor.unseen(of), None);
        assert_eq!(bench.monitor.health(of).unwrap().0, Health::Healthy);
    }
    assert_eq!(bench.journal.kinds().len(), 2, "no target has an event");
}

#[tokio::test]
async fn a_row_of_status_is_renewed_where_something_of_it_changes_and_not_at_every_look_in_vain() {
    let bench = Bench::new(vec![patient("db")]);
    let changed = bench.monitor.changed();
    see(&bench, "db", Outcome::Healthy).await;
    changed.take();
    for (seconds, is_renewed) in [(0, true), (1, false), (1, false), (40, true), (1, false)] {
        bench.clock.advance(Duration::from_secs(seconds));
        see(&bench, "db", Outcome::Unknown).await;
        assert_eq!(
            changed.take().contains(&name("db")),
            is_renewed,
            "{seconds}"
        );
    }
    see(&bench, "db", Outcome::Healthy).await;
    assert!(changed.take().contains(&name("db")));
}

#[tokio::test]
async fn a_look_that_has_nothing_to_say_yet_is_a_look() {
    let bench = Bench::new(vec![patient("db")]);
    see(&bench, "db", Outcome::Healthy).await;
    see(&bench, "db", Outcome::Unknown).await;
    bench.clock.advance(Duration::from_secs(30));
    see(&bench, "db", Outcome::Unknown).await;
    assert_eq!(
        bench.monitor.health(&name("db")).unwrap().0,
        Health::Unknown
    );
    assert_eq!(bench.count(EventKind::MonitorBlind), 1);
    // As a log that was removed.
    bench.probe.show_nothing("tcp");
    let seen = within(bench.monitor.check_now(name("db"))).await.unwrap();
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(bench.monitor.unseen(&name("db")), None);
    assert_eq!(bench.count(EventKind::MonitorSees), 1);
    assert_eq!(
        bench.monitor.health(&name("db")).unwrap().0,
        Health::Healthy
    );
}

#[tokio::test]
async fn a_target_that_is_taken_away_is_not_missed() {
    let bench = Bench::new(vec![patient("db")]);
    see(&bench, "db", Outcome::Unknown).await;
    bench.clock.advance(Duration::from_secs(30));
    see(&bench, "db", Outcome::Unknown).await;
    assert_eq!(bench.count(EventKind::MonitorBlind), 1);
    bench.monitor.core.reconfigure(&spec(Vec::new()));
    assert_eq!(bench.count(EventKind::MonitorSees), 1);
    assert_eq!(bench.monitor.unseen(&name("db")), None);
}

#[tokio::test]
async fn what_an_earlier_daemon_told_of_is_over_when_this_one_has_seen_for_long() {
    let bench = Bench::new(vec![patient("db")]);
    bench.monitor.resume_blindness();
    see(&bench, "db", Outcome::Unknown).await;
    see(&bench, "db", Outcome::Healthy).await;
    bench.monitor.core.beat();
    assert_eq!(bench.count(EventKind::MonitorSees), 0);
    bench.clock.advance(Duration::from_secs(30));
    for _ in 0..2 {
        bench.monitor.core.beat();
        assert_eq!(bench.count(EventKind::MonitorSees), 1);
    }
    assert_eq!(bench.count(EventKind::MonitorBlind), 0);
}
