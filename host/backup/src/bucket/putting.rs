//! How what is longer than a request may be comes into a bucket: in parts, of which all are there or none.
//!
//! Invariant: a part whose answer does not come is put again, and no more than [`ATTEMPTS`] times in all.

use super::{
    Bucket, Store,
    trouble::{Trouble, no_answer, of_put, status},
    waiting::Begun,
};
use mainstay_domain::text::causes;
use object_store::{
    Error, MultipartId, PutOptions, PutPayload, multipart::PartId, path::Path as Key,
};
use std::{
    future::Future,
    io::{self, ErrorKind, Read},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// What is put or got at once, at least.
pub(super) const PART: u64 = 8 << 20;
/// An object has at most 10,000 parts.
const MOST_PARTS: u64 = 9_000;
/// So often the same bytes are put. The client makes a request again by itself, and not one that took long: its signature is as
/// old as its begin.
const ATTEMPTS: u32 = 3;

/// An upload in parts that was begun.
#[derive(Clone)]
struct Upload {
    store: Arc<dyn Store>,
    key: Key,
    id: MultipartId,
}

impl Upload {
    async fn put(self, number: usize, bytes: Vec<u8>) -> Result<PartId, Error> {
        let Self { store, key, id } = &self;
        let payload = PutPayload::from(bytes);
        again(|| store.put_part(key, id, number, payload.clone())).await
    }

    async fn complete(self, parts: Vec<PartId>) -> Result<(), Error> {
        let Self { store, key, id } = &self;
        store.complete_multipart(key, id, parts).await.map(drop)
    }

    async fn abort(self) -> Result<(), Error> {
        let Self { store, key, id } = &self;
        store.abort_multipart(key, id).await
    }
}

impl Bucket {
    /// Puts what is read from somewhere, of about this length: there whole, or not at all, and not where reading fails. An
    /// upload that a crash cuts off is no object; what is kept of it goes by a rule of the bucket.
    pub(crate) fn put(
        &self,
        key: &str,
        (source, length): (&mut dyn Read, u64),
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let (store, key) = (self.stores()?.many, self.key(key));
        let part = length.div_ceil(MOST_PARTS).max(PART);
        let first = read_part(source, part)?;
        if (first.len() as u64) < part {
            let put = async move { put_over(&*store, &key, first).await };
            return self.begin(stop, put)?.end();
        }
        let begun = {
            let (store, key) = (Arc::clone(&store), key.clone());
            async move { store.create_multipart(&key).await.map_err(of_put) }
        };
        let id = self.begin(stop, begun)?.end()?;
        let upload = Upload { store, key, id };
        let put = (|| {
            let (mut bytes, mut before) = (first, None);
            let (mut number, mut parts) = (0, Vec::new());
            while !bytes.is_empty() {
                let next = self.begin(stop, upload.clone().put(number, bytes))?;
                number += 1;
                if let Some(before) = before.replace(next) {
                    parts.push(Begun::end(before)?);
                }
                bytes = read_part(source, part)?;
            }
            if let Some(before) = before {
                parts.push(Begun::end(before)?);
            }
            self.begin(stop, upload.clone().complete(parts))?.end()
        })();
        let Err(error) = put else { return Ok(()) };
        // Where all was put and only the answer was lost there is no upload any more.
        match self.run(upload.abort()) {
            Err(why) if why.kind() != ErrorKind::NotFound => {
                tracing::warn!(error = %why, "the parts of an upload that was given up stay in the bucket");
            }
            Ok(()) | Err(_) => {}
        }
        Err(error)
    }
}

/// Puts bytes, over what is there.
pub(super) async fn put_over(store: &dyn Store, key: &Key, bytes: Vec<u8>) -> Result<(), Error> {
    let payload = PutPayload::from(bytes);
    let put = again(|| store.put_opts(key, payload.clone(), PutOptions::default())).await;
    put.map(drop).map_err(of_put)
}

/// What asks a server, and asks again where no answer came.
async fn again<T, F: Future<Output = Result<T, Error>>>(ask: impl Fn() -> F) -> Result<T, Error> {
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        match ask().await {
            Err(error) if left > 0 && has_no_answer(&error) => {
                tracing::info!(error = %no_answer(&error), "it is put again");
            }
            done => return done,
        }
    }
}

/// What this host says itself, as of a key that it has not, is another matter.
fn has_no_answer(error: &Error) -> bool {
    status(error).is_empty() && !causes(error).any(|cause| cause.is::<Trouble>())
}

/// Reads so much, or what is left.
fn read_part(source: &mut dyn Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::runtime::Builder;

    fn generic(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: Box::new(io::Error::other(text.to_owned())),
        }
    }

    #[test]
    fn what_has_no_answer_is_asked_again_so_often_and_what_was_refused_is_not() {
        let said = |why: &str| Error::Generic {
            store: "keys",
            source: Box::new(Trouble::Said(why.to_owned())),
        };
        let stalled = || generic("nothing of it moved for 90 s");
        let refused = || generic("non-2xx status code: 403 Forbidden: ");
        // How each attempt ends, and how many there are; after those it is right.
        let table: [(Vec<Error>, u32, bool); 4] = [
            (vec![stalled(), stalled()], 3, true),
            (vec![stalled(), stalled(), stalled()], 3, false),
            (vec![stalled(), refused()], 2, false),
            (vec![said("there is no secret `key`")], 1, false),
        ];
        for (ends, asked, is_done) in table {
            let what = format!("{ends:?}");
            let count = AtomicU32::new(0);
            let left = std::sync::Mutex::new(ends.into_iter());
            let ask = || {
                count.fetch_add(1, Ordering::Relaxed);
                std::future::ready(left.lock().unwrap().next().map_or(Ok(()), Err))
            };
            let runtime = Builder::new_current_thread().build().unwrap();
            let done = runtime.block_on(again(ask));
            assert_eq!(done.is_ok(), is_done, "{what}: {done:?}");
            assert_eq!(count.into_inner(), asked, "{what}");
        }
    }
}
