//! The steps that free memory, in their order, and how they are told.

use crate::settings::{Release, ReliefSettings};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A signal to the target's process.
    Signal(Release),
    /// A command of the config.
    Command(String),
    /// A restart of the target.
    Restart,
}

/// What the settings have, the gentler first.
pub(crate) fn steps(settings: &ReliefSettings) -> Vec<Step> {
    let signal = settings.signal.map(Step::Signal);
    let commands = settings.commands.iter().cloned().map(Step::Command);
    let restart = settings.restart.unwrap_or(true).then_some(Step::Restart);
    signal.into_iter().chain(commands).chain(restart).collect()
}

impl Step {
    /// What was done, in a phrase.
    pub(crate) fn done(&self, target: &str) -> String {
        match self {
            Self::Signal(signal) => format!("sent {} to {target}", signal.word()),
            Self::Command(name) => format!("ran `{name}`"),
            Self::Restart => format!("restarted {target}"),
        }
    }

    /// What would be done.
    pub(crate) fn planned(&self, target: &str) -> String {
        match self {
            Self::Signal(signal) => format!("would send {} to {target}", signal.word()),
            Self::Command(name) => format!("would run `{name}`"),
            Self::Restart => format!("would restart {target}"),
        }
    }

    /// That it could not be done, and why.
    pub(crate) fn failed(&self, target: &str, why: &str) -> String {
        match self {
            Self::Signal(signal) => format!("could not send {} to {target}: {why}", signal.word()),
            Self::Command(name) => format!("`{name}` failed: {why}"),
            Self::Restart => format!("could not restart {target}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gentler_comes_first_and_a_restart_last_unless_it_is_refused() {
        let settings = |signal, commands: &[&str], restart| ReliefSettings {
            signal,
            commands: commands.iter().map(|name| (*name).to_owned()).collect(),
            settle: None,
            restart,
        };
        let all = settings(Some(Release::Usr1), &["clear", "demote"], None);
        let expected = [
            Step::Signal(Release::Usr1),
            Step::Command("clear".into()),
            Step::Command("demote".into()),
            Step::Restart,
        ];
        assert_eq!(steps(&all), expected);
        assert_eq!(steps(&settings(None, &[], None)), [Step::Restart]);
        assert!(steps(&settings(None, &[], Some(false))).is_empty());
    }
}
