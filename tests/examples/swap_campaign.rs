//! `cargo run --release -p mainstay-tests --example swap_campaign -- [SWAPS]`: replaces a plugin under full call rate.

#[tokio::main]
async fn main() {
    let count = std::env::args()
        .nth(1)
        .map_or(100, |text| text.parse().expect("the count is a number"));
    let report = mainstay_tests::campaign::swap(count).await;
    println!("{report:?}");
}
