//! Random traces of the recovery machine.

use mainstay_tests::campaign;

#[test]
fn every_trace_of_the_recovery_machine_keeps_its_invariants_and_outlives_a_crash() {
    let report = campaign::recovery(20_000, 20, campaign::fresh_seed());
    assert_eq!(report.traces, 20_000);
    assert!(report.crashes > 50);
}
