//! README as somebody walks it: each of its blocks, in its order and its directory, with a real daemon.
//!
//! The comment before a block says how it is run, and after a comma what is known of it:
//!
//! - `run`, `run in the repository`: by a shell, to its end, which is a good one; the next one goes on where it has gone to
//! - `run behind`: it runs on, as in a terminal of its own
//! - `add to FILE`, `write FILE`: it is the end of a file, or all of it
//! - `PID of TARGET`, `ID of operation`: what stands for these words in the block
//! - `until healthy TARGET`, `recovered TARGET`, `serving PLUGIN`, `port NUMBER`, `file PATH`, `said TEXT`: what is
//!   waited for after it
//! - `prints TEXT`: its last line
//!
//! What is not done as it stands, see `PRELUDE`: this machine is left alone, and the gate builds the program and runs the demo.
//! Ports are free ones, and the directories of the machine lie below a directory of the test.

use mainstay_tests::{Daemon, build_directory, free_port, program, repository, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write,
    net::TcpStream,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// In each shell: what stands for programs that would change the machine, or build for minutes.
const PRELUDE: &str = r#"
set -euo pipefail
sudo() { "$@"; }
cargo() {
    case "$*" in
        "install --locked --path "*) test -f "$4/Cargo.toml" ;;
        "run --release -- demo") grep -q -- "-- demo" .ci/run ;;
        *) echo "no such command of cargo: $*" >&2; return 1 ;;
    esac
}
within() {
    for _ in $(seq 1200); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    echo "never: $*" >&2
    tail -n 20 "$ROOT/daemon.log" >&2
    return 1
}
answers() { mainstay status > /dev/null 2>&1; }
# One whose first thread has ended is there, and holds its files, until its last one has.
gone() {
    ! test -d "/proc/$1" ||
        { grep -q "^State:.Z" "/proc/$1/status" && test "$(ls "/proc/$1/task" | wc -l)" = 1; }
}
told() {
    mainstay alert test > "$ROOT/told.log" 2>&1
    test -s "$ROOT/var/lib/mainstay/alerts/alerts.jsonl" && ! test -e "$ROOT/etc/mainstay/alerts"
}
lies() { test -f "$ROOT/var/lib/mainstay/state/journal.db" && ! test -e "$ROOT/etc/mainstay/state"; }
serve() {
    local start
    start=$(sed -n "s|^ExecStart=||p" "$ROOT/etc/mainstay/mainstay.service")
    $start > "$ROOT/daemon.log" 2>&1 < /dev/null &
    echo $! > "$ROOT/pid"
    within answers
}
cease() {
    kill -TERM "$(cat "$ROOT/pid")"
    within gone "$(cat "$ROOT/pid")"
}
systemctl() {
    case "$*" in
        "--no-ask-password enable $ROOT/etc/mainstay/mainstay.service") ;;
        "--no-ask-password start mainstay.service") serve ;;
        "--no-ask-password is-system-running") echo running ;;
        "--no-ask-password show --property=FragmentPath --value mainstay.service") ;;
        "restart mainstay") cease; serve ;;
        "disable --now mainstay") within told; within lies; cease ;;
        *) echo "no such command of systemctl: $*" >&2; return 1 ;;
    esac
}
"#;

/// The ports that README names.
const PORTS: [&str; 2] = ["8123", "9000"];

/// A block of README.
struct Block {
    /// What the comment before it says, in its parts.
    how: Vec<String>,
    text: String,
}

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}

/// Every block, each of which says how it is run.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let text = inside.join("\n");
            let how = before
                .strip_prefix("<!-- ")
                .and_then(|rest| rest.strip_suffix(" -->"))
                .unwrap_or_else(|| panic!("no comment says how this block is run:\n{text}"));
            let how = how.split(", ").map(str::to_owned).collect();
            blocks.push(Block { how, text });
        }
        before = line;
    }
    blocks
}

/// Somebody who walks.
struct Walk {
    /// Not started: what runs in its directory ends with it.
    place: Daemon,
    /// Where the next block is run.
    directory: PathBuf,
    /// The ports that stand for those of README.
    ports: Vec<(String, String)>,
    /// What runs behind, the daemon first.
    behind: Vec<Child>,
    /// The last line of the last block.
    printed: String,
}

impl Walk {
    fn begin() -> Self {
        let place = Daemon::prepare("");
        fs::remove_file(place.path("mainstay.toml")).unwrap();
        fs::remove_dir(place.path("plugins")).unwrap();
        for made in ["bin", "root/etc", "root/var/lib", "root/usr/local/bin"] {
            fs::create_dir_all(place.path(made)).unwrap();
        }
        symlink(program(), place.path("bin/mainstay")).unwrap();
        // The program calls it too, and not only the shell.
        let systemctl = place.path("bin/systemctl");
        let script = format!("#!/usr/bin/env bash\n{PRELUDE}\nsystemctl \"$@\"\n");
        fs::write(&systemctl, script).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        let ports = PORTS.map(|port| (port.to_owned(), free_port().to_string()));
        Self {
            directory: place.directory.path().to_owned(),
            place,
            ports: ports.into(),
            behind: Vec::new(),
            printed: String::new(),
        }
    }

    /// A text of README as it is for this walk.
    fn here(&self, text: &str) -> String {
        let root = self.place.path("root").display().to_string();
        let mut text = text.replace("~/.cargo/bin/mainstay", &program().display().to_string());
        for (port, free) in &self.ports {
            text = text.replace(port.as_str(), free);
        }
        for of_the_machine in ["/etc/", "/var/lib/", "/usr/local/bin/"] {
            text = text.replace(of_the_machine, &format!("{root}{of_the_machine}"));
        }
        text
    }

    /// A shell for these lines, with what stands for the machine around it.
    fn shell(&self, directory: &Path, lines: &str) -> Command {
        let build = build_directory().join("authoring");
        fs::create_dir_all(build.join("cargo-home")).unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut bash = Command::new("bash");
        bash.arg("-c")
            .arg(lines)
            .current_dir(directory)
            .stdin(Stdio::null());
        // What is installed goes first, as on a machine.
        let (installed, bin) = (
            self.place.path("root/usr/local/bin"),
            self.place.path("bin"),
        );
        bash.env(
            "PATH",
            format!("{}:{}:{path}", installed.display(), bin.display()),
        );
        bash.env("ROOT", self.place.path("root"))
            .env_remove("MAINSTAY_CONFIG");
        // As an author has it: nothing is downloaded.
        bash.env("CARGO_TARGET_DIR", &build)
            .env("CARGO_HOME", build.join("cargo-home"));
        bash.env("CARGO_NET_OFFLINE", "true");
        bash
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .arg("--json")
            .current_dir(&self.directory);
        let output = command.env_remove("MAINSTAY_CONFIG").output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// A row of a list by its name.
    fn named(rows: &Value, name: &str) -> Value {
        let mut rows = rows.as_array().into_iter().flatten();
        rows.find(|row| row["name"] == name)
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// What one that runs behind has printed.
    fn said(&self, number: usize) -> String {
        fs::read_to_string(self.place.path(&format!("behind-{number}"))).unwrap_or_default()
    }

    /// Goes through one block.
    fn step(&mut self, block: &Block) {
        let text = self.here(&block.text);
        let (how, known) = block.how.split_first().unwrap();
        let text = known
            .iter()
            .fold(text, |text, part| self.filled(text, part));
        println!("{}:\n{text}\n", block.how.join(", "));
        match how.as_str() {
            "run" => self.run(&text),
            "run in the repository" => self.run_in_the_repository(&text),
            "run behind" => self.run_behind(&text),
            other => {
                if let Some(file) = other.strip_prefix("add to ") {
                    self.add(file, &text);
                } else if let Some(file) = other.strip_prefix("write ") {
                    fs::write(self.directory.join(file), text + "\n").unwrap();
                } else {
                    panic!("`{other}` is no way to run a block");
                }
            }
        }
        for part in known {
            self.wait(&self.here(part));
        }
    }

    /// With what stands for the words that a reader fills in.
    fn filled(&self, text: String, part: &str) -> String {
        if let Some(target) = part.strip_prefix("PID of ") {
            let status = self.json(&["status"]);
            let pid = Self::named(&status["targets"], target)["pid"].as_u64();
            return text.replace("PID", &pid.expect("it runs").to_string());
        }
        if part == "ID of operation" {
            let history = self.json(&["history"]);
            let id = history[0]["id"].as_str().expect("there is an operation");
            return text.replace("ID", &id[id.len() - 8..]);
        }
        text
    }

    fn run(&mut self, text: &str) {
        let place = self.place.path("directory");
        let lines = format!("{PRELUDE}\n{text}\npwd > '{}'", place.display());
        let mut shell = self.shell(&self.directory, &lines);
        self.printed = done(&mut shell, text);
        let directory = fs::read_to_string(place).unwrap();
        self.directory = PathBuf::from(directory.trim_end());
    }

    fn run_in_the_repository(&mut self, text: &str) {
        let lines = format!("{PRELUDE}\n{text}");
        let mut shell = self.shell(repository(), &lines);
        // Where nobody says otherwise, it is that of the machine.
        shell.env(
            "MAINSTAY_CONFIG",
            self.place.path("root/etc/mainstay/mainstay.toml"),
        );
        self.printed = done(&mut shell, text);
    }

    fn run_behind(&mut self, text: &str) {
        let number = self.behind.len();
        let output = fs::File::create(self.place.path(&format!("behind-{number}"))).unwrap();
        let mut shell = self.shell(&self.directory, &format!("exec {text}"));
        shell.stdout(output.try_clone().unwrap()).stderr(output);
        self.behind.push(shell.spawn().unwrap());
    }

    /// Adds to the config; the daemon uses it then.
    fn add(&self, file: &str, text: &str) {
        let digest = || self.json(&["status"])["host"]["config_digest"].clone();
        let before = digest();
        assert!(before.is_string(), "no daemon answers: {}", self.said(0));
        let mut config = OpenOptions::new()
            .append(true)
            .open(self.directory.join(file))
            .unwrap();
        config.write_all(format!("\n{text}\n").as_bytes()).unwrap();
        wait_for("the config to be applied", || {
            let status = self.json(&["status"]);
            let now = &status["host"]["config_digest"];
            match now.is_string() && *now != before {
                true => Ok(()),
                false => Err(status["last_reload"].to_string()),
            }
        });
    }

    /// Waits for what comes of a block, or sees what it printed.
    fn wait(&self, part: &str) {
        if let Some(text) = part.strip_prefix("prints ") {
            assert_eq!(self.printed.lines().last(), Some(text), "{}", self.printed);
        }
        let Some((what, of)) = part
            .strip_prefix("until ")
            .and_then(|rest| rest.split_once(' '))
        else {
            return;
        };
        wait_for(part, || {
            let (is_so, seen) = match what {
                "healthy" => {
                    let row = Self::named(&self.json(&["status"])["targets"], of);
                    (row["health"] == "healthy", row.to_string())
                }
                "recovered" => {
                    let history = self.json(&["history", "--target", of]);
                    (history[0]["state"] == "succeeded", history.to_string())
                }
                "serving" => {
                    let row = Self::named(&self.json(&["plugin", "list"]), of);
                    (row["state"] == "serving", row.to_string())
                }
                "file" => {
                    let there = fs::read_to_string(self.directory.join(of));
                    (there.is_ok(), format!("{there:?}"))
                }
                "port" => {
                    let port: u16 = of.parse().unwrap();
                    let connected = TcpStream::connect(("127.0.0.1", port));
                    (connected.is_ok(), format!("{connected:?}"))
                }
                "said" => {
                    let said = self.said(self.behind.len() - 1);
                    (said.contains(of), said)
                }
                other => panic!("`{other}` is nothing to wait for"),
            };
            match is_so {
                true => Ok(()),
                false => Err(format!("{seen}\nthe daemon says:\n{}", self.said(0))),
            }
        });
    }
}

/// What a shell printed that came to a good end.
fn done(shell: &mut Command, text: &str) -> String {
    let output = shell.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{text}\nended with {}:\n{stdout}{stderr}",
        output.status
    );
    println!("{stdout}");
    stdout
}

/// What stands between backquotes in the first cells of the table below a heading.
fn listed(heading: &str) -> BTreeSet<String> {
    let readme = readme();
    let (_, below) = readme
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading");
    let section = below.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = rows.filter_map(|row| row.trim_matches('|').split(" | ").next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_readme_can_be_walked_from_its_first_block_to_its_last() {
    let mut walk = Walk::begin();
    for block in &blocks(&readme()) {
        walk.step(block);
    }
    // What it says of what is where, and of alerts.
    let first = walk.place.path("first");
    assert_eq!(
        walk.directory.canonicalize().unwrap(),
        first.canonicalize().unwrap()
    );
    for path in listed("Where things lie") {
        let path = path.replace("NAME", "hello").replace("JOB", "site");
        assert!(first.join(&path).exists(), "there is no {path}");
    }
    let alerts = fs::read_to_string(first.join("alerts/alerts.jsonl")).unwrap();
    let fields = listed("What an alert says");
    for line in alerts.lines() {
        let alert: Value = serde_json::from_str(line).unwrap();
        let found: BTreeSet<String> = alert.as_object().unwrap().keys().cloned().collect();
        assert_eq!(found, fields);
    }
    let left = fs::read_dir(walk.place.path("root/var/lib")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    // What was put into the machine is gone, and the daemon in the terminal ends as it should.
    for gone in ["etc/mainstay", "var/lib/mainstay", "usr/local/bin/mainstay"] {
        assert!(
            !walk.place.path("root").join(gone).exists(),
            "{gone} is left"
        );
    }
    let daemon = walk.behind.first_mut().unwrap();
    kill_process(Pid::from_child(daemon), Signal::TERM).unwrap();
    assert!(daemon.wait().unwrap().success());
    for other in walk.behind.iter_mut().skip(1) {
        other.kill().unwrap();
        other.wait().unwrap();
    }
}

#[test]
fn a_block_that_does_not_say_how_it_is_run_is_found() {
    let blocks_of = |text: &str| std::panic::catch_unwind(|| blocks(text).len()).ok();
    assert_eq!(blocks_of("<!-- run -->\n```sh\ntrue\n```\n"), Some(1));
    assert_eq!(blocks_of("text\n\n```sh\ntrue\n```\n"), None);
    // A comment speaks of the block below it alone.
    assert_eq!(
        blocks_of("<!-- run -->\n```sh\ntrue\n```\n```sh\nfalse\n```\n"),
        None
    );
}
