//! The plugins that come with the program: what there is, and putting them where a daemon takes them from.
//!
//! Invariant: a component is never half in its place, and no other one is ever replaced.

mod examples;

use super::{
    arguments::Global,
    failure::{WithHelp, cannot},
    output::{Block, Output, Tone, cell},
    plugins,
};
use crate::carried::{self, Carried, CarriedError};
use anyhow::{Context, bail};
use examples::{example_of, grant_of, least_of};
use mainstay_api::{PluginKind, WrittenPlugin};
use mainstay_daemon::config::{self, ConfigErrors, EntityKind, Examined};
use mainstay_domain::name::PluginName;
use std::{
    borrow::Borrow,
    collections::BTreeSet,
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
};

/// `mainstay plugin list --available`.
pub(super) fn list(out: &Output) -> anyhow::Result<()> {
    let all = carried::all()?;
    if out.json {
        let all: Vec<_> = all.into_iter().map(|plugin| plugin.about).collect();
        return out.json_line(&all);
    }
    if all.is_empty() {
        return out.line("this program was built without plugins");
    }
    for plugin in &all {
        let about = &plugin.about;
        out.line(&heading_of(plugin))?;
        tell(out, 2, &about.summary)?;
        if !about.handles.is_empty() {
            tell(out, 2, &format!("handles {}", about.handles.join(", ")))?;
        }
        needs(out, plugin)?;
    }
    out.line("mainstay plugin install NAME puts one into the plugin directory")
}

/// What stands above what is told of a plugin.
pub(super) fn heading_of(plugin: &Carried) -> String {
    let about = &plugin.about;
    format!("{} {}, {}", about.name, about.version, about.kind)
}

/// What a plugin needs of the config: what it asks for, and its settings.
fn needs(out: &Output, plugin: &Carried) -> anyhow::Result<()> {
    let about = &plugin.about;
    for asked in &about.capabilities {
        tell(out, 2, &format!("asks for {}: {}", asked.name, asked.why))?;
    }
    let settings = about.settings_schema.as_ref().map(plugins::settings_of);
    for setting in settings.unwrap_or_default() {
        tell(out, 2, &format!("setting {setting}"))?;
    }
    Ok(())
}

/// A text below what it is about; where it goes on it is twice as deep.
pub(super) fn tell(out: &Output, indent: usize, text: &str) -> anyhow::Result<()> {
    out.show(&[Block::Text {
        hang: 2 * indent,
        pieces: vec![
            cell(" ".repeat(indent), Tone::Plain),
            cell(text, Tone::Plain),
        ],
    }])
}

/// The one of this name; where none comes with the program, the error has those that do.
pub(super) fn named(name: &PluginName) -> anyhow::Result<Carried> {
    carried::named(name.as_str()).map_err(|error| with_meant(name, error))
}

/// Why one does not come with the program, with the name that it was meant to be where one is near.
fn with_meant(name: &PluginName, error: CarriedError) -> anyhow::Error {
    let all = carried::all().unwrap_or_default();
    let names = all.iter().map(|plugin| plugin.about.name.as_str());
    let meant = config::nearest(name.as_str(), names.clone());
    let meant = meant.or_else(|| {
        // As `gfs` of `gfs-retention`.
        let has_word = |whole: &&str| whole.split('-').any(|word| word == name.as_str());
        let mut found = names.filter(has_word);
        found.next().filter(|_| found.next().is_none())
    });
    if let (CarriedError::Unknown { .. }, Some(meant)) = (&error, meant) {
        return WithHelp {
            error: format!("no plugin `{name}` comes with this program"),
            help: Some(format!("did you mean `{meant}`?")),
        }
        .into();
    }
    error.into()
}

/// `mainstay plugin install`.
pub(super) fn install(
    global: &Global,
    out: &Output,
    names: &[PluginName],
    into: Option<PathBuf>,
) -> anyhow::Result<()> {
    // All names are known before anything is written.
    let plugins: Vec<Carried> = names.iter().map(named).collect::<anyhow::Result<_>>()?;
    let (directory, configured) = match into {
        Some(directory) => {
            let directory = std::path::absolute(&directory);
            let directory = directory.context("cannot tell the present directory")?;
            (directory, BTreeSet::new())
        }
        None => {
            let file = config::find(global.config.as_deref())?;
            // What is wrong with the rest keeps nobody from putting there what the config names.
            let Examined { loaded, problems } = config::examine(&file);
            let loaded = loaded.ok_or(ConfigErrors { problems })?;
            let is_named = |name: &&PluginName| loaded.defines(EntityKind::Plugin, name.as_str());
            let configured = names.iter().filter(is_named).cloned().collect();
            (loaded.spec.host.plugin_dir, configured)
        }
    };
    for (name, plugin) in names.iter().zip(&plugins) {
        install_one(out, plugin, &directory, configured.contains(name))?;
    }
    Ok(())
}

fn install_one(
    out: &Output,
    plugin: &Carried,
    directory: &Path,
    is_configured: bool,
) -> anyhow::Result<()> {
    let put = put(plugin, directory)?;
    if out.json {
        return out.json_line(&WrittenPlugin {
            name: plugin.about.name.clone(),
            kind: plugin.about.kind,
            directory: directory.display().to_string(),
        });
    }
    let shown = path_in(directory, plugin);
    out.line(&match put {
        Put::New => format!("wrote {}", shown.display()),
        Put::WasThere => format!("{} is there already", shown.display()),
    })?;
    if is_configured {
        needs(out, plugin)?;
        return out.line(&format!(
            "[plugin.{}] is in the config; `mainstay check` says what is missing",
            plugin.about.name
        ));
    }
    tell_config(out, plugin)
}

/// What to add to the config for a plugin that it does not name.
pub(super) fn tell_config(out: &Output, plugin: &Carried) -> anyhow::Result<()> {
    needs(out, plugin)?;
    out.line("add to the config, with values of your own; `mainstay check` says what is missing:")?;
    out.verbatim(&config_of(plugin).join("\n"))
}

/// The longest line of an example: as wide as a terminal is at least.
const WIDEST: usize = 80;

/// What a config needs for a plugin, with examples for its values: who names it, what is granted and what is set.
fn config_of(plugin: &Carried) -> Vec<String> {
    let about = &plugin.about;
    let name = &about.name;
    let mut lines = match about.kind {
        PluginKind::RecoveryHandler | PluginKind::DurableRecoveryHandler => vec![
            "[[route]]".to_owned(),
            format!("chain = [{{ handler = \"{name}\" }}]"),
        ],
        PluginKind::Alerter => {
            let mut lines = vec!["[[alert]]".to_owned(), format!("alerter = \"{name}\"")];
            let least = least_of(name).map(|word| format!("min_severity = \"{word}\""));
            lines.extend(least);
            lines
        }
        PluginKind::RetentionPolicy => vec![
            "# in a [[job]]".to_owned(),
            format!("retention = {{ policy = \"{name}\" }}"),
        ],
        PluginKind::Detector => vec![
            "[[target.check]]".to_owned(),
            "kind = \"plugin\"".to_owned(),
            format!("plugin = \"{name}\""),
            "params = { url = \"https://hooks.example/health\" }".to_owned(),
        ],
        PluginKind::RecoveryStrategy => vec![
            "# in a [[route]]".to_owned(),
            format!("strategy = {{ kind = \"exponential\", plugin = \"{name}\" }}"),
        ],
        PluginKind::BackupSource => vec![
            "# in a [[job]]".to_owned(),
            format!("source = [{{ kind = \"plugin\", plugin = \"{name}\", prefix = \"export\" }}]"),
        ],
    };
    let asked = about.capabilities.iter();
    let grants: Vec<_> = asked
        .filter_map(|asked| grant_of(name, &asked.name))
        .collect();
    let schema = about.settings_schema.as_ref();
    let required = schema.and_then(|schema| schema.get("required")?.as_array());
    let required = required.into_iter().flatten();
    let settings: Vec<String> = required
        .filter_map(|setting| setting.as_str())
        .map(|setting| format!("{setting} = {}", example_of(name, setting)))
        .collect();
    if grants.is_empty() && settings.is_empty() {
        return lines;
    }
    lines.extend([String::new(), format!("[plugin.{name}]")]);
    lines.extend(table("grants", &grants));
    lines.extend(table("settings", &settings));
    lines
}

/// A table of the config on one line, or a line for each of its keys where that is too long.
fn table<S: Borrow<str> + Display>(name: &str, keys: &[S]) -> Vec<String> {
    let inline = format!("{name} = {{ {} }}", keys.join(", "));
    match keys {
        [] => Vec::new(),
        _ if inline.len() <= WIDEST => vec![inline],
        _ => keys.iter().map(|key| format!("{name}.{key}")).collect(),
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It is there now.
    New,
    /// It was there before, with these bytes.
    WasThere,
}

pub(super) fn path_in(directory: &Path, plugin: &Carried) -> PathBuf {
    directory.join(format!("{}.wasm", plugin.about.name))
}

/// Puts a plugin into a directory, which is made where it is not there.
pub(super) fn put(plugin: &Carried, directory: &Path) -> anyhow::Result<Put> {
    let path = path_in(directory, plugin);
    let shown = path.display();
    let component = plugin.component()?;
    // What is no regular file is not read: a FIFO would hold this for ever.
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot("cannot look at", &path, &error)),
        Ok(found) => {
            let length = u64::try_from(component.len()).ok();
            let is_same = found.is_file()
                && Some(found.len()) == length
                && fs::read(&path).is_ok_and(|bytes| bytes == component);
            if is_same {
                return Ok(Put::WasThere);
            }
            bail!(
                "{shown} is there with other bytes, and stays; move it away first. Where a daemon has accepted it as \
                 {name}@{version}, `mainstay plugin forget {name}@{version}` lets it accept these",
                name = plugin.about.name,
                version = plugin.about.version
            );
        }
    }
    let partial = directory.join(format!(".{}.wasm.partial", plugin.about.name));
    let written = fs::create_dir_all(directory)
        .and_then(|()| fs::write(&partial, component))
        .and_then(|()| fs::rename(&partial, &path));
    if written.is_err() {
        // A full disk is why there may be half of it.
        let _ = fs::remove_file(&partial);
    }
    written.map_err(|error| cannot("cannot write", &path, &error))?;
    Ok(Put::New)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_api::PluginInspection;

    fn plugin(component: &[u8]) -> Carried {
        let compressed = zstd::encode_all(component, 0).unwrap();
        Carried {
            about: PluginInspection {
                name: "page".to_owned(),
                version: "1.0.0".to_owned(),
                kind: PluginKind::Alerter,
                contract: "1.0.0".to_owned(),
                world: String::new(),
                summary: String::new(),
                handles: Vec::new(),
                capabilities: Vec::new(),
                imports: Vec::new(),
                settings_schema: None,
                size_bytes: 0,
                digest: String::new(),
                signature: None,
            },
            compressed: compressed.leak(),
        }
    }

    #[test]
    fn what_a_config_needs_for_each_carried_plugin_is_said_with_examples() {
        for plugin in carried::all().unwrap() {
            let about = &plugin.about;
            let text = config_of(&plugin).join("\n");
            let table: toml::Table = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            let asked = about.capabilities.iter().map(|asked| asked.name.as_str());
            for asked in asked {
                let plugins = &table["plugin"][&about.name];
                assert!(plugins["grants"].get(asked).is_some(), "{asked}: {text}");
            }
            let schema = about.settings_schema.as_ref();
            let required = schema.and_then(|schema| schema.get("required")?.as_array());
            for setting in required.into_iter().flatten() {
                let setting = setting.as_str().unwrap();
                let example = example_of(&about.name, setting);
                assert!(example.len() > 2, "{setting} has no example");
                assert!(text.contains(&format!("{setting} = ")), "{text}");
            }
            assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        }
    }

    /// `docs/alerts.md` says the same.
    #[test]
    fn each_alerter_is_shown_with_the_least_severity_that_it_is_meant_for() {
        let all = carried::all().unwrap();
        let alerters = all
            .iter()
            .filter(|plugin| plugin.about.kind == PluginKind::Alerter);
        let mut shown: Vec<(String, Option<String>)> = alerters
            .map(|plugin| {
                let table: toml::Table = config_of(plugin).join("\n").parse().unwrap();
                let alert = &table["alert"][0];
                assert_eq!(alert["alerter"].as_str(), Some(&*plugin.about.name));
                let least = alert.get("min_severity").and_then(|least| least.as_str());
                (plugin.about.name.clone(), least.map(str::to_owned))
            })
            .collect();
        shown.sort();
        let expected = [
            ("email", Some("high")),
            // All of it: `low` is the least there is.
            ("log-file", None),
            ("pagerduty", Some("high")),
            ("slack", Some("medium")),
            ("webhook", Some("medium")),
        ];
        let expected =
            expected.map(|(alerter, least)| (alerter.to_owned(), least.map(str::to_owned)));
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_plugin_is_put_where_none_is_and_replaces_nothing() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("new/plugins");
        assert_eq!(put(&plugin(b"one"), &directory).unwrap(), Put::New);
        assert_eq!(put(&plugin(b"one"), &directory).unwrap(), Put::WasThere);
        for other in [b"two".as_slice(), b"longer"] {
            let error = put(&plugin(other), &directory).unwrap_err().to_string();
            assert!(error.contains("other bytes"), "{error}");
        }
        assert_eq!(fs::read(directory.join("page.wasm")).unwrap(), b"one");
        let names = fs::read_dir(&directory).unwrap();
        assert_eq!(names.count(), 1, "no partial file is left");
    }
}
