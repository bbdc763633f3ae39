//! The first-party plugins that the program carries, so that a first config needs no build.
//!
//! They were built before the program was, and lie in `carried/` of this crate: CONTRIBUTING.md, "A first-party plugin".
//!
//! Invariant: what is said of a component here is what that component says of itself; `tests/tests/carried.rs` compares.

use mainstay_api::PluginInspection;
use mainstay_domain::text::list;
use serde::Deserialize;

/// Each by its name, compressed with zstd.
const COMPONENTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/carried.rs"));
/// What they say of themselves.
const RECORD: &str = include_str!("../carried/carried.json");

/// A plugin that comes with the program.
#[derive(Debug, Clone)]
pub struct Carried {
    /// What `plugin inspect` says of it.
    pub about: PluginInspection,
    pub(crate) compressed: &'static [u8],
}

impl Carried {
    /// Its bytes.
    pub fn component(&self) -> Result<Vec<u8>, CarriedError> {
        zstd::decode_all(self.compressed).map_err(CarriedError::Component)
    }
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum CarriedError {
    /// The program was built from a broken record.
    #[error("cannot read what this program says of the plugins that it carries")]
    Record(#[from] serde_json::Error),
    /// The program was built from a broken component.
    #[error("cannot unpack a plugin that this program carries")]
    Component(#[source] std::io::Error),
    /// Nothing is carried by this name.
    #[error(
        "no plugin `{name}` comes with this program; {known} do, and `mainstay plugin list --available` shows them"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is, for people.
        known: String,
    },
}

#[derive(Deserialize)]
struct Record {
    plugins: Vec<PluginInspection>,
}

/// All of them, by name.
pub fn all() -> Result<Vec<Carried>, CarriedError> {
    let record: Record = serde_json::from_str(RECORD)?;
    let carried = record.plugins.into_iter().filter_map(|about| {
        let mut components = COMPONENTS.iter();
        let (_, compressed) = *components.find(|(name, _)| *name == about.name)?;
        Some(Carried { about, compressed })
    });
    Ok(carried.collect())
}

/// The one of this name.
pub fn named(name: &str) -> Result<Carried, CarriedError> {
    let all = all()?;
    let known = list(all.iter().map(|plugin| &plugin.about.name), "none");
    let found = all.into_iter().find(|plugin| plugin.about.name == name);
    found.ok_or_else(|| CarriedError::Unknown {
        name: name.to_owned(),
        known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused_with_those_that_are_there() {
        let error = named("nobody").unwrap_err().to_string();
        assert!(error.contains("no plugin `nobody`"), "{error}");
        for plugin in all().unwrap() {
            assert!(error.contains(&plugin.about.name), "{error}");
            let again = named(&plugin.about.name).unwrap().component();
            assert_eq!(again.unwrap(), plugin.component().unwrap());
        }
    }
}
