//! The campaign of damaged state directories, with a small count; `examples/damage_campaign.rs` runs it with any.

use mainstay_tests::campaign::{damage, fresh_seed};

#[test]
fn a_start_on_a_damaged_state_directory_is_whole_or_refuses_and_loses_nothing_in_silence() {
    let report = damage(15, fresh_seed());
    println!("{report:?}");
    assert_eq!(report.whole + report.refused, 15);
}
