//! `cargo run --release -p mainstay-tests --example bench_backup -- [RUNS] [SEED] [--json] [--large] [--many]
//! [--recipient AGE1… --identity FILE]`: backups side by side with restic and borg.
//!
//! Each run does everything with each program, in random order, in a repository of its own; what is printed are the medians
//! of all runs, with the least and the most. restic and borg are those of the machine (`apt-get install restic borgbackup`) and
//! encrypt, which restic cannot be told not to. Mainstay runs as a daemon, as users run it, and encrypts where `--recipient` is
//! given; what it takes is read back before it counts, which the others do not do. What a restore gives is durable with all of
//! them: after those of restic and borg the file system is synced, in their time. `MAINSTAY_PROGRAM=FILE` takes that program.
//!
//! `--large` adds a file of 5 GiB, and `--many` 1,000,000 small ones. Everything lies where `TMPDIR` says.

mod data;
mod others;
mod table;
mod tools;

use data::Trees;
use mainstay_tests::campaign::{Random, fresh_seed};
use others::{Borg, Restic};
use std::path::PathBuf;
use table::Samples;
use tools::{Mainstay, Tool};

/// What the command line says.
struct Options {
    runs: u32,
    seed: u64,
    json: bool,
    large: bool,
    many: bool,
    /// To whom Mainstay encrypts, and the file of who can read that.
    keys: Option<(String, PathBuf)>,
}

fn options() -> Options {
    let mut options = Options {
        runs: 5,
        seed: fresh_seed(),
        json: false,
        large: false,
        many: false,
        keys: None,
    };
    let (mut recipient, mut identity, mut numbers) = (None, None, Vec::new());
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--json" => options.json = true,
            "--large" => options.large = true,
            "--many" => options.many = true,
            "--recipient" => recipient = given.next(),
            "--identity" => identity = given.next().map(PathBuf::from),
            number => numbers.push(number.parse::<u64>().expect("a number, or an option")),
        }
    }
    if let Some(runs) = numbers.first() {
        options.runs = u32::try_from(*runs).expect("so many runs nobody waits for");
    }
    if let Some(seed) = numbers.get(1) {
        options.seed = *seed;
    }
    options.keys = recipient.zip(identity);
    options
}

fn main() {
    let options = options();
    assert!(options.runs > 0, "at least one run");
    let mut random = Random::new(options.seed);
    let home = tempfile::TempDir::new().unwrap();
    let trees = Trees::make(home.path(), &mut random, options.large, options.many);
    let mut samples = Samples::default();
    for run in 1..=options.runs {
        let mut tools: Vec<Box<dyn Tool>> = vec![Box::new(Mainstay::new(options.keys.clone()))];
        tools.extend(Restic::found().map(|tool| -> Box<dyn Tool> { Box::new(tool) }));
        tools.extend(Borg::found().map(|tool| -> Box<dyn Tool> { Box::new(tool) }));
        while !tools.is_empty() {
            let mut tool = tools.swap_remove(random.index(tools.len()));
            eprintln!("run {run} of {}: {}", options.runs, tool.name());
            measure(tool.as_mut(), &trees, &mut samples, &mut random);
        }
    }
    let command: Vec<String> = std::env::args().skip(1).collect();
    let command = format!(
        "cargo run --release -p mainstay-tests --example bench_backup -- {}",
        command.join(" ")
    );
    match options.json {
        true => println!("{}", samples.json(&command, options.seed)),
        false => println!(
            "{}\n`{command}`, seed {}{}",
            samples.table(),
            options.seed,
            match options.keys {
                Some(_) => "",
                None => "; Mainstay in plain: no `--recipient`",
            }
        ),
    }
}

/// Everything once, with one program.
fn measure(tool: &mut dyn Tool, trees: &Trees, samples: &mut Samples, random: &mut Random) {
    let name = tool.name();
    let mut add = |what: &'static str, value: f64| samples.add(what, name, value);

    tool.prepare("mixed", &trees.mixed);
    let full = tool.back_up("mixed", true);
    add(table::FULL, full.seconds);
    add(table::FULL_STORED, full.stored);
    add(table::FULL_MEMORY, full.peak_kb);
    add(table::MIXED_UNCHANGED, tool.back_up("mixed", false).seconds);
    let restored = tool.restore("mixed");
    add(table::MIXED_RESTORED, restored.seconds);
    add(table::RESTORE_MEMORY, restored.peak_kb);

    tool.prepare("files", &trees.files);
    add(table::FILES_FULL, tool.back_up("files", true).seconds);
    add(table::FILES_UNCHANGED, tool.back_up("files", false).seconds);
    trees.change_files(random);
    let changed = tool.back_up("files", false);
    add(table::CHANGED, changed.seconds);
    add(table::CHANGED_STORED, changed.stored);
    if let Some(index) = changed.index {
        add(table::CHANGED_INDEX, index);
    }
    add(table::FILES_RESTORED, tool.restore("files").seconds);

    tool.prepare("big", &trees.big);
    tool.back_up("big", true);
    trees.change_a_byte(random);
    add(table::BYTE_STORED, tool.back_up("big", false).stored);

    tool.prepare("moved", &trees.moved);
    tool.back_up("moved", true);
    trees.rename();
    add(table::RENAME_STORED, tool.back_up("moved", false).stored);

    if let Some(large) = &trees.large {
        tool.prepare("large", large);
        let taken = tool.back_up("large", true);
        add(table::LARGE, taken.seconds);
        add(table::LARGE_MEMORY, taken.peak_kb);
    }
    if let Some(many) = &trees.many {
        tool.prepare("many", many);
        let taken = tool.back_up("many", true);
        add(table::MANY, taken.seconds);
        add(table::MANY_MEMORY, taken.peak_kb);
    }
}
