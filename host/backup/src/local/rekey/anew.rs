//! One archive, sealed anew.

use super::{
    super::{
        check_stop,
        error::unavailable,
        read::is_stored_at,
        seal::{OpenedReader, Opening, SealWriter},
        spot::{Spot, is_of_the_way},
        write::{Hashing, Stored},
    },
    Link,
    output::Output,
};
use crate::port::BackupStoreError;
use mainstay_domain::archive::Encryption;
use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write},
    path::Path,
};
use tokio_util::sync::CancellationToken;

/// Opens an archive and writes it sealed to others; every byte that is read is checked, and what was written is read back.
pub(super) fn seal_anew(
    (link, opening): (&Link, &Opening),
    to: &Path,
    encryption: &Encryption,
    stop: &CancellationToken,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<Stored, BackupStoreError> {
    let (from, old) = (&link.archive, &link.manifest);
    // It takes the place of that one, in the same tier.
    let pace = from.pace();
    let corrupted = |what: String| BackupStoreError::Corrupted {
        id: old.id.clone(),
        what,
    };
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => corrupted("its archive is missing".to_owned()),
        _ if is_of_the_way(&error) => unavailable("cannot read", &from.shown())(error),
        _ => corrupted(format!("its archive cannot be decrypted: {error}")),
    };
    let cannot = unavailable("cannot write", to);
    let file = from.open(stop).map_err(failed)?;
    let mut raw = BufReader::with_capacity(1 << 18, Hashing::new(file));
    let mut output = Output::create(to, from.lane())?;
    let buffered = BufWriter::with_capacity(1 << 18, &mut output);
    let mut sealed = SealWriter::new(Hashing::new(buffered), encryption).map_err(&cannot)?;
    {
        let mut opened = OpenedReader::new(&mut raw, opening).map_err(failed)?;
        loop {
            check_stop(stop)?;
            let bytes = opened.fill_buf().map_err(failed)?;
            let count = bytes.len();
            if count == 0 {
                break;
            }
            pace.pass(count, stop);
            sealed.write_all(bytes).map_err(&cannot)?;
            opened.consume(count);
            on_bytes(count as u64);
        }
    }
    io::copy(&mut raw, &mut io::sink()).map_err(failed)?;
    if raw.get_ref().stored() != Stored::of(old) {
        return Err(corrupted(
            "its stored bytes are not those that were written".to_owned(),
        ));
    }
    let mut file = sealed.finish().map_err(&cannot)?;
    file.flush().map_err(&cannot)?;
    let stored = file.stored();
    drop(file);
    output.finish(to)?;
    let written = Spot::File(to.to_owned(), pace.clone(), from.lane().cloned());
    match is_stored_at(&written, stored, stop)? {
        true => Ok(stored),
        false => Err(BackupStoreError::Unavailable(format!(
            "what was written to {} is not what lies there; look at the disk",
            to.display()
        ))),
    }
}

/// Whether the same keys open both.
pub(super) fn is_same(one: &Encryption, other: &Encryption) -> bool {
    match (one, other) {
        (Encryption::None, Encryption::None) => true,
        (Encryption::Age { recipients: one }, Encryption::Age { recipients: other }) => {
            let set = |all: &[String]| all.iter().cloned().collect::<BTreeSet<String>>();
            set(one) == set(other)
        }
        _ => false,
    }
}
