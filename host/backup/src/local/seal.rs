//! What an archive is encrypted with on its way to the disk, and opened with on its way back.
//!
//! Invariant: nothing is held back: what passes through is sealed or opened piece by piece, of at most 64 KiB.
//! Invariant: that an archive is to be encrypted and cannot be is an error, never an archive that is not.

use age::{
    DecryptError, Decryptor, Encryptor,
    stream::{StreamReader, StreamWriter},
    x25519,
};
use mainstay_domain::archive::Encryption;
use std::io::{self, BufRead, BufReader, Read, Write};

/// Seals what is written through it.
pub(super) enum SealWriter<W: Write> {
    Plain(W),
    Age(StreamWriter<W>),
}

impl<W: Write> SealWriter<W> {
    pub(super) fn new(output: W, encryption: &Encryption) -> io::Result<Self> {
        let Encryption::Age { recipients } = encryption else {
            return Ok(Self::Plain(output));
        };
        let parsed: Result<Vec<x25519::Recipient>, _> = recipients
            .iter()
            .map(|recipient| recipient.parse())
            .collect();
        let parsed =
            parsed.map_err(|why| io::Error::other(format!("a recipient is none: {why}")))?;
        let each = parsed
            .iter()
            .map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(each)
            .map_err(|error| io::Error::other(error.to_string()))?;
        encryptor.wrap_output(output).map(Self::Age)
    }

    /// Writes what is still to come. Without it the archive is cut off.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(output) => Ok(output),
            Self::Age(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(bytes),
            Self::Age(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Age(writer) => writer.flush(),
        }
    }
}

/// What opens an archive.
pub(super) enum Opening {
    /// It is not encrypted.
    Plain,
    /// One of these does.
    With(Vec<x25519::Identity>),
}

/// Opens what is read through it.
pub(super) enum OpenedReader<R: Read> {
    Plain(R),
    Age(Box<BufReader<StreamReader<R>>>),
}

impl<R: BufRead> OpenedReader<R> {
    /// Reads what stands before the content. One of the identities is among the recipients as the manifest says: where none
    /// opens it, it is not what was written.
    pub(super) fn new(input: R, opening: &Opening) -> io::Result<Self> {
        let Opening::With(identities) = opening else {
            return Ok(Self::Plain(input));
        };
        let wrong = |error: DecryptError| match error {
            DecryptError::Io(error) => error,
            DecryptError::NoMatchingKeys => {
                io::Error::other("no identity of its recipients opens it")
            }
            _ => io::Error::other("what stands before its content is not what age wrote"),
        };
        let decryptor = Decryptor::new_buffered(input).map_err(wrong)?;
        let each = identities
            .iter()
            .map(|identity| identity as &dyn age::Identity);
        let reader = decryptor.decrypt(each).map_err(wrong)?;
        Ok(Self::Age(Box::new(BufReader::with_capacity(
            1 << 16,
            reader,
        ))))
    }
}

impl<R: BufRead> Read for OpenedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(buffer),
            Self::Age(reader) => reader.read(buffer),
        }
    }
}

impl<R: BufRead> BufRead for OpenedReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(input) => input.fill_buf(),
            Self::Age(reader) => reader.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match self {
            Self::Plain(input) => input.consume(count),
            Self::Age(reader) => reader.consume(count),
        }
    }
}
