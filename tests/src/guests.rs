//! Built components: the first-party plugins and the tests' own guests.

use crate::repository;
use mainstay::toolchain::{Build, Toolchain};
use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    process::Command,
    sync::{Mutex, OnceLock},
};

/// What makes a component of a guest in Python, by its name and version in PyPI.
const COMPONENTIZE: &str = "componentize-py==0.25.1";

fn toolchain() -> &'static Toolchain {
    static TOOLCHAIN: OnceLock<Toolchain> = OnceLock::new();
    TOOLCHAIN.get_or_init(|| Toolchain::find_or_provide(repository(), &|_| true, &report).unwrap())
}

fn report(line: &str) {
    eprintln!("{line}");
}

/// A first-party plugin of this repository, built on first use.
pub fn plugin(name: &str) -> PathBuf {
    guest(name, &[])
}

/// A guest with cargo features, e.g. another version of itself. Built on first use, and kept under a name of its own.
pub fn guest(name: &str, features: &[&str]) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = [&[name], features].concat().join("+");
    let known = built.get_or_insert_default();
    known
        .entry(key.clone())
        .or_insert_with(|| {
            let target = crate::build_directories().0.join("guests");
            report(&format!("building guest {key}"));
            let build = Build {
                manifest_dir: repository(),
                package: Some(name),
                features,
                target_dir: Some(&target),
                locked: true,
            };
            let component = toolchain().build(&build, &report).unwrap();
            // The next build with other features writes to the same place, so this one is kept elsewhere.
            let kept = target.join("kept");
            fs::create_dir_all(&kept).unwrap();
            let kept = kept.join(format!("{key}-{}.wasm", std::process::id()));
            fs::copy(component, &kept).unwrap();
            kept
        })
        .clone()
}

/// A recovery handler in Python, of `tests/python-guests`, built on first use: one of contract 1.0.0 by the name of
/// `conformance-python`, and a durable one of 1.1.0 by any other. Its toolchain is put below the target directory, which needs
/// `python3` and PyPI once.
pub fn python_guest(name: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = built.get_or_insert_default();
    known
        .entry(name.to_owned())
        .or_insert_with(|| {
            let target = crate::build_directories().0.join("guests");
            let tools = target.join("python");
            let program = tools.join("bin/componentize-py");
            if !program.is_file() {
                report(&format!("providing {COMPONENTIZE}"));
                must(Command::new("python3").args(["-m", "venv"]).arg(&tools));
                let pip = tools.join("bin/pip");
                must(Command::new(pip).args(["install", "--quiet", COMPONENTIZE]));
            }
            report(&format!("building guest {name}"));
            let kept = target.join("kept");
            fs::create_dir_all(&kept).unwrap();
            let kept = kept.join(format!("{name}-{}.wasm", std::process::id()));
            let (contract, world) = match name {
                "conformance-python" => ("plugin-sdk/wit/1.0.0", "recovery-handler"),
                _ => ("plugin-sdk/wit/1.1.0", "durable-recovery-handler"),
            };
            let mut build = Command::new(program);
            build.current_dir(repository().join("tests/python-guests").join(name));
            build.env("PYTHONDONTWRITEBYTECODE", "1");
            build.arg("-d").arg(repository().join(contract));
            build.args(["-w", world, "componentize", "app", "-o"]);
            must(build.arg(&kept));
            kept
        })
        .clone()
}

/// Runs it to its end, which has to be a good one.
fn must(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; the guests in Python need `python3` with `venv`")
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}
