//! `cargo run --release -p mainstay-tests --example config_campaign -- [ROUNDS] [SEED]`: reads configs that are nearly right,
//! and files that are no configs.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(20_000);
    let report = mainstay_tests::campaign::config(count, seed);
    println!("{report:?}");
}
