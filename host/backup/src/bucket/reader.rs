//! An object that is read from its begin to its end, part by part.

use super::{Bucket, PART, waiting::Begun};
use object_store::{GetOptions, GetRange};
use std::io::{self, Read};
use tokio_util::sync::CancellationToken;

/// An object that is read; while a part of it is looked at, the next one is on its way.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    bucket: Bucket,
    key: String,
    size: u64,
    /// Where the part after the one that was asked for begins.
    next: u64,
    piece: Vec<u8>,
    place: usize,
    ahead: Option<Begun<Vec<u8>>>,
    stop: CancellationToken,
}

impl ObjectReader {
    /// Of an object of so many bytes.
    pub(super) fn new(
        bucket: &Bucket,
        key: &str,
        size: u64,
        stop: &CancellationToken,
    ) -> io::Result<Self> {
        let mut reader = Self {
            bucket: bucket.clone(),
            key: key.to_owned(),
            size,
            next: 0,
            piece: Vec::new(),
            place: 0,
            ahead: None,
            stop: stop.clone(),
        };
        reader.ahead = reader.ask()?;
        Ok(reader)
    }

    /// Asks for the next part; none at the end.
    fn ask(&mut self) -> io::Result<Option<Begun<Vec<u8>>>> {
        let range = self.next..self.next.saturating_add(PART).min(self.size);
        if range.is_empty() {
            return Ok(None);
        }
        self.next = range.end;
        let (store, key) = (self.bucket.stores()?.many, self.bucket.key(&self.key));
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let get = async move {
            Ok(Vec::from(
                store.get_opts(&key, options).await?.bytes().await?,
            ))
        };
        self.bucket.begin(&self.stop, get).map(Some)
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.place >= self.piece.len() {
            let Some(ahead) = self.ahead.take() else {
                return Ok(0);
            };
            self.piece = Vec::new();
            self.piece = ahead.end()?;
            self.place = 0;
            self.ahead = self.ask()?;
        }
        let mut left = self.piece.get(self.place..).unwrap_or_default();
        let count = left.read(buffer)?;
        self.place += count;
        Ok(count)
    }
}
