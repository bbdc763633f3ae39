//! What a foreign service uses, known by its pid file.

use crate::keys::target::{HOST, incident_of, row_of};
use mainstay_tests::Daemon;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command},
};

/// A program that the daemon did not start; ends with this, and all of its group.
struct Service(Child);

impl Service {
    fn start(run: &[&str]) -> Self {
        let mut command = Command::new(run[0]);
        Self(command.args(&run[1..]).process_group(0).spawn().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

fn target(name: &str, check: &str) -> String {
    format!(
        "[[target]]\nname = \"{name}\"\n[[target.check]]\npid_file = \"{name}.pid\"\nevery = \"500ms\"\nfail_after = 2\n\
         failure = \"too-much\"\n{check}\n"
    )
}

/// Acts: `target.check(memory).pid_file`, `target.check(cpu).pid_file`
#[test]
fn a_foreign_service_is_judged_by_what_it_and_its_descendants_use() {
    let hoard = "import time; kept = bytes([1]) * (64 << 20); time.sleep(1000)";
    let hoards = format!("python3 -c '{hoard}' & wait");
    let spins = "sh -c 'while :; do :; done' & wait";
    let (memory, cpu) = (
        "kind = \"memory\"\nmax_bytes = \"32MiB\"",
        "kind = \"cpu\"\nmax_percent = 5",
    );
    let sleeps = ["sleep", "1000"];
    let (hoards, spins) = (["sh", "-c", hoards.as_str()], ["sh", "-c", spins]);
    let services: [(&str, &[&str], &str); 4] = [
        ("small", &sleeps, memory),
        ("large", &hoards, memory),
        ("idle", &sleeps, cpu),
        ("busy", &spins, cpu),
    ];
    let targets = services.map(|(name, _, check)| target(name, check));
    // That one does not run says nothing of what it uses.
    let gone = target("gone", memory);
    let mut daemon = Daemon::prepare(&format!("{HOST}{}{gone}", targets.concat()));
    let _running = services.map(|(name, run, _)| {
        let service = Service::start(run);
        fs::write(
            daemon.path(&format!("{name}.pid")),
            service.0.id().to_string(),
        )
        .unwrap();
        service
    });
    daemon.run();
    for (name, says) in [("large", "B of memory"), ("busy", "% of a core")] {
        let incident = incident_of(&daemon, name);
        let reason = incident["evidence"][0]["message"].as_str().unwrap();
        let names_kin = reason.contains("and its descendants");
        assert!(names_kin && reason.contains(says), "{reason}");
    }
    let status = daemon.wait_for_status("the others to be judged", |status| {
        let is_healthy = |name| row_of(status, name)["health"] == "healthy";
        ["small", "idle"].into_iter().all(is_healthy)
    });
    assert_eq!(row_of(&status, "gone")["health"], "unknown");
}
