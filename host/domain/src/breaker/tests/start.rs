//! What a target may do while it starts.

use super::*;

#[test]
fn a_check_that_fails_while_its_target_starts_fails_only_when_the_period_is_over() {
    check(only_a(), "start a- a- a- 9 a- a-", "");
    check(only_a(), "start a- a- 10 a-", "late:a");
    check(only_a(), "start a- a- 10 a- a-", "late:a open raise:down");
    check(only_a(), "start 10 20", "late:a");
    check(only_a(), "a- start a- 10 a-", "late:a");
}

#[test]
fn a_failure_counts_at_the_end_of_the_period_though_the_tick_is_late() {
    let mut health = only_a();
    health.started(START, at(0));
    assert_eq!(see(&mut health, "a", Outcome::Failed, 9), []);
    assert!(!see(&mut health, "a", Outcome::Failed, 10).is_empty());
    assert_eq!(
        words(&see(&mut health, "a", Outcome::Failed, 10)),
        "open raise:down"
    );
}

#[test]
fn without_a_start_period_a_failure_counts_at_once() {
    let mut health = only_a();
    health.started(Duration::ZERO, at(0));
    assert_eq!(health.next_tick(), None);
    assert_eq!(words(&play(&mut health, "a- a-")), "open raise:down");
}

#[test]
fn the_first_success_of_a_check_ends_its_own_start_and_no_other() {
    check(only_a(), "start a- a+ a- a-", "open raise:down");
    check(
        three_checks(),
        "start a- b- a+ b- a- b- a-",
        "open raise:down",
    );
}

#[test]
fn an_exit_during_a_start_is_a_failure_at_once_and_ends_the_start() {
    check(
        a_and_exit(),
        "exit+ start a- a- ended exit- a- a-",
        "open raise:exited raise:down",
    );
}

#[test]
fn a_trial_goes_on_while_the_target_starts() {
    check(
        only_a(),
        "a- a- start acted a- a- a- a+ a+",
        "open raise:down half clear:down closed",
    );
    check(
        only_a(),
        "a- a- start acted a- 10 a-",
        "open raise:down half late:a open raise:down",
    );
}

#[test]
fn health_says_that_a_target_starts() {
    let mut health = a_and_exit();
    for (step, expected) in [
        ("exit+", Health::Healthy),
        ("start", Health::Starting),
        ("a-", Health::Starting),
        ("a+", Health::Healthy),
        ("a-", Health::Degraded),
        ("start", Health::Starting),
        ("a-", Health::Starting),
        ("ended", Health::Degraded),
        ("exit-", Health::Failed),
        ("exit+", Health::Failed),
        ("start", Health::Starting),
        ("acted", Health::Starting),
        ("a+", Health::Starting),
        ("1", Health::Healthy),
        ("start", Health::Starting),
        ("10", Health::Healthy),
    ] {
        play(&mut health, step);
        assert_eq!(health.health(), expected, "after {step}");
    }
}

#[test]
fn a_start_is_ticked_only_while_a_check_has_not_passed() {
    let mut health = only_a();
    health.started(START, at(5));
    assert_eq!(health.next_tick(), Some(at(15)));
    play(&mut health, "a+");
    assert_eq!(health.next_tick(), None);
    let mut nothing_to_see = only_exit();
    nothing_to_see.started(START, at(5));
    assert_eq!(nothing_to_see.next_tick(), None);
}

#[test]
fn a_check_that_is_new_during_a_start_starts_too() {
    let mut health = only_a();
    health.started(START, at(0));
    let both = [check_spec("a", "down", 2, 2), check_spec("b", "slow", 1, 1)];
    health.reconfigure(&both, None, BREAKER, None, at(1));
    assert_eq!(words(&play(&mut health, "a- b- a- b-")), "");
    assert_eq!(words(&play(&mut health, "10")), "late:a late:b");
    assert_eq!(words(&play(&mut health, "b-")), "open raise:slow");
}
