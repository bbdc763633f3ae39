//! A scenario that fits a config: every name in it is known, and every step says one thing.

use super::{
    at::{At, Length},
    draft::{CommandWord, Draft, Entry, SeenAs},
    rule::Rule,
};
use crate::{
    health::Outcome,
    name::{CheckName, FailureType, TargetName},
    pause::LONGEST_PAUSE,
    phase::Phase,
    severity::Severity,
    spec::{Spec, TargetSpec},
    text::list,
    time::Timestamp,
};
use std::time::Duration;

/// When a scenario begins that does not say it: 2026-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// A step is no later than this.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// What happens, in order, and what handlers answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// When it begins.
    pub begin: Timestamp,
    /// For how long it lasts; absent: until nothing is left to be done, at most a day.
    pub until: Option<Duration>,
    /// In which phase the host is then.
    pub phase: Phase,
    /// What handlers answer: the first that fits.
    pub rules: Vec<Rule>,
    /// What happens, earliest first.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How long after the beginning.
    pub at: Duration,
    /// To which target; none: to the host.
    pub target: Option<TargetName>,
    /// What.
    pub what: What,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A check sees this from now on.
    Seen {
        /// Which.
        check: CheckName,
        /// What it sees.
        outcome: Outcome,
        /// In words.
        message: String,
    },
    /// The supervised process ends by itself, and so.
    Exit(String),
    /// The supervised process is started.
    Started,
    /// A failure is reported.
    Reported {
        /// Which.
        failure: FailureType,
        /// How bad it is.
        severity: Severity,
        /// In words.
        message: String,
    },
    /// A report is taken back.
    TakenBack(FailureType),
    /// A person changes the phase of the host.
    Phase(Phase),
    /// A person commands something.
    Command {
        /// What.
        command: CommandWord,
        /// Of which failure.
        failure: Option<FailureType>,
        /// For how long.
        lasts: Option<Duration>,
    },
}

/// Why a draft is no scenario for a config.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step}, at {at}: {problem}")]
pub struct ScenarioProblem {
    /// Which step, from 1.
    pub step: usize,
    /// When it is.
    pub at: String,
    /// What was found, and what is allowed.
    pub problem: String,
}

impl Scenario {
    /// Checks a draft against a config.
    ///
    /// # Errors
    /// Every step that does not fit.
    pub fn new(draft: Draft, spec: &Spec) -> Result<Self, Vec<ScenarioProblem>> {
        let times = draft.steps.iter().filter_map(|entry| match entry.at {
            At::Time(time) => Some(time),
            At::After(_) => None,
        });
        let begin = draft.begin.or_else(|| times.min()).unwrap_or(BEGIN);
        let mut steps = Vec::with_capacity(draft.steps.len());
        let mut problems = Vec::new();
        for (place, entry) in draft.steps.into_iter().enumerate() {
            let at = entry.at;
            match steps_of(entry, begin, spec) {
                Ok(some) => steps.extend(some),
                Err(problem) => problems.push(ScenarioProblem {
                    step: place + 1,
                    at: at.to_string(),
                    problem,
                }),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        // Those of one moment stay in the order of the file.
        steps.sort_by_key(|step| step.at);
        Ok(Self {
            begin,
            until: draft.until.map(|Length(length)| length),
            phase: draft.phase.unwrap_or_default(),
            rules: draft.rules,
            steps,
        })
    }
}

/// One step, and where it is over by itself, that too.
fn steps_of(entry: Entry, begin: Timestamp, spec: &Spec) -> Result<Vec<Step>, String> {
    let at = match entry.at {
        At::After(length) => length,
        At::Time(time) if time < begin => {
            return Err(format!(
                "it is before the beginning, {begin}; write a later time, or an earlier `begin`"
            ));
        }
        At::Time(time) => time.since(begin),
    };
    if at > LONGEST {
        return Err(
            "it is more than a year after the beginning; at most 366d are allowed".to_owned(),
        );
    }
    let target = entry
        .target
        .as_ref()
        .map(|name| known(spec, name))
        .transpose()?;
    let lasts = entry.lasts.map(|Length(length)| length);
    let (what, over) = match (entry.phase, &entry.command, target) {
        (Some(phase), ..) => (phase_of(phase, &entry)?, None),
        (None, Some(command), target) => (command_of(*command, &entry, target)?, None),
        (None, None, None) => {
            return Err(
                "it has no `target`; only a `phase` and commands over the whole host need none"
                    .to_owned(),
            );
        }
        (None, None, Some(target)) => happens(&entry, target)?,
    };
    let step = |at: Duration, what: What| Step {
        at,
        target: entry.target.clone(),
        what,
    };
    let mut steps = vec![step(at, what)];
    match (over, lasts) {
        (Some(over), Some(lasts)) => steps.push(step(at.saturating_add(lasts), over)),
        (None, Some(_)) if entry.command != Some(CommandWord::Pause) => {
            return Err("`for` is for what is over by itself: a failing check, an exit, a reported failure, a pause".to_owned());
        }
        _ => {}
    }
    Ok(steps)
}

fn known<'a>(spec: &'a Spec, name: &TargetName) -> Result<&'a TargetSpec, String> {
    const SHOWN: usize = 20;
    spec.target(name).ok_or_else(|| {
        let names = spec.targets.iter().map(|target| target.name.as_str());
        let more = match spec.targets.len().checked_sub(SHOWN) {
            None | Some(0) => String::new(),
            Some(more) => format!(" and {more} more"),
        };
        format!(
            "there is no target `{name}` in the config; there are: {}{more}",
            list(names.take(SHOWN), "none")
        )
    })
}

/// What happens to a target, and what ends it.
fn happens(entry: &Entry, target: &TargetSpec) -> Result<(What, Option<What>), String> {
    let message = |usual: &str| entry.message.clone().unwrap_or_else(|| usual.to_owned());
    let seen_as = entry.outcome.unwrap_or(SeenAs::Failed);
    match (&entry.check, &entry.failure, &entry.exit, entry.started) {
        (Some(check), None, None, None) => {
            if !target.checks.iter().any(|known| known.name == *check) {
                let names = target.checks.iter().map(|check| check.name.as_str());
                return Err(format!("{} has no check `{check}`; it has: {}", target.name, list(names, "none")));
            }
            let seen = |outcome: Outcome, message: String| What::Seen {
                check: check.clone(),
                outcome,
                message,
            };
            let over = (seen_as != SeenAs::Healthy).then(|| seen(Outcome::Healthy, "passes".to_owned()));
            let usual = match seen_as {
                SeenAs::Healthy => "passes",
                SeenAs::Degraded => "warns",
                SeenAs::Failed => "fails",
                SeenAs::Unknown => "could not look",
            };
            Ok((seen(seen_as.into(), message(usual)), over))
        }
        (None, Some(failure), None, None) => match seen_as {
            SeenAs::Healthy => Ok((What::TakenBack(failure.clone()), None)),
            SeenAs::Failed => {
                let mut checks = target.checks.iter();
                let of_check = checks.find(|check| check.failure == *failure);
                let usual = || crate::failure::default_severity(failure);
                let severity = entry.severity.or(of_check.map(|check| check.severity));
                let what = What::Reported {
                    failure: failure.clone(),
                    severity: severity.unwrap_or_else(usual),
                    message: message("reported"),
                };
                Ok((what, Some(What::TakenBack(failure.clone()))))
            }
            SeenAs::Degraded | SeenAs::Unknown => {
                Err("of a reported failure `outcome` is `failed` or `healthy`".to_owned())
            }
        },
        (None, None, Some(_), None) | (None, None, None, Some(true)) if target.process.is_none() => Err(format!(
            "{} has no process that is supervised (`run`): write what one of its checks sees, or its `failure`",
            target.name
        )),
        (None, None, Some(how), None) => Ok((What::Exit(how.clone()), Some(What::Started))),
        (None, None, None, Some(true)) => Ok((What::Started, None)),
        _ => Err("it says more than one thing, or nothing: write one of `check`, `failure`, `exit`, `started = true`, `phase` and `command`".to_owned()),
    }
}

fn phase_of(phase: Phase, entry: &Entry) -> Result<What, String> {
    let alone = Entry {
        phase: Some(phase),
        ..Entry::new(entry.at)
    };
    match *entry == alone {
        true => Ok(What::Phase(phase)),
        false => Err("a `phase` is of the host, and has nothing beside it but `at`".to_owned()),
    }
}

fn command_of(
    command: CommandWord,
    entry: &Entry,
    target: Option<&TargetSpec>,
) -> Result<What, String> {
    let over_host = matches!(command, CommandWord::Pause | CommandWord::Resume);
    if target.is_none() && !over_host {
        return Err("this command needs a `target`".to_owned());
    }
    if command == CommandWord::Recover && entry.failure.is_none() {
        return Err("`recover` needs a `failure`".to_owned());
    }
    if entry.check.is_some() || entry.exit.is_some() || entry.started.is_some() {
        return Err("a `command` has no `check`, `exit` or `started` beside it".to_owned());
    }
    let lasts = entry.lasts.map(|Length(length)| length);
    if lasts.is_some_and(|lasts| lasts.is_zero() || lasts > LONGEST_PAUSE) {
        return Err("a pause lasts for more than nothing and at most 30d".to_owned());
    }
    Ok(What::Command {
        command,
        failure: entry.failure.clone(),
        lasts,
    })
}
