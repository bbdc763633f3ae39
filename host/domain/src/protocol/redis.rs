//! Redis: what a check asks it, and what its replies mean.
//!
//! Spoken is RESP2, which every Redis and Valkey speaks with who asks for nothing else: arrays of bulk strings there, one
//! reply back for each.

use super::{Verdict, resp};
use crate::{
    measure::{length, size},
    spec::{RedisCheck, RedisRole},
    text::excerpt,
};
use std::{borrow::Cow, time::Duration};

/// So long may a reply be, in bytes. An INFO with thousands of replicas has less.
const MOST_BYTES: usize = 1 << 20;
/// So long may its first line be.
const MOST_LINE: usize = 64 << 10;

/// One command of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// AUTH.
    Auth,
    /// PING.
    Ping,
    /// EXISTS of the key that has to be there.
    Read,
    /// SET of the key that has to be writable.
    Write,
    /// INFO. It comes last, for what it tells is at most a warning, but for the role.
    Info,
}

impl Question {
    /// The command.
    pub fn as_str(self) -> &'static str {
        match self {
            Question::Auth => "AUTH",
            Question::Ping => "PING",
            Question::Read => "EXISTS",
            Question::Write => "SET",
            Question::Info => "INFO",
        }
    }
}

/// What a Redis answers to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A simple string or a bulk string.
    Text(String),
    /// An error: a word in capitals, and a sentence.
    Error(String),
    /// An integer.
    Number(i64),
    /// A bulk string that is none.
    Nothing,
}

/// What a check asks, in this order: each where the answer before was good.
pub fn questions(check: &RedisCheck) -> Vec<Question> {
    let asks_info = check.role.is_some() || check.warn_memory.is_some() || check.warn_lag.is_some();
    let all = [
        (Question::Auth, check.password.is_some()),
        (Question::Ping, true),
        (Question::Read, check.read_key.is_some()),
        (Question::Write, check.write_key.is_some()),
        (Question::Info, asks_info),
    ];
    let asked = all.into_iter().filter(|(_, is_asked)| *is_asked);
    asked.map(|(question, _)| question).collect()
}

/// The bytes of a command. `password` is the value of the check's secret.
pub fn command(question: Question, check: &RedisCheck, password: Option<&str>) -> Vec<u8> {
    let mut words = vec![question.as_str()];
    match question {
        Question::Auth => words.extend(check.user.as_deref().into_iter().chain(password)),
        Question::Read => words.extend(check.read_key.as_deref()),
        Question::Write => {
            words.extend(check.write_key.as_deref());
            words.extend(["mainstay", "EX", "3600"]);
        }
        Question::Ping | Question::Info => {}
    }
    resp::command(&words)
}

/// The reply that the received bytes begin with; none where more of it has to come. The error says why it is no reply.
///
/// ```
/// use mainstay_domain::protocol::redis::{Reply, reply};
/// assert_eq!(reply(b"+PONG\r\n"), Ok(Some(Reply::Text("PONG".to_owned()))));
/// assert_eq!(reply(b"$5\r\nhel"), Ok(None));
/// assert!(reply(b"HTTP/1.1 400 Bad Request\r\n").is_err());
/// ```
pub fn reply(received: &[u8]) -> Result<Option<Reply>, String> {
    let none = || {
        let start = received.get(..received.len().min(64)).unwrap_or_default();
        let start = String::from_utf8_lossy(start);
        let line = start.lines().next().unwrap_or_default();
        format!("its answer is none of a Redis: {}", excerpt(line))
    };
    let Some(end) = received.iter().position(|byte| *byte == b'\n') else {
        let is_too_long = received.len() > MOST_LINE;
        let is_other = received.first().is_some_and(|kind| !b"+-:$".contains(kind));
        return if is_too_long || is_other {
            Err(none())
        } else {
            Ok(None)
        };
    };
    let (line, rest) = received.split_at_checked(end + 1).ok_or_else(none)?;
    let (kind, text) = line.split_first().ok_or_else(none)?;
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end_matches(['\r', '\n']);
    match kind {
        b'+' => Ok(Some(Reply::Text(text.to_owned()))),
        b'-' => Ok(Some(Reply::Error(text.to_owned()))),
        b':' => text
            .parse()
            .map(|number| Some(Reply::Number(number)))
            .map_err(|_| none()),
        b'$' if text == "-1" => Ok(Some(Reply::Nothing)),
        b'$' => match text.parse::<usize>() {
            Ok(length) if length <= MOST_BYTES => {
                let text = rest.get(..length).map(String::from_utf8_lossy);
                Ok(text.map(Cow::into_owned).map(Reply::Text))
            }
            _ => Err(none()),
        },
        _ => Err(none()),
    }
}

/// What the reply to a question means.
pub fn judge(question: Question, check: &RedisCheck, reply: &Reply) -> Verdict {
    let key = |key: &Option<String>| excerpt(key.as_deref().unwrap_or_default());
    match (question, reply) {
        // It serves who reads, and a restart would lose what is only in its memory.
        (Question::Ping, Reply::Error(error))
            if error.starts_with("MISCONF") && check.write_key.is_none() =>
        {
            Verdict::Warns(said(question, error))
        }
        (_, Reply::Error(error)) => judge_error(question, error),
        (Question::Auth | Question::Write, Reply::Text(_)) => Verdict::Good,
        (Question::Ping, Reply::Text(text)) if text == "PONG" => Verdict::Good,
        (Question::Read, Reply::Number(0)) => {
            Verdict::Fails(format!("the key `{}` is not there", key(&check.read_key)))
        }
        (Question::Read, Reply::Number(_)) => Verdict::Good,
        (Question::Info, Reply::Text(text)) => judge_info(check, text),
        (question, _) => Verdict::Fails(format!(
            "what it answered to {} is none of the answers to it",
            question.as_str()
        )),
    }
}

fn said(question: Question, error: &str) -> String {
    format!("it answered {} with: {}", question.as_str(), excerpt(error))
}

fn judge_error(question: Question, error: &str) -> Verdict {
    let said = said(question, error);
    let code = error.split(' ').next().unwrap_or_default();
    match code {
        "LOADING" => Verdict::NotReady(said),
        "NOAUTH" | "WRONGPASS" | "NOPERM" => Verdict::Refuses(said),
        // It works for all whom it serves, and takes no one more.
        _ if error.contains("max number of clients") => Verdict::Warns(said),
        // Before Redis 6 what is wrong with a password has no word of its own.
        _ if question == Question::Auth => Verdict::Refuses(said),
        _ => Verdict::Fails(said),
    }
}

fn judge_info(check: &RedisCheck, info: &str) -> Verdict {
    let role = match field(info, "role") {
        Some("master") => Some(RedisRole::Master),
        Some("slave" | "replica") => Some(RedisRole::Replica),
        _ => None,
    };
    let Some(role) = role else {
        return Verdict::Refuses("what it tells by INFO has no role".to_owned());
    };
    if let Some(wanted) = check.role.filter(|wanted| *wanted != role) {
        let (role, wanted) = (role.as_str(), wanted.as_str());
        return Verdict::Fails(format!("it is a {role}, and has to be a {wanted}"));
    }
    let used = field(info, "used_memory").and_then(|used| used.parse::<u64>().ok());
    let memory = check
        .warn_memory
        .zip(used)
        .filter(|(most, used)| used > most);
    if let Some((most, used)) = memory {
        let (used, most) = (size(used), size(most));
        return Verdict::Warns(format!(
            "it uses {used} of memory, more than {most} is worth a warning"
        ));
    }
    match check.warn_lag.and_then(|most| lag(info, role, most)) {
        Some(why) => Verdict::Warns(why),
        None => Verdict::Good,
    }
}

/// What is amiss with its replication, where something is.
fn lag(info: &str, role: RedisRole, most: Duration) -> Option<String> {
    let seconds = |text: &str| text.parse().ok().map(Duration::from_secs);
    let rule = format!("more than {} is worth a warning", length(most));
    match role {
        RedisRole::Replica => {
            if field(info, "master_link_status") != Some("up") {
                return Some("its link to its master is down".to_owned());
            }
            let heard = field(info, "master_last_io_seconds_ago").and_then(seconds)?;
            let heard = (heard > most).then(|| length(heard))?;
            Some(format!("it has heard of its master {heard} ago, {rule}"))
        }
        RedisRole::Master => replicas(info).find_map(|replica| {
            let of = |name: &str| {
                let mut parts = replica.split(',').filter_map(|part| part.split_once('='));
                parts.find(|(key, _)| *key == name).map(|(_, value)| value)
            };
            let who = excerpt(&format!(
                "{}:{}",
                of("ip").unwrap_or_default(),
                of("port").unwrap_or_default()
            ));
            let state = of("state").unwrap_or_default();
            if state != "online" {
                return Some(format!(
                    "its replica {who} is not online: {}",
                    excerpt(state)
                ));
            }
            let behind = of("lag")
                .and_then(seconds)
                .filter(|behind| *behind > most)?;
            let behind = length(behind);
            Some(format!(
                "its replica {who} was heard of {behind} ago, {rule}"
            ))
        }),
    }
}

/// The value of a line `NAME:VALUE`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The values of the lines `slaveN:ip=…,port=…,state=…,offset=…,lag=…`.
fn replicas(info: &str) -> impl Iterator<Item = &str> {
    let lines = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'));
    lines.filter_map(|(key, value)| {
        let number = key.strip_prefix("slave")?;
        number.parse::<u32>().ok().map(|_| value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{name::SecretName, spec::ServiceAddress};

    fn check() -> RedisCheck {
        RedisCheck {
            at: ServiceAddress::Tcp("127.0.0.1:6379".to_owned()),
            user: None,
            password: None,
            ca: None,
            role: None,
            warn_memory: None,
            warn_lag: None,
            read_key: None,
            write_key: None,
            warn_latency: None,
        }
    }

    #[test]
    fn only_what_the_check_names_is_asked_and_a_password_is_one_word() {
        assert_eq!(questions(&check()), [Question::Ping]);
        let all = RedisCheck {
            user: Some("health".to_owned()),
            password: SecretName::parse("db").ok(),
            role: Some(RedisRole::Master),
            read_key: Some("a".to_owned()),
            write_key: Some("b".to_owned()),
            ..check()
        };
        let asked = questions(&all).into_iter().map(|question| {
            let bytes = command(question, &all, Some("p w\r\nd"));
            String::from_utf8(bytes).unwrap()
        });
        let expected = [
            "*3\r\n$4\r\nAUTH\r\n$6\r\nhealth\r\n$6\r\np w\r\nd\r\n",
            "*1\r\n$4\r\nPING\r\n",
            "*2\r\n$6\r\nEXISTS\r\n$1\r\na\r\n",
            "*5\r\n$3\r\nSET\r\n$1\r\nb\r\n$8\r\nmainstay\r\n$2\r\nEX\r\n$4\r\n3600\r\n",
            "*1\r\n$4\r\nINFO\r\n",
        ];
        assert_eq!(asked.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_reply_is_read_once_it_is_whole_and_what_is_none_is_said_to_be() {
        let text = |text: &str| Reply::Text(text.to_owned());
        for (bytes, expected) in [
            ("+OK\r\n", text("OK")),
            ("-ERR no\r\n", Reply::Error("ERR no".to_owned())),
            (":-7\r\n", Reply::Number(-7)),
            ("$-1\r\n", Reply::Nothing),
            ("$0\r\n\r\n", text("")),
            ("$4\r\na\r\nb\r\n", text("a\r\nb")),
        ] {
            assert_eq!(reply(bytes.as_bytes()), Ok(Some(expected)), "{bytes:?}");
            // The end of a bulk string says nothing.
            let least = bytes.trim_end_matches(['\r', '\n']).len();
            for end in 0..least {
                assert_eq!(reply(&bytes.as_bytes()[..end]), Ok(None), "{bytes:?} {end}");
            }
        }
        let endless = vec![b'+'; MOST_LINE + 1];
        let huge = format!("${}\r\n", MOST_BYTES + 1);
        for bytes in [
            b"HTTP/1.1".as_slice(),
            b"\r\n",
            b":x\r\n",
            b"$-2\r\n",
            b"*1\r\n",
            huge.as_bytes(),
            &endless,
        ] {
            let error = reply(bytes).unwrap_err();
            assert!(error.contains("none of a Redis"), "{error}");
        }
    }

    #[test]
    fn what_it_refuses_by_is_told_from_what_fails() {
        let judged =
            |question, error: &str| judge(question, &check(), &Reply::Error(error.to_owned()));
        let is_not_ready = judged(
            Question::Ping,
            "LOADING Redis is loading the dataset in memory",
        );
        assert!(
            matches!(is_not_ready, Verdict::NotReady(_)),
            "{is_not_ready:?}"
        );
        for (question, error) in [
            (Question::Ping, "NOAUTH Authentication required."),
            (Question::Auth, "WRONGPASS invalid username-password pair"),
            (
                Question::Auth,
                "ERR Client sent AUTH, but no password is set",
            ),
            (Question::Write, "NOPERM this user has no permissions"),
        ] {
            let judged = judged(question, error);
            assert!(matches!(judged, Verdict::Refuses(_)), "{judged:?}");
        }
        for (question, error) in [
            (
                Question::Write,
                "READONLY You can't write against a read only replica.",
            ),
            (
                Question::Write,
                "MISCONF Redis is configured to save RDB snapshots",
            ),
            (Question::Write, "OOM command not allowed"),
            (Question::Ping, "BUSY Redis is busy running a script"),
        ] {
            let judged = judged(question, error);
            assert!(matches!(judged, Verdict::Fails(_)), "{judged:?}");
        }
        let full = judged(Question::Auth, "ERR max number of clients reached");
        assert!(matches!(full, Verdict::Warns(_)), "{full:?}");
        let odd = judge(Question::Ping, &check(), &Reply::Number(1));
        assert!(matches!(odd, Verdict::Fails(_)), "{odd:?}");
    }

    #[test]
    fn one_that_cannot_save_is_degraded_where_nobody_asks_to_write() {
        let error = Reply::Error("MISCONF Redis is configured to save RDB snapshots".to_owned());
        let seen = judge(Question::Ping, &check(), &error);
        assert!(matches!(seen, Verdict::Warns(_)), "{seen:?}");
        let writing = RedisCheck {
            write_key: Some("mine".to_owned()),
            ..check()
        };
        let seen = judge(Question::Ping, &writing, &error);
        assert!(matches!(seen, Verdict::Fails(_)), "{seen:?}");
    }

    #[test]
    fn info_is_judged_by_role_memory_and_lag() {
        let master = "# Memory\r\nused_memory:2048\r\nused_memory_human:2K\r\n# Replication\r\nrole:master\r\n\
                      slave0:ip=10.0.0.1,port=6379,state=online,offset=1,lag=1\r\n\
                      slave1:ip=10.0.0.2,port=6379,state=online,offset=1,lag=12\r\nslave_x:state=wait\r\n";
        let syncing = master
            .replace("lag=12", "lag=0")
            .replacen("online", "wait_bgsave", 1);
        let replica = "role:slave\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:7\r\nused_memory:1\r\n";
        let cut_off = replica.replace(":up", ":down");
        let role = |role| RedisCheck {
            role: Some(role),
            ..check()
        };
        let memory = |most| RedisCheck {
            warn_memory: Some(most),
            ..check()
        };
        let lag = |most| RedisCheck {
            warn_lag: Some(Duration::from_secs(most)),
            ..check()
        };
        for (check, info, expected) in [
            (role(RedisRole::Master), master, None),
            (role(RedisRole::Replica), replica, None),
            (memory(2048), master, None),
            (lag(12), master, None),
            (lag(7), replica, None),
            (
                memory(2047),
                master,
                Some("it uses 2 KiB of memory, more than 1.9 KiB"),
            ),
            (
                lag(11),
                master,
                Some("10.0.0.2:6379 was heard of 12 s ago, more than 11 s"),
            ),
            (
                lag(60),
                syncing.as_str(),
                Some("10.0.0.1:6379 is not online: wait_bgsave"),
            ),
            (lag(6), replica, Some("it has heard of its master 7 s ago")),
            (
                lag(60),
                cut_off.as_str(),
                Some("its link to its master is down"),
            ),
        ] {
            let verdict = judge(Question::Info, &check, &Reply::Text(info.to_owned()));
            match (expected, &verdict) {
                (None, Verdict::Good) => {}
                (Some(words), Verdict::Warns(why)) if why.contains(words) => {}
                _ => panic!("{check:?}: {verdict:?}"),
            }
        }
        let other = judge(
            Question::Info,
            &role(RedisRole::Master),
            &Reply::Text(replica.to_owned()),
        );
        let words = "it is a replica, and has to be a master";
        assert_eq!(other, Verdict::Fails(words.to_owned()));
        let odd = judge(Question::Info, &check(), &Reply::Text("odd".to_owned()));
        assert!(matches!(odd, Verdict::Refuses(_)), "{odd:?}");
    }
}
