//! What another config does to what is watched.

use super::*;

#[tokio::test]
async fn another_config_keeps_counts_starts_what_is_new_and_ends_what_is_gone() {
    let mut slow = check("slow");
    slow.fail_after = 2;
    slow.every = DEADLINE * 10;
    let mut bench = Bench::new(vec![
        target("db", vec![slow.clone()]),
        target("old", vec![check("tcp")]),
    ]);
    bench.probe.show("slow", Outcome::Failed);
    bench.probe.show("tcp", Outcome::Failed);
    bench.run();
    assert_eq!(bench.finding().await, "old raised tcp-down");
    wait_until("it failed once", || bench.probe.looks("slow") == 1).await;
    bench.config.send_replace(spec(vec![
        target("db", vec![slow, check("new")]),
        target("web", vec![check("web")]),
    ]));
    assert_eq!(bench.finding().await, "old cleared tcp-down");
    assert_eq!(bench.monitor.health(&name("old")), None);
    wait_until("the new ones are looked at", || {
        bench.probe.looks("new").min(bench.probe.looks("web")) > 2
    })
    .await;
    let looks = bench.probe.looks("tcp");
    within(bench.monitor.check_now(name("db"))).await.unwrap();
    assert_eq!(
        bench.finding().await,
        "db raised slow-down",
        "the second failure in a row"
    );
    let more = bench.probe.looks("web") + 10;
    wait_until("time goes on", || bench.probe.looks("web") > more).await;
    assert!(bench.probe.looks("tcp") <= looks + 1, "it is gone");
}

#[tokio::test]
async fn news_of_a_target_that_is_not_known_yet_is_kept_for_it() {
    let bench = Bench::new(Vec::new());
    bench.run();
    bench
        .monitor
        .process_changed(&name("web"), ProcessUpdate::Runs(Some(9)));
    bench
        .config
        .send_replace(spec(vec![child("web", &["/bin/true"])]));
    wait_until("it is known", || {
        bench.monitor.health(&name("web")).is_some()
    })
    .await;
    assert_eq!(
        bench.monitor.health(&name("web")).unwrap().0,
        Health::Healthy
    );
}

#[tokio::test]
async fn a_process_that_is_down_is_still_down_when_a_new_config_calls_its_end_otherwise() {
    let mut bench = Bench::new(vec![child("web", &["/bin/true"])]);
    bench.run();
    let news = ProcessUpdate::Down("process 7 exited with code 1".to_owned());
    bench.monitor.process_changed(&name("web"), news);
    assert_eq!(bench.finding().await, "web raised crashed");
    let mut other = child("web", &["/bin/true"]);
    other.process.as_mut().unwrap().exit_failure = failure("tcp-down");
    bench.config.send_replace(spec(vec![other]));
    let Finding::Raised {
        failure: kind,
        evidence,
        ..
    } = within(bench.findings.recv()).await.unwrap()
    else {
        panic!("it should be raised");
    };
    assert_eq!(
        (kind, evidence.message.as_str()),
        (failure("tcp-down"), "process 7 exited with code 1")
    );
    assert_eq!(bench.finding().await, "web lost sight of crashed");
    assert_eq!(
        bench.monitor.health(&name("web")),
        Some((Health::Failed, CircuitState::Open))
    );
    assert_eq!(bench.count(EventKind::CircuitClosed), 0);
}

#[tokio::test]
async fn a_first_start_that_fails_before_its_config_is_taken_up_is_a_failure() {
    let mut bench = Bench::new(vec![target("web", Vec::new())]);
    let news = ProcessUpdate::Down("no such program".to_owned());
    bench.monitor.process_changed(&name("web"), news);
    bench.run();
    bench
        .config
        .send_replace(spec(vec![child("web", &["/no/such"])]));
    assert_eq!(bench.finding().await, "web raised crashed");
}

#[tokio::test]
async fn a_check_that_changed_while_it_waited_for_its_turn_is_not_looked_at_as_it_was() {
    let bench = Bench::new(vec![target("db", vec![check("tcp")])]);
    bench.probe.show("tcp", Outcome::Failed);
    let core = &bench.monitor.core;
    let monitored = core.get(&name("db")).unwrap();
    let waiting = Arc::clone(&monitored.lock().checks[0]);
    let mut other = check("tcp");
    other.kind = CheckKind::Heartbeat;
    core.reconfigure(&spec(vec![target("db", vec![other])]));
    assert_eq!(core.look(&monitored, &waiting).await, None);
    assert_eq!(bench.probe.looks("tcp"), 0);
    assert!(!bench.monitor.is_failing(&name("db"), &failure("tcp-down")));
}
