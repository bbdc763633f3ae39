//! `cargo run --release -p mainstay-tests --example taint_campaign -- [TEXTS] [SEED]`: says texts that name secrets, and
//! secrets in every dress, at every place where a text can come in.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(200);
    let report = mainstay_tests::campaign::taint(count, seed);
    println!("{report:?}");
}
