//! Looks names up: with the resolver of the system, on threads of their own.
//!
//! Invariant: a name is asked for once at a time, however many checks want it; who asks within a second of an answer gets
//! that one. So a name whose server is silent holds one thread, and healthy checks of one name cost one look-up.
//! Invariant: that nobody answers is no failure of who is looked for: only an answer is.

use crate::adapters::{limits, threads::Threads};
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::SetOnce;

/// Threads in all: each silent name holds one for as long as the resolver tries, some ten seconds.
const MAX_THREADS: usize = 128;
/// So long an answer counts.
const FRESH: Duration = Duration::from_secs(1);
/// With so many names those whose answers are old are let go of.
const FEW: usize = 256;

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    /// It was answered: there is none.
    #[error("{0}")]
    NoSuchName(String),
    /// Nobody answered, or the host could not ask. This says nothing about who is looked for.
    #[error("{0}")]
    Unanswered(String),
}

type Found = Result<Vec<IpAddr>, NameError>;
type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Clones are the same.
#[derive(Clone)]
pub(super) struct NameLooks(Arc<Inner>);

struct Inner {
    threads: Threads,
    asked: Mutex<HashMap<String, Arc<Question>>>,
    look_up: Box<LookUp>,
}

#[derive(Default)]
struct Question {
    answer: SetOnce<(Instant, Found)>,
}

impl Question {
    fn answer(&self, found: Found) {
        // Nobody else answers it.
        let _ = self.answer.set((Instant::now(), found));
    }

    fn is_old(&self, now: Instant) -> bool {
        let answered = self.answer.get();
        answered.is_some_and(|(at, _)| now.saturating_duration_since(*at) >= FRESH)
    }
}

/// Answers for a look-up that breaks off, or is never begun, so that nobody waits for it for ever.
struct Asked(Arc<Question>);

impl Drop for Asked {
    fn drop(&mut self) {
        let why = "it could not be looked up: no thread could be started, or the look-up broke off";
        self.0.answer(Err(NameError::Unanswered(why.to_owned())));
    }
}

impl NameLooks {
    /// Asks the system.
    pub(super) fn new() -> Self {
        Self::with(|name| Ok((name, 0).to_socket_addrs()?.map(|one| one.ip()).collect()))
    }

    pub(super) fn with(
        look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            threads: Threads::new("names", MAX_THREADS),
            asked: Mutex::default(),
            look_up: Box::new(look_up),
        }))
    }

    /// The addresses of a name, or the address that it is. May take as long as the resolver does. May be dropped.
    pub(super) async fn resolve(&self, name: &str) -> Found {
        if let Some(known) = without_asking(name) {
            return Ok(known);
        }
        let question = self.ask(name);
        let (_, found) = question.answer.wait().await;
        found.clone()
    }

    fn ask(&self, name: &str) -> Arc<Question> {
        let now = Instant::now();
        let mut asked = self.0.asked.lock();
        if let Some(question) = asked.get(name).filter(|question| !question.is_old(now)) {
            return Arc::clone(question);
        }
        if asked.len() >= FEW {
            asked.retain(|_, question| !question.is_old(now));
        }
        let question = Arc::new(Question::default());
        asked.insert(name.to_owned(), Arc::clone(&question));
        drop(asked);
        let (inner, name) = (Arc::clone(&self.0), name.to_owned());
        let own = Asked(Arc::clone(&question));
        let begun = self.0.threads.run(move || {
            own.0.answer(judge((inner.look_up)(&name)));
        });
        if let Err(error) = begun {
            tracing::debug!(%error, "no thread for a look-up of a name");
        }
        question
    }
}

/// What needs no resolver: an address, and the name of this machine for itself (RFC 6761, section 6.3).
fn without_asking(name: &str) -> Option<Vec<IpAddr>> {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(name).parse() {
        return Some(vec![address]);
    }
    name.eq_ignore_ascii_case("localhost").then(|| {
        vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ]
    })
}

/// The resolver has no codes in Rust, only words: those of glibc and of musl for `EAI_NONAME` and `EAI_NODATA`.
const NO_SUCH_NAME: [&str; 4] = [
    "not known",
    "No address associated",
    "does not resolve",
    "has no usable address",
];

fn judge(found: io::Result<Vec<IpAddr>>) -> Found {
    let error = match found {
        Ok(addresses) if addresses.is_empty() => {
            return Err(NameError::NoSuchName("it has no address".to_owned()));
        }
        Ok(addresses) => return Ok(addresses),
        Err(error) => error,
    };
    let text = error.to_string();
    // Without a descriptor the resolver reads neither its files nor a socket, and says that there is no such name.
    if let Some(lack) = limits::lack() {
        return Err(NameError::Unanswered(format!("{text} ({lack})")));
    }
    let is_answer = error.kind() == io::ErrorKind::InvalidInput
        || NO_SUCH_NAME.iter().any(|words| text.contains(words));
    Err(match is_answer {
        true => NameError::NoSuchName(text),
        false => NameError::Unanswered(text),
    })
}

impl Resolve for NameLooks {
    fn resolve(&self, name: Name) -> Resolving {
        let own = self.clone();
        Box::pin(async move {
            let found = NameLooks::resolve(&own, name.as_str()).await?;
            // The port of the URL takes the place of this one.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            let found: Addrs = Box::new(found.collect::<Vec<_>>().into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::testing::{wait_until, within};
    use std::sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    };

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    #[tokio::test]
    async fn eighty_names_whose_servers_are_silent_hold_one_thread_each_and_others_are_found() {
        let (release, hang) = mpsc::channel::<()>();
        let hang = std::sync::Mutex::new(hang);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let names = NameLooks::with(move |name| {
            if name.starts_with("silent") {
                counted.fetch_add(1, SeqCst);
                let _ = hang.lock().map(|hang| hang.recv());
            }
            Ok(vec![address(1)])
        });
        let mut waiting = Vec::new();
        for _ in 0..5 {
            for number in 0..80 {
                let (names, name) = (names.clone(), format!("silent-{number}"));
                waiting.push(tokio::spawn(async move { names.resolve(&name).await }));
            }
        }
        // One of them holds the lock of the test, the others wait for it: all of them hang.
        wait_until("some hang", || asked.load(SeqCst) == 80).await;
        assert_eq!(within(names.resolve("well")).await, Ok(vec![address(1)]));
        assert_eq!(asked.load(SeqCst), 80);
        drop(release);
        for one in waiting {
            assert_eq!(within(one).await.unwrap(), Ok(vec![address(1)]));
        }
    }

    #[tokio::test]
    async fn who_asks_within_a_second_shares_an_answer() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let names = NameLooks::with(move |_| {
            counted.fetch_add(1, SeqCst);
            Ok(vec![address(2)])
        });
        for _ in 0..100 {
            assert_eq!(within(names.resolve("well")).await, Ok(vec![address(2)]));
        }
        assert!(asked.load(SeqCst) < 10, "it is not asked each time");
        for name in ["127.0.0.1", "::1", "[::1]", "localhost", "LocalHost"] {
            assert!(within(names.resolve(name)).await.unwrap()[0].is_loopback());
        }
    }

    #[tokio::test]
    async fn a_look_up_that_breaks_off_is_no_answer() {
        let names = NameLooks::with(|_| panic!("as it was told"));
        let found = within(names.resolve("well")).await;
        assert!(matches!(found, Err(NameError::Unanswered(_))), "{found:?}");
    }

    #[test]
    fn only_an_answer_says_that_there_is_no_such_name() {
        let before = "failed to lookup address information: ";
        for (words, is_answer) in [
            ("Name or service not known", true),
            ("No address associated with hostname", true),
            ("Name does not resolve", true),
            ("Temporary failure in name resolution", false),
            ("Try again", false),
            ("Memory allocation failure", false),
            ("System error", false),
        ] {
            let found = judge(Err(io::Error::other(format!("{before}{words}"))));
            let no_such_name = matches!(found, Err(NameError::NoSuchName(_)));
            assert_eq!(no_such_name, is_answer, "{words}");
        }
        let none = judge(Ok(Vec::new()));
        assert!(matches!(none, Err(NameError::NoSuchName(_))));
    }
}
