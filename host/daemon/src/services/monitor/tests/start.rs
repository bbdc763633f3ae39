//! A start, an exit, and who answers in between.

use super::*;

/// A supervised child with one check, which may take ten seconds to start.
fn slow_child() -> TargetSpec {
    let mut web = child("web", &["/bin/true"]);
    web.checks = vec![check("tcp")];
    web.start_period = Duration::from_secs(10);
    web
}

fn exited(pid: u32) -> ProcessUpdate {
    ProcessUpdate::Exited(format!("process {pid} exited with code 1"))
}

#[tokio::test]
async fn a_target_that_is_slow_to_start_fails_only_when_its_start_period_is_over() {
    let mut bench = Bench::new(vec![slow_child()]);
    let web = name("web");
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    bench
        .monitor
        .process_changed(&web, ProcessUpdate::Started(Some(7)));
    wait_until("it is looked at", || bench.probe.looks("tcp") > 5).await;
    bench.monitor.handler_acted(&web); // As after a restart.
    let seen = within(bench.monitor.check_now(web.clone())).await.unwrap();
    assert_eq!(
        (seen[0].outcome, seen[0].evidence.message.as_str()),
        (Outcome::Failed, "starting: as told, pid Some(7)")
    );
    assert_eq!(
        bench.monitor.health(&web),
        Some((Health::Starting, CircuitState::HalfOpen))
    );
    assert_eq!(bench.journal.kinds(), [EventKind::CircuitHalfOpened]);
    bench.clock.advance(Duration::from_secs(10));
    assert_eq!(bench.finding().await, "web raised tcp-down");
}

#[tokio::test]
async fn a_target_that_has_started_is_healthy_and_an_adopted_one_does_not_start() {
    let mut bench = Bench::new(vec![slow_child()]);
    let web = name("web");
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    bench
        .monitor
        .process_changed(&web, ProcessUpdate::Started(Some(7)));
    wait_until("it is looked at", || bench.probe.looks("tcp") > 5).await;
    bench.probe.show("tcp", Outcome::Healthy);
    let health = || bench.monitor.health(&web).unwrap().0;
    wait_until("it is healthy", || health() == Health::Healthy).await;
    assert_eq!(bench.journal.kinds(), [], "nothing ever failed");
    bench
        .monitor
        .process_changed(&web, ProcessUpdate::Runs(Some(7)));
    bench.probe.show("tcp", Outcome::Failed);
    assert_eq!(bench.finding().await, "web raised tcp-down");
}

#[tokio::test]
async fn a_check_that_looks_seldom_is_looked_at_again_when_the_start_is_over() {
    let mut seldom = slow_child();
    seldom.start_period = Duration::from_millis(40);
    seldom.checks[0].every = DEADLINE * 10;
    let mut bench = Bench::new(vec![seldom]);
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    let news = ProcessUpdate::Started(Some(7));
    bench.monitor.process_changed(&name("web"), news);
    wait_until("it is looked at", || bench.probe.looks("tcp") == 1).await;
    bench.clock.advance(Duration::from_millis(40));
    assert_eq!(bench.finding().await, "web raised tcp-down");
    assert_eq!(bench.probe.looks("tcp"), 2);
}

#[tokio::test]
async fn each_exit_is_told_before_what_it_raises_and_a_failed_start_is_no_exit() {
    let mut bench = Bench::new(vec![slow_child()]);
    let web = name("web");
    for pid in [7, 8] {
        let news = ProcessUpdate::Started(Some(pid));
        bench.monitor.process_changed(&web, news);
        bench.monitor.process_changed(&web, exited(pid));
        let Finding::Exited { evidence, at, .. } = bench.findings.try_recv().unwrap() else {
            panic!("the exit comes first");
        };
        let message = format!("process {pid} exited with code 1");
        assert_eq!((&evidence.message, evidence.observed_at), (&message, at));
        let Finding::Raised {
            failure: kind,
            evidence: raised,
            ..
        } = bench.findings.try_recv().unwrap()
        else {
            panic!("it is raised though it holds already");
        };
        assert_eq!((kind, raised), (failure("crashed"), evidence));
    }
    bench
        .monitor
        .process_changed(&web, ProcessUpdate::Started(Some(9)));
    bench.monitor.handler_acted(&web);
    bench.clock.advance(MOMENT);
    within(bench.monitor.check_now(web.clone())).await.unwrap();
    assert_eq!(bench.finding().await, "web cleared crashed");
    let news = ProcessUpdate::Down("no such program".to_owned());
    bench.monitor.process_changed(&web, news);
    assert_eq!(bench.finding().await, "web raised crashed");
    bench.monitor.process_changed(&web, ProcessUpdate::Stopped);
    assert!(bench.findings.try_recv().is_err(), "no exit, and no stop");
}

#[tokio::test]
async fn what_a_stranger_answers_while_the_child_is_down_is_no_success() {
    let mut bench = Bench::new(vec![slow_child()]);
    let web = name("web");
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    bench
        .monitor
        .process_changed(&web, ProcessUpdate::Runs(Some(7)));
    assert_eq!(bench.finding().await, "web raised tcp-down");
    bench.monitor.process_changed(&web, exited(7));
    bench.probe.show("tcp", Outcome::Healthy); // Of another process on its port.
    bench.monitor.handler_acted(&web);
    let looks = bench.probe.looks("tcp");
    wait_until("it is answered", || bench.probe.looks("tcp") > looks + 5).await;
    let seen = within(bench.monitor.check_now(web.clone())).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|one| one.check.as_str()).collect();
    assert_eq!(seen, ["process"]);
    assert!(bench.monitor.is_failing(&web, &failure("tcp-down")));
    assert!(bench.monitor.is_failing(&web, &failure("crashed")));
    assert_eq!(bench.count(EventKind::CircuitClosed), 0);

    bench
        .monitor
        .process_changed(&web, ProcessUpdate::Started(Some(8)));
    bench.monitor.handler_acted(&web);
    bench.clock.advance(MOMENT);
    wait_until("its own answers count", || {
        bench.count(EventKind::CircuitClosed) == 1
    })
    .await;
    assert_eq!(
        bench.monitor.health(&web),
        Some((Health::Healthy, CircuitState::Closed))
    );
}

#[tokio::test]
async fn who_answers_in_the_first_moment_of_a_process_that_ends_then_proves_nothing() {
    let mut bench = Bench::new(vec![slow_child()]); // Not running: nothing else looks.
    let web = name("web");
    for pid in 7..12 {
        let news = ProcessUpdate::Started(Some(pid));
        bench.monitor.process_changed(&web, news);
        bench.monitor.handler_acted(&web);
        for _ in 0..3 {
            let seen = within(bench.monitor.check_now(web.clone())).await.unwrap();
            assert_eq!(seen[0].outcome, Outcome::Healthy, "of a stranger");
        }
        assert!(bench.monitor.is_settling(&web));
        bench.clock.advance(MOMENT / 2);
        bench.monitor.process_changed(&web, exited(pid));
        assert!(!bench.monitor.is_settling(&web));
        assert_eq!(bench.finding().await, "web exited");
        assert_eq!(bench.finding().await, "web raised crashed");
    }
    assert!(bench.findings.try_recv().is_err(), "nothing is over");

    bench.run();
    let news = ProcessUpdate::Started(Some(12));
    bench.monitor.process_changed(&web, news);
    bench.monitor.handler_acted(&web);
    assert_eq!(
        bench.monitor.health(&web),
        Some((Health::Starting, CircuitState::HalfOpen))
    );
    bench.clock.advance(MOMENT);
    assert_eq!(bench.finding().await, "web cleared crashed");
}
