//! The swap campaign, with a small count; `examples/swap_campaign.rs` runs it with any.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_replaced_under_load_and_no_call_fails() {
    let report = mainstay_tests::campaign::swap(20).await;
    println!("{report:?}");
    assert!(report.calls > 20 && report.retired >= 20);
}
