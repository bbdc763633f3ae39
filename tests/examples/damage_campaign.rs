//! `cargo run --release -p mainstay-tests --example damage_campaign -- [ROUNDS] [SEED]`: damages state directories, and
//! starts daemons on them.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(300);
    let report = mainstay_tests::campaign::damage(count, seed);
    println!("{report:?}");
}
