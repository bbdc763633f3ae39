//! `cargo run --release -p mainstay-tests --example soak_campaign -- [MINUTES] [SEED] [jump]`: a day of operation in
//! minutes; with `jump` under a wall clock that jumps, and with the daemon stopped for a minute in each round.

use mainstay_tests::campaign::{SoakOptions, arguments, soak};
use std::time::Duration;

fn main() {
    let (minutes, seed) = arguments(10);
    let jump = match std::env::args().nth(3).as_deref() {
        None => None,
        Some("jump") => Some(Duration::from_secs(60)),
        Some(other) => panic!("{other} is no mode; there is one, `jump`"),
    };
    soak(SoakOptions {
        length: Duration::from_secs(60 * u64::from(minutes)),
        seed,
        jump,
    });
}
