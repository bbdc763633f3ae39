//! The environment of every program that the daemon starts: no other module of the daemon makes a [`Command`], and no
//! crate that it is made of.
//!
//! Invariant: a variable that a secret is read from is inherited by no program, from when its config is applied to the
//! end of the daemon, also where a later config has the secret no more. Who is to have the value gets it by
//! `${secret:NAME}` in the `env` of the config.
//! Invariant: what a service manager says to the daemon is said to nobody else: a program could answer in its place.
//!
//! The daemon's own environment stays as it is, for changing it is not safe beside threads that read it.

use parking_lot::{Mutex, MutexGuard};
use std::{collections::BTreeSet, ffi::OsStr, process::Command};

/// Where programs are looked for when the daemon itself has no `PATH`.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is said to the daemon alone: by its service manager, as systemd.exec(5) lists it, upstart and supervisord have theirs,
/// and by a Mainstay that supervises this one. A service that finds the daemon's own directories would keep its state there,
/// and one that finds `UPSTART_JOB` stops itself, as upstart wanted it. `MAINSTAY_CONFIG` is not among it: by that, `mainstay
/// heartbeat` in a child finds the daemon.
const SAID_TO_THE_DAEMON: [&str; 43] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "MANAGERPID",
    "MANAGERPIDFDID",
    "SYSTEMD_EXEC_PID",
    "FDSTORE",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "MAINSTAY_TARGET",
    "MAINSTAY_EFFECT",
    "MAINSTAY_IDEMPOTENCY_KEY",
    "MAINSTAY_PROGRAM",
    "CREDENTIALS_DIRECTORY",
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "LOGS_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "LOG_NAMESPACE",
    "MAINPID",
    "PIDFILE",
    "SERVICE_RESULT",
    "EXIT_CODE",
    "EXIT_STATUS",
    "DEBUG_INVOCATION",
    "TRIGGER_UNIT",
    "TRIGGER_PATH",
    "TRIGGER_TIMER_REALTIME_USEC",
    "TRIGGER_TIMER_MONOTONIC_USEC",
    "UPSTART_JOB",
    "UPSTART_INSTANCE",
    "UPSTART_EVENTS",
    "SUPERVISOR_ENABLED",
    "SUPERVISOR_GROUP_NAME",
    "SUPERVISOR_PROCESS_NAME",
    "SUPERVISOR_SERVER_URL",
];

/// What programs inherit of the daemon.
#[derive(Debug, Default)]
pub struct ChildEnvironment {
    secret: Mutex<SecretVariables>,
}

/// The variables that secrets are read from.
#[derive(Debug, Default)]
struct SecretVariables {
    /// Of every config that was applied since the start.
    applied: BTreeSet<String>,
    /// Of one that is being applied.
    prepared: BTreeSet<String>,
}

impl ChildEnvironment {
    /// The config that is applied reads its secrets from these variables.
    pub fn without(variables: BTreeSet<String>) -> Self {
        Self {
            secret: Mutex::new(SecretVariables {
                applied: variables,
                prepared: BTreeSet::new(),
            }),
        }
    }

    /// A program with the daemon's environment, but for what is not for others. What its own config adds is added with
    /// [`Command::env`], and wins.
    pub fn inheriting(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // One by one: after `env_clear` the standard library forks to look into `PATH`, where it could take
        // `posix_spawn`, whose cost does not grow with the daemon's memory.
        for variable in SAID_TO_THE_DAEMON {
            command.env_remove(variable);
        }
        let secret = self.secret();
        for variable in secret.applied.union(&secret.prepared) {
            command.env_remove(variable);
        }
        command
    }

    /// A program with nothing but the daemon's `PATH`, and what is added.
    pub fn bare(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").filter(|_| !self.is_secret("PATH"));
        command
            .env_clear()
            .env("PATH", path.unwrap_or_else(|| DEFAULT_PATH.into()));
        command
    }

    /// A config that reads its secrets from these variables is being applied.
    pub(super) fn prepare(&self, variables: BTreeSet<String>) {
        self.secret().prepared = variables;
    }

    /// It is applied.
    pub(super) fn adopt(&self) {
        let mut secret = self.secret();
        let prepared = std::mem::take(&mut secret.prepared);
        secret.applied.extend(prepared);
    }

    /// It is not.
    pub(super) fn abandon(&self) {
        self.secret().prepared.clear();
    }

    fn is_secret(&self, variable: &str) -> bool {
        let secret = self.secret();
        secret.applied.contains(variable) || secret.prepared.contains(variable)
    }

    fn secret(&self) -> MutexGuard<'_, SecretVariables> {
        self.secret.lock()
    }
}

/// A variable that tests have, by cargo, and no shell sets by itself.
#[cfg(test)]
pub(super) const OF_THE_TESTS: &str = "CARGO_MANIFEST_DIR";

/// The environment of a daemon that reads a secret from [`OF_THE_TESTS`].
#[cfg(test)]
pub(super) fn without_that_of_the_tests() -> std::sync::Arc<ChildEnvironment> {
    assert!(std::env::var_os(OF_THE_TESTS).is_some(), "cargo sets it");
    let variables = BTreeSet::from([OF_THE_TESTS.to_owned()]);
    std::sync::Arc::new(ChildEnvironment::without(variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the variables that a program finds.
    fn names(mut command: Command) -> BTreeSet<String> {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = text
            .split('\0')
            .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
        names.collect()
    }

    fn inherited(environment: &ChildEnvironment) -> BTreeSet<String> {
        let mut command = environment.inheriting("env");
        command.arg("-0");
        names(command)
    }

    fn secret() -> BTreeSet<String> {
        BTreeSet::from([OF_THE_TESTS.to_owned()])
    }

    #[test]
    fn a_program_inherits_all_but_the_variables_of_secrets() {
        let all = inherited(&ChildEnvironment::default());
        assert!(all.contains("PATH") && all.contains(OF_THE_TESTS));
        let mut rest = inherited(&without_that_of_the_tests());
        assert!(!rest.contains(OF_THE_TESTS));
        rest.extend(secret());
        assert_eq!(rest, all);
    }

    #[test]
    fn the_variable_of_a_secret_that_is_gone_does_not_come_back() {
        let environment = without_that_of_the_tests();
        environment.prepare(BTreeSet::new());
        assert!(!inherited(&environment).contains(OF_THE_TESTS));
        environment.adopt();
        assert!(!inherited(&environment).contains(OF_THE_TESTS));
    }

    #[test]
    fn a_config_that_is_being_applied_counts_and_one_that_was_refused_does_not() {
        let environment = ChildEnvironment::default();
        environment.prepare(secret());
        assert!(!inherited(&environment).contains(OF_THE_TESTS));
        environment.abandon();
        assert!(inherited(&environment).contains(OF_THE_TESTS));
        environment.prepare(secret());
        environment.adopt();
        assert!(!inherited(&environment).contains(OF_THE_TESTS));
    }

    #[test]
    fn what_a_service_manager_says_to_the_daemon_is_left_out() {
        let command = ChildEnvironment::default().inheriting("env");
        let left_out: Vec<_> = command.get_envs().collect();
        for variable in [
            "NOTIFY_SOCKET",
            "WATCHDOG_PID",
            "WATCHDOG_USEC",
            "LISTEN_FDS",
            "LISTEN_FDNAMES",
            "LISTEN_PID",
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "CREDENTIALS_DIRECTORY",
            "STATE_DIRECTORY",
            "RUNTIME_DIRECTORY",
            "PIDFILE",
            "UPSTART_JOB",
            "SUPERVISOR_SERVER_URL",
        ] {
            let entry = (OsStr::new(variable), None);
            assert!(left_out.contains(&entry), "{variable}: {left_out:?}");
        }
    }

    #[test]
    fn what_is_added_is_there_whatever_is_left_out() {
        let environment = without_that_of_the_tests();
        for mut command in [environment.inheriting("env"), environment.bare("env")] {
            command.arg("-0").env(OF_THE_TESTS, "added");
            assert!(names(command).contains(OF_THE_TESTS));
        }
    }

    #[test]
    fn a_bare_program_has_a_path_and_nothing_else() {
        for secret in ["NO_SUCH_VARIABLE", "PATH"] {
            let environment = ChildEnvironment::without(BTreeSet::from([secret.to_owned()]));
            let command = environment.bare("env");
            let given: Vec<_> = command.get_envs().collect();
            let own = std::env::var_os("PATH").filter(|_| secret != "PATH");
            let path = own.unwrap_or_else(|| DEFAULT_PATH.into());
            assert_eq!(given, [(OsStr::new("PATH"), Some(path.as_os_str()))]);
        }
    }
}
