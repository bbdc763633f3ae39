//! One archive, sealed anew.

use super::{
    super::{
        check_stop, durable,
        error::unavailable,
        files::create_private,
        read::is_stored_at,
        seal::{OpenedReader, Opening, SealWriter},
        spot::{Spot, is_of_the_way},
        write::{Hashing, Stored},
    },
    Link,
};
use crate::port::BackupStoreError;
use mainstay_domain::archive::Encryption;
use std::{
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
    let output = Hashing::new(BufWriter::with_capacity(1 << 18, create_private(to)?));
    let mut sealed = SealWriter::new(output, encryption).map_err(&cannot)?;
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
    durable::sync_file(file.inner().get_ref(), to).map_err(&cannot)?;
    let stored = file.stored();
    let written = Spot::File(to.to_owned(), pace.clone(), None);
    match is_stored_at(&written, stored, stop)? {
        true => Ok(stored),
        false => Err(BackupStoreError::Unavailable(format!(
            "what was written to {} is not what lies there; look at the disk",
            to.display()
        ))),
    }
}
