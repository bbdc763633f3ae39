//! The config: found, read, validated, and every problem of it told at once.
//!
//! Invariant: a [`Spec`] comes from here or not at all; what this module accepts, everything else may rely on. What it read of a
//! config that it refuses is [`Examined`], and nobody runs it.
//! Invariant: nothing here looks at the world beside the config's own files. Whether a secret's file is readable by
//! others or a plugin exists is for those who ask, and they report it with [`Loaded::problem_about`].

mod addresses;
mod charter;
mod context;
mod document;
mod examined;
mod group;
mod problem;
mod reader;
mod room;
mod state_dir;
mod suggest;
mod text;
mod validate;
mod values;
mod work;

pub use context::EntityKind;
pub use examined::Examined;
pub use problem::{ConfigErrors, Problem, ProblemSeverity, render, report};
pub use state_dir::{NoStateDir, state_dir};
pub use suggest::nearest;
pub use values::name_help;

use context::Context;
use document::{Place, Source};
use group::grouped;
use mainstay_domain::{name::PluginName, spec::Spec, text::list};
use problem::Location;
use room::Room;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};
use text::Text;

/// Where the config is when nobody says, in this order.
const USUAL_PLACES: [&str; 2] = ["mainstay.toml", "/etc/mainstay/mainstay.toml"];

/// There is no config where one is looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no config: neither --config nor MAINSTAY_CONFIG is given, and none of these exists: {}; \
     `mainstay init` writes a first one, or name another with --config",
    list(.looked_at.iter().map(|path| path.display()), "none")
)]
pub struct NoConfig {
    /// The files that do not exist.
    pub looked_at: Vec<PathBuf>,
}

/// Which file is the config: the one that is given, else `$MAINSTAY_CONFIG`, else the first of the usual places that
/// exists. One that is named need not exist; reading it then says so.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, NoConfig> {
    let usual = USUAL_PLACES.map(PathBuf::from);
    find_among(explicit, std::env::var_os("MAINSTAY_CONFIG"), &usual)
}

fn find_among(
    explicit: Option<&Path>,
    variable: Option<OsString>,
    usual: &[PathBuf],
) -> Result<PathBuf, NoConfig> {
    let named = explicit
        .map(Path::to_owned)
        .or_else(|| variable.filter(|value| !value.is_empty()).map(Into::into));
    let found = named.or_else(|| usual.iter().find(|path| path.exists()).cloned());
    found.ok_or_else(|| NoConfig {
        looked_at: usual.to_vec(),
    })
}

/// A config that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub spec: Spec,
    /// What its author hardly meant.
    pub warnings: Vec<Problem>,
    /// The files that it was read from, in order.
    pub files: Vec<PathBuf>,
    sources: Vec<Source>,
    defined: BTreeMap<(EntityKind, String), Place>,
    directories: BTreeMap<&'static str, Place>,
    routes: Vec<Place>,
    alerts: Vec<Place>,
    misread: BTreeSet<PluginName>,
}

impl Loaded {
    /// Whether the config defines a thing of this name, whatever is wrong with it.
    pub fn defines(&self, thing: EntityKind, name: &str) -> bool {
        self.defined.contains_key(&(thing, name.to_owned()))
    }

    /// Whether something is wrong in the table of this plugin itself, so that its settings may be others than are meant.
    pub fn misreads(&self, plugin: &PluginName) -> bool {
        self.misread.contains(plugin)
    }

    /// The problem, placed where the config defines a thing; unplaced where it does not.
    #[must_use]
    pub fn problem_about(&self, thing: EntityKind, name: &str, problem: Problem) -> Problem {
        let defined = self.defined.get(&(thing, name.to_owned()));
        problem.at_some(defined.and_then(|place| document::locate(&self.sources, *place)))
    }

    /// The problem, placed where the config sets what is looked for on the machine by `[host]`: `state_dir`, `plugin_dir`,
    /// `api.group` or `api.viewers`.
    #[must_use]
    pub fn problem_about_directory(&self, key: &str, problem: Problem) -> Problem {
        let set = self.directories.get(key);
        problem.at_some(set.and_then(|place| document::locate(&self.sources, *place)))
    }

    /// The problem, placed where a route stands: its number in `spec.routes`, from 0.
    #[must_use]
    pub fn problem_about_route(&self, number: usize, problem: Problem) -> Problem {
        let place = self.routes.get(number);
        problem.at_some(place.and_then(|place| document::locate(&self.sources, *place)))
    }

    /// The problem, placed where an alert route stands: its number in `spec.alerts`, from 0.
    #[must_use]
    pub fn problem_about_alert(&self, number: usize, problem: Problem) -> Problem {
        let place = self.alerts.get(number);
        problem.at_some(place.and_then(|place| document::locate(&self.sources, *place)))
    }
}

/// The problems as they are reported: a kind with too many is summarized as one.
pub fn summarize(problems: Vec<Problem>) -> Vec<Problem> {
    let unplaced = problems.into_iter().map(|problem| ((), problem));
    grouped(unplaced.collect(), |(), problem| problem)
}

/// Reads the file, and the files `conf.d/*.toml` beside it in the order of their names. Relative paths in all of them
/// are relative to the directory of the first.
pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
    examine(path).accepted()
}

/// The same, as far as it can be read.
pub fn examine(path: &Path) -> Examined {
    let sources = match read_all(path) {
        Ok(sources) => sources,
        Err(problems) => return Examined::refused(summarize(problems)),
    };
    let base = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    examined(&sources, base.parent().unwrap_or(Path::new("/")))
}

/// What a config's [`Spec::digest`] would be, without looking at what it says; `None` where it cannot be read.
pub fn digest(path: &Path) -> Option<String> {
    read_all(path).ok().map(|sources| digest_of(&sources))
}

fn digest_of(sources: &[Source]) -> String {
    let mut hasher = blake3::Hasher::new();
    for source in sources {
        hasher.update(source.text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn read_all(path: &Path) -> Result<Vec<Source>, Vec<Problem>> {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    let mut files = vec![path.to_owned()];
    match drop_ins(path) {
        Ok(found) => files.extend(found),
        Err(problem) => problems.push(problem),
    }
    let mut room = Room::default();
    for file in &files {
        match read(file, &mut room) {
            Ok(source) => sources.push(source),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(sources)
    } else {
        Err(problems)
    }
}

/// The directory that lies beside a config and adds to it.
fn drop_ins(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let directory = path.with_file_name("conf.d");
    let unreadable = |error: io::Error| {
        let message = format!("cannot read the directory: {error}");
        Problem::error(
            message,
            "make it readable for the user of mainstay, or remove it",
        )
        .in_file(&directory)
    };
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let path = entry.path();
        if !is_hidden
            && path
                .extension()
                .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path, room: &mut Room) -> Result<Source, Problem> {
    let bytes = room.read(path).map_err(|error| {
        let help = match error.kind() {
            io::ErrorKind::NotFound => "write it, or name another with --config",
            _ => "make it a file that the user of mainstay can read",
        };
        Problem::error(format!("cannot read the config: {error}"), help).in_file(path)
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source {
            path: path.to_owned(),
            text: text.into(),
        }),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text = Text::from(String::from_utf8_lossy(error.as_bytes()).into_owned());
            let place = Location::new(path, &text, valid..valid + '\u{fffd}'.len_utf8());
            Err(Problem::error(
                "the file is not UTF-8: this byte is no part of a character",
                "store the file as UTF-8",
            )
            .at(place))
        }
    }
}

/// Reads texts that were already read from their files.
fn examined(sources: &[Source], base: &Path) -> Examined {
    let placed = |problems: Vec<(Place, Problem)>| {
        grouped(problems, |place, problem: Problem| {
            problem.at_some(document::locate(sources, place))
        })
    };
    let table = match document::parse(sources) {
        Ok(table) => table,
        Err(problems) => return Examined::refused(placed(problems)),
    };
    if table.is_empty() {
        let problem = Problem::error(
            "the config is empty",
            "begin with [host], state_dir = \"state\" and plugin_dir = \"plugins\"; `mainstay init` writes a whole one",
        );
        let problem = match sources.first() {
            Some(source) => problem.in_file(&source.path),
            None => problem,
        };
        return Examined::refused(vec![problem]);
    }
    let digest = digest_of(sources);
    let context = Context::new(sources, base);
    let (spec, problems, facts) = validate::validate(context, table, digest);
    Examined {
        loaded: spec.map(|spec| Loaded {
            spec,
            warnings: Vec::new(),
            files: sources.iter().map(|source| source.path.clone()).collect(),
            sources: sources.to_vec(),
            defined: facts.defined,
            directories: facts.directories,
            routes: facts.routes,
            alerts: facts.alerts,
            misread: facts.misread,
        }),
        problems: placed(problems),
    }
}

#[cfg(test)]
mod tests;
