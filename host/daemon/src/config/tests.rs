//! Tests of the config as a whole: the samples load, every broken file says what is wrong, every key arrives.

mod corpus;
mod files;
mod placeholders;
mod reference;
mod refused;
mod scale;
mod seeds;

use super::{ConfigErrors, Loaded, Source, parse};
use std::path::Path;

/// A config that is read without files; relative paths are below `/etc/mainstay`.
fn load_text(text: &str) -> Result<Loaded, ConfigErrors> {
    let source = Source {
        path: "mainstay.toml".into(),
        text: text.to_owned().into(),
    };
    parse(&[source], Path::new("/etc/mainstay"))
}

/// What every config needs.
const HOST: &str = "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n";
