//! What is shared while one config is read: the problems so far, and what is judged when all is read.
//!
//! Invariant: a problem is reported once, however often its value is read.
//! Invariant: to keep one more problem costs the same however many there are.

use super::{
    document::{Place, Source, locate},
    problem::{Location, Problem},
};
use mainstay_domain::{
    name::{CommandName, FailureType, PluginName, SecretName, TargetName, TierName},
    severity::Severity,
    spec::{RestoreDrillSpec, TargetPolicySpec},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

/// What is shared while one config is read.
pub(crate) struct Context<'a> {
    /// The files, by number.
    pub(crate) sources: &'a [Source],
    /// What relative paths are relative to.
    pub(crate) base: &'a Path,
    /// What is wrong so far, and where.
    problems: RefCell<Vec<(Place, Problem)>>,
    /// What was learnt of the things in it, to be judged when all is read.
    pub(crate) facts: RefCell<Facts>,
}

/// Things that an operator names in one part of the config and refers to in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the words of the config")]
pub enum EntityKind {
    Target,
    Job,
    Command,
    MailAccount,
    Secret,
    Plugin,
    Breaker,
    Group,
    Tier,
}

impl EntityKind {
    /// The word for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            EntityKind::Target => "target",
            EntityKind::Job => "job",
            EntityKind::Command => "command",
            EntityKind::MailAccount => "mail account",
            EntityKind::Secret => "secret",
            EntityKind::Plugin => "plugin",
            EntityKind::Breaker => "breaker",
            EntityKind::Group => "group",
            EntityKind::Tier => "tier",
        }
    }

    /// How one is written.
    pub(crate) fn example(self, name: &str) -> String {
        match self {
            EntityKind::Target => format!("[[target]] with name = \"{name}\""),
            EntityKind::Job => format!("[[job]] with name = \"{name}\""),
            EntityKind::Command => {
                format!("[command.{name}] with run = [\"program\", \"argument\"]")
            }
            EntityKind::MailAccount => {
                format!("[smtp.{name}] with host, from and to")
            }
            EntityKind::Secret => {
                format!("{name} = {{ file = \"path\" }} or {{ env = \"VARIABLE\" }} to [secrets]")
            }
            EntityKind::Plugin => format!("[plugin.{name}]"),
            EntityKind::Breaker => format!("[breaker.{name}] with open_for = \"15s\""),
            EntityKind::Group => format!("[group.{name}] with e.g. concurrent = 1"),
            EntityKind::Tier => format!("[tier.{name}] with path = \"/mnt/{name}\""),
        }
    }
}

/// What is judged when all is read.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Where each thing is defined.
    pub(crate) defined: BTreeMap<(EntityKind, String), Place>,
    /// Where the directories of the host are set, by key.
    pub(crate) directories: BTreeMap<&'static str, Place>,
    /// Where each thing is referred to.
    pub(crate) referred: Vec<(EntityKind, String, Place)>,
    /// Which target depends on which, and where it says so.
    pub(crate) dependencies: Vec<(TargetName, TargetName, Place)>,
    /// Which failures can be raised.
    pub(crate) raised: Vec<Raised>,
    /// Where the routes stand, in order.
    pub(crate) routes: Vec<Place>,
    /// Where the alert routes stand, in order.
    pub(crate) alerts: Vec<Place>,
    /// Which secret a step names for which handler, and where.
    pub(crate) handed: Vec<(PluginName, SecretName, Place)>,
    /// Which directories are sources of backups, and where that is said.
    pub(crate) backed_up: Vec<(PathBuf, Place)>,
    /// Which files are identities that open backups, and where that is said.
    pub(crate) identities: Vec<(PathBuf, Place)>,
    /// Where the directories of tiers are set.
    pub(crate) tier_paths: Vec<(PathBuf, Place)>,
    /// Which buckets are tiers, each told by its server and the begin of its keys, and where that is set.
    pub(crate) tier_buckets: Vec<(String, Place)>,
    /// Which tiers jobs name.
    pub(crate) tiers_of_jobs: BTreeSet<TierName>,
    /// Which commands rollbacks run, and where that is said.
    pub(crate) hooks: Vec<(CommandName, Place)>,
    /// What drills of backups do, and where that is said.
    pub(crate) drills: Vec<(RestoreDrillSpec, Place)>,
    /// What targets say of their budgets and groups.
    pub(crate) policies: Vec<(TargetName, TargetPolicySpec)>,
    /// Of which handlers a cooldown or a phase says something, and where.
    pub(crate) ruled: Vec<(PluginName, Place)>,
    /// Of which plugins there are instances, and where they say so.
    pub(crate) instances: Vec<(PluginName, Place)>,
    /// The plugins in whose own tables something is wrong.
    pub(crate) misread: BTreeSet<PluginName>,
}

/// A failure that a check or an exit can raise.
#[derive(Debug)]
pub(crate) struct Raised {
    /// Of this target.
    pub(crate) target: TargetName,
    /// What it is called.
    pub(crate) failure: FailureType,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// Where that is said.
    pub(crate) place: Place,
}

impl<'a> Context<'a> {
    /// Nothing is wrong yet.
    pub(crate) fn new(sources: &'a [Source], base: &'a Path) -> Self {
        Self {
            sources,
            base,
            problems: RefCell::default(),
            facts: RefCell::default(),
        }
    }

    /// Keeps an error about a place.
    #[track_caller]
    pub(crate) fn error(&self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.report(place, Problem::error(message, help));
    }

    /// Keeps a warning about a place.
    #[track_caller]
    pub(crate) fn warn(&self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.report(place, Problem::warning(message, help));
    }

    fn report(&self, place: Place, problem: Problem) {
        self.problems.borrow_mut().push((place, problem));
    }

    /// How much was reported so far.
    pub(crate) fn reported(&self) -> usize {
        self.problems.borrow().len()
    }

    /// Does this, and forgets what it reports.
    pub(crate) fn unreported<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.reported();
        let done = work();
        self.problems.borrow_mut().truncate(before);
        done
    }

    /// Whether nothing keeps the config from being used.
    pub(crate) fn is_usable(&self) -> bool {
        let problems = self.problems.borrow();
        !problems.iter().any(|(_, problem)| problem.is_error())
    }

    /// Where a place is, for people.
    pub(crate) fn locate(&self, place: Place) -> Option<Location> {
        locate(self.sources, place)
    }

    /// Everything that was reported, in the order of the files.
    pub(crate) fn into_problems(self) -> (Vec<(Place, Problem)>, Facts) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(place, _)| place.order());
        let are_new = first_ones(&problems);
        let once = problems.into_iter().zip(are_new);
        let once = once.filter_map(|(problem, is_new)| is_new.then_some(problem));
        (once.collect(), self.facts.into_inner())
    }

    /// A thing of this name is defined here; a second of its kind is an error.
    pub(crate) fn define(&self, thing: EntityKind, name: &str, place: Place) {
        let known = (thing, name.to_owned());
        let first = self.facts.borrow().defined.get(&known).copied();
        match first.and_then(|place| self.locate(place)) {
            None => {
                self.facts.borrow_mut().defined.insert(known, place);
            }
            Some(first) => self.error(
                place,
                format!("{} `{name}` is already defined at {first}", thing.as_str()),
                "give one of the two another name, or remove it",
            ),
        }
    }

    /// A thing of this name must exist.
    pub(crate) fn require_reference(&self, thing: EntityKind, name: &str, place: Place) {
        let mut facts = self.facts.borrow_mut();
        facts.referred.push((thing, name.to_owned(), place));
    }
}

/// Of each problem whether none before it is the same.
fn first_ones(problems: &[(Place, Problem)]) -> Vec<bool> {
    let mut reported = HashSet::new();
    let are_new = problems.iter().map(|(place, problem)| {
        let (message, help) = (problem.message.as_str(), problem.help.as_str());
        reported.insert((*place, problem.severity, message, help))
    });
    are_new.collect()
}
