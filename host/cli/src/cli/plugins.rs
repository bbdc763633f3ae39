//! Plugins as files: inspected, built, tested. None of it needs a daemon.

use super::{
    component,
    failure::{Ending, cannot},
    output::{Block, Output, Tone, cell, printable, size},
    wiring,
};
use crate::console;
use anyhow::Context;
use mainstay_api::{Capability, PluginInspection};
use mainstay_domain::code::ErrorCode;
use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) async fn inspect(out: &Output, file: &Path) -> anyhow::Result<()> {
    show(out, &component::inspect(file).await?)
}

fn show(out: &Output, inspection: &component::Inspection) -> anyhow::Result<()> {
    if out.json {
        return out.json_line(&form_of(inspection));
    }
    let handles = inspection.handles.iter().map(ToString::to_string).collect();
    let asks = inspection.capabilities.iter();
    let asks = asks.map(|asked| format!("{}: {}", asked.name, asked.why));
    let settings = inspection.settings_schema.as_ref();
    let signature = inspection.signature.clone();
    let mut facts = Vec::new();
    for (name, texts) in [
        (
            "plugin",
            vec![format!("{}@{}", inspection.name, inspection.version)],
        ),
        ("summary", vec![inspection.summary.clone()]),
        ("world", vec![inspection.world.clone()]),
        ("handles", handles),
        ("asks for", asks.collect()),
        ("imports", inspection.imports.clone()),
        ("settings", settings.map_or_else(Vec::new, settings_of)),
        ("size", vec![size(inspection.size_bytes)]),
        ("digest", vec![inspection.digest.clone()]),
        ("signature", vec![signature.unwrap_or("none".to_owned())]),
    ] {
        let texts = match texts.is_empty() {
            true => vec!["-".to_owned()],
            false => texts,
        };
        for (place, text) in texts.into_iter().enumerate() {
            let name = if place == 0 { name } else { "" };
            facts.push((name.to_owned(), cell(text, Tone::Plain)));
        }
    }
    out.show(&[Block::Facts(facts)])
}

/// What `plugin inspect --json` prints.
fn form_of(inspection: &component::Inspection) -> PluginInspection {
    PluginInspection {
        name: inspection.name.to_string(),
        version: inspection.version.to_string(),
        kind: inspection.kind.into(),
        contract: inspection.contract.to_string(),
        world: inspection.world.clone(),
        summary: inspection.summary.clone(),
        handles: inspection.handles.iter().map(ToString::to_string).collect(),
        capabilities: inspection
            .capabilities
            .iter()
            .map(Capability::from)
            .collect(),
        imports: inspection.imports.clone(),
        settings_schema: inspection.settings_schema.clone(),
        size_bytes: inspection.size_bytes,
        digest: inspection.digest.clone(),
        signature: inspection.signature.clone(),
    }
}

/// A line for each setting of a JSON Schema: its name, whether it has to be there, and what it is.
pub(super) fn settings_of(schema: &serde_json::Value) -> Vec<String> {
    let required = schema.get("required").and_then(|names| names.as_array());
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
    let properties = schema.get("properties").and_then(|all| all.as_object());
    let line = |(name, property): (&String, &serde_json::Value)| {
        let text = property.get("description").and_then(|text| text.as_str());
        let text = text.unwrap_or_default().replace('\n', " ");
        let required = if is_required(name) { " (required)" } else { "" };
        printable(&format!("{name}{required}: {}", text.trim_end()))
    };
    properties.into_iter().flatten().map(line).collect()
}

pub(super) async fn build(
    out: &Output,
    directory: &Path,
    file: Option<PathBuf>,
    drop: Option<PathBuf>,
    yes: bool,
) -> anyhow::Result<()> {
    let name = package_name(directory)?;
    let built = wiring::build_component(directory, &name, yes).await?;
    let inspection = component::inspect(&built).await?;
    let file = file.unwrap_or_else(|| directory.join(format!("{name}.wasm")));
    put(&built, &file)?;
    let mut written = vec![format!("wrote {}", file.display())];
    if let Some(plugin_dir) = drop {
        fs::create_dir_all(&plugin_dir)
            .map_err(|error| cannot("cannot make", &plugin_dir, &error))?;
        let dropped = plugin_dir.join(format!("{name}.wasm"));
        put(&built, &dropped)?;
        // What it takes is the daemon's to say.
        written.push(format!(
            "dropped {}; see `mainstay plugin list` for whether the daemon takes it",
            dropped.display()
        ));
    }
    if !out.json {
        out.line(&written.join("\n"))?;
    }
    show(out, &inspection)
}

/// Puts a file into its place in one step, so that nobody ever reads half of it.
fn put(from: &Path, to: &Path) -> anyhow::Result<()> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let partial = to.with_file_name(format!(".{name}.partial"));
    fs::copy(from, &partial)
        .and_then(|_| fs::rename(&partial, to))
        .map_err(|error| cannot("cannot write", to, &error))
}

pub(super) async fn test(out: &Output, directory: &Path, yes: bool) -> anyhow::Result<Ending> {
    let name = package_name(directory)?;
    let mut tests = tokio::process::Command::new("cargo");
    tests
        .args(["test", "--package", &name])
        .current_dir(directory);
    // Standard output is for the inspection.
    tests.stdout(std::io::stderr());
    let status = tests.status().await.with_context(|| {
        let code = ErrorCode::NoToolchain;
        format!("cannot start cargo; install Rust from https://rustup.rs [{code}]")
    })?;
    if !status.success() {
        console::note(format_args!("the native tests of {name} failed"));
        return Ok(Ending::Failed);
    }
    let built = wiring::build_component(directory, &name, yes).await?;
    show(out, &component::inspect(&built).await?)?;
    Ok(Ending::Done)
}

/// The name of the package in a directory, which is the plugin's.
fn package_name(directory: &Path) -> anyhow::Result<String> {
    let manifest = directory.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| {
        format!(
            "cannot read {}; name the plugin's directory",
            manifest.display()
        )
    })?;
    let table: toml::Table = text
        .parse()
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let name = table.get("package").and_then(|package| package.get("name"));
    let name = name.and_then(|name| name.as_str()).map(str::to_owned);
    name.with_context(|| format!("{} has no package.name", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_said_whole() {
        let schema = serde_json::json!({
            "required": ["suffixes"],
            "properties": {
                "keep_bytes": { "description": "Stop when so much is left. Without this all that is old\ngoes." },
                "suffixes": { "description": "Only these, e.g. `.log`; empty for all." },
            }
        });
        assert_eq!(
            settings_of(&schema),
            [
                "keep_bytes: Stop when so much is left. Without this all that is old goes.",
                "suffixes (required): Only these, e.g. `.log`; empty for all.",
            ]
        );
    }
}
