//! The campaign of the full state disk, with a small count; `examples/full_disk_campaign.rs` runs it with any.

use mainstay_tests::campaign::{fresh_seed, full_disk};

#[test]
fn on_a_full_state_disk_services_come_back_alerts_arrive_and_nothing_that_is_held_is_lost() {
    if let Err(why) = full_disk(2, fresh_seed()) {
        println!("SKIPPED, nothing was tested: {why}");
    }
}
