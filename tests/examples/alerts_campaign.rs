//! `cargo run --release -p mainstay-tests --example alerts_campaign -- [ALERTS] [SEED] [KILLS]`: alerts to a receiver that
//! takes 100 ms for each and refuses a tenth at first, while the daemon is killed.

use mainstay_tests::campaign::{alerts, arguments};

fn main() {
    let (count, seed) = arguments(10_000);
    let kills = std::env::args().nth(3);
    let kills = kills.map_or(10, |text| text.parse().expect("the kills are a number"));
    println!("{:?}", alerts(count, seed, kills));
}
