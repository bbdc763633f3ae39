//! Building a plugin's crate to a component.
//!
//! Invariant: each compiler has a target directory of its own; the route that adds a target to the active one shares it.
//! Invariant: a component does not say where its dependencies lay when it was built, which would tell the author's home and
//! make two builds of the same sources differ.

use super::{
    QUESTION_TIMEOUT, Route, TARGET, Toolchain, places::without_places, run, run::RunError, tool,
};
use mainstay_domain::code::ErrorCode;
use serde::Deserialize;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The profile that is used where the workspace has it; else `release`.
const PROFILE: &str = "guest";

/// What is built.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    /// Where its `Cargo.toml` is, or that of its workspace.
    pub manifest_dir: &'a Path,
    /// Which package; absent: the one of `manifest_dir`.
    pub package: Option<&'a str>,
    /// Its features to switch on.
    pub features: &'a [&'a str],
    /// Where cargo may write, and each toolchain gets a directory in it; absent: `guests` in the target directory of
    /// the workspace, so that its plugins share what they depend on.
    pub target_dir: Option<&'a Path>,
    /// Whether `Cargo.lock` must be there and fit.
    pub locked: bool,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The compiler or the linker refused; the error holds what they said.
    #[error("cannot build the plugin in {directory}: {error}{}", remedy(.error))]
    Cargo {
        /// Where.
        directory: PathBuf,
        /// What cargo said.
        error: RunError,
    },
    /// It built something else.
    #[error(
        "building {directory} gave no component: its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`"
    )]
    NoComponent {
        /// Where.
        directory: PathBuf,
    },
}

/// What to do where a part of the toolchain is missing; empty where the reason is another.
fn remedy(error: &RunError) -> String {
    let code = ErrorCode::NoToolchain;
    match error {
        RunError::NotStarted { .. } => format!("; install Rust from https://rustup.rs [{code}]"),
        RunError::Failed { output, .. }
            if output.contains("linker `wasm-component-ld` not found") =>
        {
            format!("; wasm-component-ld comes with rustup's Rust 1.82 and later [{code}]")
        }
        RunError::Failed { output, .. } if output.contains("can't find crate for `std`") => {
            format!("; run `rustup target add {TARGET}` [{code}]")
        }
        _ => String::new(),
    }
}

impl Toolchain {
    /// Builds, and answers with the path of the component. `report` hears each line that cargo prints.
    pub fn build(&self, build: &Build<'_>, report: &dyn Fn(&str)) -> Result<PathBuf, BuildError> {
        let directory = build.manifest_dir.to_path_buf();
        let failed = |error| BuildError::Cargo {
            directory: directory.clone(),
            error,
        };
        let mut cargo = self.cargo(build.manifest_dir);
        cargo.args(["build", "--target", TARGET, "--color", "never"]);
        cargo.args(["--message-format", "json-render-diagnostics"]);
        let workspace = Workspace::of(build.manifest_dir).map_err(failed)?;
        let has_profile = workspace.has_profile();
        cargo.args(["--profile", if has_profile { PROFILE } else { "release" }]);
        let target_dir = build
            .target_dir
            .map_or_else(|| workspace.target_directory.join("guests"), Path::to_owned);
        cargo
            .arg("--target-dir")
            .arg(target_dir.join(match self.route {
                Route::Active | Route::Rustup => "active",
                Route::Debian => "debian",
            }));
        if let Some(flags) = without_places(&workspace.workspace_root) {
            cargo.args(["--config", &flags]);
        }
        if build.locked {
            cargo.arg("--locked");
        }
        if let Some(package) = build.package {
            cargo.args(["--package", package]);
        }
        if !build.features.is_empty() {
            cargo.args(["--features", &build.features.join(",")]);
        }
        let messages = run::stream(cargo, report).map_err(failed)?;
        component_of(&messages).ok_or(BuildError::NoComponent { directory })
    }

    fn cargo(&self, directory: &Path) -> Command {
        let mut cargo = tool("cargo", directory);
        // What an outer cargo, or a user's setting for native builds, says is not meant for guests.
        for variable in [
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
        ] {
            cargo.env_remove(variable);
        }
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        if let Some(linker) = &self.linker_directory {
            cargo.env("PATH", with_path_in_front(linker));
        }
        cargo
    }
}

fn with_path_in_front(directory: &Path) -> OsString {
    let mut path = directory.as_os_str().to_owned();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

/// The workspace that a package is in, or its own, as `cargo metadata` tells it.
#[derive(Deserialize)]
struct Workspace {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    fn of(directory: &Path) -> Result<Self, RunError> {
        let mut cargo = tool("cargo", directory);
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata = run::capture(cargo, QUESTION_TIMEOUT)?;
        serde_json::from_str(&metadata).map_err(|error| RunError::Unreadable {
            tool: "cargo metadata".to_owned(),
            error,
        })
    }

    fn has_profile(&self) -> bool {
        let manifest = self.workspace_root.join("Cargo.toml");
        let text = std::fs::read_to_string(manifest).unwrap_or_default();
        text.parse::<toml::Table>().is_ok_and(|manifest| {
            let profiles = manifest.get("profile").and_then(toml::Value::as_table);
            profiles.is_some_and(|profiles| profiles.contains_key(PROFILE))
        })
    }
}

/// The last component among cargo's messages: what was asked for is built after what it depends on.
fn component_of(messages: &str) -> Option<PathBuf> {
    let artifacts = messages.lines().rev().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message.get("reason")? == "compiler-artifact").then_some(message)
    });
    let mut files = artifacts.flat_map(|artifact| {
        let names = artifact.get("filenames").and_then(|names| names.as_array());
        let paths = names.into_iter().flatten().filter_map(|name| name.as_str());
        paths.map(PathBuf::from).collect::<Vec<_>>()
    });
    files.find(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_the_last_one_built() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","filenames":["/t/dep.wasm","/t/libdep.rlib"]}"#,
            "\n",
            "not json\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/plugin.wasm"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/build-script"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(component_of(messages), Some("/t/plugin.wasm".into()));
        assert_eq!(component_of(r#"{"reason":"build-finished"}"#), None);
    }

    #[test]
    fn what_is_missing_is_named_with_what_brings_it() {
        use std::os::unix::process::ExitStatusExt;
        let failed = |output: &str| RunError::Failed {
            tool: "cargo".to_owned(),
            status: std::process::ExitStatus::from_raw(101 << 8),
            output: output.to_owned(),
        };
        let not_started = RunError::NotStarted {
            tool: "cargo".to_owned(),
            error: std::io::ErrorKind::NotFound.into(),
        };
        for (error, expected) in [
            (not_started, "install Rust from https://rustup.rs [MS-0601]"),
            (
                failed("error: linker `wasm-component-ld` not found"),
                "wasm-component-ld comes with rustup's Rust 1.82 and later [MS-0601]",
            ),
            (
                failed("error[E0463]: can't find crate for `std`"),
                "run `rustup target add wasm32-wasip2` [MS-0601]",
            ),
        ] {
            let directory = PathBuf::from("fix-api");
            let text = BuildError::Cargo { directory, error }.to_string();
            assert!(text.ends_with(expected), "{text}");
        }
        assert_eq!(remedy(&failed("error[E0425]: cannot find value `x`")), "");
    }

    #[test]
    fn the_guest_profile_is_used_where_the_workspace_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let manifest = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        std::fs::create_dir(directory.path().join("src")).unwrap();
        std::fs::write(directory.path().join("src/lib.rs"), "").unwrap();
        for (profile, expected) in [
            ("", false),
            ("[profile.guest]\ninherits = \"release\"\n", true),
        ] {
            let text = format!("{manifest}{profile}");
            std::fs::write(directory.path().join("Cargo.toml"), text).unwrap();
            let workspace = Workspace::of(directory.path()).unwrap();
            assert_eq!(workspace.has_profile(), expected);
        }
    }

    /// By hand, for it takes minutes and the network:
    /// `MAINSTAY_TOOLCHAIN=debian cargo test -p mainstay --lib builds_a_plugin -- --ignored --nocapture`.
    #[test]
    #[ignore = "downloads and compiles"]
    fn builds_a_plugin_by_the_forced_route() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let report = |line: &str| println!("  {line}");
        let start = std::time::Instant::now();
        let toolchain = Toolchain::find_or_provide(&root, &|_| true, &report).unwrap();
        println!("{} after {:?}", toolchain.route().as_str(), start.elapsed());
        let target = std::env::temp_dir().join("mainstay-toolchain-test");
        let build = Build {
            manifest_dir: &root,
            package: Some("restart-service"),
            features: &[],
            target_dir: Some(&target),
            locked: true,
        };
        let component = toolchain.build(&build, &report).unwrap();
        let size = component.metadata().unwrap().len();
        println!(
            "{} with {size} bytes after {:?}",
            component.display(),
            start.elapsed()
        );
        assert!(
            std::fs::read(&component)
                .unwrap()
                .starts_with(b"\0asm\x0d\0\x01\0")
        );
    }
}
