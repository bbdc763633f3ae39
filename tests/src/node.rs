//! Servers out of packages of the npm registry.

use crate::python::{installed_once, must};
use std::{path::PathBuf, process::Command};

/// Where the modules are of a package, told by its name and version, and of what it needs; put below the target directory, in the
/// directory `name`, which needs `node` with `npm`, and their registry once.
pub(crate) fn modules_with(name: &str, package: &str) -> PathBuf {
    let home = installed_once(name, package, |home| {
        let install = ["install", "--loglevel=error", "--no-audit", "--no-fund"];
        must(
            Command::new("npm")
                .args(install)
                .args(["--ignore-scripts", "--prefix"])
                .arg(home)
                .arg(package),
            "servers of the npm registry need `node` with `npm`",
        );
    });
    home.join("node_modules")
}
