//! A process that was started just now.

use super::*;

#[test]
fn nothing_is_over_before_the_process_has_run_for_a_moment() {
    let until = "open raise:exited raise:down half";
    let over = "clear:down clear:exited closed";
    let passes = "exit- a- a- acted start exit+ a+ a+ a+";
    check(a_and_exit(), passes, until);
    check(
        a_and_exit(),
        &format!("{passes} 1"),
        &format!("{until} {over}"),
    );
    // One that looks finds it too, without a tick.
    let mut health = a_and_exit();
    play(&mut health, passes);
    assert!(health.is_settling(at(0)) && !health.is_settling(at(1)));
    let seen = see(&mut health, "a", Outcome::Healthy, 1);
    assert_eq!(words(&seen), over);
}

#[test]
fn nothing_is_over_while_the_process_that_the_first_one_left_is_looked_for() {
    let until = "open raise:exited raise:down half";
    let passes = "exit- a- a- acted start exit+ a+ a+ a+ forks";
    check(a_and_exit(), &format!("{passes} 2 a+ 5 a+"), until);
    check(
        a_and_exit(),
        &format!("{passes} 2 runs exit+ 3"),
        &format!("{until} clear:down clear:exited closed"),
    );
    let mut health = a_and_exit();
    let changes = play(&mut health, &format!("{passes} 4 ended exit- 20"));
    let cleared = |change: &HealthChange| matches!(change, HealthChange::FailureCleared { .. });
    assert!(!changes.iter().any(cleared), "{changes:?}");
}

#[test]
fn a_process_that_ends_within_its_moment_was_never_well_whoever_answered_for_it() {
    let mut health = a_and_exit();
    let mut changes = play(&mut health, "exit- a- a- acted");
    for _ in 0..5 {
        changes.extend(play(&mut health, "start exit+ a+ a+ ended exit-"));
        assert_eq!(health.health(), Health::Failed);
    }
    let cleared = |change: &HealthChange| matches!(change, HealthChange::FailureCleared { .. });
    assert!(!changes.iter().any(cleared), "{changes:?}");
    // What a stranger had answered is not counted on.
    let rest = play(&mut health, "acted start exit+ 1 a+");
    assert_eq!(words(&rest), "half clear:exited");
}

#[test]
fn one_that_is_stopped_within_its_moment_has_not_recovered_and_one_that_completes_has() {
    let mut health = only_exit();
    play(&mut health, "exit- acted start exit+");
    assert_eq!(words(&health.ended()), "");
    assert_eq!(words(&health.tick(at(9))), "");

    let mut health = only_exit();
    play(&mut health, "exit- acted start exit+");
    let changes = health.completed();
    assert_eq!(words(&changes), "clear:service-down closed");
}

#[test]
fn what_completes_has_recovered_also_where_the_failure_was_seen_by_a_daemon_that_is_gone() {
    let mut health = only_exit();
    health.resume(&FailureType::parse("service-down").unwrap());
    assert_eq!(health.health(), Health::Failed);
    assert_eq!(words(&health.completed()), "clear:service-down closed");
    assert_eq!(health.health(), Health::Healthy);
    // And where nobody has tried it again: it was started by hand, and the circuit is still open.
    let mut health = only_exit();
    play(&mut health, "exit- exit+");
    assert_eq!(words(&health.completed()), "clear:service-down half closed");
    // What a check has raised is not over by that.
    let mut health = a_and_exit();
    play(&mut health, "exit+ a- a-");
    assert_eq!(words(&health.completed()), "");
    assert_eq!(health.health(), Health::Failed);
}

#[test]
fn a_failure_within_the_moment_is_one_at_once_and_what_fails_first_then_is_over_after_it() {
    let mut health = a_and_exit();
    assert_eq!(
        words(&play(&mut health, "start exit+ 10 a- a-")),
        "late:a open raise:down"
    );
    let mut health = a_and_exit();
    let changes = play(&mut health, "exit+ a- a- acted a+ a+");
    assert_eq!(words(&changes), "open raise:down half");
    assert_eq!(health.health(), Health::Starting);
    assert_eq!(words(&health.tick(at(1))), "clear:down closed");
    assert_eq!(health.health(), Health::Healthy);
}

#[test]
fn the_moment_is_waited_for_only_where_something_is_tried_again() {
    let mut health = only_exit();
    play(&mut health, "exit+");
    assert_eq!(health.next_tick(), None);
    assert_eq!(health.health(), Health::Healthy, "its first start");
    play(&mut health, "exit- acted exit+");
    assert_eq!(health.next_tick(), Some(at(1)));
    play(&mut health, "1");
    assert_eq!(health.next_tick(), None);
    // A foreign service has no process that could be young.
    check(
        only_a(),
        "a- a- start acted a+ a+",
        "open raise:down half clear:down closed",
    );
}

#[test]
fn a_moment_in_which_the_daemon_was_held_up_is_as_much_longer_and_never_long() {
    let settles = |passed: u64, held_up: u64, now: u64| {
        let mut health = only_exit();
        play(&mut health, "exit- acted exit+");
        health.held_up(Duration::from_secs(held_up), at(passed));
        health.is_settling(at(now))
    };
    assert!(settles(60, 60, 60), "its end may be told yet");
    assert!(!settles(60, 60, 61));
    // The machine was suspended, in which its clock stood still.
    assert!(!settles(10, 3600, 11));
}
