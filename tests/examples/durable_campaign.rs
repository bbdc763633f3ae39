//! `cargo run --release -p mainstay-tests --example durable_campaign -- [KILLS] [SEED]`: kills the daemon inside a handler.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(200);
    let report = mainstay_tests::campaign::durable(count, seed);
    println!("{report:?}, seed {seed}");
}
