//! Configs that are nearly right, and files that are no configs.
//!
//! Reading one must come to an end: soon, within its memory, and without a panic. What is refused must be refused at a
//! place in a file; what is accepted must mean the same when it is written again by a program that keeps no layout.
//! Most are read in this process, as `mainstay check` reads them first; a part of them by `mainstay check` itself.

mod mutant;
mod nasty;

use super::Random;
use super::clear;
use crate::{make_fifo, peak_kb, program, resident_kb};
use mainstay_daemon::config::{self as daemon_config, Problem};
use mainstay_domain::spec::Spec;
use mutant::{Mutant, Seeds};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::symlink,
    panic,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long reading a config may take; without optimisation, and beside the other tests, some more.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 5 });

/// How much memory it may take, in kilobytes.
const MOST_KB: u64 = 500 << 10;

/// `mainstay check` itself reads one in so many.
const ONE_IN: u64 = if cfg!(debug_assertions) { 40 } else { 100 };

/// What a campaign did.
#[derive(Debug, Default)]
pub struct ConfigReport {
    /// Read as something that can be used.
    pub accepted: u32,
    /// Refused.
    pub refused: u32,
    /// Of these, how many `mainstay check` looked at too.
    pub checked: u32,
    /// The longest that one took.
    pub longest: Duration,
    /// The most memory that was seen in use, in kilobytes.
    pub most_kb: u64,
}

/// Reads `rounds` configs; panics at the first broken promise, and says where the config is then.
pub fn config(rounds: u32, seed: u64) -> ConfigReport {
    let mut random = Random::new(seed);
    let seeds = Seeds::read();
    let mut desk = Desk::new();
    for round in 1..=rounds {
        let mut mutant = seeds.mutant(&mut random);
        let is_plain = desk.lay(&mut mutant, &mut random);
        let read = desk.read(&mutant);
        match &read {
            Read::Accepted(meaning) => {
                desk.report.accepted += 1;
                if is_plain {
                    desk.must_mean_the_same_again(&mutant, meaning);
                }
            }
            Read::Refused(problems) => {
                desk.report.refused += 1;
                for problem in problems.iter().filter(|problem| problem.is_error()) {
                    if let Err(why) = is_placed(problem) {
                        desk.fail(&mutant, &format!("{why}: {problem:?}"));
                    }
                }
            }
        }
        if round == 1 || random.once_in(ONE_IN) {
            desk.check(&mutant, &read, random.once_in(2));
        }
        if round % 1_000 == 0 {
            println!("{round} of {rounds}: {:?}", desk.report);
        }
    }
    desk.report
}

/// What reading a config gave.
#[derive(Debug)]
enum Read {
    /// It can be used: what it says, without the digest of its text.
    Accepted(Box<Spec>),
    /// It cannot.
    Refused(Vec<Problem>),
}

/// Reads and shows a config as `mainstay check` does.
fn read(path: &Path) -> Read {
    let show = |problems: &[Problem]| {
        let shown = [true, false].map(|colour| daemon_config::render(problems, colour));
        assert_eq!(shown.iter().any(String::is_empty), problems.is_empty());
        serde_json::to_string(&daemon_config::report(problems)).unwrap();
    };
    match daemon_config::load(path) {
        Ok(mut loaded) => {
            show(&loaded.warnings);
            loaded.spec.digest.clear();
            Read::Accepted(Box::new(loaded.spec))
        }
        Err(errors) => {
            show(&errors.problems);
            Read::Refused(errors.problems)
        }
    }
}

/// Where configs lie, and a thread that reads them: one that hangs holds up nobody but itself.
struct Desk {
    directory: TempDir,
    paths: mpsc::Sender<PathBuf>,
    answers: mpsc::Receiver<Result<Read, String>>,
    report: ConfigReport,
}

impl Desk {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        for made in ["state", "plugins"] {
            fs::create_dir(directory.path().join(made)).unwrap();
        }
        make_fifo(&directory.path().join("fifo"));
        symlink("loop", directory.path().join("loop")).unwrap();
        let (paths, jobs) = mpsc::channel::<PathBuf>();
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for path in jobs {
                let read = panic::catch_unwind(|| read(&path));
                let read = read.map_err(|panic| {
                    let text = panic.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                    text.unwrap_or("a panic without a text").to_owned()
                });
                if sender.send(read).is_err() {
                    return;
                }
            }
        });
        Self {
            directory,
            paths,
            answers,
            report: ConfigReport::default(),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Writes a config, and now and then something odd beside or in place of it. Whether all of it is regular files with
    /// texts of their own.
    fn lay(&self, mutant: &mut Mutant, random: &mut Random) -> bool {
        let (file, drop_ins) = (self.path("mainstay.toml"), self.path("conf.d"));
        for former in [&file, &drop_ins] {
            clear(former);
        }
        if !random.once_in(20) {
            fs::write(&file, &mutant.text).unwrap();
            return true;
        }
        let drop_in = drop_ins.join("50-odd.toml");
        let odd = random.below(16);
        if odd < 10 {
            fs::write(&file, &mutant.text).unwrap();
        }
        if (3..10).contains(&odd) {
            fs::create_dir(&drop_ins).unwrap();
        }
        let what = match odd {
            0 => {
                fs::write(&drop_ins, "a file").unwrap();
                "conf.d is a file"
            }
            1 => {
                make_fifo(&drop_ins);
                "conf.d is a FIFO"
            }
            2 => {
                // As its only file, the config itself is read twice.
                symlink(".", &drop_ins).unwrap();
                "conf.d is its own parent"
            }
            3 => {
                make_fifo(&drop_in);
                "a FIFO in conf.d"
            }
            4 => {
                symlink("/dev/zero", &drop_in).unwrap();
                "/dev/zero in conf.d"
            }
            5 => {
                symlink("50-odd.toml", &drop_in).unwrap();
                "a link to itself in conf.d"
            }
            6 => {
                symlink("../mainstay.toml", &drop_in).unwrap();
                "a link to the config in conf.d"
            }
            7 => {
                fs::create_dir(&drop_in).unwrap();
                "a directory in conf.d"
            }
            8 => {
                for number in 0..300 {
                    let text = format!("[[target]]\nname = \"odd-{number}\"\n");
                    fs::write(drop_ins.join(format!("{number:03}.toml")), text).unwrap();
                }
                "300 files in conf.d"
            }
            9 => {
                // What stands below the first table is left to the file beside it.
                let half = mutant.text.len() / 2;
                let end = mutant.text[half..]
                    .windows(2)
                    .position(|two| two == b"\n[")
                    .map_or(mutant.text.len(), |at| half + at + 1);
                fs::write(&file, &mutant.text[..end]).unwrap();
                fs::write(&drop_in, &mutant.text[end..]).unwrap();
                mutant.what.push_str("split in two files");
                return true;
            }
            10 => {
                make_fifo(&file);
                "the config is a FIFO"
            }
            11 => {
                symlink("/dev/zero", &file).unwrap();
                "the config is /dev/zero"
            }
            12 => {
                symlink("mainstay.toml", &file).unwrap();
                "the config is a link to itself"
            }
            13 => {
                fs::create_dir(&file).unwrap();
                "the config is a directory"
            }
            14 => {
                let file = fs::File::create(&file).unwrap();
                file.set_len(1 << 36).unwrap();
                "the config is 64 GiB of nothing"
            }
            _ => "the config is not there",
        };
        mutant.what.push_str(what);
        false
    }

    /// Has what lies there read.
    fn read(&mut self, mutant: &Mutant) -> Read {
        let start = Instant::now();
        self.paths.send(self.path("mainstay.toml")).unwrap();
        loop {
            // The pace of looking at the memory, not a time that anything relies on.
            let answer = self.answers.recv_timeout(Duration::from_millis(10));
            let now_kb = match answer {
                Err(_) => resident_kb(std::process::id()),
                Ok(_) => 0,
            };
            self.must_be_bounded(mutant, start.elapsed(), now_kb);
            match answer {
                Ok(Ok(read)) => return read,
                Ok(Err(panic)) => self.fail(mutant, &format!("it panics: {panic}")),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.fail(mutant, "the reader has ended"),
            }
        }
    }

    fn must_be_bounded(&mut self, mutant: &Mutant, took: Duration, now_kb: u64) {
        self.report.longest = self.report.longest.max(took);
        self.report.most_kb = self.report.most_kb.max(now_kb);
        if took > LONGEST {
            self.fail(mutant, &format!("it is not done after {took:?}"));
        }
        if now_kb > MOST_KB {
            self.fail(mutant, &format!("it takes {now_kb} kB"));
        }
    }

    /// Writes every file anew, as its tables say and without its layout: it must be accepted, and mean the same.
    fn must_mean_the_same_again(&mut self, mutant: &Mutant, meaning: &Spec) {
        let mut files = vec![self.path("mainstay.toml")];
        let drop_ins = fs::read_dir(self.path("conf.d")).into_iter().flatten();
        files.extend(drop_ins.map(|entry| entry.unwrap().path()));
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // Numbers above 64 bits are no matter of ours.
            let Ok(table) = text.parse::<toml::Table>() else {
                return;
            };
            match toml::to_string(&table) {
                Ok(again) => fs::write(&file, again).unwrap(),
                Err(error) => self.fail(mutant, &format!("it cannot be written again: {error}")),
            }
        }
        match self.read(mutant) {
            Read::Accepted(again) if *again == *meaning => {}
            Read::Accepted(again) => {
                let (again, meaning) = (format!("{again:?}"), format!("{meaning:?}"));
                let same = again.bytes().zip(meaning.bytes());
                let same = same.take_while(|(again, meaning)| again == meaning).count();
                let from = |text: &str| -> String {
                    let text = text.get(same.saturating_sub(200)..).unwrap_or(text);
                    text.chars().take(600).collect()
                };
                let (again, meant) = (from(&again), from(&meaning));
                let why = format!("written again it means …{again}…, and it meant …{meant}…");
                self.fail(mutant, &why);
            }
            Read::Refused(problems) => {
                self.fail(
                    mutant,
                    &format!("written again it is refused: {problems:?}"),
                );
            }
        }
        fs::write(self.path("mainstay.toml"), &mutant.text).unwrap();
        clear(&self.path("conf.d"));
    }

    /// Has `mainstay check` look at it.
    fn check(&mut self, mutant: &Mutant, read: &Read, in_json: bool) {
        self.report.checked += 1;
        let (out, error) = (self.path("stdout"), self.path("stderr"));
        let mut command = Command::new(program());
        command.arg("check").args(in_json.then_some("--json"));
        command.arg("--config").arg(self.path("mainstay.toml"));
        command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out).unwrap())
            .stderr(fs::File::create(&error).unwrap());
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            let (took, now_kb) = (start.elapsed(), peak_kb(child.id()).unwrap_or(0));
            if took > LONGEST || now_kb > MOST_KB {
                child.kill().unwrap();
                child.wait().unwrap();
            }
            self.must_be_bounded(mutant, took, now_kb);
            // The pace of looking.
            std::thread::sleep(Duration::from_millis(2));
        };
        let said = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let (out, error) = (said(&out), said(&error));
        let all = format!("{status}\n{out}\n{error}");
        let code = status.code();
        let is_ok = code == Some(0);
        let is_expected = match read {
            // It may be refused for what is around it, such as a plugin directory.
            Read::Accepted(_) => is_ok || code == Some(2),
            Read::Refused(_) => code == Some(2),
        };
        if !is_expected || error.contains("panicked") {
            self.fail(mutant, &format!("`check` ends otherwise: {all}"));
        }
        let disturbs = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        if out.contains(disturbs) || error.contains(disturbs) {
            self.fail(mutant, &format!("`check` shows what disturbs: {all:?}"));
        }
        if !in_json {
            return;
        }
        let report = serde_json::from_str::<Value>(&out).unwrap_or(Value::Null);
        if report["ok"] != is_ok {
            self.fail(mutant, &format!("`check --json` says otherwise: {all}"));
        }
    }

    /// Keeps what lies there and panics.
    fn fail(&self, mutant: &Mutant, why: &str) -> ! {
        let kept = std::env::temp_dir().join(format!("mainstay-mutant-{}", std::process::id()));
        fs::write(&kept, &mutant.text).unwrap();
        let short: String = why.chars().take(4_000).collect();
        panic!("{}; {}: {short}", kept.display(), mutant.what)
    }
}

/// Whether an error says where it is, and what to do. Only one about a whole file has no line.
fn is_placed(problem: &Problem) -> Result<(), String> {
    let Some(file) = &problem.file else {
        return Err("it names no file".to_owned());
    };
    if problem.message.is_empty() || problem.help.is_empty() {
        return Err("it says too little".to_owned());
    }
    let (Some(line), Some(column)) = (problem.line, problem.column) else {
        let whole = ["cannot read the ", "the config is "];
        return match whole.iter().any(|start| problem.message.starts_with(start)) {
            true => Ok(()),
            false => Err("it names no line".to_owned()),
        };
    };
    let bytes = fs::read(file).map_err(|error| format!("its file cannot be read: {error}"))?;
    let text = String::from_utf8_lossy(&bytes);
    match text.split('\n').nth(line.wrapping_sub(1)) {
        Some(found) if (1..=found.chars().count() + 1).contains(&column) => Ok(()),
        Some(_) => Err("its column is not there".to_owned()),
        None => Err("its line is not there".to_owned()),
    }
}
