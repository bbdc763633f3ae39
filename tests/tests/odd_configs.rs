//! The campaign of configs that are nearly right, with a small count; `examples/config_campaign.rs` runs it with any.

use mainstay_tests::{
    campaign::{config, fresh_seed},
    in_a_process_of_its_own,
};

#[test]
fn no_config_makes_it_panic_hang_or_grow_and_each_is_refused_at_its_place_or_means_the_same_again()
{
    let test = "no_config_makes_it_panic_hang_or_grow_and_each_is_refused_at_its_place_or_means_the_same_again";
    if !in_a_process_of_its_own(test) {
        return;
    }
    let report = config(300, fresh_seed());
    println!("{report:?}");
    assert_eq!(report.accepted + report.refused, 300);
    assert!(report.checked > 0);
}
