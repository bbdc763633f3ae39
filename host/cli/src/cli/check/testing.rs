//! Configs for the tests of single looks.

use mainstay_daemon::config::{self, Loaded};
use tempfile::TempDir;

/// A good config that says this beside its `[host]`, and the directory that it lies in.
pub(super) fn loaded(rest: &str) -> (TempDir, Loaded) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mainstay.toml");
    let host = "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n";
    std::fs::write(&file, format!("{host}{rest}\n")).unwrap();
    let loaded = config::load(&file).unwrap();
    (directory, loaded)
}
