//! Where a component was built is nobody's business: the compiler writes no path of the machine into it.

use super::TARGET;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A setting for cargo with which neither cargo's home, nor the registries there, nor the workspace is named in what the
/// compiler makes. None where a path is no text, or nobody's home is known.
pub(super) fn without_places(workspace: &Path) -> Option<String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = set("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(set("HOME")?).join(".cargo")))?;
    setting(workspace, &home)
}

fn setting(workspace: &Path, home: &Path) -> Option<String> {
    // Of several prefixes that fit, the compiler takes the last.
    let mut places = vec![
        (home.to_path_buf(), "/cargo"),
        (workspace.to_path_buf(), "/plugin"),
    ];
    let registries = fs::read_dir(home.join("registry/src"));
    let mut registries: Vec<PathBuf> = registries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    registries.sort();
    places.extend(registries.into_iter().map(|place| (place, "/crates")));
    let flags = places.iter().map(|(place, name)| {
        let flag = format!("--remap-path-prefix={}={name}", place.to_str()?);
        Some(toml::Value::String(flag).to_string())
    });
    let flags: Option<Vec<String>> = flags.collect();
    Some(format!("target.{TARGET}.rustflags=[{}]", flags?.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_leaves_out_home_registries_and_workspace_and_is_one_that_cargo_reads() {
        let home = tempfile::tempdir().unwrap();
        let registry = home.path().join("registry/src/a-registry.example-1949");
        fs::create_dir_all(&registry).unwrap();
        let setting = setting(Path::new("/work \"here\""), home.path()).unwrap();
        let table: toml::Table = setting.parse().unwrap();
        let flags = table["target"][TARGET]["rustflags"].as_array().unwrap();
        let flag = |place: &Path, name: &str| {
            toml::Value::String(format!("--remap-path-prefix={}={name}", place.display()))
        };
        let expected = [
            flag(home.path(), "/cargo"),
            flag(Path::new("/work \"here\""), "/plugin"),
            flag(&registry, "/crates"),
        ];
        assert_eq!(flags[..], expected);
    }
}
