//! Built components: the first-party plugins and the tests' own guests.

use crate::{
    repository,
    sources::{carried, digest_of_guest, digest_of_plugins, packed},
};
use mainstay::toolchain::{Build, ROUTE_VARIABLE, Toolchain};
use serde_json::Value;
use std::{
    collections::HashMap,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
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

/// A first-party plugin of this repository: the one that comes with the program where that is made of these sources; else
/// built on first use.
pub fn plugin(name: &str) -> PathBuf {
    static IS_CARRIED: OnceLock<bool> = OnceLock::new();
    let is_carried = IS_CARRIED.get_or_init(|| {
        let record = fs::read(carried().join("carried.json")).unwrap();
        let record: Value = serde_json::from_slice(&record).unwrap();
        record["sources"] == digest_of_plugins()
    });
    if !is_carried {
        return guest(name, &[]);
    }
    let kept = kept_as(name, &digest_of_guest(name));
    if !kept.exists() {
        let component = zstd::decode_all(fs::File::open(packed(name)).unwrap()).unwrap();
        keep(&component, &kept);
    }
    kept
}

/// A guest with cargo features, e.g. another version of itself. Built on first use of these sources, and kept.
pub fn guest(name: &str, features: &[&str]) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let key = [&[name], features].concat().join("+");
    let kept = kept_as(&key, &digest_of_guest(name));
    let _building = BUILDING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if !kept.exists() {
        report(&format!("building guest {key}"));
        let build = Build {
            manifest_dir: repository(),
            package: Some(name),
            features,
            target_dir: Some(&directory()),
            locked: true,
        };
        let component = toolchain().build(&build, &report).unwrap();
        // The next build with other features writes to the same place, so this one is kept elsewhere.
        keep(&fs::read(component).unwrap(), &kept);
    }
    kept
}

fn directory() -> PathBuf {
    crate::build_directories().0.join("guests")
}

/// Where a component of these sources is kept, from one run of the tests to the next. Another route is another compiler, and so
/// is that of another `rust-toolchain.toml`.
fn kept_as(key: &str, digest: &str) -> PathBuf {
    let route = std::env::var(ROUTE_VARIABLE).unwrap_or_default();
    let toolchain = fs::read(repository().join("rust-toolchain.toml")).unwrap();
    let compiler = blake3::hash(&toolchain).to_hex().to_string();
    let name = format!("{key}-{digest:.16}-{compiler:.8}{route}.wasm");
    directory().join("kept").join(name)
}

/// Keeps it, whole or not at all: another run may look for it.
fn keep(component: &[u8], kept: &Path) {
    let directory = kept.parent().unwrap();
    fs::create_dir_all(directory).unwrap();
    let mut unfinished = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(directory)
        .unwrap();
    unfinished.write_all(component).unwrap();
    unfinished.persist(kept).unwrap();
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
