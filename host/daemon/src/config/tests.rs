//! Tests of the config as a whole: the samples load, every broken file says what is wrong, every key arrives.

mod corpus;
mod files;
mod placeholders;
mod reference;
mod refused;
mod scale;
mod seeds;

use super::{ConfigErrors, Loaded, Source, examined};
use std::path::Path;

/// A config that is read without files; relative paths are below `/etc/mainstay`.
fn load_text(text: &str) -> Result<Loaded, ConfigErrors> {
    let source = Source {
        path: "mainstay.toml".into(),
        text: text.to_owned().into(),
    };
    examined(&[source], Path::new("/etc/mainstay")).accepted()
}

/// What every config needs.
const HOST: &str = "[host]\nstate_dir = \"state\"\nplugin_dir = \"plugins\"\n";
