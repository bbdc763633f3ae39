//! The crash campaign, with a small count; `examples/crash_campaign.rs` runs it with any.

use mainstay_tests::campaign::{crash, fresh_seed};

#[test]
fn a_daemon_killed_at_random_moments_keeps_its_promises() {
    crash(15, fresh_seed());
}
