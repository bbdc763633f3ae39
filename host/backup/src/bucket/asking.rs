//! What is asked of a bucket: what it holds, and how long that is.
//!
//! Each question of a silent server waits for as long as a request may, and whoever looks for many backups has many. So one that
//! waited long in vain is the last for a while: those after it are told at once what it heard.
//!
//! Invariant: what is put, deleted or read back goes its way whatever others heard: only questions rest.

use super::{Bucket, Listed, trouble::said};
use object_store::{GetOptions, path::Path as Key};
use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

/// A server that refuses, or is not there, says so before; only one that says nothing takes as long.
const LONG: Duration = Duration::from_secs(10);
/// So long nothing is asked after that.
const REST: Duration = Duration::from_secs(30);

/// When somebody last waited long in vain, and what was told.
#[derive(Debug, Default)]
pub(super) struct Silence(Option<(Instant, String)>);

impl Silence {
    /// A question had no answer of use, between these.
    pub(super) fn waited(&mut self, (asked, told): (Instant, Instant), what: &io::Error) {
        if told.saturating_duration_since(asked) >= LONG {
            self.0 = Some((told, what.to_string()));
        }
    }

    /// Why nothing is asked now.
    fn why(&self, now: Instant) -> Option<String> {
        let (since, what) = self.0.as_ref()?;
        let rests = now.saturating_duration_since(*since) < REST;
        rests.then(|| {
            format!(
                "it is left alone for {} s, for it kept one waiting who asked: {what}",
                REST.as_secs()
            )
        })
    }
}

impl Bucket {
    /// How long an object is.
    pub(crate) fn length(&self, key: &str) -> io::Result<u64> {
        self.asked(|| self.length_in_any_case(key))
    }

    /// The same, for who is about to read it.
    pub(super) fn length_in_any_case(&self, key: &str) -> io::Result<u64> {
        let (store, key) = (self.stores()?.many, self.key(key));
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let asked = async move { Ok(store.get_opts(&key, options).await?.meta.size) };
        self.begin(&self.stop, asked)?.end()
    }

    /// All of an object; none where it is longer than `most` bytes.
    pub(crate) fn read(&self, key: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let (store, key) = (self.stores()?.many, self.key(key));
        let read = async move {
            let found = store.get_opts(&key, GetOptions::default()).await?;
            match found.meta.size > most {
                true => Ok(None),
                false => Ok(Some(Vec::from(found.bytes().await?))),
            }
        };
        self.asked(|| self.begin(&self.stop, read)?.end())
    }

    /// What lies directly below a key; nothing where there is none of it.
    pub(crate) fn list(&self, below: &str) -> io::Result<Listed> {
        let (store, key) = (self.stores()?.many, self.key(below));
        let list = async move {
            let found = store.list_with_delimiter(Some(&key)).await?;
            let name = |key: &Key| key.filename().map(ToOwned::to_owned);
            let objects = found.objects.iter();
            Ok(Listed {
                below: found.common_prefixes.iter().filter_map(name).collect(),
                objects: objects
                    .filter_map(|object| Some((name(&object.location)?, object.size)))
                    .collect(),
            })
        };
        self.asked(|| self.begin(&self.stop, list)?.end())
    }

    fn asked<T>(&self, ask: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let asked = Instant::now();
        let rests = self.silence.lock().why(asked);
        if let Some(why) = rests {
            return Err(said(why));
        }
        let answer = ask();
        // That it is not there is an answer, however late.
        if let Err(what) = &answer
            && what.kind() != ErrorKind::NotFound
        {
            let mut silence = self.silence.lock();
            silence.waited((asked, Instant::now()), what);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_who_waited_long_is_the_last_for_a_while() {
        let asked = Instant::now();
        let what = io::Error::other("nobody answers");
        let mut silence = Silence::default();
        silence.waited((asked, asked + LONG / 2), &what);
        assert_eq!(silence.why(asked + LONG / 2), None);
        let told = asked + LONG;
        silence.waited((asked, told), &what);
        let why = silence.why(told + REST / 2).unwrap();
        assert!(
            why.contains("30 s") && why.contains("nobody answers"),
            "{why}"
        );
        assert_eq!(silence.why(told + REST), None);
    }
}
