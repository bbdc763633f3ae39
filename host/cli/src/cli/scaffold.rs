//! A new plugin, as files: what `plugin new` writes.
//!
//! Invariant: every placeholder of a template is filled.

use mainstay_domain::{name::PluginName, plugin::PluginKind};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where the SDK of a new plugin is.
pub(super) enum Sdk {
    /// In this directory.
    At(PathBuf),
    /// The workspace around it says.
    OfWorkspace,
}

/// What the package's name is and what it depends on.
pub(super) struct Scaffold<'a> {
    /// The plugin's name.
    pub(super) name: &'a PluginName,
    /// What it does.
    pub(super) kind: PluginKind,
    /// The SDK that it is built with.
    pub(super) sdk: &'a Sdk,
    /// Whether a workspace around it has the profile `guest`, which only a workspace's root may have.
    pub(super) in_workspace: bool,
}

/// What differs by kind, beside the code.
struct Texts {
    summary: &'static str,
    /// What a config needs.
    config: &'static str,
    /// A whole config to try it with.
    trial: &'static str,
    /// How its first call is had from a daemon with that config, in a line.
    then: &'static str,
}

impl Scaffold<'_> {
    /// Every file: where, below the package's directory, and its text.
    pub(super) fn files(&self) -> [(&'static str, String); 6] {
        let (lib, decide) = match self.kind {
            PluginKind::RecoveryHandler => (
                include_str!("templates/recovery-handler/lib.rs.in"),
                include_str!("templates/recovery-handler/decide.rs.in"),
            ),
            PluginKind::Alerter => (
                include_str!("templates/alerter/lib.rs.in"),
                include_str!("templates/alerter/decide.rs.in"),
            ),
            PluginKind::RetentionPolicy => (
                include_str!("templates/retention-policy/lib.rs.in"),
                include_str!("templates/retention-policy/decide.rs.in"),
            ),
            PluginKind::Detector => (
                include_str!("templates/detector/lib.rs.in"),
                include_str!("templates/detector/decide.rs.in"),
            ),
            PluginKind::RecoveryStrategy => (
                include_str!("templates/recovery-strategy/lib.rs.in"),
                include_str!("templates/recovery-strategy/decide.rs.in"),
            ),
            PluginKind::BackupSource => (
                include_str!("templates/backup-source/lib.rs.in"),
                include_str!("templates/backup-source/decide.rs.in"),
            ),
            PluginKind::DurableRecoveryHandler => (
                include_str!("templates/durable-recovery-handler/lib.rs.in"),
                include_str!("templates/durable-recovery-handler/decide.rs.in"),
            ),
        };
        [
            (
                "Cargo.toml",
                self.fill(include_str!("templates/Cargo.toml.in")),
            ),
            (
                "README.md",
                self.fill(include_str!("templates/README.md.in")),
            ),
            ("mainstay.toml", self.fill(self.texts().trial)),
            (
                ".gitignore",
                include_str!("templates/gitignore.in").to_owned(),
            ),
            ("src/lib.rs", self.fill(lib)),
            ("src/decide.rs", self.fill(decide)),
        ]
    }

    /// What a daemon's config needs for it: to be pasted.
    pub(super) fn config(&self) -> String {
        self.fill(self.texts().config)
    }

    /// What is said of how its first call is had.
    pub(super) fn then(&self) -> &'static str {
        self.texts().then
    }

    fn texts(&self) -> Texts {
        match self.kind {
            PluginKind::RecoveryHandler => Texts {
                summary: "Restarts a failed service, and asks for a person when that does not help",
                config: include_str!("templates/recovery-handler/config.toml.in"),
                trial: include_str!("templates/recovery-handler/try.toml.in"),
                then: "mainstay recover try --failure service-down --wait",
            },
            PluginKind::Alerter => Texts {
                summary: "Posts alerts as JSON to a URL",
                config: include_str!("templates/alerter/config.toml.in"),
                trial: include_str!("templates/alerter/try.toml.in"),
                then: "mainstay events --follow     # `try` ends after ten seconds, and that is an alert",
            },
            PluginKind::RetentionPolicy => Texts {
                summary: "Keeps backups for a number of days",
                config: include_str!("templates/retention-policy/config.toml.in"),
                trial: include_str!("templates/retention-policy/try.toml.in"),
                then: "mainstay backup create state",
            },
            PluginKind::Detector => Texts {
                summary: "Looks whether a URL answers, and how fast",
                config: include_str!("templates/detector/config.toml.in"),
                trial: include_str!("templates/detector/try.toml.in"),
                then: "mainstay status try",
            },
            PluginKind::RecoveryStrategy => Texts {
                summary: "Waits twice as long after each failed attempt, and then asks for a person",
                config: include_str!("templates/recovery-strategy/config.toml.in"),
                trial: include_str!("templates/recovery-strategy/try.toml.in"),
                then: "mainstay events --follow     # `try` ends after ten seconds, and its recovery is decided on",
            },
            PluginKind::BackupSource => Texts {
                summary: "Gives what a URL answers to a backup",
                config: include_str!("templates/backup-source/config.toml.in"),
                trial: include_str!("templates/backup-source/try.toml.in"),
                then: "mainstay backup create state",
            },
            PluginKind::DurableRecoveryHandler => Texts {
                summary: "Restarts a failed service after a pause that outlives the host",
                config: include_str!("templates/durable-recovery-handler/config.toml.in"),
                trial: include_str!("templates/durable-recovery-handler/try.toml.in"),
                then: "mainstay recover try --failure service-down --wait",
            },
        }
    }

    fn fill(&self, template: &str) -> String {
        let texts = self.texts();
        // What came with contract 1.1.0 is built against it, and all else against what every host speaks.
        let features = match self.kind {
            PluginKind::RecoveryHandler | PluginKind::Alerter | PluginKind::RetentionPolicy => "",
            PluginKind::Detector
            | PluginKind::RecoveryStrategy
            | PluginKind::BackupSource
            | PluginKind::DurableRecoveryHandler => ", features = [\"contract-1-1\"]",
        };
        let sdk = match self.sdk {
            // TOML's literal strings have no escapes.
            Sdk::At(path) => format!(
                "{{ path = '{}', default-features = false{features} }}",
                path.display()
            ),
            Sdk::OfWorkspace => format!("{{ workspace = true{features} }}"),
        };
        let root = if self.in_workspace {
            ""
        } else {
            include_str!("templates/root.toml.in").trim_end()
        };
        let filled = template
            .replace("{{summary}}", texts.summary)
            .replace("{{config}}", texts.config.trim_end())
            .replace("{{then}}", texts.then)
            .replace("{{sdk}}", &sdk)
            .replace("{{root}}", root)
            .replace("{{name}}", self.name.as_str());
        format!("{}\n", filled.trim_end())
    }
}

/// Writes a file, and the directories that it is in.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

/// A workspace with the profile `guest` that has a directory among its members.
pub(super) struct Workspace {
    /// Where its `Cargo.toml` is.
    pub(super) root: PathBuf,
    /// Whether it says where the SDK is.
    pub(super) has_sdk: bool,
}

/// The workspace around a directory.
pub(super) fn workspace_of(directory: &Path) -> Option<Workspace> {
    directory.ancestors().skip(1).find_map(|root| {
        let manifest = fs::read_to_string(root.join("Cargo.toml")).ok()?;
        let manifest: toml::Table = manifest.parse().ok()?;
        let has_profile = manifest.get("profile")?.get("guest").is_some();
        let workspace = manifest.get("workspace")?;
        let members = workspace.get("members")?.as_array()?;
        let mut members = members.iter().filter_map(|one| one.as_str());
        let has_it = members.any(|member| is_member(root, member, directory));
        let dependencies = workspace.get("dependencies");
        let sdk = dependencies.and_then(|all| all.get("mainstay-plugin-sdk"));
        (has_profile && has_it).then(|| Workspace {
            root: root.to_owned(),
            has_sdk: sdk.is_some(),
        })
    })
}

/// A member is a path, or `…/*` for everything in one.
fn is_member(root: &Path, member: &str, directory: &Path) -> bool {
    match member.strip_suffix("/*") {
        Some(parent) => directory.parent() == Some(&root.join(parent)),
        None => directory == root.join(member),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_are_in_a_workspace() {
        let root = tempfile::tempdir().unwrap();
        let manifest = "[workspace]\nmembers = [\"one\", \"plugins/*\"]\n[profile.guest]\n";
        std::fs::write(root.path().join("Cargo.toml"), manifest).unwrap();
        for (path, expected) in [
            ("one", true),
            ("plugins/two", true),
            ("plugins/two/three", false),
            ("elsewhere", false),
        ] {
            let directory = root.path().join(path);
            assert_eq!(workspace_of(&directory).is_some(), expected, "{path}");
        }
    }

    #[test]
    fn every_placeholder_is_filled_and_both_manifests_are_toml() {
        let name = PluginName::parse("fix-api").unwrap();
        for kind in PluginKind::ALL {
            let at = Sdk::At(PathBuf::from("vendor/mainstay-plugin-sdk"));
            for (sdk, in_workspace) in [(&at, false), (&at, true), (&Sdk::OfWorkspace, true)] {
                let scaffold = Scaffold {
                    name: &name,
                    kind,
                    sdk,
                    in_workspace,
                };
                let _: toml::Table = scaffold.config().parse().unwrap();
                for (path, text) in scaffold.files() {
                    assert!(!text.contains("{{"), "{kind} {path}\n{text}");
                    if path == "Cargo.toml" {
                        let manifest: toml::Table = text.parse().unwrap();
                        assert_eq!(manifest["package"]["name"].as_str(), Some("fix-api"));
                        assert_eq!(manifest.contains_key("workspace"), !in_workspace);
                        assert!(manifest["dependencies"]["mainstay-plugin-sdk"].is_table());
                        assert_eq!(manifest["dependencies"].as_table().unwrap().len(), 1);
                    }
                    if path == "mainstay.toml" {
                        let _: toml::Table = text.parse().unwrap();
                    }
                    if path == "README.md" {
                        let config = text.split("```toml\n").nth(1).unwrap();
                        let config = config.split("```").next().unwrap();
                        let _: toml::Table = config.parse().unwrap();
                    }
                }
            }
        }
    }
}
