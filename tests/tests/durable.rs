//! The campaign of kills inside a handler, with a small count; `examples/durable_campaign.rs` runs it with any.

use mainstay_tests::campaign::{durable, fresh_seed};

#[test]
fn a_handler_that_is_killed_at_random_does_nothing_twice_and_forgets_nothing() {
    let report = durable(8, fresh_seed());
    assert!(report.operations > 0, "{report:?}");
}
