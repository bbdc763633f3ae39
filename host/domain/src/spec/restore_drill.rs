//! What a restore drill of a job does, as configured.

use super::{CheckKind, CheckSpec, ServiceAddress};
use crate::name::{CommandName, TargetName};
use std::path::PathBuf;

/// How the newest backup of a job is tried. By default it is restored beside the backups and compared, and nothing runs on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreDrillSpec {
    /// In which directory; it is there, and each drill makes one of its own in it. Default: where the backups of the job are.
    pub scratch: Option<PathBuf>,
    /// Serves what was restored, until it is ended or by what it leaves running. Its `timeout` is for how long its checks may
    /// fail after it was begun. Default: nothing is started.
    pub start: Option<CommandName>,
    /// Says by exit code 0 that what was restored, and what was started on it, is right; default: nobody asks.
    pub check: Option<CommandName>,
    /// Whose recovery this would be: restore and start are held against its `rto`, and its checks look at what was started, see
    /// [`CheckSpec::of_copy`]. Default: nobody's.
    pub target: Option<TargetName>,
}

impl RestoreDrillSpec {
    /// The placeholder for the directory with what was restored.
    pub const SCRATCH: &'static str = "scratch";
    /// The placeholder for the TCP port of this machine that is free for what is started.
    pub const PORT: &'static str = "port";
}

impl CheckSpec {
    /// The same look at a copy of the service that listens on this port of this machine, in plain text. None where it looks at
    /// something else than what answers there, or needs the certificate of the real one. A copy has nobody in its replication.
    pub fn of_copy(&self, port: u16) -> Option<CheckSpec> {
        let at = format!("127.0.0.1:{port}");
        let mut kind = self.kind.clone();
        match &mut kind {
            CheckKind::Tcp { address, .. } => *address = at,
            CheckKind::Http(http) => http.url = moved(&http.url, &at)?,
            CheckKind::Engine(engine) => engine.api = moved(&engine.api, &at)?,
            CheckKind::S3(s3) => s3.url = moved(&s3.url, &at)?,
            CheckKind::Redis(redis) if redis.ca.is_none() => {
                redis.at = ServiceAddress::Tcp(at);
                redis.role = None;
                redis.warn_lag = None;
            }
            CheckKind::Postgres(postgres) if postgres.ca.is_none() => {
                postgres.at = ServiceAddress::Tcp(at);
            }
            _ => return None,
        }
        Some(CheckSpec {
            kind,
            ..self.clone()
        })
    }
}

/// A URL of plain HTTP with another host and port.
fn moved(url: &str, at: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let user = authority.rsplit_once('@');
    let user = user.map_or_else(String::new, |(user, _)| format!("{user}@"));
    Some(format!("http://{user}{at}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        name::{CheckName, FailureType},
        severity::Severity,
        spec::{RedisCheck, RedisRole},
    };
    use std::time::Duration;

    fn check(kind: CheckKind) -> CheckSpec {
        CheckSpec {
            name: CheckName::parse("it").unwrap(),
            kind,
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            fail_after: 5,
            fail_of: None,
            recover_after: 2,
            jitter: Duration::ZERO,
            failure: FailureType::parse("service-down").unwrap(),
            severity: Severity::High,
        }
    }

    fn redis(ca: Option<PathBuf>) -> CheckKind {
        CheckKind::Redis(RedisCheck {
            at: ServiceAddress::Unix("/run/redis.sock".into()),
            user: None,
            password: None,
            ca,
            role: Some(RedisRole::Replica),
            warn_memory: None,
            warn_lag: Some(Duration::from_secs(1)),
            read_key: Some("orders".to_owned()),
            write_key: None,
            warn_latency: None,
        })
    }

    #[test]
    fn a_url_keeps_all_but_where_it_leads_and_https_is_no_copys() {
        for (url, expected) in [
            (
                "http://api.example/health",
                Some("http://127.0.0.1:9/health"),
            ),
            ("http://[::1]:80/a?b#c", Some("http://127.0.0.1:9/a?b#c")),
            ("http://u:p@api:80", Some("http://u:p@127.0.0.1:9")),
            ("http://api?x=/y", Some("http://127.0.0.1:9?x=/y")),
            ("https://api.example/", None),
        ] {
            assert_eq!(moved(url, "127.0.0.1:9").as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_check_of_what_answers_looks_at_the_copy_and_every_other_at_none() {
        let tcp = check(CheckKind::Tcp {
            address: "db.example:5432".to_owned(),
            warn_latency: None,
        });
        let copy = tcp.of_copy(9).unwrap();
        assert_eq!(copy.name, tcp.name);
        assert_eq!(
            copy.kind,
            CheckKind::Tcp {
                address: "127.0.0.1:9".to_owned(),
                warn_latency: None
            }
        );
        let copy = check(redis(None)).of_copy(9).unwrap();
        let CheckKind::Redis(copy) = copy.kind else {
            panic!("{copy:?}");
        };
        assert_eq!(copy.at, ServiceAddress::Tcp("127.0.0.1:9".to_owned()));
        assert_eq!((copy.role, copy.warn_lag), (None, None));
        assert_eq!(copy.read_key.as_deref(), Some("orders"));

        assert_eq!(check(redis(Some("/ca.pem".into()))).of_copy(9), None);
        assert_eq!(check(CheckKind::Heartbeat).of_copy(9), None);
        let process = CheckKind::Process { pid_file: None };
        assert_eq!(check(process).of_copy(9), None);
    }
}
