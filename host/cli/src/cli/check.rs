//! `check`: the config, every plugin in its directory, and whether the two fit.
//!
//! Invariant: nothing is changed, no daemon is asked, and every problem is reported at once: where a part of the config is wrong,
//! all that does not depend on it is judged all the same.
//!
//! Length: what a config may name a plugin for is one list, each kind of it short.

mod accounts;
mod asks;
mod bounds;
mod directories;
mod drop_ins;
mod files;
mod gaps;
mod idle;
mod mail;
mod programs;
mod restarts;
mod rivals;
mod secrets;
mod sources;
mod state;
#[cfg(test)]
mod testing;
mod waits;
mod windows;
mod writable;

use super::component;
use crate::carried::{self, Carried};
use mainstay_daemon::config::{self, EntityKind, Loaded, Problem};
use mainstay_domain::{
    name::{FailureType, JobName, PluginName, TargetName},
    plugin::{Capability, PluginIdentity, PluginKind, satisfies},
    spec::{BackupSource, CheckKind, PluginSpec, plugin_behind},
};
use mainstay_runtime::{error::LoadError, host::plugin_files, loader::Loader};
use semver::VersionReq;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

/// Every problem of the config in this file, and how many files of its `conf.d` were read.
pub(super) async fn check(file: &Path) -> anyhow::Result<(Vec<Problem>, usize)> {
    let examined = config::examine(file);
    let is_whole = examined.is_usable();
    let mut problems = examined.problems;
    problems.extend(config::summarize(drop_ins::problems(file)));
    let Some(loaded) = examined.loaded else {
        return Ok((problems, 0));
    };
    let drop_ins = loaded.files.len().saturating_sub(1);
    let loader = component::loader()?;
    let mut found = state::problems(&loaded, is_whole);
    found.extend(accounts::problems(&loaded));
    found.extend(directories::problems(&loaded));
    found.extend(secrets::problems(&loaded));
    found.extend(sources::problems(&loaded, is_whole));
    found.extend(bounds::problems(&loaded));
    found.extend(programs::problems(&loaded));
    found.extend(files::problems(&loaded));
    found.extend(windows::problems(&loaded));
    found.extend(writable::problems(&loaded));
    let named = loaded.spec.plugin_specs();
    let (mut served, mut refusing) = (Served::new(), Vec::new());
    let mut unused: HashSet<PluginName> = HashSet::new();
    for component in components(&loaded, &mut found) {
        match serve(&loader, &named, &component).await {
            Ok(Judged::Serves(serving)) => {
                let versions = served.entry(serving.identity.name.clone()).or_default();
                versions.push(serving);
            }
            Ok(Judged::Refuses(name, why)) => refusing.push((component, name, why)),
            Ok(Judged::Unused(name)) => {
                unused.insert(name);
            }
            Err(problem) => found.push(*problem),
        }
    }
    let mut at_fault: HashSet<PluginName> =
        refusing.iter().map(|(_, name, _)| name.clone()).collect();
    if is_whole {
        found.extend(waits::problems(&loaded));
        found.extend(mail::problems(&loaded));
    }
    // Where the rest is wrong, only of what is certainly meant so: nobody may name the others but what could not be read.
    let is_meant = |name: &PluginName| {
        named.get(name).is_some_and(|spec| {
            let mut tables = spec.instances.keys().chain([name]);
            tables.all(|table| !loaded.misreads(table))
        })
    };
    let told = refusing
        .into_iter()
        .filter(|(_, name, _)| is_whole || is_meant(name));
    found.extend(told.map(|(component, name, why)| {
        let is_missed = named.contains_key(&name) && !served.contains_key(&name);
        refusal(&loaded, &component, &name, why, is_missed)
    }));
    if !is_whole {
        // What is wrong with the config may be what would say otherwise: settings, whoever names it, a route, a check.
        at_fault.extend(unused);
        let is_read = |wanted: &&Wanted<'_>| {
            let is_defined = loaded.defines(EntityKind::Plugin, wanted.name.as_str());
            !is_defined || loaded.spec.plugins.contains_key(wanted.name)
        };
        let wanted = wanted(&loaded);
        let missing = wanted.iter().filter(is_read);
        found.extend(missing.filter_map(|wanted| wanted.missing(&loaded, &served, &at_fault)));
        problems.extend(config::summarize(found));
        return Ok((problems, drop_ins));
    }
    let wanted = wanted(&loaded);
    let missing = wanted.iter();
    found.extend(missing.filter_map(|wanted| wanted.missing(&loaded, &served, &at_fault)));
    found.extend(idle::problems(&loaded, &served, &at_fault, &wanted));
    found.extend(asks::problems(&loaded, &named, &served));
    found.extend(gaps::problems(&loaded, &served));
    found.extend(restarts::problems(&loaded));
    found.extend(rivals::problems(&loaded, &served));
    found.extend(gaps::untold(&loaded));
    problems.extend(config::summarize(found));
    Ok((problems, drop_ins))
}

/// The plugins that would serve, by name.
type Served = HashMap<PluginName, Vec<Serving>>;

/// One version that would serve.
struct Serving {
    kind: PluginKind,
    identity: PluginIdentity,
    /// What it asks for.
    capabilities: Vec<Capability>,
    /// What it is meant for.
    handles: Vec<FailureType>,
}

/// What the daemon takes for plugins in their directory, by name.
fn components(loaded: &Loaded, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let directory = &loaded.spec.host.plugin_dir;
    match plugin_files(directory) {
        Ok(files) => files.into_keys().collect(),
        Err(error) => {
            let message = format!("cannot list the plugin directory: {error}");
            let help = "make it, or name another with host.plugin_dir";
            let problem = Problem::warning(message, help).in_file(directory);
            problems.push(loaded.problem_about_directory("plugin_dir", problem));
            Vec::new()
        }
    }
}

/// What came of a component that can be loaded.
enum Judged {
    /// It takes its settings.
    Serves(Serving),
    /// It does not, for this reason.
    Refuses(PluginName, String),
    /// It asks for settings, and nothing names it: it lies there until something does.
    Unused(PluginName),
}

/// Does with a component what the daemon does before it serves.
async fn serve(
    loader: &Loader,
    named: &BTreeMap<PluginName, PluginSpec>,
    file: &Path,
) -> Result<Judged, Box<Problem>> {
    let candidate = loader.load_file(file).await.map_err(|error| {
        let help =
            "`mainstay plugin inspect` shows what a component is; build it anew or remove it";
        Problem::error(error.to_string(), help).in_file(file)
    })?;
    let identity = PluginIdentity::clone(candidate.identity());
    let no_spec = PluginSpec::default();
    let spec = named.get(&identity.name).unwrap_or(&no_spec);
    Ok(match loader.configure(&candidate, spec).await {
        Ok(_) => Judged::Serves(Serving {
            kind: candidate.shape().kind,
            identity,
            capabilities: candidate.descriptor().capabilities.clone(),
            handles: candidate.descriptor().handles.clone(),
        }),
        Err(LoadError::Settings { .. } | LoadError::SettingsSchema { .. })
            if !named.contains_key(&identity.name) =>
        {
            Judged::Unused(identity.name)
        }
        Err(error) => Judged::Refuses(identity.name, error.to_string()),
    })
}

/// A plugin that refuses its settings. A reload refuses the config for it where nothing else goes by the name that the config
/// names, and so does this.
fn refusal(
    loaded: &Loaded,
    file: &Path,
    name: &PluginName,
    why: String,
    is_missed: bool,
) -> Problem {
    let shown = file.display();
    let help = format!("`mainstay plugin inspect {shown}` shows its settings");
    let problem = match is_missed {
        true => Problem::error(why, help),
        false => {
            let why = format!(
                "{why}; the daemon refuses {shown} and goes on, as {}",
                match loaded.spec.plugin_specs().contains_key(name) {
                    true => "another version serves",
                    false => "the config does not name it",
                }
            );
            Problem::warning(why, format!("{help}; or remove it"))
        }
    };
    loaded.problem_about(EntityKind::Plugin, name.as_str(), problem.in_file(file))
}

/// A plugin that the config names.
struct Wanted<'a> {
    kind: PluginKind,
    name: &'a PluginName,
    version: &'a VersionReq,
    /// By whom, for people.
    by: String,
    at: NamedBy<'a>,
}

/// What of the config names a plugin; routes by their numbers, from 0.
#[derive(Clone, Copy)]
enum NamedBy<'a> {
    Route(usize),
    Alert(usize),
    Job(&'a JobName),
    Target(&'a TargetName),
}

impl NamedBy<'_> {
    /// The problem, placed there.
    fn place(self, loaded: &Loaded, problem: Problem) -> Problem {
        match self {
            NamedBy::Route(number) => loaded.problem_about_route(number, problem),
            NamedBy::Alert(number) => loaded.problem_about_alert(number, problem),
            NamedBy::Job(name) => loaded.problem_about(EntityKind::Job, name.as_str(), problem),
            NamedBy::Target(name) => {
                loaded.problem_about(EntityKind::Target, name.as_str(), problem)
            }
        }
    }
}

/// What the config names, each once however many routes name it.
fn wanted(loaded: &Loaded) -> Vec<Wanted<'_>> {
    let spec = &loaded.spec;
    let handlers = spec.routes.iter().enumerate().flat_map(|(number, route)| {
        let chain = route.chain.iter();
        chain.map(move |step| Wanted {
            kind: PluginKind::RecoveryHandler,
            name: &step.handler,
            version: &step.version,
            by: "a route".to_owned(),
            at: NamedBy::Route(number),
        })
    });
    let alerters = spec.alerts.iter().enumerate();
    let alerters = alerters.map(|(number, alert)| Wanted {
        kind: PluginKind::Alerter,
        name: &alert.alerter,
        version: &alert.version,
        by: "an alert route".to_owned(),
        at: NamedBy::Alert(number),
    });
    let policies = spec.jobs.iter().filter_map(|job| {
        job.retention.as_ref().map(|retention| Wanted {
            kind: PluginKind::RetentionPolicy,
            name: &retention.policy,
            version: &retention.version,
            by: format!("the job {}", job.name),
            at: NamedBy::Job(&job.name),
        })
    });
    let sources = spec.jobs.iter().flat_map(|job| {
        let sources = job.sources.iter();
        sources.filter_map(move |source| match source {
            BackupSource::Plugin(source) => Some(Wanted {
                kind: PluginKind::BackupSource,
                name: &source.plugin,
                version: &source.version,
                by: format!("a source of the job {}", job.name),
                at: NamedBy::Job(&job.name),
            }),
            _ => None,
        })
    });
    let checks = spec.targets.iter().flat_map(|target| {
        let checks = target.checks.iter();
        checks.filter_map(move |check| match &check.kind {
            CheckKind::Plugin(asked) => Some(Wanted {
                kind: PluginKind::Detector,
                name: &asked.plugin,
                version: &asked.version,
                by: format!("the check {} of {}", check.name, target.name),
                at: NamedBy::Target(&target.name),
            }),
            _ => None,
        })
    });
    let deciders = spec.routes.iter().enumerate();
    let deciders = deciders.filter_map(|(number, route)| {
        route.decider.as_ref().map(|decider| Wanted {
            kind: PluginKind::RecoveryStrategy,
            name: &decider.plugin,
            version: &decider.version,
            by: "the strategy of a route".to_owned(),
            at: NamedBy::Route(number),
        })
    });
    let mut known = HashSet::new();
    let all = handlers.chain(alerters).chain(policies);
    let all = all.chain(sources).chain(checks).chain(deciders);
    let is_new = |wanted: &Wanted<'_>| {
        let (name, version) = (wanted.name.clone(), wanted.version.clone());
        known.insert((wanted.kind, name, version, wanted.by.clone()))
    };
    all.filter(is_new).collect()
}

impl Wanted<'_> {
    /// The problem where no plugin is what is wanted. A warning: it may be dropped in later. None where one of this name is there
    /// and is at fault, which is said already.
    fn missing(
        &self,
        loaded: &Loaded,
        served: &Served,
        at_fault: &HashSet<PluginName>,
    ) -> Option<Problem> {
        // An instance is what its plugin is.
        let name = plugin_behind(&loaded.spec.plugins, self.name);
        let of_this_name = served.get(name);
        let of_this_name = of_this_name.map(Vec::as_slice).unwrap_or_default();
        let is_at_fault = of_this_name.is_empty() && at_fault.contains(name);
        if is_at_fault || of_this_name.iter().any(|found| self.fits(found)) {
            return None;
        }
        let found: Vec<String> = of_this_name
            .iter()
            .map(|found| format!("{}, {}", found.identity, found.kind))
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
        let problem = Problem::warning(message, self.remedy(name, of_this_name.is_empty(), served));
        Some(self.at.place(loaded, problem))
    }

    /// Whether this one, which is there, is what is wanted.
    fn fits(&self, found: &Serving) -> bool {
        found.kind.serves_as() == self.kind && satisfies(self.version, &found.identity.version)
    }

    /// Whether this one, which comes with the program, would be.
    fn would_fit(&self, carried: &Carried) -> bool {
        let version = carried.about.version.parse::<semver::Version>();
        // What serves as a handler is one, whatever world it is of.
        let mut kinds = PluginKind::ALL.into_iter();
        let serves = kinds.any(|kind| {
            kind.serves_as() == self.kind
                && carried.about.kind == mainstay_api::PluginKind::from(kind)
        });
        serves && version.is_ok_and(|version| satisfies(self.version, &version))
    }

    /// How this plugin comes into the directory; `is_absent`: none of its name is there.
    fn remedy(&self, name: &PluginName, is_absent: bool, served: &Served) -> String {
        let known = match carried::named(name.as_str()) {
            Ok(carried) if is_absent && self.would_fit(&carried) => Some(format!(
                "`mainstay plugin install {name}` puts it there: it comes with the program"
            )),
            Err(_) if is_absent => self.meant(name, served),
            _ => None,
        };
        known.unwrap_or_else(|| {
            "drop it into the plugin directory, or correct the name or version".to_owned()
        })
    }

    /// What a name was meant to be that nothing has.
    fn meant(&self, name: &PluginName, served: &Served) -> Option<String> {
        let fitting = served.iter();
        let fitting = fitting.filter(|(_, found)| found.iter().any(|one| self.fits(one)));
        let there: Vec<&str> = fitting.map(|(name, _)| name.as_str()).collect();
        let carried = carried::all().unwrap_or_default();
        let carried = carried.iter().filter(|carried| self.would_fit(carried));
        let carried = carried.map(|carried| carried.about.name.as_str());
        let meant = config::nearest(name.as_str(), there.iter().copied().chain(carried))?;
        Some(match there.contains(&meant) {
            true => format!("did you mean `{meant}`, which is there?"),
            false => format!(
                "did you mean `{meant}`? It comes with the program: `mainstay plugin install {meant}` puts it there"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_is_not_there_is_told_with_the_line_that_names_it_first() {
        let chain = "[[route]]\nchain = [{ handler = \"nope\" }]\n";
        let job = "[[job]]\nname = \"state\"\nsource = [{ kind = \"directory\", path = \"data\" }]\nfull = \"24h\"\n\
                   encryption = \"none\"\nretention = { policy = \"none\" }\n";
        let alert = "[[alert]]\nmin_severity = \"low\"\nalerter = \"pager\"\n";
        let other = "[[route]]\nfailure = \"odd\"\nchain = [{ handler = \"nope\" }]\n";
        let (_directory, loaded) = testing::loaded(&[chain, alert, job, other].concat());
        let problems = wanted(&loaded);
        let problems = problems.iter();
        let problems =
            problems.filter_map(|wanted| wanted.missing(&loaded, &Served::new(), &HashSet::new()));
        let lines: Vec<Option<usize>> = problems.map(|problem| problem.line).collect();
        // The head of the config has three lines; a job is where its name is.
        assert_eq!(lines, [Some(4), Some(6), Some(10)]);
    }

    #[test]
    fn a_plugin_that_comes_with_the_program_is_to_be_installed() {
        let remedy = |kind, name: &str, version: &str, is_absent| {
            let name = PluginName::parse(name).unwrap();
            let wanted = Wanted {
                kind,
                name: &name,
                version: &version.parse().unwrap(),
                by: String::new(),
                at: NamedBy::Route(0),
            };
            wanted.remedy(&name, is_absent, &Served::new())
        };
        let (handler, alerter) = (PluginKind::RecoveryHandler, PluginKind::Alerter);
        let install = "`mainstay plugin install restart-service`";
        let name = "restart-service";
        assert!(remedy(handler, name, "*", true).starts_with(install));
        for (kind, name, version, is_absent) in [
            (handler, "my-own", "*", true),
            (alerter, name, "*", true),
            (handler, name, "^99", true),
            (handler, name, "*", false),
        ] {
            let said = remedy(kind, name, version, is_absent);
            assert!(said.starts_with("drop it"), "{said}");
        }
        let meant = remedy(alerter, "webhok", "*", true);
        assert!(
            meant.starts_with("did you mean `webhook`? ")
                && meant.contains("`mainstay plugin install webhook`"),
            "{meant}"
        );
        // What does not fit is not meant.
        for (kind, version) in [(handler, "*"), (alerter, "^99")] {
            let said = remedy(kind, "webhok", version, true);
            assert!(!said.contains("webhook"), "{said}");
        }
    }

    #[test]
    fn a_misspelt_name_of_a_plugin_that_is_there_is_told_with_it() {
        let identity = PluginIdentity {
            name: PluginName::parse("my-own").unwrap(),
            version: "1.0.0".parse().unwrap(),
            digest: "ab".repeat(32),
        };
        let serving = Serving {
            kind: PluginKind::Alerter,
            identity: identity.clone(),
            capabilities: Vec::new(),
            handles: Vec::new(),
        };
        let served = Served::from([(identity.name, vec![serving])]);
        let name = PluginName::parse("my-onw").unwrap();
        let wanted = Wanted {
            kind: PluginKind::Alerter,
            name: &name,
            version: &VersionReq::STAR,
            by: String::new(),
            at: NamedBy::Route(0),
        };
        let said = wanted.remedy(&name, true, &served);
        assert_eq!(said, "did you mean `my-own`, which is there?");
    }
}
