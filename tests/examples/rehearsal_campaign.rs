//! `cargo run --release -p mainstay-tests --example rehearsal_campaign -- [OPERATIONS] [SEED]`: so many operations are planned in a
//! dry run, done, and rehearsed with the build that did them and with one that acts before it looks.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(500);
    let report = mainstay_tests::campaign::rehearsal(count, seed);
    println!("{report:?}, seed {seed}");
}
