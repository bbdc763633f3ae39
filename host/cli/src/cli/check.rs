//! `check`: the config, every plugin in its directory, and whether the two fit.
//!
//! Invariant: nothing is changed, no daemon is asked, and every problem is reported at once.

mod bounds;
mod directories;
mod programs;
mod secrets;
mod state;

use super::component;
use mainstay_daemon::config::{self, EntityKind, Loaded, Problem};
use mainstay_domain::{
    name::PluginName,
    plugin::{PluginIdentity, PluginKind, satisfies},
    spec::PluginSpec,
};
use mainstay_runtime::loader::Loader;
use semver::VersionReq;
use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
};

/// Every problem of the config in this file.
pub(super) async fn check(file: &Path) -> anyhow::Result<Vec<Problem>> {
    let mut loaded = match config::load(file) {
        Ok(loaded) => loaded,
        Err(errors) => return Ok(errors.problems),
    };
    let mut problems = std::mem::take(&mut loaded.warnings);
    let loader = component::loader()?;
    let mut found = state::problems(&loaded);
    found.extend(directories::problems(&loaded));
    found.extend(secrets::problems(&loaded));
    found.extend(bounds::problems(&loaded));
    found.extend(programs::problems(&loaded));
    let mut served = Served::new();
    for component in components(&loaded, &mut found) {
        match serve(&loader, &loaded, &component).await {
            Ok((kind, identity)) => {
                let versions = served.entry(identity.name.clone()).or_default();
                versions.push((kind, identity));
            }
            Err(problem) => found.push(*problem),
        }
    }
    found.extend(
        wanted(&loaded)
            .iter()
            .filter_map(|wanted| wanted.missing(&served)),
    );
    problems.extend(config::summarize(found));
    Ok(problems)
}

/// The plugins that would serve, by name.
type Served = HashMap<PluginName, Vec<(PluginKind, PluginIdentity)>>;

/// The components in the plugin directory, by name.
fn components(loaded: &Loaded, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let directory = &loaded.spec.host.plugin_dir;
    let listed = std::fs::read_dir(directory).and_then(|entries| {
        let paths: io::Result<Vec<PathBuf>> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect();
        paths
    });
    match listed {
        Ok(mut paths) => {
            paths.retain(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "wasm")
            });
            paths.sort();
            paths
        }
        Err(error) => {
            let message = format!("cannot list the plugin directory: {error}");
            let help = "make it, or name another with host.plugin_dir";
            problems.push(Problem::warning(message, help).in_file(directory));
            Vec::new()
        }
    }
}

/// Does with a component what the daemon does before it serves.
async fn serve(
    loader: &Loader,
    loaded: &Loaded,
    file: &Path,
) -> Result<(PluginKind, PluginIdentity), Box<Problem>> {
    let candidate = loader.load_file(file).await.map_err(|error| {
        let help =
            "`mainstay plugin inspect` shows what a component is; build it anew or remove it";
        Problem::error(error.to_string(), help).in_file(file)
    })?;
    let identity = PluginIdentity::clone(candidate.identity());
    let no_spec = PluginSpec::default();
    let spec = loaded.spec.plugins.get(&identity.name).unwrap_or(&no_spec);
    loader.configure(&candidate, spec).await.map_err(|error| {
        let name = identity.name.as_str();
        let help = format!(
            "`mainstay plugin inspect {}` shows its settings",
            file.display()
        );
        let problem = Problem::error(error.to_string(), help).in_file(file);
        loaded.problem_about(EntityKind::Plugin, name, problem)
    })?;
    Ok((candidate.shape().kind, identity))
}

/// A plugin that the config names.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wanted<'a> {
    kind: PluginKind,
    name: &'a PluginName,
    version: &'a VersionReq,
    /// By whom, for people.
    by: String,
}

/// What the config names, each once however many routes name it.
fn wanted(loaded: &Loaded) -> Vec<Wanted<'_>> {
    let spec = &loaded.spec;
    let handlers = spec
        .routes
        .iter()
        .flat_map(|route| &route.chain)
        .map(|step| Wanted {
            kind: PluginKind::RecoveryHandler,
            name: &step.handler,
            version: &step.version,
            by: "a route".to_owned(),
        });
    let alerters = spec.alerts.iter().map(|alert| Wanted {
        kind: PluginKind::Alerter,
        name: &alert.alerter,
        version: &alert.version,
        by: "an alert route".to_owned(),
    });
    let policies = spec.jobs.iter().filter_map(|job| {
        job.retention.as_ref().map(|retention| Wanted {
            kind: PluginKind::RetentionPolicy,
            name: &retention.policy,
            version: &retention.version,
            by: format!("the job {}", job.name),
        })
    });
    let mut known = HashSet::new();
    let all = handlers.chain(alerters).chain(policies);
    all.filter(|wanted| known.insert(wanted.clone())).collect()
}

impl Wanted<'_> {
    /// The problem where no plugin is what is wanted. A warning: it may be dropped in later.
    fn missing(&self, served: &Served) -> Option<Problem> {
        let of_this_name = served.get(self.name).map(Vec::as_slice).unwrap_or_default();
        let fits = |(kind, found): &(PluginKind, PluginIdentity)| {
            *kind == self.kind && satisfies(self.version, &found.version)
        };
        if of_this_name.iter().any(fits) {
            return None;
        }
        let found: Vec<String> = of_this_name
            .iter()
            .map(|(kind, found)| format!("{found}, {kind}"))
            .collect();
        let found = if found.is_empty() {
            "none of this name".to_owned()
        } else {
            found.join("; ")
        };
        let message = format!(
            "{} names the {} {} {}, and the plugin directory has {found}",
            self.by, self.kind, self.name, self.version
        );
        Some(Problem::warning(
            message,
            "drop it into the plugin directory, or correct the name or version",
        ))
    }
}
