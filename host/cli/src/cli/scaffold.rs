//! A new plugin, as files: what `plugin new` writes.
//!
//! Invariant: every placeholder of a template is filled.

use mainstay_domain::{name::PluginName, plugin::PluginKind};
use std::path::{Path, PathBuf};

/// What the package's name is and what it depends on.
pub(super) struct Scaffold<'a> {
    /// The plugin's name.
    pub(super) name: &'a PluginName,
    /// What it does.
    pub(super) kind: PluginKind,
    /// The SDK's directory; absent: by version.
    pub(super) sdk: Option<&'a Path>,
    /// Whether a workspace around it has the profile `guest`, which only a workspace's root may have.
    pub(super) in_workspace: bool,
}

/// The SDK's version that is written where it is not a path.
const SDK_VERSION: &str = "1.0";

impl Scaffold<'_> {
    /// Every file: where, below the package's directory, and its text.
    pub(super) fn files(&self) -> [(&'static str, String); 5] {
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
            (
                ".gitignore",
                include_str!("templates/gitignore.in").to_owned(),
            ),
            ("src/lib.rs", self.fill(lib)),
            ("src/decide.rs", self.fill(decide)),
        ]
    }

    fn fill(&self, template: &str) -> String {
        let (summary, config) = match self.kind {
            PluginKind::RecoveryHandler => (
                "Restarts a failed service, and asks for a person when that does not help",
                include_str!("templates/recovery-handler/config.toml.in"),
            ),
            PluginKind::Alerter => (
                "Posts alerts as JSON to a URL",
                include_str!("templates/alerter/config.toml.in"),
            ),
            PluginKind::RetentionPolicy => (
                "Keeps backups for a number of days",
                include_str!("templates/retention-policy/config.toml.in"),
            ),
        };
        let sdk = match self.sdk {
            // TOML's literal strings have no escapes.
            Some(path) => format!("{{ path = '{}' }}", path.display()),
            None => format!("\"{SDK_VERSION}\""),
        };
        let root = if self.in_workspace {
            ""
        } else {
            include_str!("templates/root.toml.in").trim_end()
        };
        let filled = template
            .replace("{{summary}}", summary)
            .replace("{{config}}", config.trim_end())
            .replace("{{sdk}}", &sdk)
            .replace("{{root}}", root)
            .replace("{{name}}", self.name.as_str());
        format!("{}\n", filled.trim_end())
    }
}

/// The SDK beside the source tree that this program was built from, where it is still there.
pub(super) fn own_sdk() -> Option<PathBuf> {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)?
        .join("plugin-sdk");
    sdk.join("Cargo.toml").is_file().then_some(sdk)
}

/// Whether a workspace around this directory has it among its members, and has the profile `guest`.
pub(super) fn is_in_workspace(directory: &Path) -> bool {
    directory.ancestors().skip(1).any(|root| {
        let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
        let manifest: toml::Table = manifest.parse().unwrap_or_default();
        let profile = manifest
            .get("profile")
            .and_then(|profiles| profiles.get("guest"));
        let members = manifest
            .get("workspace")
            .and_then(|workspace| workspace.get("members")?.as_array());
        let mut members = members.into_iter().flatten().filter_map(|one| one.as_str());
        profile.is_some() && members.any(|member| is_member(root, member, directory))
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
            assert_eq!(is_in_workspace(&directory), expected, "{path}");
        }
    }

    #[test]
    fn every_placeholder_is_filled_and_both_manifests_are_toml() {
        let name = PluginName::parse("fix-api").unwrap();
        for kind in PluginKind::ALL {
            for (sdk, in_workspace) in [(None, false), (Some(Path::new("/sdk")), true)] {
                let scaffold = Scaffold {
                    name: &name,
                    kind,
                    sdk,
                    in_workspace,
                };
                for (path, text) in scaffold.files() {
                    assert!(!text.contains("{{"), "{kind} {path}\n{text}");
                    if path == "Cargo.toml" {
                        let manifest: toml::Table = text.parse().unwrap();
                        assert_eq!(manifest["package"]["name"].as_str(), Some("fix-api"));
                        assert_eq!(manifest.contains_key("workspace"), !in_workspace);
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
