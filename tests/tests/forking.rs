//! Programs that fork: their main process is found by its pid file, supervised, adopted and ended.

use mainstay_tests::{Daemon, HOST, plugin, wait_for};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;

/// Forks twice, as daemons do: the main process leads no process group. Its start is written down.
const FORKS: &str = r#"
echo >> starts
setsid sh -c 'sh -c "echo \$\$ > main.pid; exec sleep 1000" & exit 0'
exit 0
"#;

fn config() -> String {
    format!(
        "{HOST}\n[[target]]\nname = \"forks\"\nrun = [\"sh\", \"forks.sh\"]\npid_file = \"main.pid\"\n\
         exit_failure = \"down\"\n\
         [[route]]\nfailure = \"down\"\nstrategy = {{ kind = \"immediate\", max_attempts = 3 }}\n\
         chain = [{{ handler = \"restart-service\" }}]\n\
         [plugin.restart-service]\ngrants = {{ target = [\"restart\"] }}\n"
    )
}

fn named(daemon: &Daemon) -> Option<u32> {
    let text = fs::read_to_string(daemon.path("main.pid")).ok()?;
    text.trim().parse().ok()
}

/// Waits until the process that the pid file names is the target's, and is not this one.
fn main_process(daemon: &Daemon, other: Option<u32>) -> u32 {
    wait_for("the main process", || {
        let (named, seen) = (named(daemon), daemon.pids().get("forks").copied());
        let is_main = named.is_some() && named == seen && named != other;
        named
            .filter(|_| is_main)
            .ok_or_else(|| format!("{named:?} is named, {seen:?} is supervised"))
    })
}

fn starts(daemon: &Daemon) -> usize {
    let text = fs::read_to_string(daemon.path("starts")).unwrap_or_default();
    text.lines().count()
}

#[test]
fn the_main_process_of_a_program_that_forks_is_supervised_adopted_and_stopped() {
    let mut daemon = Daemon::prepare(&config());
    daemon.drop_plugin(&plugin("restart-service"));
    fs::write(daemon.path("forks.sh"), FORKS).unwrap();
    daemon.run();
    daemon.wait_for_plugins(1);
    let first = main_process(&daemon, None);
    assert_eq!(starts(&daemon), 1, "it does not loop");

    // Its end is seen at once, and recovered.
    let pid = |number: u32| Pid::from_raw(i32::try_from(number).unwrap()).unwrap();
    kill_process(pid(first), Signal::KILL).unwrap();
    let second = main_process(&daemon, Some(first));
    assert_eq!(starts(&daemon), 2);

    // It outlives the daemon, and the next one takes it over.
    daemon.kill();
    daemon.run();
    assert_eq!(main_process(&daemon, None), second);
    assert_eq!(starts(&daemon), 2, "it has no second copy");

    // A clean end stops it, though it leads no group.
    assert!(daemon.stop(), "{}", daemon.log());
    let lives = test_kill_process(pid(second)).is_ok()
        && fs::read_to_string(format!("/proc/{second}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!lives, "process {second} lives on");
}

#[test]
fn a_program_that_should_fork_and_leaves_nothing_is_a_failure_that_says_so() {
    let config = format!(
        "{HOST}\n[[target]]\nname = \"gone\"\nrun = [\"true\"]\npid_file = \"absent.pid\"\nexit_failure = \"down\"\n"
    );
    let daemon = Daemon::start(&config, &[]);
    let exited = daemon.wait_for_event("the exit", |event| event["kind"] == "process.exited");
    let message = exited["message"].as_str().unwrap();
    assert!(
        message.contains("exited with code 0") && message.contains("names no process that it left"),
        "{message}"
    );
    // For so long the pid file was waited for, and the program did not run.
    assert!(!message.contains("after 5 s"), "{message}");
}

#[test]
fn a_program_that_leaves_nothing_has_not_recovered_by_its_start() {
    let config = config().replace("\"sh\", \"forks.sh\"", "\"true\"");
    let config = config.replace("max_attempts = 3", "max_attempts = 1");
    let mut daemon = Daemon::start(&config, &[&plugin("restart-service")]);
    let ended = daemon.wait_for_event("the end of its recovery", |event| {
        let kind = event["kind"].as_str().unwrap_or_default();
        // Before the handler serves it is missing.
        matches!(
            kind,
            "operation.succeeded" | "operation.failed" | "operation.partial"
        ) && !event["message"].to_string().contains("MS-0304")
    });
    assert_ne!(ended["kind"], "operation.succeeded", "{ended}");
    assert!(daemon.stop());
}
