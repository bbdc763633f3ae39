//! Secrets: read once when a config is applied, put in at egress, taken out of everything that comes back.
//!
//! Invariant: no value is in an error, in `Debug`, or in a log.
//! Invariant: a reload that finds any secret unreadable changes nothing.
//! Invariant: a value that was replaced is still taken out, for programs that were started with it still run.
//! Invariant: until a reload is adopted or abandoned, every name of before has its value of before, and nothing is read
//! to go back to it.

mod needles;
mod search;
mod undress;

use super::environment::ChildEnvironment;
use crate::ports::{SecretError, Secrets};
use mainstay_domain::{
    name::SecretName,
    spec::{MAX_SECRET_BYTES, SecretSource},
};
use mainstay_runtime::regular_file;
use needles::Needles;
use parking_lot::{RwLock, RwLockWriteGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

/// The longest form of a value that [`Secrets::conceal`] is sure to find: six bytes for one are `\u0041` of JSON, eight
/// the same percent-encoded once more. Who cuts bytes before they are concealed must drop this many before the cut, for a
/// secret that is cut in two is not recognised for sure: [`Secrets::conceal_piece`] leaves a few bytes of one.
pub const MAX_CONCEALED_BYTES: usize = LONGEST_OF_A_BYTE * MAX_SECRET_BYTES as usize;
const LONGEST_OF_A_BYTE: usize = 8;

/// How many values of one name are still looked for after they were replaced.
const EARLIER_VALUES: usize = 2;

/// The secrets of the config that is applied.
pub struct ConfiguredSecrets {
    state: RwLock<State>,
    environment: Arc<ChildEnvironment>,
}

struct State {
    adopted: Arc<Loaded>,
    /// A config that is being applied.
    prepared: Option<Prepared>,
}

/// What the sources of a config hold now.
pub struct ReadSecrets {
    values: Values,
    variables: BTreeSet<String>,
}

struct Prepared {
    next: Arc<Loaded>,
    /// Those of both configs; where a name is in both, the value of before.
    both: Arc<Loaded>,
}

type Values = BTreeMap<SecretName, String>;

/// Values that are not in force any more, newest first: programs that were started with one may still print it.
type Earlier = BTreeMap<SecretName, Vec<String>>;

struct Loaded {
    values: Values,
    earlier: Earlier,
    /// Of all these.
    needles: Needles,
}

impl ConfiguredSecrets {
    /// Reads every secret; all errors are reported together.
    pub fn load(sources: &BTreeMap<SecretName, SecretSource>) -> Result<Self, Vec<SecretError>> {
        let adopted = Arc::new(Loaded::of(read(sources)?, Earlier::new())?);
        Ok(Self {
            state: RwLock::new(State {
                adopted,
                prepared: None,
            }),
            environment: Arc::new(ChildEnvironment::without(variables(sources))),
        })
    }

    /// Reads every secret anew, for [`Self::prepare`]; on a thread that may wait, for a file system may not answer.
    pub fn read(
        sources: &BTreeMap<SecretName, SecretSource>,
    ) -> Result<ReadSecrets, Vec<SecretError>> {
        Ok(ReadSecrets {
            values: read(sources)?,
            variables: variables(sources),
        })
    }

    /// Until [`Self::adopt`] these stand beside the ones of before, which win; on any error nothing changes.
    pub fn prepare(&self, read: ReadSecrets) -> Result<(), Vec<SecretError>> {
        let next = read.values;
        let mut state = self.state();
        let earlier = state.adopted.earlier_than(&next);
        let mut both = next.clone();
        both.extend(state.adopted.values.clone());
        let prepared = Prepared {
            next: Arc::new(Loaded::of(next, earlier)?),
            both: Arc::new(Loaded::of(both, state.adopted.earlier.clone())?),
        };
        self.environment.prepare(read.variables);
        state.prepared = Some(prepared);
        Ok(())
    }

    /// From now on what was prepared counts alone.
    pub fn adopt(&self) {
        let mut state = self.state();
        if let Some(prepared) = state.prepared.take() {
            state.adopted = prepared.next;
            self.environment.adopt();
        }
    }

    /// What was prepared never counts.
    pub fn abandon(&self) {
        let mut state = self.state();
        state.prepared = None;
        self.environment.abandon();
    }

    /// What programs inherit: not the variables that these secrets are read from.
    pub fn child_environment(&self) -> Arc<ChildEnvironment> {
        Arc::clone(&self.environment)
    }

    fn loaded(&self) -> Arc<Loaded> {
        let state = self.state.read();
        let both = state.prepared.as_ref().map(|prepared| &prepared.both);
        Arc::clone(both.unwrap_or(&state.adopted))
    }

    fn state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write()
    }
}

impl std::fmt::Debug for ConfiguredSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.loaded().values.keys()).finish()
    }
}

impl Secrets for ConfiguredSecrets {
    fn value(&self, name: &SecretName) -> Result<String, SecretError> {
        let value = self.loaded().values.get(name).cloned();
        value.ok_or_else(|| SecretError::Unknown(name.clone()))
    }

    fn conceal(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.loaded().needles.conceal(bytes)
    }

    fn conceal_piece(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.loaded().needles.conceal_piece(bytes)
    }

    fn longest(&self) -> Option<usize> {
        let loaded = self.loaded();
        let earlier = loaded.earlier.values().flatten();
        let all = loaded.values.values().chain(earlier);
        Some(all.map(String::len).max().unwrap_or(0))
    }
}

impl Loaded {
    fn of(values: Values, earlier: Earlier) -> Result<Self, Vec<SecretError>> {
        let old = earlier
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let needles = Needles::of(
            values
                .iter()
                .chain(old)
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        Ok(Self {
            needles: needles.map_err(|error| vec![SecretError::TooLong(error.to_string())])?,
            values,
            earlier,
        })
    }

    /// What is to be remembered once `next` has replaced these.
    fn earlier_than(&self, next: &Values) -> Earlier {
        let mut earlier = self.earlier.clone();
        for (name, value) in &self.values {
            if next.get(name) != Some(value) {
                let values = earlier.entry(name.clone()).or_default();
                values.insert(0, value.clone());
                values.truncate(EARLIER_VALUES);
            }
        }
        earlier
    }
}

/// The longest form of the values that are known now: as [`MAX_CONCEALED_BYTES`], where what is cut is concealed at once.
pub(super) fn max_concealed_now(secrets: &dyn Secrets) -> usize {
    let longest = secrets.longest();
    longest.map_or(MAX_CONCEALED_BYTES, |bytes| {
        bytes.saturating_mul(LONGEST_OF_A_BYTE)
    })
}

/// The variables of the daemon's environment among the sources.
fn variables(sources: &BTreeMap<SecretName, SecretSource>) -> BTreeSet<String> {
    let variables = sources.values().filter_map(|source| match source {
        SecretSource::Env(variable) => Some(variable.clone()),
        SecretSource::File(_) => None,
    });
    variables.collect()
}

fn read(sources: &BTreeMap<SecretName, SecretSource>) -> Result<Values, Vec<SecretError>> {
    let mut values = Values::new();
    let mut errors = Vec::new();
    for (name, source) in sources {
        let value = match source {
            SecretSource::File(path) => read_file(path),
            SecretSource::Env(variable) => read_variable(variable),
        };
        match value.and_then(check_value) {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(what) => errors.push(SecretError::Unreadable {
                name: name.clone(),
                what,
            }),
        }
    }
    match errors.is_empty() {
        true => Ok(values),
        false => Err(errors),
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let (file, metadata) = regular_file::open(path).map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{shown} can be read or changed by others (mode {mode:o}); run `chmod 600 {shown}`"
        ));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 3)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn read_variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => {
            format!(
                "the environment variable {name} is not set; set it where the daemon is started"
            )
        }
        std::env::VarError::NotUnicode(_) => {
            format!("the environment variable {name} is not UTF-8 text")
        }
    })
}

fn check_value(value: String) -> Result<String, String> {
    match value.len() as u64 {
        0 => Err("it is empty; give it a value".to_owned()),
        length if length > MAX_SECRET_BYTES => {
            Err(format!("it is longer than {MAX_SECRET_BYTES} bytes"))
        }
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests;
