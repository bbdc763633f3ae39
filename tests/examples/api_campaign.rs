//! `cargo run --release -p mainstay-tests --example api_campaign -- [REQUESTS] [SEED]`: asks a daemon what is nearly right.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(20_000);
    let report = mainstay_tests::campaign::api(count, seed);
    println!("{report:?}");
}
