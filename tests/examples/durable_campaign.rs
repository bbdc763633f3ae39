//! `cargo run --release -p mainstay-tests --example durable_campaign -- [KILLS] [SEED] [python]`: kills the daemon inside a
//! handler, of the guest in Rust or of that in Python.

use mainstay_tests::campaign::{DurableGuest, arguments, durable};

fn main() {
    let (count, seed) = arguments(200);
    let guest = match std::env::args().nth(3).as_deref() {
        Some("python") => DurableGuest::Python,
        _ => DurableGuest::Rust,
    };
    let report = durable(guest, count, seed);
    println!("{report:?}, seed {seed}");
}
