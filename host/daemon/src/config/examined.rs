//! A config as far as it could be read.

use super::{ConfigErrors, Loaded, Problem};

/// A config that was read as far as it can be, whatever is wrong with it.
#[derive(Debug)]
pub struct Examined {
    /// What could be read, without warnings of its own: the whole of a config without errors. Of one with errors it lacks what is
    /// wrong, or has the default in its place, and is for those alone who look for more that is wrong. None where not even
    /// `[host]` can be read.
    pub loaded: Option<Loaded>,
    /// All that is wrong, in the order of the files.
    pub problems: Vec<Problem>,
}

impl Examined {
    /// Whether nothing keeps the config from being used.
    pub fn is_usable(&self) -> bool {
        self.loaded.is_some() && !self.problems.iter().any(Problem::is_error)
    }

    pub(super) fn refused(problems: Vec<Problem>) -> Self {
        Self {
            loaded: None,
            problems,
        }
    }

    pub(super) fn accepted(self) -> Result<Loaded, ConfigErrors> {
        let is_usable = self.is_usable();
        let Self { loaded, problems } = self;
        match loaded {
            Some(loaded) if is_usable => Ok(Loaded {
                warnings: problems,
                ..loaded
            }),
            _ => Err(ConfigErrors { problems }),
        }
    }
}
