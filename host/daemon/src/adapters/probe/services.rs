//! Services that are asked in their own protocol: what is asked and what the answers mean is decided in the domain.
//!
//! Invariant: a password goes into the connection and nowhere else; what a server says is told without it.
//! Invariant: what is said of a service that is well has no words of its own in it.

mod engine;
mod line;
mod postgres;
mod redis;
mod s3;

use self::line::{Known, Line, trusting};
use super::{
    HostProbe, Seen,
    blocking::Turn,
    checksums::Wanted,
    tcp,
    timing::read_in_time,
    unix, within,
    words::{latency, length},
};
use crate::ports::Secrets;
use mainstay_domain::{
    effect::HttpMethod,
    health::Outcome,
    name::SecretName,
    protocol::Verdict,
    spec::{CheckKind, CheckSpec, HttpCheck, ServiceAddress, TargetSpec, Trust},
};
use std::{
    collections::BTreeMap, fmt::Display, net::SocketAddr, path::Path, sync::Arc, time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How a service is reached.
enum Way<'a> {
    /// To one of these addresses, which have this name.
    Tcp(&'a str, Vec<SocketAddr>),
    /// To this socket.
    Unix(&'a Path, Turn),
}

/// By what is told who answered.
enum Asked {
    /// It was one of these addresses.
    Addresses(Vec<SocketAddr>),
    /// It was a socket in the file system; the process that listens there, once a connection is open.
    Socket(Option<u32>),
}

impl Way<'_> {
    /// `asked` learns who listens. The error is what is seen where no connection opens.
    async fn open(self, asked: &mut Asked) -> Result<Box<dyn Stream>, Seen> {
        let stream: Box<dyn Stream> = match self {
            Way::Tcp(address, to) => Box::new(tcp::open(address, &to).await?),
            Way::Unix(path, turn) => {
                let (stream, _) = unix::open(path, turn).await?;
                *asked = Asked::Socket(unix::listener_of(&stream));
                Box::new(stream)
            }
        };
        Ok(stream)
    }

    /// What is known of who answers before a connection is open.
    fn asked(&self) -> Asked {
        match self {
            Way::Tcp(_, to) => Asked::Addresses(to.clone()),
            Way::Unix(..) => Asked::Socket(None),
        }
    }
}

impl HostProbe {
    /// The error is what is seen where the look itself could not be done.
    pub(super) async fn ask(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        pid: Option<u32>,
    ) -> Result<Seen, Seen> {
        match &check.kind {
            CheckKind::Redis(redis) => {
                let password = self.password(redis.password.as_ref(), &redis.at)?;
                let way = self.way_to(&redis.at, target, check).await?;
                let mut asked = way.asked();
                let known = self.known(redis.ca.as_deref(), &redis.at, target, check);
                let known = known.await?;
                let (way, secrets) = ((way, &mut asked, known), &*self.secrets);
                let look = redis::look(way, redis, password.as_deref(), secrets);
                let seen = within(check, look).await;
                Ok(self.of_own(target, check, pid, asked, seen).await)
            }
            CheckKind::Postgres(postgres) => {
                let password = self.password(postgres.password.as_ref(), &postgres.at)?;
                let way = self.way_to(&postgres.at, target, check).await?;
                let mut asked = way.asked();
                let known = self.known(postgres.ca.as_deref(), &postgres.at, target, check);
                let known = known.await?;
                let password = password.as_deref();
                let (way, secrets) = ((way, &mut asked, known), &*self.secrets);
                let look = postgres::look(way, postgres, password, secrets);
                let seen = within(check, look).await;
                Ok(self.of_own(target, check, pid, asked, seen).await)
            }
            CheckKind::Engine(engine) => {
                let request = get(&engine.api);
                let to = self.addresses_of_url(&request, check).await?;
                let client = self.http.of(&request, None).await?;
                let now = self.clock.now();
                let look = engine::look(&client, engine, &to, &*self.secrets, now);
                let seen = within(check, look).await;
                let asked = Asked::Addresses(to);
                Ok(self.of_own(target, check, pid, asked, seen).await)
            }
            CheckKind::S3(s3) => {
                let keys = s3.keys.as_ref();
                let access = self.password(keys.map(|(access, _)| access), &s3.url)?;
                let secret = self.password(keys.map(|(_, secret)| secret), &s3.url)?;
                let request = get(&s3.url);
                let to = self.addresses_of_url(&request, check).await?;
                let client = self.http.of(&request, None).await?;
                let (keys, now) = (access.zip(secret), self.clock.now());
                let look = s3::look(&client, s3, keys, &to, &*self.secrets, now);
                let seen = within(check, look).await;
                let asked = Asked::Addresses(to);
                Ok(self.of_own(target, check, pid, asked, seen).await)
            }
            CheckKind::Checksum {
                paths,
                required,
                members,
            } => {
                let wanted = Wanted {
                    paths: paths.clone(),
                    has_checksum: *required,
                    members: members.clone(),
                };
                self.look_at_documents(target, check, wanted).await
            }
            other => Err(Seen::failed(format!(
                "{} is not looked at here",
                other.as_str()
            ))),
        }
    }

    async fn way_to<'a>(
        &self,
        at: &'a ServiceAddress,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
    ) -> Result<Way<'a>, Seen> {
        Ok(match at {
            ServiceAddress::Tcp(address) => {
                Way::Tcp(address, self.addresses_of(address, check).await?)
            }
            ServiceAddress::Unix(path) => {
                Way::Unix(path, self.blocking.turn(&target.name, check).await?)
            }
        })
    }

    /// By what a service is known that is asked over TLS; none where it is asked in plain text.
    async fn known(
        &self,
        ca: Option<&Path>,
        at: &ServiceAddress,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
    ) -> Result<Option<Known>, Seen> {
        let (Some(ca), ServiceAddress::Tcp(address)) = (ca, at) else {
            return Ok(None);
        };
        let turn = self.blocking.turn(&target.name, check).await?;
        let (what, file) = (format!("{address}: `ca` {}", ca.display()), ca.to_owned());
        let read = read_in_time(check, &what, turn.run(move || trusting(&file))).await?;
        let config = read.map_err(|why| Seen::not_done(format!("{what}: {why}")))?;
        let address = address.clone();
        Ok(Some(Known { config, address }))
    }

    /// The value of a secret that a check names. That it cannot be had says nothing about the target.
    fn password(
        &self,
        name: Option<&SecretName>,
        at: impl Display,
    ) -> Result<Option<String>, Seen> {
        let value = name.map(|name| self.secrets.value(name)).transpose();
        value.map_err(|why| Seen::not_done(format!("{at}: {why}")))
    }

    /// As [`HostProbe::own_answer`], by whatever way the service was asked.
    async fn of_own(
        &self,
        target: &TargetSpec,
        check: &Arc<CheckSpec>,
        pid: Option<u32>,
        asked: Asked,
        seen: Seen,
    ) -> Seen {
        match asked {
            Asked::Addresses(to) if to.is_empty() => seen,
            Asked::Addresses(to) => self.own_answer(target, check, pid, to, seen).await,
            Asked::Socket(listener) => {
                let seen = self.own_answer_at(target, check, pid, listener, seen);
                seen.await
            }
        }
    }
}

/// A request for a URL that nobody is led away from.
fn get(url: &str) -> HttpCheck {
    HttpCheck {
        url: url.to_owned(),
        method: HttpMethod::Get,
        headers: BTreeMap::new(),
        follow_redirects: false,
        trust: Trust::Machine,
        status: (200, 299),
        body_contains: None,
        warn_latency: None,
    }
}

/// Sends something, and reads until what came back is whole. `read` gives none until it is; its error says why it never
/// will be. The error is what is seen then.
async fn exchange<T>(
    line: &mut Line,
    sent: &[u8],
    what: &str,
    read: impl Fn(&[u8]) -> Result<Option<T>, String>,
) -> Result<T, Seen> {
    // Who takes no one more says so and closes the connection before it reads anything. What it said is read still, and
    // where it said nothing that fails as this did.
    let _ = line.write_all(sent).await;
    let mut received = Vec::new();
    loop {
        match read(&received) {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(why) => return Err(Seen::failed(format!("{what}: {why}"))),
        }
        match line.read_buf(&mut received).await {
            Ok(0) => return Err(closed(what)),
            Ok(_) => {}
            Err(error) => return Err(Seen::of_error(what, &error)),
        }
    }
}

/// What is seen where a connection ends before what was asked for is there.
fn closed(what: &str) -> Seen {
    Seen::failed(format!(
        "{what}: it closed the connection without an answer"
    ))
}

/// What is seen by an answer that is not good; none where it is.
fn seen_by(verdict: Verdict, what: &str, secrets: &dyn Secrets) -> Option<Seen> {
    // One that is refused is logged as well.
    let said = |why: String| secrets.conceal_text(&format!("{what}: {why}"));
    Some(match verdict {
        Verdict::Good => return None,
        Verdict::Warns(why) => Seen::new(Outcome::Degraded, said(why)),
        Verdict::Fails(why) => Seen::failed(said(why)),
        Verdict::Stale(why) => Seen::failed(said(why)).by_wall_clock(),
        Verdict::NotReady(why) => Seen::unknown(said(why)),
        Verdict::Refuses(why) => Seen::not_done(said(why)),
    })
}

/// What is seen by good answers, which took so long together.
fn answered(what: &str, taken: Duration, warn: Option<Duration>) -> Seen {
    let seen = match latency(taken, warn) {
        (Outcome::Healthy, _) => Seen::healthy(format!("{what} answered within {}", length(taken))),
        (outcome, warning) => Seen::new(outcome, format!("{what} answered{warning}")),
    };
    seen.with_value(taken.as_secs_f64() * 1e3)
}
