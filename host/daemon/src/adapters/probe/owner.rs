//! Who listens where the check of a supervised target was answered: its own process, or a stranger that has its port.
//!
//! Invariant: nothing here makes a target fail. An answer that is not known to be the own process's counts once that
//! process has run for a moment: one that cannot have its port has ended by then.
//! Invariant: it is looked once for each start, for it costs a look at the sockets of the machine.

use super::{
    Seen,
    groups::{Groups, Kin},
    length,
};
use crate::adapters::process::stat::{self, ProcessStat};
use mainstay_domain::{
    health::Outcome,
    name::{CheckName, TargetName},
    spec::CheckSpec,
};
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Weak},
    time::Duration,
};

/// So long a process has to have run where nobody can tell who answered.
const MOMENT: Duration = Duration::from_secs(1);
/// So long where somebody else did, who was there before.
const LONG_MOMENT: Duration = Duration::from_secs(5);
/// The length of a clock tick in `/proc/PID/stat`.
const TICK_MILLIS: u64 = 10;
/// So many checks are kept without a look at which of them are gone.
const FEW: usize = 64;
/// The variable that marks the processes of a target: `STATE/TARGET/…`.
const MARK: &[u8] = b"MAINSTAY_TARGET=";

/// Who listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// A process of the target.
    Own,
    /// Another process, which was there before that of the target, and the target listens nowhere.
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

/// Of which checks it is settled who answers, and for which process.
#[derive(Default)]
pub(super) struct Owners(Mutex<Settled>);

#[derive(Default)]
struct Settled {
    of_checks: HashMap<(TargetName, CheckName), (Weak<CheckSpec>, u32)>,
    /// With so many those that are gone are looked for.
    sweep_at: usize,
}

impl Owners {
    /// Whether nothing is to be looked at for this process any more.
    pub(super) fn is_settled(&self, target: &TargetName, check: &Arc<CheckSpec>, pid: u32) -> bool {
        let settled = self.0.lock();
        let key = (target.clone(), check.name.clone());
        let known = settled.of_checks.get(&key);
        known.is_some_and(|(of, known)| *known == pid && of.as_ptr() == Arc::as_ptr(check))
    }

    /// What an answer is worth.
    pub(super) fn judge(
        &self,
        target: &TargetName,
        check: &Arc<CheckSpec>,
        pid: u32,
        found: Found,
        seen: Seen,
    ) -> Seen {
        let is_stranger = matches!(found.owner, Owner::Stranger(_));
        let least = match found.owner {
            Owner::Own => Duration::ZERO,
            Owner::Unknown => MOMENT,
            Owner::Stranger(_) => LONG_MOMENT,
        };
        let seen = match found.owner {
            Owner::Own | Owner::Unknown => seen,
            Owner::Stranger(who) => Seen {
                message: format!(
                    "{}, but {who} listens there, and none of the target's processes",
                    seen.message
                ),
                ..seen
            },
        };
        if found.age < least {
            let message = format!(
                "{}; process {pid} has run for {}",
                seen.message,
                length(found.age)
            );
            return match is_stranger {
                true => Seen::unknown(message),
                false => Seen::too_soon(message),
            };
        }
        self.settle(target, check, pid);
        seen
    }

    fn settle(&self, target: &TargetName, check: &Arc<CheckSpec>, pid: u32) {
        let mut settled = self.0.lock();
        if settled.of_checks.len() >= settled.sweep_at {
            settled
                .of_checks
                .retain(|_, (check, _)| check.strong_count() > 0);
            settled.sweep_at = settled.of_checks.len().saturating_mul(2).max(FEW);
        }
        let key = (target.clone(), check.name.clone());
        settled.of_checks.insert(key, (Arc::downgrade(check), pid));
    }
}

/// Whether an answer is of anybody: a failure and what is unknown are not.
pub(super) fn is_answer(seen: &Seen) -> bool {
    matches!(seen.outcome, Some(Outcome::Healthy | Outcome::Degraded))
}

/// Looks who listens on one of these addresses, where that is of this machine. None where the process cannot be looked
/// at. Blocks.
pub(super) fn look(
    target: &TargetName,
    pid: u32,
    to: &[SocketAddr],
    groups: &Groups,
) -> Option<Found> {
    let child = ProcessStat::read(pid).ok()??;
    let started = Duration::from_millis(child.start_ticks.saturating_mul(TICK_MILLIS));
    let found = |owner| {
        Some(Found {
            owner,
            age: since_boot().saturating_sub(started),
        })
    };
    let listening = listening();
    let asked: HashSet<u64> = listening
        .iter()
        .filter(|(address, _)| to.iter().any(|to| takes(*address, *to)))
        .map(|(_, inode)| *inode)
        .collect();
    if asked.is_empty() {
        return found(Owner::Unknown);
    }
    let mut own = sockets(pid);
    if own.iter().any(|inode| asked.contains(inode)) {
        return found(Owner::Own);
    }
    for member in groups.members(pid, Kin::Group) {
        own.extend(sockets(member));
    }
    if own.iter().any(|inode| asked.contains(inode)) {
        return found(Owner::Own);
    }
    let all: HashSet<u64> = listening.iter().map(|(_, inode)| *inode).collect();
    let listens = own.iter().any(|inode| all.contains(inode));
    let mark = mark_of(pid);
    let mut stranger = None;
    for other in stat::all() {
        if !sockets(other).iter().any(|inode| asked.contains(inode)) {
            continue;
        }
        if is_marked(other, mark.as_deref(), target) {
            return found(Owner::Own);
        }
        let stat = ProcessStat::read(other).ok().flatten();
        if !listens && stat.is_some_and(|stat| stat.start_ticks < child.start_ticks) {
            stranger = Some(other);
        }
    }
    found(match stranger {
        Some(other) => Owner::Stranger(named(other)),
        None => Owner::Unknown,
    })
}

fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or_default())
        + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}

fn named(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !c.is_control()).collect();
    format!("process {pid} ({name})")
}

/// The mark in the environment of a process.
fn mark_of(pid: u32) -> Option<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|&byte| byte == 0);
    let mark = variables.find_map(|variable| variable.strip_prefix(MARK));
    mark.map(<[u8]>::to_vec)
}

/// Whether a process has the mark of the target's process, as its descendants have in whatever session: it may name the
/// target as that was called before. Where that cannot be read any more, whether it names this target.
fn is_marked(pid: u32, mark: Option<&[u8]>, target: &TargetName) -> bool {
    let Some(found) = mark_of(pid) else {
        return false;
    };
    let name = found.split(|&byte| byte == b'/').nth(1);
    mark == Some(found.as_slice()) || name == Some(target.as_str().as_bytes())
}

/// The inodes of the sockets that a process holds; none where that cannot be seen.
fn sockets(pid: u32) -> Vec<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
    let links = descriptors.into_iter().flatten().flatten();
    let links = links.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    links
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?;
            inode.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// Every TCP socket of this network namespace that listens.
fn listening() -> Vec<(SocketAddr, u64)> {
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(file) = fs::File::open(table) else {
            continue;
        };
        // Those that listen come first.
        let lines = BufReader::new(file).lines().skip(1).map_while(Result::ok);
        found.extend(lines.map_while(|line| parse(&line)));
    }
    found
}

/// One line of such a table, where it is of a socket that listens.
fn parse(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTENS: &str = "0A";
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    if fields.nth(1)? != LISTENS {
        return None;
    }
    let inode = fields.nth(5)?.parse().ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((SocketAddr::new(parse_address(address)?, port), inode))
}

/// Words of four bytes, each as the machine holds it.
fn parse_address(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for start in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(IpAddr::V4(Ipv4Addr::from(four)));
    }
    let sixteen = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(sixteen)))
}

/// Whether a socket that listens here takes connections to there. One that listens everywhere does so for the addresses
/// of this machine; which these are is only known of those of the machine for itself.
fn takes(listens: SocketAddr, to: SocketAddr) -> bool {
    let (here, there) = (listens.ip().to_canonical(), to.ip().to_canonical());
    let everywhere = here.is_unspecified() && there.is_loopback();
    listens.port() == to.port() && (here == there || everywhere)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::specs;
    use std::net::TcpListener;

    #[test]
    fn the_tables_of_the_kernel_say_who_listens_where() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100";
        let expected = ("127.0.0.1:8080".parse().unwrap(), 12_345);
        // The tables are written in the order of the machine; so are the words of this line on a little one.
        if cfg!(target_endian = "little") {
            assert_eq!(parse(line), Some(expected));
        }
        assert_eq!(parse(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(parse("  sl  local_address rem_address   st"), None);
        for (listens, to, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("[::]:80", "[::1]:80", true),
            ("0.0.0.0:80", "10.0.0.1:80", false),
            ("10.0.0.1:80", "10.0.0.1:80", true),
            ("127.0.0.2:80", "127.0.0.1:80", false),
        ] {
            let (listens, to) = (listens.parse().unwrap(), to.parse().unwrap());
            assert_eq!(takes(listens, to), expected, "{listens} {to}");
        }
    }

    #[test]
    fn a_listener_of_this_very_process_is_its_own_and_a_stranger_to_a_younger_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (to, groups) = ([listener.local_addr().unwrap()], Groups::default());
        let target = specs::name("web");
        let own = look(&target, std::process::id(), &to, &groups).unwrap();
        assert_eq!(own.owner, Owner::Own);

        use std::os::unix::process::CommandExt;
        let mut younger = std::process::Command::new("sleep");
        let mut younger = younger.arg("1000").process_group(0).spawn().unwrap();
        let found = look(&target, younger.id(), &to, &groups).unwrap();
        let unheard = SocketAddr::new(to[0].ip(), 1);
        let nobody = look(&target, younger.id(), &[unheard], &groups).unwrap();
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

    #[test]
    fn an_answer_of_somebody_else_counts_once_the_own_process_has_run_for_a_moment() {
        let (owners, target) = (Owners::default(), specs::name("web"));
        let check = Arc::new(specs::check("tcp"));
        let stranger = || Owner::Stranger("process 7 (nginx)".to_owned());
        for (owner, millis, outcome) in [
            (Owner::Unknown, 13, None),
            (stranger(), 13, Some(Outcome::Unknown)),
            (stranger(), 3_600, Some(Outcome::Unknown)),
            (stranger(), 5_000, Some(Outcome::Healthy)),
            (Owner::Unknown, 1_000, Some(Outcome::Healthy)),
            (Owner::Own, 13, Some(Outcome::Healthy)),
        ] {
            let is_named = matches!(owner, Owner::Stranger(_));
            let age = Duration::from_millis(millis);
            let seen = Seen::healthy("it took the connection");
            let seen = owners.judge(&target, &check, 9, Found { owner, age }, seen);
            assert_eq!(seen.outcome, outcome, "{seen:?}");
            assert_eq!(
                seen.message.contains("process 7 (nginx)"),
                is_named,
                "{seen:?}"
            );
            assert_eq!(
                owners.is_settled(&target, &check, 9),
                seen.outcome == Some(Outcome::Healthy)
            );
            owners.0.lock().of_checks.clear();
        }
        assert!(!owners.is_settled(&target, &check, 10));
    }
}
