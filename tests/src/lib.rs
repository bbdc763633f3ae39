//! What the whole-program tests share: the built program, built guests, a daemon in a directory of its own, a webhook
//! receiver, and waiting on predicates with a deadline.
//!
//! Invariant: nothing here sleeps and hopes; every wait has a predicate, a deadline, and an error that says what was
//! last seen.

mod admin;
mod azure_server;
pub mod campaign;
mod child_server;
mod compiled;
mod daemon;
mod example;
mod figures;
mod gate;
mod gcs_server;
mod guests;
pub mod handmade;
mod large_plugin;
mod mail_server;
mod namespaces;
mod node;
mod object_server;
mod packages;
mod processes;
mod python;
mod readme_walk;
mod receiver;
mod s3_server;
pub mod scale;
mod shorthand;
mod small_disk;
mod sources;
mod stand_ins;
mod stranger;
mod ten_failures;
mod tls;

pub use azure_server::AzureServer;
pub use child_server::ChildServer;
pub use daemon::Daemon;
pub use example::Example;
pub use figures::{peak_kb, print_spread, resident_kb};
pub use gate::{Gate, Held};
pub use gcs_server::GcsServer;
pub use guests::{guest, plugin, python_guest};
pub use mail_server::{MAIL_PASSWORD, MailServer};
pub use namespaces::{in_a_mount_namespace, in_a_network_namespace, in_a_process_of_its_own};
pub use object_server::ObjectServer;
pub use packages::{Packages, packages};
pub use processes::{lives, parent};
pub use readme_walk::ReadmeWalk;
pub use receiver::{Received, Receiver, response};
pub use s3_server::S3Server;
pub use shorthand::{
    HOST, actions, make_fifo, message_of, millis_between, now, said, sleeper, take_backup, time,
    user_name, wait_until_taken_up,
};
pub use small_disk::SmallDisk;
pub use sources::{carried, digest_of_plugins, packed, plugin_names};
pub use stand_ins::{free_ports, get_json};
pub use stranger::Stranger;
pub use ten_failures::{
    TABLE_HEAD, TEN_FAILURES, WellKnown, has_recovered, note_recovery, row_of, table_row,
};
pub use tls::{TlsServer, tls_file};

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a wait may take. Generous: it only matters where something is broken.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The target directory and profile directory that the running test was built in.
fn build_directories() -> (PathBuf, &'static str) {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let executable = std::env::current_exe().unwrap();
    let target = executable
        .ancestors()
        .find(|path| path.file_name().is_some_and(|name| name == profile));
    (target.unwrap().parent().unwrap().to_owned(), profile)
}

/// The target directory that the running test was built in; what tests build has directories in it.
pub fn build_directory() -> PathBuf {
    build_directories().0
}

/// Cargo in this repository, without what it says of this package to its tests: `ring` is built anew where that is another than
/// at the build before, and with it most of the program.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(repository());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    cargo
}

/// The built `mainstay`, of the same profile as the test, built on first use; or the one that `MAINSTAY_PROGRAM` names, so
/// that a campaign can go on for an hour with a copy while another one is built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("MAINSTAY_PROGRAM") {
            return PathBuf::from(program);
        }
        let (target, profile) = build_directories();
        let mut cargo = cargo();
        cargo.args([
            "build", "--quiet", "--locked", "-p", "mainstay", "--bin", "mainstay",
        ]);
        cargo.arg("--target-dir").arg(&target);
        if profile == "release" {
            cargo.arg("--release");
        }
        assert!(
            cargo.status().unwrap().success(),
            "cannot build the program"
        );
        target.join(profile).join("mainstay")
    })
}

/// Waits until `look` gives something. Panics with what was wanted and `seen` where it never does.
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    wait_within(DEADLINE, what, look)
}

/// As [`wait_for`], at most for so long.
pub fn wait_within<T>(
    most: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(
                begun.elapsed() < most,
                "waited {most:?} for {what}; last seen: {seen}"
            ),
        }
        // The pace of looking, not a time that anything relies on. To look may start a program and have a daemon answer, so
        // who waits long looks less often, and leaves the machine to what is waited for.
        let pace = begun.elapsed() / 8;
        std::thread::sleep(pace.clamp(Duration::from_millis(10), Duration::from_millis(250)));
    }
}

/// A TCP port that is free now, and that the kernel gives to no connection: who takes one of its own range finds it taken by
/// another test's connection when its server starts.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let of_kernel: u32 = range.split_whitespace().next().unwrap().parse().unwrap();
    let ports = of_kernel.saturating_sub(FIRST);
    // Each process begins elsewhere, and gives none of them twice before all were given.
    let begin = std::process::id().wrapping_mul(997);
    (0..ports)
        .map(|_| FIRST + begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % ports)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port below those of the kernel")
}
