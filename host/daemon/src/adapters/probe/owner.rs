//! Who listens where the check of a supervised target was answered: its own process, or a stranger that has its port.
//!
//! Invariant: nothing here makes a target fail. An answer of which nobody can tell whose it is counts once the own process
//! has run for a moment: one that cannot have its port has ended by then.
//! Invariant: what a stranger answers counts as nothing, for as long as it does. For the breaker a warning is a success,
//! which closes the circuit: as a warning the stranger's answer would be told as the target's recovery.
//! Invariant: a stranger is only who was there before a process that listens nowhere itself, is no client of it, and does
//! not depend on it: a worker's check may well be of the service that it works for.
//! Invariant: where it is no stranger, it is looked once for each start, for it costs a look at the sockets of the machine.

use super::{
    Seen,
    groups::{Groups, Kin},
    length,
    sockets::{has_stream_in_files, is_connected, listening, listens_in_files, sockets, takes},
};
use crate::adapters::process::{
    environ,
    stat::{self, ProcessStat},
};
use mainstay_domain::{health::Outcome, name::TargetName, spec::CheckSpec};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    fs,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

/// So long a process has to have run where nobody can tell who answered.
const MOMENT: Duration = Duration::from_secs(1);
/// So many checks are kept without a look at which of them are gone.
const FEW: usize = 64;
/// Programs that listen for others, of whom nothing can be told.
const FORWARDERS: [&str; 4] = ["docker-proxy", "rootlessport", "slirp4netns", "pasta"];
/// The variable that marks the processes of a target: `STATE/TARGET/…`.
const MARK: &[u8] = b"MAINSTAY_TARGET=";

/// Who listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// A process of the target.
    Own,
    /// Another process, which was there before that of the target, and the target has nothing to do with it.
    Stranger(String),
    /// Nobody that can be told.
    Unknown,
}

/// What a look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    owner: Owner,
    /// How long the target's process has run.
    age: Duration,
}

impl Found {
    fn of(owner: Owner, child: &ProcessStat) -> Self {
        Self {
            owner,
            age: stat::age_of(child.start_ticks),
        }
    }
}

/// Of which checks it is settled who answers, and for which process.
#[derive(Default)]
pub(super) struct Owners(Mutex<Settled>);

#[derive(Default)]
struct Settled {
    /// By where its spec lies, which no other can while it is known here.
    of_checks: HashMap<usize, (Weak<CheckSpec>, u32)>,
    /// With so many those that are gone are looked for.
    sweep_at: usize,
}

impl Owners {
    /// Whether nothing is to be looked at for this process any more.
    pub(super) fn is_settled(&self, check: &Arc<CheckSpec>, pid: u32) -> bool {
        let settled = self.0.lock();
        let known = settled.of_checks.get(&place(check));
        known.is_some_and(|(_, known)| *known == pid)
    }

    /// What an answer is worth.
    pub(super) fn judge(&self, check: &Arc<CheckSpec>, pid: u32, found: Found, seen: Seen) -> Seen {
        let least = match found.owner {
            Owner::Own => Duration::ZERO,
            Owner::Unknown => MOMENT,
            Owner::Stranger(who) => {
                return Seen::unknown(format!(
                    "{}, but {who} listens there, and none of the target's processes: process {pid} has run for {} and \
                     listens nowhere; end {who}, or give a check of another service to a target without `run`",
                    seen.message,
                    length(found.age)
                ));
            }
        };
        if found.age < least {
            return Seen::too_soon(format!(
                "{}; process {pid} has run for {}",
                seen.message,
                length(found.age)
            ));
        }
        self.settle(check, pid);
        seen
    }

    fn settle(&self, check: &Arc<CheckSpec>, pid: u32) {
        let mut settled = self.0.lock();
        if settled.of_checks.len() >= settled.sweep_at {
            settled
                .of_checks
                .retain(|_, (check, _)| check.strong_count() > 0);
            settled.sweep_at = settled.of_checks.len().saturating_mul(2).max(FEW);
        }
        let known = (Arc::downgrade(check), pid);
        settled.of_checks.insert(place(check), known);
    }
}

fn place(check: &Arc<CheckSpec>) -> usize {
    Arc::as_ptr(check).addr()
}

/// Whether an answer is of anybody: a failure and what is unknown are not.
pub(super) fn is_answer(seen: &Seen) -> bool {
    matches!(seen.outcome, Some(Outcome::Healthy | Outcome::Degraded))
}

/// Looks who listens on one of these addresses, where that is of this machine. None where the process cannot be looked
/// at. Blocks.
pub(super) fn look(
    target: &TargetName,
    depends_on: &[TargetName],
    pid: u32,
    to: &[SocketAddr],
    groups: &Groups,
) -> Option<Found> {
    let child = ProcessStat::read(pid).ok()??;
    let found = |owner| Some(Found::of(owner, &child));
    let mut own: HashSet<u64> = sockets(pid).into_iter().collect();
    let is_asked = |address: SocketAddr| to.iter().any(|to| takes(address, *to));
    let mut all = Vec::new();
    for (address, inode) in listening() {
        // It mostly is, and nothing behind it is looked at.
        if own.contains(&inode) && is_asked(address) {
            return found(Owner::Own);
        }
        all.push((address, inode));
    }
    let asked: HashSet<u64> = all
        .iter()
        .filter(|(address, _)| is_asked(*address))
        .map(|(_, inode)| *inode)
        .collect();
    if asked.is_empty() {
        return found(Owner::Unknown);
    }
    for member in groups.members(pid, Kin::Group) {
        own.extend(sockets(member));
    }
    if !own.is_disjoint(&asked) {
        return found(Owner::Own);
    }
    let own_mark = mark_of(pid);
    let mut stranger = None;
    for other in stat::all().unwrap_or_default() {
        if !sockets(other).iter().any(|inode| asked.contains(inode)) {
            continue;
        }
        if let Some(owner) = marked(other, own_mark.as_deref(), target, depends_on) {
            return found(owner);
        }
        let stat = ProcessStat::read(other).ok().flatten();
        if stat.is_some_and(|stat| stat.start_ticks < child.start_ticks) {
            stranger = Some((other, command(other)));
        }
    }
    let Some((other, name)) = stranger.filter(|(_, name)| !FORWARDERS.contains(&name.as_str()))
    else {
        return found(Owner::Unknown);
    };
    for more in groups.of_others(pid, Kin::Group, |member, _| Some(sockets(member))) {
        own.extend(more);
    }
    let has_its_own = all.iter().any(|(_, inode)| own.contains(inode)) || listens_in_files(&own);
    match has_its_own || is_connected(&own, to) {
        true => found(Owner::Unknown),
        false => found(Owner::Stranger(format!("process {other} ({name})"))),
    }
}

/// The same of a socket in the file system, at which this process listens.
pub(super) fn look_at(
    target: &TargetName,
    depends_on: &[TargetName],
    pid: u32,
    listener: u32,
    groups: &Groups,
) -> Option<Found> {
    let child = ProcessStat::read(pid).ok()??;
    let found = |owner| Some(Found::of(owner, &child));
    let members = groups.members(pid, Kin::Group);
    if listener == pid || members.contains(&listener) {
        return found(Owner::Own);
    }
    if let Some(owner) = marked(listener, mark_of(pid).as_deref(), target, depends_on) {
        return found(owner);
    }
    // One that has ended since has left it to others; and a service manager listens for whom it starts.
    let stat = ProcessStat::read(listener).ok().flatten();
    let is_older = stat.is_some_and(|stat| stat.start_ticks < child.start_ticks);
    let name = command(listener);
    if !is_older || listener == 1 || FORWARDERS.contains(&name.as_str()) {
        return found(Owner::Unknown);
    }
    let mut own: HashSet<u64> = sockets(pid).into_iter().collect();
    for member in members {
        own.extend(sockets(member));
    }
    for more in groups.of_others(pid, Kin::Group, |member, _| Some(sockets(member))) {
        own.extend(more);
    }
    let has_its_own = listening().any(|(_, inode)| own.contains(&inode)) || listens_in_files(&own);
    match has_its_own || has_stream_in_files(&own) {
        true => found(Owner::Unknown),
        false => found(Owner::Stranger(format!("process {listener} ({name})"))),
    }
}

/// Who a process is by its mark, where that tells: the target itself, or one that it depends on.
fn marked(
    pid: u32,
    own_mark: Option<&[u8]>,
    target: &TargetName,
    depends_on: &[TargetName],
) -> Option<Owner> {
    let mark = mark_of(pid)?;
    match target_of(&mark) {
        // It may name the target as that was called before.
        _ if own_mark == Some(mark.as_slice()) => Some(Owner::Own),
        Some(of) if of == *target => Some(Owner::Own),
        Some(of) if depends_on.contains(&of) => Some(Owner::Unknown),
        _ => None,
    }
}

/// What a process is called.
fn command(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().chars().filter(|c| !c.is_control()).collect()
}

/// The mark in the environment of a process, as its descendants have it in whatever session.
fn mark_of(pid: u32) -> Option<Vec<u8>> {
    let environment = environ::of(pid).unwrap_or_default();
    let mut variables = environment.split(|&byte| byte == 0);
    let mark = variables.find_map(|variable| variable.strip_prefix(MARK));
    mark.map(<[u8]>::to_vec)
}

/// Whose target's process a mark is of.
fn target_of(mark: &[u8]) -> Option<TargetName> {
    let name = mark.split(|&byte| byte == b'/').nth(1)?;
    TargetName::parse(std::str::from_utf8(name).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use std::{
        net::{TcpListener, TcpStream},
        os::{
            fd::OwnedFd,
            unix::{net::UnixStream, process::CommandExt},
        },
        process::{Command, Stdio},
    };

    #[test]
    fn a_listener_of_this_very_process_is_its_own_and_a_stranger_to_a_younger_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (to, groups) = ([listener.local_addr().unwrap()], Groups::default());
        let target = specs::name("web");
        let own = look(&target, &[], std::process::id(), &to, &groups).unwrap();
        assert_eq!(own.owner, Owner::Own);

        let mut younger = Command::new("sleep");
        let mut younger = younger.arg("1000").process_group(0).spawn().unwrap();
        let found = look(&target, &[], younger.id(), &to, &groups).unwrap();
        let unheard = SocketAddr::new(to[0].ip(), 1);
        let nobody = look(&target, &[], younger.id(), &[unheard], &groups).unwrap();
        younger.kill().unwrap();
        younger.wait().unwrap();
        assert_eq!(nobody.owner, Owner::Unknown);
        assert!(found.age < Duration::from_secs(3600), "{found:?}");
        let pid = std::process::id();
        match found.owner {
            Owner::Stranger(who) => {
                assert!(who.starts_with(&format!("process {pid} (")), "{who}");
            }
            // Within one tick of the clock nobody is older.
            Owner::Unknown => {}
            Owner::Own => panic!("it is none of its own"),
        }
    }

    /// A process of its own group, which ends with this.
    struct Sleeper(std::process::Child);

    impl Sleeper {
        fn run(mark: &str, stdin: impl Into<Stdio>) -> Self {
            let mut sleep = Command::new("sleep");
            let sleep = sleep.arg("1000").process_group(0).stdin(stdin);
            // What the tests write to may be a socket.
            let sleep = sleep.stdout(Stdio::null()).stderr(Stdio::null());
            Self(sleep.env("MAINSTAY_TARGET", mark).spawn().unwrap())
        }

        fn start_ticks(&self) -> u64 {
            let stat = ProcessStat::read(self.0.id()).unwrap();
            stat.unwrap().start_ticks
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn who_depends_on_the_owner_of_the_port_or_is_its_client_has_no_stranger_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = [listener.local_addr().unwrap()];
        // It holds the socket that listens, and this process does not.
        let db = Sleeper::run("state/db/1", OwnedFd::from(listener));
        let lone = loop {
            let lone = Sleeper::run("state/web/1", Stdio::null());
            if lone.start_ticks() > db.start_ticks() {
                break lone;
            }
        };
        let (target, groups) = (specs::name("web"), Groups::default());
        let owner = |of: &Sleeper, depends_on: &[TargetName]| {
            let found = look(&target, depends_on, of.0.id(), &to, &groups);
            found.unwrap().owner
        };
        let stranger = format!("process {} (sleep)", db.0.id());
        assert_eq!(owner(&lone, &[]), Owner::Stranger(stranger));
        assert_eq!(owner(&lone, &[specs::name("db")]), Owner::Unknown);
        let connection = TcpStream::connect(to[0]).unwrap();
        let client = Sleeper::run("state/web/1", OwnedFd::from(connection));
        assert_eq!(owner(&client, &[]), Owner::Unknown, "it works for it");
    }

    #[test]
    fn who_listens_at_a_socket_in_the_file_system_is_known_by_its_number() {
        let older = Sleeper::run("state/db/1", Stdio::null());
        let lone = loop {
            let lone = Sleeper::run("state/web/1", Stdio::null());
            if lone.start_ticks() > older.start_ticks() {
                break lone;
            }
        };
        let worker = Sleeper::run("state/web/1", Stdio::null());
        let (one, _other) = UnixStream::pair().unwrap();
        // Of another start: what carries the same mark belongs to one another.
        let client = Sleeper::run("state/web/2", OwnedFd::from(one));
        let (target, groups) = (specs::name("web"), Groups::default());
        let owner = |of: &Sleeper, depends_on: &[TargetName], listener: u32| {
            let found = look_at(&target, depends_on, of.0.id(), listener, &groups);
            found.unwrap().owner
        };
        let stranger = Owner::Stranger(format!("process {} (sleep)", older.0.id()));
        let db = older.0.id();
        assert_eq!(owner(&lone, &[], db), stranger);
        assert_eq!(owner(&lone, &[specs::name("db")], db), Owner::Unknown);
        assert_eq!(owner(&client, &[], db), Owner::Unknown, "it may ask it");
        assert_eq!(owner(&lone, &[], lone.0.id()), Owner::Own);
        assert_eq!(owner(&lone, &[], worker.0.id()), Owner::Own, "by its mark");
        assert_eq!(owner(&lone, &[], 1), Owner::Unknown);
        assert_eq!(owner(&lone, &[], u32::MAX), Owner::Unknown, "it is gone");
    }

    #[test]
    fn an_answer_of_nobody_known_counts_after_a_moment_and_that_of_a_stranger_never() {
        let (owners, check) = (Owners::default(), Arc::new(specs::check("tcp")));
        let stranger = || Owner::Stranger("process 7 (nginx)".to_owned());
        for (owner, millis, outcome) in [
            (Owner::Unknown, 13, None),
            (stranger(), 13, Some(Outcome::Unknown)),
            (stranger(), 3_600, Some(Outcome::Unknown)),
            (stranger(), 5_000, Some(Outcome::Unknown)),
            (stranger(), 86_400_000, Some(Outcome::Unknown)),
            (Owner::Unknown, 1_000, Some(Outcome::Healthy)),
            (Owner::Own, 13, Some(Outcome::Healthy)),
        ] {
            let is_named = matches!(owner, Owner::Stranger(_));
            let age = Duration::from_millis(millis);
            let seen = Seen::healthy("it took the connection");
            let seen = owners.judge(&check, 9, Found { owner, age }, seen);
            assert_eq!(seen.outcome, outcome, "{seen:?}");
            assert_eq!(
                seen.message.contains("process 7 (nginx)"),
                is_named,
                "{seen:?}"
            );
            assert_eq!(
                owners.is_settled(&check, 9),
                seen.outcome == Some(Outcome::Healthy)
            );
            owners.0.lock().of_checks.clear();
        }
        owners.settle(&check, 9);
        assert!(owners.is_settled(&check, 9) && !owners.is_settled(&check, 10));
        let other = Arc::new(specs::check("tcp"));
        assert!(!owners.is_settled(&other, 9), "it is another config's");
    }
}
