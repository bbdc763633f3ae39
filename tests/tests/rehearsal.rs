//! The campaign of dry runs and rehearsals, with each deed once; `examples/rehearsal_campaign.rs` runs it with any count.

use mainstay_tests::campaign::{fresh_seed, rehearsal};

#[test]
fn a_dry_run_plans_what_is_done_and_a_build_that_differs_is_caught_before_it_does() {
    let report = rehearsal(9, fresh_seed());
    assert_eq!((report.operations, report.caught), (9, 9), "{report:?}");
    assert!(report.effects > 9, "{report:?}");
}
