//! The daemon itself is held up: stopped, or suspended with its machine.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Its pulse beats, then it is held up.
fn hold_up(bench: &Bench) {
    bench.monitor.core.beat();
    bench.clock.hold_up(MINUTE);
}

#[tokio::test]
async fn what_fails_across_a_pause_of_the_daemon_does_not_count_and_what_fails_after_it_does() {
    for is_noted in [false, true] {
        let mut bench = Bench::new(vec![target("db", vec![check("tcp")])]);
        bench.probe.show("tcp", Outcome::Failed);
        let gate = bench.probe.hold("tcp");
        let monitor = bench.monitor.clone();
        let looking = tokio::spawn(async move { monitor.check_now(name("db")).await });
        wait_until("a look is in flight", || bench.probe.looks("tcp") == 1).await;
        hold_up(&bench);
        if is_noted {
            bench.monitor.core.beat();
        }
        gate.add_permits(1);
        let seen = within(looking).await.unwrap().unwrap();
        let message = &seen[0].evidence.message;
        assert_eq!(seen[0].outcome, Outcome::Unknown, "{message}");
        assert!(message.contains("held up for 1 min"), "{message}");
        assert!(!bench.monitor.is_failing(&name("db"), &failure("tcp-down")));

        bench.monitor.core.beat();
        bench.clock.hold_up(Duration::from_millis(1));
        gate.add_permits(1);
        within(bench.monitor.check_now(name("db"))).await.unwrap();
        assert_eq!(bench.finding().await, "db raised tcp-down");
    }
}

#[tokio::test]
async fn what_passes_across_a_pause_counts() {
    let bench = Bench::new(vec![target("db", vec![check("tcp")])]);
    let gate = bench.probe.hold("tcp");
    let monitor = bench.monitor.clone();
    let looking = tokio::spawn(async move { monitor.check_now(name("db")).await });
    wait_until("a look is in flight", || bench.probe.looks("tcp") == 1).await;
    hold_up(&bench);
    gate.add_permits(1);
    within(looking).await.unwrap().unwrap();
    let health = bench.monitor.health(&name("db")).unwrap().0;
    assert_eq!(health, Health::Healthy);
}

#[tokio::test]
async fn a_heartbeat_has_a_whole_period_after_a_pause() {
    let mut beat = check("beat");
    (beat.kind, beat.every) = (CheckKind::Heartbeat, Duration::from_secs(10));
    let mut bench = Bench::new(vec![target("cron", vec![beat])]);
    assert!(bench.monitor.heartbeat(&name("cron")));
    hold_up(&bench);
    for is_noted in [false, true] {
        if is_noted {
            bench.monitor.core.beat();
        }
        let seen = within(bench.monitor.check_now(name("cron"))).await.unwrap();
        assert_eq!(seen[0].outcome, Outcome::Unknown, "{seen:?}");
    }
    for _ in 0..101 {
        bench.clock.hold_up(Duration::from_millis(100));
        bench.monitor.core.beat();
    }
    within(bench.monitor.check_now(name("cron"))).await.unwrap();
    assert_eq!(bench.finding().await, "cron raised beat-down");
}

#[tokio::test]
async fn a_job_that_sends_nothing_any_more_is_noticed_however_often_the_daemon_is_held_up() {
    let mut beat = check("beat");
    (beat.kind, beat.every) = (CheckKind::Heartbeat, Duration::from_secs(86_400));
    let mut bench = Bench::new(vec![target("cron", vec![beat])]);
    assert!(bench.monitor.heartbeat(&name("cron")));
    for night in 1..=2 {
        bench.clock.advance(Duration::from_secs(43_199));
        hold_up(&bench);
        bench.monitor.core.beat();
        bench.clock.hold_up(Duration::from_millis(1)); // The next look begins after the gap.
        let seen = within(bench.monitor.check_now(name("cron"))).await.unwrap();
        let expected = match night {
            1 => Outcome::Healthy,
            _ => Outcome::Unknown,
        };
        assert_eq!(seen[0].outcome, expected, "{seen:?}");
    }
    bench.clock.advance(Duration::from_secs(10));
    within(bench.monitor.check_now(name("cron"))).await.unwrap();
    assert_eq!(bench.finding().await, "cron raised beat-down");
}

#[tokio::test]
async fn a_suspension_of_the_machine_makes_no_start_longer() {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("tcp")];
    web.start_period = Duration::from_secs(10);
    let bench = Bench::new(vec![web]);
    let web = name("web");
    bench.probe.show("tcp", Outcome::Failed);
    let news = ProcessUpdate::Started(Some(7));
    bench.monitor.process_changed(&web, news);
    bench.monitor.core.beat();
    bench.clock.suspend(60 * MINUTE);
    bench.monitor.core.beat();
    assert_eq!(bench.monitor.health(&web).unwrap().0, Health::Starting);
    bench.clock.hold_up(Duration::from_millis(1)); // The next look begins after the gap.
    bench.clock.advance(Duration::from_secs(10));
    within(bench.monitor.check_now(web.clone())).await.unwrap();
    assert!(bench.monitor.is_failing(&web, &failure("tcp-down")));
}

#[tokio::test]
async fn a_start_has_as_much_longer_as_the_daemon_was_held_up() {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("tcp")];
    web.start_period = Duration::from_secs(10);
    let bench = Bench::new(vec![web]);
    let web = name("web");
    bench.probe.show("tcp", Outcome::Failed);
    let news = ProcessUpdate::Started(Some(7));
    bench.monitor.process_changed(&web, news);
    hold_up(&bench);
    bench.monitor.core.beat();
    within(bench.monitor.check_now(web.clone())).await.unwrap();
    assert!(!bench.monitor.is_failing(&web, &failure("tcp-down")));
    assert_eq!(bench.monitor.health(&web).unwrap().0, Health::Starting);
    bench.clock.hold_up(Duration::from_millis(1)); // The next look begins after the gap.
    bench.clock.advance(Duration::from_secs(10));
    within(bench.monitor.check_now(web.clone())).await.unwrap();
    assert!(bench.monitor.is_failing(&web, &failure("tcp-down")));
}
