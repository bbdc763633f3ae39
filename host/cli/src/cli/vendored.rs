//! The SDK that the program carries, and how it comes beside a new plugin.
//!
//! Invariant: a directory that holds another SDK is not touched.

use anyhow::{Context, bail};
use std::{fs, path::Path};

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Where it is unpacked, below the package or the workspace that it is in.
pub(super) const DIRECTORY: &str = "vendor/mainstay-plugin-sdk";

/// Its manifest there, where no workspace of ours is around it.
const MANIFEST: &str = include_str!("templates/sdk/Cargo.toml.in");

/// The manifest, which names the sources that lie beside it.
fn manifest() -> String {
    let mut digest = blake3::Hasher::new();
    for (path, text) in FILES {
        for part in [path, text] {
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
    }
    let digest = digest.finalize().to_hex();
    MANIFEST
        .replace("{{program}}", env!("CARGO_PKG_VERSION"))
        .replace("{{digest}}", digest.get(..16).unwrap_or_default())
}

/// Writes the SDK into a directory; does nothing where it is there.
pub(super) fn unpack(directory: &Path) -> anyhow::Result<()> {
    let manifest = manifest();
    let shown = directory.display();
    match fs::read_to_string(directory.join("Cargo.toml")) {
        Ok(found) if found == manifest => return Ok(()),
        Ok(_) => bail!(
            "{shown} holds the SDK of another version; remove it to have that of this program, or name it with --sdk"
        ),
        Err(_) => {}
    }
    // The manifest comes last: with it the directory counts as whole.
    let files = FILES.iter().copied();
    for (path, text) in files.chain([("Cargo.toml", manifest.as_str())]) {
        let path = directory.join(path);
        super::scaffold::write(&path, text)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> toml::Table {
        text.parse().unwrap()
    }

    #[test]
    fn its_manifest_says_what_the_sdks_own_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let own = table(&fs::read_to_string(root.join("plugin-sdk/Cargo.toml")).unwrap());
        let workspace = table(&fs::read_to_string(root.join("Cargo.toml")).unwrap());
        let workspace = &workspace["workspace"];
        let carried = table(&manifest());
        for key in ["name", "description", "version", "rust-version"] {
            assert_eq!(carried["package"][key], own["package"][key], "{key}");
        }
        for key in ["edition", "license", "publish"] {
            let expected = &workspace["package"][key];
            assert_eq!(&carried["package"][key], expected, "{key}");
        }
        assert_eq!(carried["features"], own["features"]);
        let dependencies = own["dependencies"].as_table().unwrap();
        let names: Vec<_> = dependencies.keys().collect();
        let carried = carried["dependencies"].as_table().unwrap();
        assert_eq!(carried.keys().collect::<Vec<_>>(), names);
        for (name, dependency) in carried {
            let expected = match &workspace["dependencies"][name.as_str()] {
                toml::Value::String(version) => table(&format!("version = '{version}'")),
                full => full.as_table().unwrap().clone(),
            };
            for key in ["version", "features"] {
                assert_eq!(dependency.get(key), expected.get(key), "{name} {key}");
            }
            assert_eq!(dependency["optional"].as_bool(), Some(true), "{name}");
        }
    }

    #[test]
    fn what_is_there_stays_and_another_version_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let sdk = directory.path().join(DIRECTORY);
        unpack(&sdk).unwrap();
        for file in ["src/lib.rs", "src/bindings/rt.rs", "wit/1.0.0/worlds.wit"] {
            assert!(sdk.join(file).is_file(), "{file}");
        }
        unpack(&sdk).unwrap();
        fs::write(sdk.join("Cargo.toml"), "[package]\n").unwrap();
        let error = unpack(&sdk).unwrap_err().to_string();
        assert!(error.contains("another version; remove it"), "{error}");
        let kept = fs::read_to_string(sdk.join("Cargo.toml")).unwrap();
        assert_eq!(kept, "[package]\n");
    }

    #[test]
    fn nothing_of_it_names_the_tree_that_it_was_built_from() {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let tree = tree.parent().unwrap().display().to_string();
        assert!(FILES.iter().all(|(path, text)| {
            !path.contains(tree.as_str()) && !text.contains(tree.as_str())
        }));
    }
}
