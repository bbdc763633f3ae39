//! `cargo run --release -p mainstay-tests --example budget_campaign -- [TARGETS] [SEED] [RESTARTS]`: so many targets fail within
//! one second, under a budget of 5 recoveries at one time and 60 an hour, while the daemon is lost again and again.

fn main() {
    let (targets, seed) = mainstay_tests::campaign::arguments(1_000);
    let restarts = std::env::args().nth(3).map_or(20, |text| {
        text.parse().expect("the number of restarts is a number")
    });
    let report = mainstay_tests::campaign::budget(targets, seed, restarts);
    println!("{report:?}");
    let begun = mainstay_tests::campaign::budget_day(targets, seed);
    println!(
        "{begun} recoveries are decided alike and at the same times in a simulation of the day"
    );
}
