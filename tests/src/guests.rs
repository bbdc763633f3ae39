//! Built components: the first-party plugins and the tests' own guests.

use crate::repository;
use mainstay::toolchain::{Build, Toolchain};
use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Mutex, OnceLock},
};

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
