//! `cargo run --release -p mainstay-tests --example bench_daemon -- [KILLS]`: times the whole program.
//!
//! Death to serving again of a small HTTP server that is killed with SIGKILL, beside the same server under runit where
//! that is installed; status queries over the Unix socket, idle and while recoveries run; resident memory of an idle
//! daemon with ten plugins. Prints medians with spread; judges nothing.

mod death;
mod idle;
mod status;

fn main() {
    let kills = std::env::args()
        .nth(1)
        .map_or(50, |text| text.parse().expect("the number of kills"));
    death::death_to_serving(kills);
    status::status_queries();
    idle::idle_memory();
}
