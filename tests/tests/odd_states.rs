//! The campaign of odd state directories, with a small count; `examples/state_campaign.rs` runs it with any.

use mainstay_tests::campaign::{fresh_seed, state};

#[test]
fn a_start_on_an_odd_state_directory_serves_all_or_names_what_is_odd_and_destroys_nothing() {
    let report = state(60, fresh_seed());
    println!("{report:?}");
    assert_eq!(report.serving + report.refused, 60);
}
