//! The campaign of requests that are nearly right, with a small count; `examples/api_campaign.rs` runs it with any.

use mainstay_tests::campaign::{api, fresh_seed};

#[test]
fn no_request_ends_holds_up_or_grows_the_daemon_and_each_refusal_is_a_sentence() {
    let report = api(300, fresh_seed());
    println!("{report:?}");
    assert!(report.done > 0 && report.refused > 0, "{report:?}");
}
