//! What is reported beside what the checks see, and what a person stops.

use super::*;
use crate::ports::Reports;

fn evidence() -> Evidence {
    Evidence {
        check: "report".to_owned(),
        observed_at: Timestamp::from_millis(1),
        message: "root reported it".to_owned(),
        value: Some(0.5),
        output: None,
        score: None,
    }
}

/// Opens at its first failure and closes at its first success.
fn quick() -> TargetSpec {
    let mut tcp = check("tcp");
    (tcp.fail_after, tcp.recover_after) = (1, 1);
    target("db", vec![tcp])
}

#[tokio::test]
async fn what_is_reported_holds_until_it_is_taken_back_and_is_over_only_where_somebody_says_so() {
    let mut bench = Bench::new(vec![quick()]);
    bench.run();
    let (db, slow) = (name("db"), failure("slow"));
    for (is_over, end) in [(true, "db cleared slow"), (false, "db lost sight of slow")] {
        bench
            .monitor
            .reported(&db, &slow, Severity::High, evidence());
        assert_eq!(bench.finding().await, "db raised slow");
        assert!(bench.monitor.is_failing(&db, &slow));
        assert!(bench.monitor.is_reported(&db, &slow));
        let health = bench.monitor.health(&db).map(|(health, _)| health);
        assert_eq!(health, Some(Health::Failed));
        bench.monitor.taken_back(&db, &slow, is_over);
        assert_eq!(bench.finding().await, end);
        assert!(!bench.monitor.is_failing(&db, &slow));
    }
    bench.monitor.taken_back(&db, &slow, true);
    assert!(bench.findings.try_recv().is_err(), "nobody reports it");
}

#[tokio::test]
async fn all_targets_are_counted_as_each_is_by_its_name() {
    let mut bench = Bench::new(vec![quick()]);
    bench.probe.show("tcp", Outcome::Healthy);
    bench.run();
    let (db, slow) = (name("db"), failure("slow"));
    let monitor = bench.monitor.clone();
    wait_until("its check to pass", || {
        monitor.health(&db).map(|(health, _)| health) == Some(Health::Healthy)
    })
    .await;
    // The second one is not known yet.
    let of = |targets| monitor.health_of_all(&spec(targets));
    let all = || of(vec![quick()]);
    let with_a_new_one = || of(vec![quick(), target("new", Vec::new())]);
    assert_eq!(all(), [monitor.health(&db).unwrap()]);
    monitor.reported(&db, &slow, Severity::High, evidence());
    assert_eq!(bench.finding().await, "db raised slow");
    let failed = monitor.health(&db).unwrap();
    assert_eq!(failed.0, Health::Failed);
    assert_eq!(all(), [failed]);
    let unknown = (Health::Unknown, CircuitState::default());
    assert_eq!(with_a_new_one(), [failed, unknown]);
}

#[tokio::test]
async fn what_is_reported_and_seen_is_over_when_both_say_so() {
    let mut bench = Bench::new(vec![quick()]);
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    let (db, down) = (name("db"), failure("tcp-down"));
    assert_eq!(bench.finding().await, "db raised tcp-down");
    bench
        .monitor
        .reported(&db, &down, Severity::High, evidence());
    assert_eq!(bench.finding().await, "db raised tcp-down");
    bench.probe.show("tcp", Outcome::Healthy);
    bench.monitor.handler_acted(&db);
    wait_until("its check to pass", || {
        bench.count(EventKind::CircuitClosed) == 1
    })
    .await;
    assert!(bench.findings.try_recv().is_err(), "it is reported still");
    assert!(bench.monitor.is_failing(&db, &down));
    bench.monitor.taken_back(&db, &down, true);
    assert_eq!(bench.finding().await, "db cleared tcp-down");
}

#[tokio::test]
async fn what_a_person_stops_lets_go_of_what_was_raised() {
    let mut bench = Bench::new(vec![quick()]);
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    let (db, down) = (name("db"), failure("tcp-down"));
    assert_eq!(bench.finding().await, "db raised tcp-down");
    let held = ProcessUpdate::Held("stopped by ann".to_owned());
    bench.monitor.process_changed(&db, held);
    assert_eq!(
        bench.finding().await,
        "db lost sight of tcp-down, stopped by ann"
    );
    assert!(!bench.monitor.is_failing(&db, &down));
    assert_eq!(
        bench.monitor.health(&db),
        Some((Health::Unknown, CircuitState::Closed))
    );
    let looks = within(bench.monitor.look_now(db.clone())).await.unwrap();
    assert_eq!(looks.len(), 1);
    assert_eq!(looks[0].seen, None, "nothing of it is looked at");
}
