//! The alerts campaign, with a small count; `examples/alerts_campaign.rs` runs it with any.

use mainstay_tests::campaign::{alerts, fresh_seed};

#[test]
fn no_alert_is_lost_or_sent_under_two_ids_though_the_receiver_is_slow_and_the_daemon_is_killed() {
    let report = alerts(300, fresh_seed(), 3);
    assert!(report.alerts >= 300, "{report:?}");
    assert!(report.refused > 0, "{report:?}");
}
