//! `cargo run --release -p mainstay-tests --example state_campaign -- [ROUNDS] [SEED]`: starts daemons on state directories in
//! which something is not what it was.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(300);
    let report = mainstay_tests::campaign::state(count, seed);
    println!("{report:?}");
}
