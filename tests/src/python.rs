//! Servers out of packages of PyPI, each in a Python of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// A Python that has a package, told by its name and version; put below the target directory, in the directory `name`, which
/// needs `python3` and PyPI once.
pub(crate) fn python_with(name: &str, package: &str) -> PathBuf {
    let home = installed_once(name, package, |home| {
        let tools = home.join("python");
        let needs = "servers of PyPI need `python3` with `venv`";
        must(
            Command::new("python3").args(["-m", "venv"]).arg(&tools),
            needs,
        );
        let pip = tools.join("bin/pip");
        must(
            Command::new(pip).args(["install", "--quiet", package]),
            needs,
        );
    });
    home.join("python/bin/python")
}

/// The directory `name` below the target directory, into which a package is installed where it was not yet.
pub(crate) fn installed_once(name: &str, package: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let home = crate::build_directories().0.join(name);
    fs::create_dir_all(&home).unwrap();
    let lock = File::create(home.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let complete = home.join("complete");
    let is_complete = fs::read_to_string(&complete).is_ok_and(|text| text == package);
    if !is_complete {
        install(&home);
        fs::write(complete, package).unwrap();
    }
    home
}

/// Runs it to its end, which has to be a good one; `needs` says what it needs.
pub(crate) fn must(command: &mut Command, needs: &str) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; {needs}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}
