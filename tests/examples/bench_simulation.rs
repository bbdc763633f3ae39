//! `cargo run --release -p mainstay-tests --example bench_simulation -- [TARGETS]...`: how long a simulated day takes.
//!
//! Each target has one check every ten seconds and fails three times a day: once for a moment, once until a handler
//! succeeds, and once so that every attempt fails until it ends by itself an hour later. Each input of the recovery machine is a
//! decision. It prints, and judges nothing.

use mainstay_daemon::config;
use mainstay_domain::simulation::{Lines, Scenario, read_lines, simulate};
use std::{fmt::Write, fs, sync::Arc, time::Instant};

fn main() {
    let given = std::env::args().skip(1);
    let mut sizes: Vec<u32> = given.map(|text| text.parse().expect("a number")).collect();
    if sizes.is_empty() {
        sizes = vec![10, 100, 1_000];
    }
    println!(
        "{:>8} {:>10} {:>10} {:>10} {:>14}",
        "targets", "inputs", "looks", "ms", "decisions/s"
    );
    for size in sizes {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("mainstay.toml");
        fs::write(&file, config_of(size)).expect("a config");
        let spec = Arc::new(config::load(&file).expect("a good config").spec);
        let Ok(Lines::Written(draft)) = read_lines(&day(size)) else {
            panic!("the scenario is written")
        };
        let scenario = Scenario::new(draft, &spec).expect("it fits");
        let begun = Instant::now();
        let report = simulate(&spec, &scenario, None).expect("no defect");
        let took = begun.elapsed();
        let each_second = report.inputs as f64 / took.as_secs_f64();
        println!(
            "{size:>8} {:>10} {:>10} {:>10} {each_second:>14.0}",
            report.inputs,
            report.observations,
            took.as_millis()
        );
    }
}

fn config_of(size: u32) -> String {
    let mut config = "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n".to_owned();
    for number in 0..size {
        write!(
            config,
            "\n[[target]]\nname = \"t{number}\"\n[[target.check]]\nkind = \"tcp\"\naddress = \"localhost:9\"\nevery = \"10s\"\nfailure = \"service-down\"\n"
        )
        .expect("memory");
    }
    config + "\n[[route]]\nchain = [{ handler = \"fix\" }]\n"
}

fn day(size: u32) -> String {
    let mut day = String::from("{\"until\":\"24h\"}\n");
    for number in 0..size {
        let at = u64::from(number) * 37 % 20_000;
        let steps = [(at, "3m"), (at + 20_000, "23h"), (at + 40_000, "1h")];
        for (at, lasts) in steps {
            writeln!(
                day,
                r#"{{"at":"{at}s","target":"t{number}","check":"tcp","for":"{lasts}"}}"#
            )
            .expect("memory");
        }
        writeln!(
            day,
            r#"{{"rule":"any of t{number} succeeds after 2s 2 times"}}"#
        )
        .expect("memory");
    }
    day + "{\"rule\":\"any fails after 2s\"}\n"
}
