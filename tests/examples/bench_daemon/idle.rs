//! Resident memory of a daemon that has nothing to do.

use mainstay_tests::{Daemon, guest, plugin, resident_kb};
use std::path::PathBuf;

const PLUGINS: [&str; 8] = [
    "restart-service",
    "run-command",
    "corruption-restore",
    "disk-cleanup",
    "webhook",
    "log-file",
    "age-retention",
    "gfs-retention",
];
const PROBES: [&[&str]; 3] = [&[], &["v1_0_1"], &["v2_0_0"]];

/// Settings that three of the plugins need to serve.
const CONFIG: &str = r#"
[host]
state_dir = "state"
plugin_dir = "plugins"
[plugin.webhook]
grants = { http = ["http://127.0.0.1:1"] }
settings = { url = "http://127.0.0.1:1/" }
[plugin.log-file]
grants = { dir = [{ path = "plugins", write = true }] }
settings = { path = "plugins/alerts.log" }
[plugin.disk-cleanup]
grants = { dir = [{ path = "plugins", write = true }] }
settings = { directory = "plugins", older_than = "1d" }
"#;

pub(crate) fn idle_memory() {
    let mut daemon = Daemon::prepare(CONFIG);
    let mut components: Vec<PathBuf> = PLUGINS.iter().map(|name| plugin(name)).collect();
    components.extend(PROBES.iter().map(|features| guest("probe", features)));
    for component in &components {
        daemon.drop_plugin(component);
    }
    daemon.set_env("RUST_LOG", "info");
    daemon.run();
    daemon.wait_for_plugins(components.len());
    println!(
        "idle daemon with {} plugins: {} kB resident",
        components.len(),
        resident_kb(daemon.pid())
    );
}
