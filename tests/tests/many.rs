//! Many processes at once, and a daemon that was started with fewer descriptors than it has processes.

use mainstay_tests::{Daemon, plugin, program, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

const COUNT: usize = 300;
/// The soft limit that the daemon starts with.
const FEW: u64 = 200;

fn config() -> String {
    let mut config = "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n".to_owned();
    for number in 0..COUNT {
        config.push_str(&format!(
            r#"
[[target]]
name = "t-{number}"
run = ["/bin/sleep", "1000000"]
[[target.check]]
kind = "process"
every = "1s"
recover_after = 1
failure = "process-dead"
"#
        ));
    }
    config.push_str(
        r#"
[[route]]
failure = "process-dead"
strategy = { kind = "immediate" }
chain = [{ handler = "restart-service" }]
cooldown = "0s"
[plugin.restart-service]
grants = { target = ["restart"] }
"#,
    );
    config
}

#[test]
fn many_processes_start_without_an_incident_and_come_back_with_one_operation_each() {
    let handler = plugin("restart-service");
    let mut daemon = Daemon::prepare(&config());
    daemon.drop_plugin(&handler);
    daemon.set_env("RUST_LOG", "info");
    let mut command = Command::new("/bin/sh");
    let limited = format!("ulimit -S -n {FEW} && exec \"$0\" run --config \"$1\"");
    command.args(["-c", &limited]).arg(program());
    command.arg(daemon.path("mainstay.toml"));
    let log = fs::File::create(daemon.path("daemon.log")).unwrap();
    command.stdout(Stdio::null()).stderr(log);
    daemon.run_as(command);
    daemon.wait_for_plugins(1);
    let all_run = |daemon: &Daemon| match daemon.pids() {
        pids if pids.len() == COUNT => Ok(pids),
        pids => Err(format!("{} run", pids.len())),
    };
    let before = wait_for("all to run", || all_run(&daemon));
    let limits = fs::read_to_string(format!("/proc/{}/limits", before["t-0"])).unwrap();
    let soft = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|values| values.split_whitespace().next());
    assert_eq!(soft, Some(FEW.to_string().as_str()));
    assert_eq!(daemon.json(&["incidents"]), serde_json::json!([]));

    for pid in before.values() {
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    }
    let operations = wait_for("all to be recovered", || {
        let history = daemon.json(&["history", "--limit", "1000"]);
        let operations = history.as_array().unwrap().clone();
        let succeeded = operations
            .iter()
            .filter(|operation| operation["state"] == "succeeded");
        match succeeded.count() {
            COUNT.. => Ok(operations),
            count => Err(format!("{count} succeeded")),
        }
    });
    let targets: BTreeSet<_> = operations
        .iter()
        .map(|operation| operation["target"].as_str().unwrap())
        .collect();
    assert_eq!((operations.len(), targets.len()), (COUNT, COUNT));
    let after = wait_for("all to run again", || all_run(&daemon));
    assert!(after.iter().all(|(target, pid)| before[target] != *pid));
    assert!(daemon.stop());
}
