//! What the daemon tells its service manager: `sd_notify(3)`.

use mainstay_tests::{Daemon, HOST, sleeper, wait_for};
use std::{
    cell::RefCell,
    fs,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

/// A service manager that notes what it is told.
struct Manager {
    socket: UnixDatagram,
    told: RefCell<Vec<String>>,
}

impl Manager {
    fn at(path: &std::path::Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            told: RefCell::default(),
        }
    }

    /// All that it was told so far.
    fn told(&self) -> Vec<String> {
        let mut message = [0; 4_096];
        while let Ok(length) = self.socket.recv(&mut message) {
            let text = String::from_utf8(message[..length].to_vec()).unwrap();
            self.told.borrow_mut().push(text);
        }
        self.told.borrow().clone()
    }

    /// Waits until what it was told satisfies a predicate.
    fn wait(&self, what: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        wait_for(what, || {
            let told = self.told();
            match wanted(&told) {
                true => Ok(told),
                false => Err(format!("{told:?}")),
            }
        })
    }
}

/// The last line about how it does.
fn status(told: &[String]) -> &str {
    let mut lines = told.iter().rev().flat_map(|text| text.lines());
    let line = lines.find_map(|line| line.strip_prefix("STATUS="));
    line.unwrap_or_default()
}

fn place(told: &[String], wanted: &str) -> usize {
    told.iter()
        .position(|text| text.starts_with(wanted))
        .unwrap_or_else(|| panic!("no {wanted} in {told:?}"))
}

#[test]
fn the_service_manager_is_told_how_the_daemon_does_from_its_start_to_its_stop() {
    let config = |targets: &str| format!("{HOST}{targets}");
    let mut daemon = Daemon::prepare(&config(&sleeper("one")));
    let manager = Manager::at(&daemon.path("notify"));
    let socket = daemon.path("notify").display().to_string();
    daemon.set_env("NOTIFY_SOCKET", &socket);
    daemon.set_env("WATCHDOG_USEC", "400000");
    daemon.run();
    let told = manager.wait("the daemon to be ready", |told| {
        told.iter().any(|text| text == "READY=1")
    });
    assert!(
        !told.iter().any(|text| text.starts_with("RELOADING")),
        "{told:?}"
    );

    // Signs of life go on while nothing happens, and come often enough.
    let signs = |told: &[String]| told.iter().filter(|text| *text == "WATCHDOG=1").count();
    let (before, begun) = (signs(&told), Instant::now());
    manager.wait("signs of life", |told| signs(told) >= before + 10);
    assert!(begun.elapsed() > Duration::from_millis(1_000), "too often");
    manager.wait("the first target", |told| {
        status(told).starts_with("1 target")
    });

    let two = [sleeper("one"), sleeper("two")].concat();
    fs::write(daemon.path("mainstay.toml"), config(&two)).unwrap();
    let told = manager.wait("the second target", |told| {
        status(told).starts_with("2 targets")
    });
    let begins = place(&told, "RELOADING=1\nMONOTONIC_USEC=");
    let number = told[begins].rsplit('=').next().unwrap();
    assert!(number.parse::<u64>().unwrap() > 0);
    manager.wait("the end of the reload", |told| {
        told[begins..].iter().any(|text| text == "READY=1")
    });
    // One that is refused ends too.
    let reloads = |told: &[String]| {
        let reloads = told.iter().filter(|text| text.starts_with("RELOADING=1"));
        reloads.count()
    };
    let before = reloads(&manager.told());
    let broken = format!("{}\n[nonsense]\n", config(&two));
    fs::write(daemon.path("mainstay.toml"), broken).unwrap();
    manager.wait("a refused reload", |told| {
        let last = told
            .iter()
            .rposition(|text| text.starts_with("RELOADING=1"));
        let after = &told[last.unwrap_or(told.len())..];
        reloads(told) > before && after.iter().any(|text| text == "READY=1")
    });

    assert!(daemon.cli(&["pause"]).status.success());
    manager.wait("the pause", |told| {
        status(told).ends_with("; recovery is paused")
    });
    assert!(daemon.stop());
    let told = manager.told();
    let stops = place(&told, "STOPPING=1");
    assert!(
        told[stops].contains("STATUS=stopping: asked to stop"),
        "{told:?}"
    );
}

#[test]
fn signs_of_life_are_not_given_for_another_process() {
    let mut daemon = Daemon::prepare(HOST);
    let manager = Manager::at(&daemon.path("notify"));
    let socket = daemon.path("notify").display().to_string();
    daemon.set_env("NOTIFY_SOCKET", &socket);
    daemon.set_env("WATCHDOG_USEC", "1000");
    daemon.set_env("WATCHDOG_PID", "1");
    daemon.run();
    assert!(daemon.stop());
    let told = manager.told();
    assert!(told.iter().any(|text| text == "READY=1"), "{told:?}");
    assert!(!told.iter().any(|text| text == "WATCHDOG=1"), "{told:?}");
}
