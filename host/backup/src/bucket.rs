//! A bucket, or what is below a prefix in it: what a tier of objects does its things with.
//!
//! All that waits for the network goes through `waiting`: the work of a store blocks, and a client of objects does not.
//!
//! Invariant: of an object no more than two parts are in memory, whatever its length.
//! Invariant: the keys are asked for with each request, and are nowhere else.
//! Invariant: what the server says without an answer that a bucket can give is trouble of its own, and says nothing of what it
//! holds: only "it is not there" of an object does.

mod asking;
mod azure;
mod client;
mod gcs;
mod putting;
mod reader;
mod s3;
mod sending;
mod trouble;
mod waiting;

pub(crate) use trouble::Trouble;

use asking::Silence;
use futures_util::{StreamExt, TryStreamExt, stream};
use mainstay_domain::spec::BucketSpec;
use object_store::{
    Error, GetOptions, ObjectStore, PutMode, PutPayload, multipart::MultipartStore,
    path::Path as Key,
};
use parking_lot::Mutex;
use putting::{PART, put_over};
use reader::ObjectReader;
use std::{fmt::Debug, future::Future, io, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;
use trouble::{Told, of_put, said, status};
use waiting::{Begun, begin};

/// What can be asked for objects, and for what comes in parts.
trait Store: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Store for T {}

/// What a bucket needs of its host.
pub trait BucketAccess: Debug + Send + Sync {
    /// What an operator wrote, with the value of each secret in its place. The error is a sentence for people, without values.
    fn reveal(&self, written: &str) -> Result<String, String>;
    /// What requests are sent with: it follows no redirect, takes nothing from the environment, and gives up in time where it does
    /// not get to the server. What was begun is given up here where it does not move. The error is a sentence for people.
    fn client(&self) -> Result<reqwest::Client, String>;
}

#[derive(Debug, Clone)]
struct Stores {
    many: Arc<dyn Store>,
    /// Deletes one object with each request.
    one_by_one: Arc<dyn Store>,
}

impl Stores {
    /// Of one client that has one way to delete.
    fn same(store: impl Store) -> Self {
        let store: Arc<dyn Store> = Arc::new(store);
        Self {
            many: Arc::clone(&store),
            one_by_one: store,
        }
    }
}

/// A bucket, or what is below a prefix in it. Clones are the same.
#[derive(Debug, Clone)]
pub struct Bucket {
    told: Arc<Told>,
    prefix: Arc<str>,
    /// Why there is none.
    stores: Result<Stores, Arc<str>>,
    silence: Arc<Mutex<Silence>>,
    /// Ends what is asked of it.
    stop: CancellationToken,
}

/// What lies directly below a key.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// The names that more lies below.
    pub(crate) below: Vec<String>,
    /// The names of objects, with their lengths.
    pub(crate) objects: Vec<(String, u64)>,
}

impl Bucket {
    /// That of a config. Nothing is asked for yet; where it can never be, everything that is asked of it says why.
    pub fn of(spec: &BucketSpec, access: &Arc<dyn BucketAccess>) -> Self {
        let (told, prefix, stores) = match spec {
            BucketSpec::S3(spec) => (
                Told::of_s3(&spec.bucket),
                &spec.prefix,
                s3::stores(spec, access),
            ),
            BucketSpec::Azure(spec) => (
                Told::of_azure(&spec.container),
                &spec.prefix,
                azure::stores(spec, access),
            ),
            BucketSpec::Gcs(spec) => (
                Told::of_gcs(&spec.bucket),
                &spec.prefix,
                gcs::stores(spec, access),
            ),
        };
        Self {
            told: Arc::new(told),
            prefix: prefix.as_str().into(),
            stores: stores.map_err(Arc::from),
            silence: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// The same one: soon after `stop` a question what it holds is given up, whose answer nobody needs any more. What was begun
    /// with a put or a deletion goes its way.
    pub fn until(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// Whether it can ever be asked for anything, as it was made.
    pub fn is_usable(&self) -> bool {
        self.stores.is_ok()
    }

    /// One in memory, for tests.
    #[cfg(test)]
    pub(crate) fn of_store(
        name: &str,
        prefix: &str,
        store: object_store::memory::InMemory,
    ) -> Self {
        let store: Arc<dyn Store> = Arc::new(store);
        Self {
            told: Arc::new(Told::of_s3(name)),
            prefix: prefix.into(),
            stores: Ok(Stores {
                many: Arc::clone(&store),
                one_by_one: store,
            }),
            silence: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Where it is, as people are told, and as no path of a machine is written.
    pub(crate) fn shown(&self) -> PathBuf {
        let mut shown = PathBuf::from(self.told.url());
        if !self.prefix.is_empty() {
            shown.push(&*self.prefix);
        }
        shown
    }

    fn key(&self, below: &str) -> Key {
        match self.prefix.is_empty() {
            true => Key::from(below),
            false => Key::from(format!("{}/{below}", self.prefix)),
        }
    }

    fn stores(&self) -> io::Result<Stores> {
        match &self.stores {
            Ok(stores) => Ok(stores.clone()),
            Err(why) => Err(said(why.to_string())),
        }
    }

    /// Begins what waits for the network; soon after `stop` it is given up.
    fn begin<T: Send + 'static>(
        &self,
        stop: &CancellationToken,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> io::Result<Begun<T>> {
        begin(&self.told, stop, work)
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> io::Result<T> {
        self.begin(&CancellationToken::new(), work)?.end()
    }

    /// Opens an object to be read from its begin to its end.
    pub(crate) fn open(&self, key: &str, stop: &CancellationToken) -> io::Result<ObjectReader> {
        ObjectReader::new(self, key, self.length_in_any_case(key)?, stop)
    }

    /// Makes an object that is not there yet. One that holds the same is no error: the answer to a request may be lost, and
    /// what it asked for be done all the same.
    pub(crate) fn create(&self, key: &str, bytes: Vec<u8>) -> io::Result<()> {
        let (store, key) = (self.stores()?.many, self.key(key));
        self.run(async move {
            let payload = PutPayload::from(bytes.clone());
            let put = store.put_opts(&key, payload, PutMode::Create.into()).await;
            let Err(refused) = put.map_err(of_put) else {
                return Ok(());
            };
            match store.get_opts(&key, GetOptions::default()).await {
                // Of what is of another length nothing is read: it may be anything.
                Ok(found) if found.meta.size != bytes.len() as u64 => Err(refused),
                Ok(found) => match found.bytes().await? == bytes {
                    true => Ok(()),
                    false => Err(refused),
                },
                // Some servers know no condition.
                Err(Error::NotFound { .. }) if status(&refused).starts_with("501") => {
                    put_over(&*store, &key, bytes).await
                }
                Err(_) => Err(refused),
            }
        })
    }

    /// Puts what is written, over what is there.
    pub(crate) fn replace(&self, key: &str, bytes: Vec<u8>) -> io::Result<()> {
        let (store, key) = (self.stores()?.many, self.key(key));
        self.run(async move { put_over(&*store, &key, bytes).await })
    }

    /// Deletes objects: with one request, or one after the other where the server does not do that, or not of all. What is gone is
    /// no error.
    pub(crate) fn delete(&self, keys: &[String]) -> io::Result<()> {
        let Stores { many, one_by_one } = self.stores()?;
        let keys: Vec<Key> = keys.iter().map(|key| self.key(key)).collect();
        self.run(async move {
            if keys.len() > 1 {
                let all = stream::iter(keys.clone().into_iter().map(Ok)).boxed();
                let deleted: Vec<Result<Key, Error>> = many.delete_stream(all).collect().await;
                let mut deleted = deleted.iter();
                if deleted.all(|it| matches!(it, Ok(_) | Err(Error::NotFound { .. }))) {
                    return Ok(());
                }
            }
            for key in &keys {
                let one = stream::iter([Ok(key.clone())]).boxed();
                match one_by_one
                    .delete_stream(one)
                    .try_collect::<Vec<Key>>()
                    .await
                {
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use std::{
        fs::File,
        io::{ErrorKind, Read, Seek, Write},
        time::{Duration, Instant},
    };

    fn bucket() -> Bucket {
        Bucket::of_store("b", "of/host", InMemory::new())
    }

    fn never() -> CancellationToken {
        CancellationToken::new()
    }

    fn file(length: usize) -> (File, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        (file, bytes)
    }

    #[test]
    fn objects_of_any_length_are_put_and_read_back() {
        let bucket = bucket();
        let part = usize::try_from(PART).unwrap();
        for length in [0, 1, part - 1, part, part + 1, 3 * part + 5] {
            let (mut file, bytes) = file(length);
            let coming = (&mut file as &mut dyn Read, length as u64);
            bucket.put("j/x", coming, &never()).unwrap();
            assert_eq!(bucket.length("j/x").unwrap(), length as u64);
            let mut found = Vec::new();
            let mut reader = bucket.open("j/x", &never()).unwrap();
            reader.read_to_end(&mut found).unwrap();
            assert!(found == bytes, "{length}");
        }
    }

    #[test]
    fn an_object_is_made_once_and_the_same_once_more_is_no_error() {
        let bucket = bucket();
        bucket.create("j/x.json", b"one".to_vec()).unwrap();
        bucket.create("j/x.json", b"one".to_vec()).unwrap();
        let refused = bucket.create("j/x.json", b"two".to_vec()).unwrap_err();
        assert!(refused.to_string().contains("something else"), "{refused}");
        let longer = bucket.create("j/x.json", b"longer".to_vec()).unwrap_err();
        assert!(longer.to_string().contains("something else"), "{longer}");
        assert_eq!(bucket.read("j/x.json", 3).unwrap().unwrap(), b"one");
        assert_eq!(bucket.read("j/x.json", 2).unwrap(), None);
    }

    #[test]
    fn what_is_there_is_listed_and_deleted_and_what_is_not_is_not_found() {
        let bucket = bucket();
        for key in ["j/a", "j/b", "j/trash/c", "k/d"] {
            bucket.replace(key, vec![1, 2]).unwrap();
        }
        let mut jobs = bucket.list("").unwrap().below;
        jobs.sort();
        assert_eq!(jobs, ["j", "k"]);
        let listed = bucket.list("j").unwrap();
        assert_eq!(listed.below, ["trash"]);
        assert_eq!(listed.objects, [("a".to_owned(), 2), ("b".to_owned(), 2)]);
        let keys = ["j/a", "j/b", "j/none"].map(str::to_owned);
        bucket.delete(&keys).unwrap();
        bucket.delete(&keys[..1]).unwrap();
        assert!(bucket.list("j").unwrap().objects.is_empty());
        let gone = bucket.length("j/a").unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
        assert!(bucket.list("none").unwrap().objects.is_empty());
    }

    #[test]
    fn who_asks_after_one_who_waited_long_is_told_at_once_and_what_is_put_goes_its_way() {
        let bucket = bucket();
        let what = io::Error::other("nobody answers");
        let (asked, told) = (Instant::now(), Instant::now() + Duration::from_secs(60));
        bucket.silence.lock().waited((asked, told), &what);
        let refused = [
            bucket.length("j/x").unwrap_err(),
            bucket.read("j/x", 1).unwrap_err(),
            bucket.list("j").unwrap_err(),
        ];
        for error in refused {
            assert!(error.to_string().contains("nobody answers"), "{error}");
            assert!(matches!(Trouble::of(&error), Some(Trouble::Said(_))));
        }
        let (mut file, bytes) = file(3);
        let length = u64::try_from(bytes.len()).unwrap();
        bucket.put("j/x", (&mut file, length), &never()).unwrap();
        bucket.create("j/x.json", b"one".to_vec()).unwrap();
        let mut found = Vec::new();
        let mut reader = bucket.open("j/x", &never()).unwrap();
        reader.read_to_end(&mut found).unwrap();
        assert_eq!(found, bytes);
        bucket.delete(&["j/x".to_owned()]).unwrap();
    }

    #[test]
    fn who_stops_waits_for_nothing_and_makes_nothing() {
        let bucket = bucket();
        let stop = never();
        stop.cancel();
        let length = usize::try_from(2 * PART).unwrap();
        let (mut file, _) = file(length);
        let stopped = bucket.put("j/x", (&mut file, 2 * PART), &stop).unwrap_err();
        assert!(matches!(Trouble::of(&stopped), Some(Trouble::Interrupted)));
        assert!(bucket.length("j/x").is_err());
    }
}
