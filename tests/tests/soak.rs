//! The soak campaign, one round of it; `examples/soak_campaign.rs` runs it for any time.

use mainstay_tests::campaign::{SoakOptions, fresh_seed, soak};
use std::time::Duration;

#[test]
fn a_day_of_operation_doubles_nothing_loses_nothing_and_comes_to_rest() {
    soak(SoakOptions {
        length: Duration::ZERO,
        seed: fresh_seed(),
        jump: None,
    });
}

#[test]
fn under_a_clock_that_jumps_and_with_the_daemon_stopped_it_does_so_too() {
    soak(SoakOptions {
        length: Duration::ZERO,
        seed: fresh_seed(),
        jump: Some(Duration::from_secs(5)),
    });
}
