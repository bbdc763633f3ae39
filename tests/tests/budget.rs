//! A storm of failures under a budget.

use mainstay_tests::campaign::{budget, budget_day, fresh_seed};

#[test]
fn a_thousand_failures_in_one_second_stay_within_the_budget_over_twenty_restarts() {
    let report = budget(1_000, fresh_seed(), 20);
    assert_eq!((report.targets, report.restarts), (1_000, 20));
    assert_eq!((report.most_at_once, report.most_within_an_hour), (5, 60));
}

#[test]
fn a_simulation_of_the_same_day_decides_the_same_at_the_same_times() {
    assert_eq!(budget_day(1_000, fresh_seed()), 1_000);
}
