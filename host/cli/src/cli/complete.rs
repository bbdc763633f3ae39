//! What may be typed next: subcommands, options and their words by the manual, names and identifiers by the daemon.
//!
//! Invariant: a person waits for it with a finger on a key: where no daemon answers at once, only the manual does.

use super::{
    arguments::{Cli, Global},
    client::Client,
    connect,
    output::Output,
};
use clap::{Arg, ArgAction, Command, CommandFactory};
use mainstay_api::{Backup, Incident, Operation, Silence, Status};
use serde::de::DeserializeOwned;
use std::{collections::HashSet, path::PathBuf, time::Duration};

/// The daemon has so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many of what is listed newest first.
const NEWEST: &str = "limit=50";

/// What of the daemon's may stand somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Targets,
    Jobs,
    Plugins,
    Alerters,
    Incidents,
    Operations,
    Waiting,
    Silences,
    Backups,
    Checkpoints,
    Noted,
}

/// What may be typed next.
#[derive(Debug, Default, PartialEq, Eq)]
struct Next {
    /// By the manual.
    words: Vec<String>,
    /// By the daemon.
    names: Option<Names>,
    /// Which daemon is meant, where the line says so.
    config: Option<PathBuf>,
    socket: Option<PathBuf>,
}

/// Prints what may stand in the place of the last word, one to a line; nothing where nothing is known.
pub(super) async fn complete(
    global: &Global,
    out: &Output,
    words: &[String],
) -> anyhow::Result<()> {
    let mut command = Cli::command();
    command.build();
    let (current, before) = match words.split_last() {
        Some((current, before)) => (current.as_str(), before),
        None => ("", words),
    };
    let next = next_of(&command, before, current);
    let mut found = next.words;
    if let Some(names) = next.names {
        let daemon = Global {
            config: next.config.or_else(|| global.config.clone()),
            socket: next.socket.or_else(|| global.socket.clone()),
            timeout: PATIENCE,
            ..global.clone()
        };
        if let Ok(client) = connect::connect(&daemon).await {
            found.extend(names_of(&client, names).await);
        }
    }
    let mut seen = HashSet::new();
    found.retain(|word| word.starts_with(current) && seen.insert(word.clone()));
    found.into_iter().try_for_each(|word| out.line(&word))
}

/// What may stand after these words, where this one is begun.
fn next_of(command: &Command, before: &[String], current: &str) -> Next {
    let mut next = Next::default();
    let mut path: Vec<&str> = Vec::new();
    let mut command = command;
    // The option whose value is to come, and the positional arguments that were given.
    let mut option: Option<&Arg> = None;
    let mut given = 0;
    let mut only_positional = false;
    for word in before {
        if let Some(of) = option {
            // A shell may take `--config=x` for three words.
            if word != "=" {
                next.heard(of, word);
                option = None;
            }
            continue;
        }
        match word.strip_prefix('-') {
            Some("-") if !only_positional => only_positional = true,
            Some(rest) if !only_positional && !rest.is_empty() => {
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (word.as_str(), None),
                };
                let found = option_of(command, name);
                match (found, value) {
                    (Some(of), Some(value)) => next.heard(of, value),
                    (found, None) => option = found,
                    (None, Some(_)) => {}
                }
            }
            _ => match command.find_subcommand(word).filter(|_| given == 0) {
                Some(below) => {
                    path.push(below.get_name());
                    command = below;
                }
                None => given += 1,
            },
        }
    }
    if let Some(of) = option {
        next.wants(of, &path);
    } else if current.starts_with('-') && !only_positional {
        let options = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let names = options.filter_map(|arg| arg.get_long());
        next.words = names.map(|name| format!("--{name}")).collect();
    } else {
        let below = command.get_subcommands();
        let shown = below.filter(|below| !below.is_hide_set() && given == 0);
        next.words = shown.map(|below| below.get_name().to_owned()).collect();
        // The last one may be given again and again.
        let takes_more = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Append);
        let of = command.get_positionals().nth(given);
        if let Some(of) = of.or_else(|| command.get_positionals().last().filter(takes_more)) {
            next.wants(of, &path);
        }
    }
    next
}

/// The option of this name that takes a value.
fn option_of<'a>(command: &'a Command, written: &str) -> Option<&'a Arg> {
    let long = written.strip_prefix("--");
    // Of several letters only the last may take a value.
    let short = written.chars().next_back().filter(|_| long.is_none());
    let mut options = command.get_arguments();
    let found = options.find(|arg| match long {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some() && arg.get_short() == short,
    });
    found.filter(|arg| arg.get_action().takes_values())
}

impl Next {
    /// An option was given with its value.
    fn heard(&mut self, option: &Arg, value: &str) {
        match option.get_id().as_str() {
            "config" => self.config = Some(value.into()),
            "socket" => self.socket = Some(value.into()),
            _ => {}
        }
    }

    /// A value of this argument comes next.
    fn wants(&mut self, arg: &Arg, path: &[&str]) {
        let values = arg.get_possible_values();
        let shown = values.iter().filter(|value| !value.is_hide_set());
        self.words
            .extend(shown.map(|value| value.get_name().to_owned()));
        self.names = names_for(arg.get_id().as_str(), path);
    }
}

/// Which names an argument takes.
fn names_for(arg: &str, path: &[&str]) -> Option<Names> {
    Some(match (arg, path) {
        ("target" | "targets", _) => Names::Targets,
        ("job", _) => Names::Jobs,
        ("plugin", _) => Names::Plugins,
        ("alerter", _) => Names::Alerters,
        ("id", ["incident", ..]) => Names::Incidents,
        ("id", ["approve" | "reject"]) => Names::Waiting,
        ("id", ["operation", ..] | ["cancel"]) => Names::Operations,
        ("id", ["unsilence"]) => Names::Silences,
        ("id" | "from" | "to", ["backup", ..]) => Names::Backups,
        ("id", ["checkpoint", ..]) => Names::Checkpoints,
        ("id", ["note" | "ack"]) => Names::Noted,
        ("before", ["incidents"]) => Names::Incidents,
        ("before", ["history"]) => Names::Operations,
        _ => return None,
    })
}

/// What the daemon has of these; nothing where it does not say.
async fn names_of(client: &Client, names: Names) -> Vec<String> {
    let incidents = format!("/v1/incidents?{NEWEST}");
    let operations = format!("/v1/operations?{NEWEST}");
    match names {
        Names::Targets => {
            let status = read::<Status>(client, "/v1/status").await;
            let targets = status.into_iter().flat_map(|status| status.targets);
            targets.map(|target| target.name).collect()
        }
        Names::Jobs => {
            let status = read::<Status>(client, "/v1/status").await;
            let jobs = status.into_iter().flat_map(|status| status.jobs);
            jobs.map(|job| job.name).collect()
        }
        Names::Plugins | Names::Alerters => {
            let status = read::<Status>(client, "/v1/status").await;
            let plugins = status.into_iter().flat_map(|status| status.plugins);
            let named = plugins.filter_map(|plugin| match names {
                Names::Plugins => Some(format!("{}@{}", plugin.name?, plugin.version?)),
                _ => plugin
                    .name
                    .filter(|_| plugin.kind == Some(mainstay_api::PluginKind::Alerter)),
            });
            named.collect()
        }
        Names::Incidents => ids::<Incident>(client, &incidents, |one| one.id).await,
        Names::Operations => ids::<Operation>(client, &operations, |one| one.id).await,
        Names::Waiting => {
            let waiting = format!("{operations}&state=awaiting-manual");
            ids::<Operation>(client, &waiting, |one| one.id).await
        }
        Names::Silences => ids::<Silence>(client, "/v1/silences", |one| one.id).await,
        Names::Backups => ids::<Backup>(client, "/v1/backups", |one| one.id).await,
        Names::Checkpoints => ids::<Backup>(client, "/v1/checkpoints", |one| one.id).await,
        Names::Noted => {
            let mut both = ids::<Incident>(client, &incidents, |one| one.id).await;
            both.extend(ids::<Operation>(client, &operations, |one| one.id).await);
            both
        }
    }
}

async fn ids<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    id: impl Fn(T) -> String,
) -> Vec<String> {
    let found = read::<Vec<T>>(client, path).await;
    found.into_iter().flatten().map(id).collect()
}

async fn read<T: DeserializeOwned>(client: &Client, path: &str) -> Option<T> {
    let answer = client.get(path).await.ok()?;
    serde_json::from_str(&answer).ok()
}

/// What a shell is to do; none for a shell that has the manual alone.
pub(super) fn script(shell: clap_complete::Shell) -> Option<&'static str> {
    match shell {
        clap_complete::Shell::Bash => Some(include_str!("completions/mainstay.bash")),
        clap_complete::Shell::Zsh => Some(include_str!("completions/mainstay.zsh")),
        clap_complete::Shell::Fish => Some(include_str!("completions/mainstay.fish")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(line: &str) -> Next {
        let mut command = Cli::command();
        command.build();
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let current = words.pop().unwrap();
        next_of(&command, &words, &current)
    }

    #[test]
    fn what_comes_next_is_known_by_what_stands_before() {
        for (line, names) in [
            ("stop ", Some(Names::Targets)),
            ("stop --reason moved ", Some(Names::Targets)),
            ("events --target ", Some(Names::Targets)),
            ("events --target a --since ", None),
            ("stop api ", Some(Names::Targets)),
            ("probe api ", None),
            ("backup create ", Some(Names::Jobs)),
            ("backup list --job ", Some(Names::Jobs)),
            ("backup show ", Some(Names::Backups)),
            ("checkpoint take ", Some(Names::Jobs)),
            ("checkpoint rollback ", Some(Names::Checkpoints)),
            ("plugin forget ", Some(Names::Plugins)),
            ("alert test --alerter ", Some(Names::Alerters)),
            ("incident show ", Some(Names::Incidents)),
            ("-v operation show ", Some(Names::Operations)),
            ("approve ", Some(Names::Waiting)),
            ("cancel ", Some(Names::Operations)),
            ("unsilence ", Some(Names::Silences)),
            ("note ", Some(Names::Noted)),
            ("note op-1 ", None),
            ("logs ", Some(Names::Targets)),
            ("history --before ", Some(Names::Operations)),
            ("recover api --failure ", None),
            ("", None),
        ] {
            assert_eq!(next(line).names, names, "{line}");
        }
    }

    #[test]
    fn subcommands_options_and_words_are_those_of_the_manual() {
        let has = |line: &str, word: &str| next(line).words.iter().any(|found| found == word);
        assert!(has("", "status") && has("inc", "incidents"));
        assert!(!has("", "compile-component") && !has("", "complete"));
        assert!(has("backup ", "restore") && !has("backup ", "status"));
        assert!(has("events --", "--follow") && has("events --", "--config"));
        assert!(has("status --color ", "never"));
        assert!(has("completions ", "bash"));
    }

    #[test]
    fn the_daemon_that_the_line_names_is_asked() {
        let found = next("--config /etc/a.toml stop ");
        assert_eq!(found.config, Some("/etc/a.toml".into()));
        assert_eq!(found.names, Some(Names::Targets));
        for line in ["stop --socket=/run/x.sock ", "stop --socket = /run/x.sock "] {
            let found = next(line);
            assert_eq!(found.socket, Some("/run/x.sock".into()), "{line}");
            assert_eq!(found.names, Some(Names::Targets), "{line}");
        }
    }
}
