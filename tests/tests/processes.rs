//! Processes of targets and of commands, over the whole program: what they leave behind, what they write, how they begin,
//! and what the kernel does not let go of.

use mainstay_tests::{Daemon, HOST, lives, parent, plugin, program, sleeper, wait_for};
use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const RESTART: &str = r#"
[[route]]
failure = "service-down"
strategy = { kind = "immediate", max_attempts = 2 }
cooldown = "0s"
chain = [{ handler = "restart-service" }]

[plugin.restart-service]
grants = { target = ["restart"] }
"#;

fn raw(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || {
        holds().then_some(()).ok_or_else(|| "not yet".to_owned())
    });
}

/// The number that a file holds.
fn number(path: &Path) -> u32 {
    wait_for("a number", || {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        text.trim().parse().map_err(|_| text.clone())
    })
}

/// A target that starts one in a session of its own, which writes its number to `file`.
fn forking(name: &str, file: &str, then: &str) -> String {
    let other =
        format!("setsid sh -c 'echo $$ > {file}.new; mv {file}.new {file}; exec sleep 1000'");
    let run = format!("{other} & {then}");
    format!("\n[[target]]\nname = \"{name}\"\nrun = [\"sh\", \"-c\", \"{run}\"]\n")
}

#[test]
fn what_a_target_left_in_another_session_ends_with_its_restart_and_with_the_daemon() {
    let config = [HOST, &forking("web", "other", "exec sleep 1000"), RESTART].concat();
    let mut daemon = Daemon::start(&config, &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    let first = number(&daemon.path("other"));
    assert!(lives(first));
    fs::remove_file(daemon.path("other")).unwrap();
    let operation = daemon.recover("web", "service-down");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let second = number(&daemon.path("other"));
    assert!(!lives(first) && lives(second), "{first}, {second}");
    assert!(daemon.stop());
    assert!(!lives(second), "it outlives a clean shutdown");
}

#[test]
fn what_was_orphaned_while_no_daemon_was_there_ends_before_the_next_start() {
    let config = [HOST, &forking("web", "other", "exec sleep 1000"), RESTART].concat();
    let mut daemon = Daemon::start(&config, &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    let orphan = number(&daemon.path("other"));
    fs::remove_file(daemon.path("other")).unwrap();
    let main = daemon.pids()["web"];
    daemon.kill();
    kill_process(raw(main), Signal::KILL).unwrap();
    assert!(lives(orphan), "it holds its port, say");
    daemon.run();
    daemon.wait_for_operation("web", "succeeded");
    let next = number(&daemon.path("other"));
    assert!(!lives(orphan) && lives(next), "{orphan}, {next}");
}

#[test]
fn a_service_that_a_command_put_into_the_background_goes_on_writing_also_without_a_daemon() {
    let service = "(n=0; while :; do n=$((n+1)); echo line $n; echo line $n >&2; echo $n > count.new; \
                   mv count.new count; sleep 0.01; done) & echo $! > pid";
    let config = format!(
        "{HOST}\n[[target]]\nname = \"foreign\"\ncommands.start = [\"sh\", \"-c\", \"{service}\"]\n\
         commands.stop = [\"true\"]\n{RESTART}"
    );
    let mut daemon = Daemon::start(&config, &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    let operation = daemon.recover("foreign", "service-down");
    assert_eq!(operation["state"], "succeeded", "{operation}");
    let pid = number(&daemon.path("pid"));
    let count = daemon.path("count");
    let goes_on = |what: &str| {
        let before = number(&count);
        until(what, || number(&count) > before + 50);
        assert!(lives(pid));
    };
    goes_on("it writes after its command");
    daemon.kill();
    goes_on("it writes without a daemon");
    daemon.run();
    goes_on("it writes beside the next daemon");
    assert!(daemon.stop());
    goes_on("it writes after a clean shutdown");
}

#[test]
fn a_session_that_an_exec_check_started_ends_with_the_check() {
    let other =
        "setsid sh -c 'echo $$ > other.new; mv other.new other; exec sleep 1000' & sleep 0.3";
    let check = format!(
        "[[target.check]]\nkind = \"exec\"\nrun = [\"sh\", \"-c\", \"{other}\"]\nevery = \"1h\"\nfailure = \"left\"\n"
    );
    let daemon = Daemon::start(&[HOST, &sleeper("web"), &check].concat(), &[]);
    let other = number(&daemon.path("other"));
    until("what the check left ends", || !lives(other));
}

fn logged(daemon: &Daemon) -> String {
    fs::read_to_string(daemon.path("state/logs/web.log")).unwrap_or_default()
}

#[test]
fn a_target_that_writes_without_pause_stays_near_its_bound() {
    let log = "log = { max_bytes = \"1MiB\", keep = 2 }\n";
    let target = "\n[[target]]\nname = \"web\"\nrun = [\"yes\"]\n";
    let daemon = Daemon::start(&[HOST, target, log].concat(), &[]);
    let pid = daemon.pids()["web"];
    let written = || {
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let mut most = 0;
    until("it writes a gigabyte", || {
        let files = fs::read_dir(daemon.path("state/logs")).unwrap().flatten();
        let lengths = files.filter_map(|file| Some(file.metadata().ok()?.len()));
        most = most.max(lengths.sum::<u64>());
        written() > 1 << 30
    });
    // Three of 1 MiB, and what is written in some milliseconds; a busy machine needs longer for a look.
    assert!(most < 128 << 20, "{most} bytes");
}

#[test]
fn a_log_that_was_moved_is_opened_anew_by_itself_and_at_sigusr1() {
    let target = "\n[[target]]\nname = \"web\"\nrun = [\"sh\", \"-c\", \"while :; do echo line; sleep 0.05; done\"]\n";
    let daemon = Daemon::start(&[HOST, target].concat(), &[]);
    until("it writes", || logged(&daemon).contains("line"));
    let log = daemon.path("state/logs/web.log");
    fs::rename(&log, daemon.path("moved")).unwrap();
    kill_process(raw(daemon.pid()), Signal::USR1).unwrap();
    until("it writes to a new one", || {
        logged(&daemon).contains("line")
    });
    fs::remove_file(&log).unwrap();
    until("it writes to another new one", || {
        logged(&daemon).contains("line")
    });
}

/// Kills the daemon, has its child's log moved there, and sees that the next daemon finds what the child writes.
fn check_moved_without_a_daemon(to: &str) {
    let target = "\n[[target]]\nname = \"web\"\nrun = [\"sh\", \"-c\", \"while :; do echo line; [ -e broken ] && echo panic; sleep 0.05; done\"]\n";
    let check = "[[target.check]]\nkind = \"log\"\ncontains = \"panic\"\nevery = \"100ms\"\nfailure = \"said\"\n";
    let mut daemon = Daemon::start(&[HOST, target, check].concat(), &[]);
    until("it writes", || logged(&daemon).contains("line"));
    let pids = daemon.pids();
    daemon.kill();
    fs::rename(daemon.path("state/logs/web.log"), daemon.path(to)).unwrap();
    daemon.run();
    until("it is opened anew", || logged(&daemon).contains("line"));
    assert_eq!(daemon.pids(), pids, "{to}");
    until("it is told", || {
        let warned = daemon.events_of("target.warned");
        warned.iter().any(|event| {
            let message = event["message"].as_str().unwrap();
            message.starts_with("web: its process still writes to ")
        })
    });
    fs::write(daemon.path("broken"), "").unwrap();
    daemon.wait_for_status("the check sees what it writes", |status| {
        status["targets"][0]["health"] == "failed"
    });
}

#[test]
fn a_log_that_was_moved_out_of_its_directory_while_no_daemon_was_there_is_opened_anew_and_looked_at()
 {
    check_moved_without_a_daemon("moved");
}

#[test]
fn a_log_that_was_moved_to_the_name_of_another_while_no_daemon_was_there_is_opened_anew_and_looked_at()
 {
    check_moved_without_a_daemon("state/logs/web-old.log");
}

#[test]
fn what_a_reload_left_in_another_session_ends_with_its_target() {
    let left = "setsid sh -c 'echo $$ > left.new; mv left.new left; exec sleep 1000' &";
    let target = format!(
        "\n[[target]]\nname = \"web\"\nrun = [\"sleep\", \"1000\"]\nreload = [\"sh\", \"-c\", \"{left}\"]\n"
    );
    let mut daemon = Daemon::start(&[HOST, &target].concat(), &[]);
    daemon.wait_for_event_of("process.started", "web");
    let output = daemon.cli(&["reload", "web"]);
    assert!(output.status.success(), "{output:?}");
    let left = number(&daemon.path("left"));
    assert!(lives(left));
    assert!(daemon.stop());
    until("what the reload left to end", || !lives(left));
}

#[test]
fn no_signal_but_those_of_a_stop_ends_the_daemon() {
    let mut daemon = Daemon::start(&[HOST, &sleeper("web")].concat(), &[]);
    let before = daemon.pids();
    let signals = [
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::HUP,
        Signal::PIPE,
        Signal::VTALARM,
        Signal::PROF,
        Signal::IO,
        Signal::XCPU,
        Signal::XFSZ,
        Signal::POWER,
        Signal::STKFLT,
    ];
    for signal in signals {
        kill_process(raw(daemon.pid()), signal).unwrap();
        daemon.json(&["status"]);
    }
    daemon.must_live();
    assert_eq!(daemon.pids(), before);
    assert!(daemon.stop());
}

#[test]
fn a_child_finds_every_signal_by_default_whatever_the_daemon_was_started_with() {
    let target = "\n[[target]]\nname = \"web\"\nrun = [\"sleep\", \"1000\"]\n";
    let mut daemon = Daemon::prepare(&[HOST, target].concat());
    let mut command = Command::new("env");
    command
        .args([
            "--ignore-signal=HUP,QUIT,USR1,USR2",
            "--block-signal=INT,TERM,CHLD",
        ])
        .arg(program())
        .args(["run", "--config"])
        .arg(daemon.path("mainstay.toml"));
    daemon.run_as(command);
    let pid = daemon.wait_for_status("the child to run", |status| {
        status["targets"][0]["pid"].is_u64()
    });
    let pid = pid["targets"][0]["pid"].to_string();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = |name: &str| {
        let mut lines = status.lines();
        let mask = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap()
    };
    // 32 and 33 are the C library's own, which it has ignored in whatever it spawns.
    let of_the_library = 0b11 << 31;
    assert_eq!(mask("SigBlk:"), 0);
    assert_eq!(mask("SigIgn:") & !of_the_library, 0, "{status}");
    assert!(daemon.stop(), "it hears SIGTERM");
}

/// The daemon as the first process of a pid namespace of its own.
fn in_a_namespace(daemon: &Daemon) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(program())
        .args(["run", "--config"])
        .arg(daemon.path("mainstay.toml"));
    command
}

#[test]
fn as_the_first_process_of_a_namespace_it_reaps_and_the_next_one_starts_all_anew() {
    let can = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "true"])
        .output();
    if !can.as_ref().is_ok_and(|output| output.status.success()) {
        println!("skipped: no pid namespace can be made here: {can:?}");
        return;
    }
    let orphans = "echo started >> starts; for n in 1 2 3 4 5 6 7 8; do (setsid sleep 0.1 &); done; exec sleep 1000";
    let check = "[[target.check]]\nkind = \"exec\"\nrun = [\"true\"]\nevery = \"1s\"\nfail_after = 1\nfailure = \"down\"\n";
    let target =
        format!("\n[[target]]\nname = \"web\"\nrun = [\"sh\", \"-c\", \"{orphans}\"]\n{check}");
    let mut daemon = Daemon::prepare(&[HOST, &target].concat());
    for round in 1..=3 {
        let command = in_a_namespace(&daemon);
        daemon.run_as(command);
        until("it is started", || {
            let starts = fs::read_to_string(daemon.path("starts")).unwrap_or_default();
            starts.lines().count() == round
        });
        daemon.wait_for_status("it is healthy", |status| {
            status["targets"][0]["health"] == "healthy"
        });
        let first = *daemon.children().iter().next().unwrap();
        let begun = Instant::now();
        // Until they have ended, and then until they are reaped.
        until("no orphan is left", || {
            let entries = fs::read_dir("/proc").unwrap().flatten();
            let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            let children = pids.filter(|&pid| parent(pid) == Some(first));
            children.count() <= 1 && begun.elapsed() > Duration::from_secs(1)
        });
        assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));
        // With it all of its namespace ends.
        daemon.kill();
        until("the namespace is gone", || {
            test_kill_process(raw(first)).is_err()
        });
    }
}

/// An ext4 in a file, thawed and unmounted when it is dropped.
struct Disk {
    _directory: TempDir,
    mount: PathBuf,
}

fn run(program: &str, arguments: &[&str], path: &Path) -> Result<(), String> {
    let output = Command::new(program).args(arguments).arg(path).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

impl Disk {
    fn mount() -> Result<Self, String> {
        if !geteuid().is_root() {
            return Err("only root may mount".to_owned());
        }
        let directory = TempDir::new().unwrap();
        let (image, mount) = (
            directory.path().join("image"),
            directory.path().join("disk"),
        );
        fs::create_dir(&mount).unwrap();
        let file = fs::File::create(&image).unwrap();
        file.set_len(64 << 20).unwrap();
        run("mkfs.ext4", &["-q", "-F"], &image)?;
        run("mount", &["-o", "loop", image.to_str().unwrap()], &mount)?;
        Ok(Self {
            _directory: directory,
            mount,
        })
    }

    fn freeze(&self) {
        run("fsfreeze", &["-f"], &self.mount).unwrap();
    }

    fn thaw(&self) {
        run("fsfreeze", &["-u"], &self.mount).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run("fsfreeze", &["-u"], &self.mount);
        let _ = run("umount", &["-l"], &self.mount);
    }
}

#[test]
fn a_process_that_hangs_in_the_kernel_is_named_holds_up_nobody_and_is_healthy_after_the_thaw() {
    let disk = match Disk::mount() {
        Ok(disk) => disk,
        Err(why) => {
            println!("skipped: no ext4 can be mounted here: {why}");
            return;
        }
    };
    let beat = disk.mount.join("beat");
    let beat = beat.display();
    let config = format!(
        r#"{HOST}
[[target]]
name = "writer"
run = ["sh", "-c", "echo started >> starts; while :; do echo beat > {beat}; sleep 0.05; done"]
grace = "100ms"
start_period = "0s"
[[target.check]]
kind = "file"
path = "{beat}"
max_age = "2s"
every = "500ms"
fail_after = 2
failure = "service-down"
{}{RESTART}"#,
        sleeper("other")
    );
    let daemon = Daemon::start(&config, &[&plugin("restart-service")]);
    daemon.wait_for_plugins(1);
    let is_healthy = |status: &serde_json::Value| {
        let targets = status["targets"].as_array().unwrap();
        let mut writers = targets.iter().filter(|target| target["name"] == "writer");
        writers.any(|target| target["health"] == "healthy")
    };
    daemon.wait_for_status("it is healthy", is_healthy);
    let pid = daemon.pids()["writer"];
    disk.freeze();
    daemon.wait_for_event("the escalation", |event| {
        event["target"] == "writer" && event["kind"] == "operation.escalated"
    });
    assert!(parent(pid).is_some(), "not even SIGKILL ends it");
    let starts = || fs::read_to_string(daemon.path("starts")).unwrap();
    assert_eq!(starts().lines().count(), 1, "there is no second copy");
    let told = [daemon.json(&["incidents"]), daemon.events().into()];
    let told = told.map(|told| told.to_string()).concat();
    assert!(
        told.contains(&format!("process {pid} does not end")),
        "{told}"
    );
    daemon.kill_child("other");
    daemon.wait_for_operation("other", "succeeded");

    disk.thaw();
    daemon.wait_for_status("it is healthy again", is_healthy);
    assert_eq!(starts().lines().count(), 2);
    assert_ne!(daemon.pids()["writer"], pid);
}
