//! `mainstay plugin new`: a package that needs the program and a Rust toolchain, and nothing else.

use super::{
    failure::Usage,
    output::Output,
    scaffold::{Scaffold, Sdk, workspace_of, write},
    vendored,
};
use anyhow::{Context, ensure};
use mainstay_api::WrittenPlugin;
use mainstay_domain::{name::PluginName, plugin::PluginKind};
use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) fn new(
    out: &Output,
    name: &PluginName,
    kind: PluginKind,
    directory: Option<PathBuf>,
    sdk: Option<PathBuf>,
) -> anyhow::Result<()> {
    if name
        .as_str()
        .starts_with(|first: char| first.is_ascii_digit())
    {
        let problem =
            format!("`{name}` cannot be a Cargo package: its name must begin with a letter");
        return Err(Usage(problem).into());
    }
    let directory = directory.unwrap_or_else(|| PathBuf::from(name.as_str()));
    let directory = std::path::absolute(&directory).context("cannot tell the present directory")?;
    let is_free = match fs::read_dir(&directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    ensure!(
        is_free,
        "{} is there and not an empty directory; name another with --directory",
        directory.display()
    );
    let workspace = workspace_of(&directory);
    let (sdk, from_where) = match (sdk, &workspace) {
        (Some(given), _) => (Sdk::At(given_sdk(&given)?), "of --sdk"),
        (None, Some(around)) if around.has_sdk => (Sdk::OfWorkspace, "of the workspace around it"),
        (None, around) => {
            let home = around
                .as_ref()
                .map_or(directory.as_path(), |around| around.root.as_path());
            vendored::unpack(&home.join(vendored::DIRECTORY))?;
            (
                Sdk::At(vendored_path(home, &directory)),
                "of this program, in vendor",
            )
        }
    };
    let scaffold = Scaffold {
        name,
        kind,
        sdk: &sdk,
        in_workspace: workspace.is_some(),
    };
    for (path, text) in scaffold.files() {
        let path = directory.join(path);
        write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if out.json {
        return out.json_line(&WrittenPlugin {
            name: name.to_string(),
            kind: kind.into(),
            directory: directory.display().to_string(),
        });
    }
    let (shown, then) = (directory.display(), scaffold.then());
    // What is to be copied is not broken into lines.
    let tell = |text: &str| out.verbatim(&out.shown(text));
    tell(&format!(
        "wrote {shown}, with the SDK {from_where}\n\
         \n\
         to try it, in this order:\n\
         \n  \
         cd {}\n  \
         mainstay plugin test\n  \
         mainstay plugin build --drop plugins\n  \
         mainstay run      # by the mainstay.toml that was written\n\
         \n\
         and in another terminal, in the same directory:\n\
         \n  \
         {then}\n\
         \n\
         a daemon that you have takes it from its own plugin_dir; add to its config:\n",
        for_a_shell(&shown.to_string()),
    ))?;
    tell(scaffold.config().trim_end())
}

/// The SDK that a person names.
fn given_sdk(directory: &Path) -> anyhow::Result<PathBuf> {
    let shown = directory.display();
    let found = fs::canonicalize(directory)
        .with_context(|| format!("there is no SDK in {shown}, the directory of --sdk"))?;
    ensure!(
        found.join("Cargo.toml").is_file(),
        "there is no SDK in {shown}, the directory of --sdk: it has no Cargo.toml"
    );
    Ok(found)
}

/// Where a package finds what was unpacked in `home`, which it is in.
fn vendored_path(home: &Path, package: &Path) -> PathBuf {
    let below = package.strip_prefix(home).unwrap_or(Path::new(""));
    let up = below.components().map(|_| "..");
    up.chain([vendored::DIRECTORY]).collect()
}

/// A word that a shell takes as one.
fn for_a_shell(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@%".contains(letter);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_named_as_seen_from_the_package() {
        let path = |home: &str, package: &str| vendored_path(Path::new(home), Path::new(package));
        let own = Path::new("vendor/mainstay-plugin-sdk");
        assert_eq!(path("/p/fix", "/p/fix"), own);
        assert_eq!(path("/p", "/p/plugins/fix"), Path::new("../..").join(own));
    }

    #[test]
    fn a_directory_is_printed_as_a_shell_takes_it() {
        assert_eq!(for_a_shell("/home/me/fix-api"), "/home/me/fix-api");
        assert_eq!(for_a_shell("/my plugins/it's"), r"'/my plugins/it'\''s'");
    }
}
