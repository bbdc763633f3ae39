//! What to do about a target's process when the daemon starts, and when the config changes.
//!
//! Invariant: no clock, no I/O; callers pass what they saw.

use mainstay_domain::{name::TargetName, record::ProcessIdentity, spec::ProcessSpec};
use std::collections::{BTreeMap, BTreeSet};

/// What to do when the daemon starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AtStart {
    /// This one lives: take it over.
    Adopt(ProcessIdentity),
    /// None ever ran, or not since the machine was booted: start it.
    Start,
    /// None lives, and starting one is for recovery or an operator.
    Report {
        /// The one that ended, where it is known; whether that was reported before is in its record.
        ended: Option<ProcessIdentity>,
        /// For people.
        why: String,
    },
}

/// Decides about one target. `record` is what the journal holds; `marked` are living processes with the target's mark,
/// oldest first, descendants of the recorded one among them.
pub(super) fn at_start<'a>(
    record: Option<&ProcessIdentity>,
    record_lives: bool,
    marked: impl Iterator<Item = &'a ProcessIdentity>,
    boot_id: &str,
    paused: bool,
) -> AtStart {
    let of_this_boot = record.filter(|record| record.boot_id == boot_id);
    if let Some(record) = of_this_boot
        && record_lives
    {
        return AtStart::Adopt(record.clone());
    }
    // Started after the recorded one had ended, by a daemon that was killed before it could write that down. What has
    // the recorded one's own start in its mark is what that one left behind; two starts may share a millisecond.
    let start = |identity: &ProcessIdentity| (identity.started_at, identity.restarts);
    let mut unrecorded = marked.filter(|found| {
        of_this_boot.is_none_or(|record| {
            found.start_ticks >= record.start_ticks && start(found) != start(record)
        })
    });
    if let Some(found) = unrecorded.next() {
        return AtStart::Adopt(found.clone());
    }
    match of_this_boot {
        Some(record) => AtStart::Report {
            ended: Some(record.clone()),
            why: record.ended.clone().unwrap_or_else(|| {
                format!("process {} ended while no daemon was there", record.pid)
            }),
        },
        None if paused => AtStart::Report {
            ended: None,
            why: "the process does not run, and is not started while automatic recovery is paused"
                .to_owned(),
        },
        None => AtStart::Start,
    }
}

/// What to do when the config changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AtConfig {
    /// Nothing that a running process would notice has changed.
    Keep,
    /// It is supervised from now on.
    Start,
    /// It is not supervised any more.
    Stop,
    /// It must run otherwise; why.
    Restart(String),
}

/// Decides about one target.
pub(super) fn at_config(old: Option<&ProcessSpec>, new: Option<&ProcessSpec>) -> AtConfig {
    let (old, new) = match (old, new) {
        (None, None) => return AtConfig::Keep,
        (None, Some(_)) => return AtConfig::Start,
        (Some(_), None) => return AtConfig::Stop,
        (Some(old), Some(new)) => (old, new),
    };
    let differences = [
        ("run", old.run != new.run),
        ("cwd", old.cwd != new.cwd),
        ("env", old.env != new.env),
        ("user", old.user != new.user),
        ("umask", old.umask != new.umask),
        ("nice", old.nice != new.nice),
        ("nofile", old.nofile != new.nofile),
        ("memory_max", old.memory_max != new.memory_max),
        ("cpu_max", old.cpu_max != new.cpu_max),
        ("env_file", old.env_file != new.env_file),
    ];
    let differences = differences.iter().filter(|(_, differs)| *differs);
    let names: Vec<String> = differences.map(|(name, _)| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => AtConfig::Keep,
        names => AtConfig::Restart(format!("its config changed: {}", names.join(", "))),
    }
}

/// A digest of what a running process would notice: the fields that [`at_config`] compares.
pub(super) fn digest(process: &ProcessSpec) -> Option<String> {
    let cwd = process.cwd.as_os_str().as_encoded_bytes();
    let noticed = (
        &process.run,
        cwd,
        &process.env,
        &process.user,
        process.umask,
    );
    let mut text = serde_json::to_vec(&noticed).ok()?;
    // Keys that came later leave the digest as it was where they are not written.
    let env_file = process.env_file.as_ref();
    let env_file = env_file.map(|file| file.as_os_str().as_encoded_bytes());
    let later = (process.nice, process.nofile, env_file);
    if later != (None, None, None) {
        text.extend(serde_json::to_vec(&later).ok()?);
    }
    if is_bounded(process) {
        let bounds = (process.memory_max, process.cpu_max);
        text.extend(serde_json::to_vec(&bounds).ok()?);
    }
    Some(blake3::hash(&text).to_hex().to_string())
}

/// Whether it has a control group, which carries the name of its target.
pub(super) fn is_bounded(process: &ProcessSpec) -> bool {
    process.memory_max.is_some() || process.cpu_max.is_some()
}

/// A digest of all that makes the processes of two targets the same, whatever the targets are called; none of one that
/// cannot go by another name.
pub(super) fn likeness(process: &ProcessSpec) -> Option<String> {
    if is_bounded(process) {
        return None;
    }
    let before = process.before_start.as_ref().map(|before| &before.run);
    let pid_file = process.pid_file.as_ref();
    let pid_file = pid_file.map(|file| file.as_os_str().as_encoded_bytes());
    let text = serde_json::to_vec(&(digest(process)?, before, pid_file)).ok()?;
    Some(blake3::hash(&text).to_hex().to_string())
}

/// Which targets that are gone, each with a digest, are which of the new ones under another name: those with the same
/// digest, in the order of their names.
pub(super) fn renames(
    gone: Vec<(String, TargetName)>,
    new: Vec<(String, TargetName)>,
) -> Vec<(TargetName, TargetName)> {
    let mut left: BTreeMap<String, BTreeSet<TargetName>> = BTreeMap::new();
    for (likeness, name) in gone {
        left.entry(likeness).or_default().insert(name);
    }
    let new: BTreeSet<_> = new.into_iter().collect();
    let pairs = new.into_iter().filter_map(|(likeness, name)| {
        let from = left.get_mut(&likeness)?.pop_first()?;
        Some((from, name))
    });
    pairs.collect()
}

/// How an adopted process compares with the config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adopted {
    /// As far as is known it was started with what the config says now.
    UpToDate,
    /// It was started with what it would notice to be otherwise now.
    Outdated,
}

/// Compares what a process was started with and the config as it is now.
pub(super) fn adopted(identity: &ProcessIdentity, process: &ProcessSpec) -> Adopted {
    match identity.config.is_some() && identity.config != digest(process) {
        true => Adopted::Outdated,
        false => Adopted::UpToDate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mainstay_domain::{
        name::FailureType,
        severity::Severity,
        spec::{BeforeStart, OnShutdown, RestartPolicy},
        time::Timestamp,
    };
    use std::time::Duration;

    fn process(pid: u32, start: u64) -> ProcessIdentity {
        ProcessIdentity {
            pid,
            start_ticks: start,
            boot_id: "now".to_owned(),
            started_at: Timestamp::from_millis(start),
            restarts: 0,
            config: None,
            ended: None,
            completed: false,
            marked_as: None,
            output: None,
        }
    }

    fn check(
        what: &str,
        record: Option<(&ProcessIdentity, bool)>,
        marked: &[ProcessIdentity],
        paused: bool,
        expected: AtStart,
    ) {
        let (record, lives) = record.map_or((None, false), |(record, lives)| (Some(record), lives));
        assert_eq!(
            at_start(record, lives, marked.iter(), "now", paused),
            expected,
            "{what}"
        );
    }

    #[test]
    fn whatever_was_left_at_most_one_copy_lives() {
        let (old, new) = (process(10, 100), process(20, 200));
        let leftover = ProcessIdentity {
            pid: 11,
            start_ticks: 150,
            ..old.clone()
        };
        let last_boot = ProcessIdentity {
            boot_id: "before".to_owned(),
            ..process(10, 900)
        };
        let ended = || AtStart::Report {
            ended: Some(old.clone()),
            why: "process 10 ended while no daemon was there".to_owned(),
        };
        let paused = || AtStart::Report {
            ended: None,
            why: "the process does not run, and is not started while automatic recovery is paused"
                .to_owned(),
        };
        let adopt = |process: &ProcessIdentity| AtStart::Adopt(process.clone());
        let next = ProcessIdentity {
            restarts: 1,
            ..process(20, 100)
        };
        check(
            "one that was started in the same millisecond and not recorded",
            Some((&old, false)),
            std::slice::from_ref(&next),
            false,
            adopt(&next),
        );
        check("a first start", None, &[], false, AtStart::Start);
        check("a first start, paused", None, &[], true, paused());
        check(
            "a living one",
            Some((&old, true)),
            std::slice::from_ref(&old),
            false,
            adopt(&old),
        );
        check(
            "a living one, paused",
            Some((&old, true)),
            &[],
            true,
            adopt(&old),
        );
        check(
            "with children",
            Some((&old, true)),
            &[old.clone(), leftover.clone()],
            false,
            adopt(&old),
        );
        check("a dead one", Some((&old, false)), &[], false, ended());
        check(
            "a dead one's leftovers",
            Some((&old, false)),
            std::slice::from_ref(&leftover),
            false,
            ended(),
        );
        check(
            "never written down",
            None,
            std::slice::from_ref(&new),
            false,
            adopt(&new),
        );
        check(
            "restarted, not written down",
            Some((&old, false)),
            &[leftover, new.clone()],
            false,
            adopt(&new),
        );
        check(
            "another boot",
            Some((&last_boot, false)),
            &[],
            false,
            AtStart::Start,
        );
        check(
            "another boot, same number",
            Some((&last_boot, true)),
            &[],
            false,
            AtStart::Start,
        );
        check(
            "another boot, not written down",
            Some((&last_boot, false)),
            std::slice::from_ref(&new),
            false,
            adopt(&new),
        );
    }

    /// It is in the records of processes that live on: with another digest for the same config, a new version would
    /// start every one of them anew.
    #[test]
    fn the_digest_of_a_config_is_that_of_the_versions_before() {
        let whole = ProcessSpec {
            run: vec![
                "/srv/api".to_owned(),
                "--port".to_owned(),
                "80 80".to_owned(),
            ],
            cwd: "/srv/\u{e4}".into(),
            env: BTreeMap::from(
                [("B", "${secret:token}"), ("A", "")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            user: Some("www-data".to_owned()),
            umask: Some(0o027),
            nice: None,
            nofile: None,
            memory_max: None,
            cpu_max: None,
            env_file: None,
            before_start: None,
            stop_signal: mainstay_domain::effect::Signal::Term,
            reload: None,
            grace: Duration::from_secs(10),
            on_shutdown: OnShutdown::Leave,
            pid_file: None,
            restart: RestartPolicy::Always,
            expected_exit: vec![0],
            runs_once: false,
            exit_failure: FailureType::parse("service-down").unwrap(),
            exit_severity: Severity::High,
            log_max_bytes: 1,
            log_keep: 3,
        };
        let least = ProcessSpec {
            run: vec!["/bin/true".to_owned()],
            cwd: "/".into(),
            env: BTreeMap::new(),
            user: None,
            umask: None,
            ..whole.clone()
        };
        let digests = [&whole, &least].map(|process| digest(process).unwrap());
        assert_eq!(
            digests,
            [
                "fbc5ba28c6fc6cce0b0ca4d80e8d70c05465ef069ac2410191fa5146047ba124",
                "e49ce390440d3618bd6359b21b5451e6c89e13836231c35d4f50f0a7cd5ac1ef",
            ]
        );
        let nicer = ProcessSpec {
            nice: Some(5),
            ..least.clone()
        };
        let more_files = ProcessSpec {
            nofile: Some(5),
            ..least.clone()
        };
        let with_file = ProcessSpec {
            env_file: Some("/etc/env".into()),
            ..least.clone()
        };
        let bounded = ProcessSpec {
            memory_max: Some(5),
            ..least.clone()
        };
        let slowed = ProcessSpec {
            cpu_max: Some(5.0),
            ..least.clone()
        };
        let all = [&least, &nicer, &more_files, &with_file, &bounded, &slowed];
        let all = all.map(|process| digest(process).unwrap());
        let different: BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "{all:?}");
        let slower = ProcessSpec {
            grace: Duration::from_secs(60),
            log_keep: 1,
            ..least.clone()
        };
        assert_eq!(likeness(&slower), likeness(&least));
        let forks = ProcessSpec {
            pid_file: Some("/run/pid".into()),
            ..least.clone()
        };
        let prepared = ProcessSpec {
            before_start: Some(BeforeStart {
                run: vec!["/bin/true".to_owned()],
                timeout: Duration::from_secs(60),
            }),
            ..least.clone()
        };
        for other in [&nicer, &with_file, &forks, &prepared, &bounded] {
            assert_ne!(likeness(other), likeness(&least));
        }
    }

    #[test]
    fn a_target_that_is_gone_is_a_new_one_that_is_the_same_in_the_order_of_names() {
        let named = |pairs: &[(&str, &str)]| -> Vec<(String, TargetName)> {
            let pairs = pairs.iter();
            let named =
                pairs.map(|(like, name)| ((*like).to_owned(), TargetName::parse(name).unwrap()));
            named.collect()
        };
        let gone = named(&[("x", "c"), ("y", "b"), ("x", "a"), ("z", "d")]);
        let new = named(&[("x", "n"), ("w", "k"), ("x", "m"), ("x", "o"), ("y", "l")]);
        let found = renames(gone, new);
        let found: Vec<_> = found
            .iter()
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .collect();
        assert_eq!(found, [("a", "m"), ("c", "n"), ("b", "l")]);
    }
}
