//! `cargo run --release -p mainstay-tests --example bench_scale -- [MAINSTAY]... [TARGETS]...`: what a config costs by
//! its size.
//!
//! Each argument that is a number is a count of targets, the others are programs to compare; without them the one that
//! is built, with 1,000, 10,000, 20,000 and 100,000. Every cell is the best of three, and how often it is that of the
//! size before: where that stays near how often there are as many targets, the cost is linear. A cell that would take
//! minutes is left out. Judges nothing.

mod check;
mod table;

use mainstay_tests::{program, scale::Shape};
use std::{path::PathBuf, time::Duration};
use table::{Column, Row};

/// What is measured of each config. A new figure is one more line here.
const COLUMNS: [Column; 1] = [Column {
    name: "check",
    measure: check::check,
}];

fn main() {
    let (mut programs, mut sizes) = (Vec::new(), Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.replace([',', '_'], "").parse::<usize>() {
            Ok(size) => sizes.push(size),
            Err(_) => programs.push(PathBuf::from(argument)),
        }
    }
    if programs.is_empty() {
        programs.push(program().to_owned());
    }
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 20_000, 100_000];
    }
    sizes.sort_unstable();
    for shape in Shape::ALL {
        println!("\n{}", shape.as_str());
        table::head(&COLUMNS);
        for program in &programs {
            let mut before: Option<Row> = None;
            for targets in &sizes {
                let row = Row::measure(program, shape, *targets, &COLUMNS, before.as_ref());
                row.print(before.as_ref());
                before = Some(row);
            }
        }
    }
}

/// What would take longer by the square of the size is not waited for.
const PATIENCE: Duration = Duration::from_secs(120);
