//! `cargo run --release -p mainstay-tests --example full_disk_campaign -- [ROUNDS] [SEED]`: fills the disk of the state
//! directory, as root, for it mounts one.

fn main() {
    let (count, seed) = mainstay_tests::campaign::arguments(20);
    if let Err(why) = mainstay_tests::campaign::full_disk(count, seed) {
        eprintln!("error: nothing was tested: {why}");
        std::process::exit(1);
    }
}
