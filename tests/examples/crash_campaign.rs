//! `cargo run --release -p mainstay-tests --example crash_campaign -- [KILLS] [SEED]`: kills the daemon at random moments.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(200);
    mainstay_tests::campaign::crash(count, seed);
}
