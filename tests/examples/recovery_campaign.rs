//! `cargo run --release -p mainstay-tests --example recovery_campaign -- [TRACES] [SEED] [CRASHED]`: random traces of the
//! recovery machine, and for some of them a crash after every input.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(100_000);
    let crashed = std::env::args().nth(3).map_or(count / 100, |text| {
        text.parse().expect("the number is a number")
    });
    let report = mainstay_tests::campaign::recovery(count, crashed, seed);
    println!("{report:?}");
}
