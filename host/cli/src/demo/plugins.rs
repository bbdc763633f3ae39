//! Builds the plugins that the demo drops: from this repository, with the toolchain that is there or is provided.

use crate::{
    console,
    toolchain::{Build, Toolchain},
};
use anyhow::Context;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The version that the demo's newer handler has.
pub(super) const NEWER: &str = "1.1.0";

/// What was built.
pub(super) struct Built {
    pub(super) restart_service: PathBuf,
    /// The same handler as version [`NEWER`].
    pub(super) newer_restart_service: PathBuf,
    pub(super) corruption_restore: PathBuf,
    pub(super) webhook: PathBuf,
    pub(super) gfs_retention: PathBuf,
    pub(super) run_command: PathBuf,
    /// Loops in `describe`.
    pub(super) looping: PathBuf,
}

/// The repository that this program was built from.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// Finds or provides the toolchain, then builds. What is built already is taken as it is, by cargo's own judgement.
pub(super) async fn build(source: &Path) -> anyhow::Result<(Built, String)> {
    let source = source.to_owned();
    tokio::task::spawn_blocking(move || build_blocking(&source)).await?
}

fn build_blocking(source: &Path) -> anyhow::Result<(Built, String)> {
    if !source.join("plugins").is_dir() {
        anyhow::bail!(
            "{} holds no plugins: the demo builds them from the repository that this program was built from",
            source.display()
        );
    }
    let report = |line: &str| console::note(line);
    let toolchain = Toolchain::find_or_provide(source, &console::agrees, &report)?;
    let target = source.join("target/guests");
    let kept = target.join("demo");
    fs::create_dir_all(&kept).with_context(|| format!("cannot create {}", kept.display()))?;
    // Builds of one package write to one place, so each result is kept under a name of its own.
    let build = |directory: &Path,
                 package: &str,
                 features: &[&str],
                 name: &str|
     -> anyhow::Result<PathBuf> {
        report(&format!("building {name}"));
        let build = Build {
            manifest_dir: directory,
            package: Some(package),
            features,
            target_dir: Some(&target),
            locked: directory == source,
        };
        let component = toolchain.build(&build, &report)?;
        let kept = kept.join(name).with_extension("wasm");
        fs::copy(&component, &kept).with_context(|| format!("cannot keep {}", kept.display()))?;
        Ok(kept)
    };
    let newer = newer_version_of(source, "restart-service", &target)?;
    let built = Built {
        restart_service: build(source, "restart-service", &[], "restart-service")?,
        corruption_restore: build(source, "corruption-restore", &[], "corruption-restore")?,
        webhook: build(source, "webhook", &[], "webhook")?,
        gfs_retention: build(source, "gfs-retention", &[], "gfs-retention")?,
        run_command: build(source, "run-command", &[], "run-command")?,
        looping: build(source, "hostile", &["loop-in-describe"], "looping")?,
        newer_restart_service: build(&newer, "restart-service", &[], "restart-service-newer")?,
    };
    Ok((
        built,
        format!(
            "seven components, by the toolchain route `{}`",
            toolchain.route().as_str()
        ),
    ))
}

/// A copy of a plugin's crate that differs in its version, as its author would make it.
fn newer_version_of(source: &Path, plugin: &str, target: &Path) -> anyhow::Result<PathBuf> {
    let (from, to) = (
        source.join("plugins").join(plugin),
        target.join("newer").join(plugin),
    );
    copy_sources(&from.join("src"), &to.join("src"))?;
    let manifest = fs::read_to_string(from.join("Cargo.toml"))?;
    let sdk = format!(
        "mainstay-plugin-sdk = {{ path = {:?} }}",
        source.join("plugin-sdk")
    );
    let workspace = fs::read_to_string(source.join("Cargo.toml"))?;
    let requirement = |name: &str| -> String {
        let line = workspace
            .lines()
            .find(|line| line.starts_with(&format!("{name} = ")));
        line.map_or_else(|| format!("{name} = \"*\""), str::to_owned)
    };
    let mut alone = String::new();
    for line in manifest.lines() {
        let inherited = line.strip_suffix(".workspace = true");
        match inherited {
            Some("edition") => alone.push_str("edition = \"2024\""),
            Some("license" | "authors" | "publish") => continue,
            Some("mainstay-plugin-sdk") => alone.push_str(&sdk),
            Some(name) => alone.push_str(&requirement(name)),
            None if line.starts_with("version = ") => {
                alone.push_str(&format!("version = {NEWER:?}"))
            }
            None if line == "[lints]" => break,
            // Of its own, for both builds write into one directory.
            None if line == "[lib]" => alone.push_str("[lib]\nname = \"restart_service_newer\""),
            None => alone.push_str(line),
        }
        alone.push('\n');
    }
    alone.push_str(
        "\n[workspace]\n\n[profile.guest]\ninherits = \"release\"\nopt-level = \"s\"\nlto = true\n",
    );
    alone.push_str("codegen-units = 1\npanic = \"abort\"\nstrip = true\n");
    write_if_changed(&to.join("Cargo.toml"), alone.as_bytes())?;
    if !to.join("Cargo.lock").exists() {
        fs::copy(source.join("Cargo.lock"), to.join("Cargo.lock"))?;
    }
    Ok(to)
}

fn copy_sources(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_dir() {
            copy_sources(&path, &to.join(name))?;
        } else {
            write_if_changed(&to.join(name), &fs::read(&path)?)?;
        }
    }
    Ok(())
}

/// Leaves the time of an equal file alone, so that cargo does not build it again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
