//! What a SQLite error, or one of the file system, means to a person, and what they can do.

use super::sums;
use crate::port::{Fence, StoreError, StoreErrorKind as Kind};
use mainstay_domain::code::ErrorCode as Code;
use rusqlite::{Error, ErrorCode};
use rustix::{
    fs::{Access, access},
    io::Errno,
};
use std::{any::Any, fmt::Display, fs::File, io, path::Path};

/// "the journal in PATH …".
pub(super) fn sentence(path: &Path, kind: Kind, what: impl Into<String>) -> StoreError {
    let what: String = what.into();
    StoreError::new(kind, format!("the journal in {} {what}", path.display()))
}

/// Submitted for an owner that this store does not have.
pub(super) fn fenced(path: &Path, fence: Fence) -> StoreError {
    let what = format!(
        "has one owner, whose fence is {}; this was submitted with {}, and is refused",
        Fence::ONLY.0,
        fence.0
    );
    sentence(path, Kind::Fenced, what)
}

/// The writer has ended before it could answer.
pub(super) fn writer_gone(path: &Path) -> StoreError {
    sentence(path, Kind::Closed, "is closed: the daemon is stopping")
}

/// Whether the same write may work later, with nothing changed but the disk or who else uses the file.
pub(super) fn may_pass(error: &Error) -> bool {
    let busy = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationInterrupted
                | ErrorCode::OutOfMemory
        )
    );
    busy || is_of_the_disk(error)
}

/// Whether more room on the disk may help. A quota that is used up, and a shared-memory file that cannot grow, are
/// I/O errors to SQLite; so is a broken disk, where letting go of the reserve does no harm.
pub(super) fn is_of_the_disk(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
        )
    )
}

/// The writer, or who syncs what it writes, has ended by a defect of the program.
pub(super) fn writer_panicked(path: &Path, panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let why = text.unwrap_or("it panicked without a word");
    format!(
        "the journal in {} has lost its writer: {why}",
        path.display()
    )
}

/// An error of SQLite as a sentence.
pub(super) fn explain(path: &Path, error: &Error) -> StoreError {
    let what = match error {
        Error::FromSqlConversionFailure(_, _, why) => {
            format!("holds a record that this version cannot read: {why}")
        }
        _ if sums::is_of_a_row(error) => damaged(path, &error.to_string()),
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                let what = "cannot be written: the disk is full; free some space, and writing goes on by itself";
                Code::DiskFull.mark(what)
            }
            Some(ErrorCode::SystemIoFailure) => Code::DiskFull.mark(format!(
                "cannot be read or written: the disk reports an error ({error}); look at its health and quota"
            )),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(path, &error.to_string()),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                cannot_open(path, error)
            }
            _ => format!("refused this: {error}"),
        },
    };
    let kind = match may_pass(error) {
        true => Kind::Unavailable,
        false => Kind::Unreadable,
    };
    sentence(path, kind, what)
}

/// SQLite says of each reason that it cannot open it. None of the journal's own files is opened to learn more: closing it
/// would let go of the locks that this process has on it.
fn cannot_open(path: &Path, error: &Error) -> String {
    let directory = path.parent();
    let directory = directory.filter(|above| !above.as_os_str().is_empty());
    let said = File::open(directory.unwrap_or(Path::new(".")))
        .err()
        .or_else(|| {
            let refused = access(path, Access::READ_OK | Access::WRITE_OK).err()?;
            Some(refused.into())
        });
    match said {
        Some(said) => format!("cannot be opened: {said}{}", disk_remedy(&said)),
        None => format!("cannot be opened ({error}); check the owner and the mode of its files"),
    }
}

/// SQLite calls it an error of the disk; `said` is what the system answers who writes beside the file.
pub(super) fn explain_refused(path: &Path, said: &io::Error) -> StoreError {
    let what = match disk_remedy(said) {
        "" => format!(
            "cannot be written: {said}; look at the disk, and at what lies in its directory"
        ),
        remedy => format!("cannot be written: {said}{remedy}, and writing goes on by itself"),
    };
    sentence(path, Kind::Unavailable, Code::DiskFull.mark(what))
}

/// What to do where a file of the state directory cannot be written, to be put behind the error; empty where the error says
/// all that is known.
///
/// ```
/// let error = std::io::ErrorKind::ReadOnlyFilesystem.into();
/// assert!(mainstay_store::disk_remedy(&error).contains("mount it writable"));
/// ```
pub fn disk_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            "; its file system is mounted read-only: see why, as with `dmesg`, and mount it writable"
        }
        io::ErrorKind::QuotaExceeded => {
            "; free some space, or raise the quota of the daemon's user"
        }
        io::ErrorKind::StorageFull => "; free some space",
        io::ErrorKind::PermissionDenied => {
            "; give the daemon's user access, by the owner and the mode of the directory"
        }
        _ => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::IO) => "; look at the health of the disk, as with `dmesg`",
            Some(Errno::MFILE) => {
                "; raise the limit of open files of the daemon, as by `LimitNOFILE=`"
            }
            Some(Errno::NFILE) => "; raise the limit of open files of the host, `fs.file-max`",
            _ => "",
        },
    }
}

/// What was found in a damaged file, and what to do.
pub(super) fn damaged(path: &Path, found: &str) -> String {
    Code::JournalDamaged.mark(format!(
        "is damaged ({found}); nothing was changed: {}",
        what_to_do(path)
    ))
}

/// What was found in a file that a daemon has open, and what to do.
pub(super) fn damaged_in_use(path: &Path, found: &str) -> String {
    let what = Code::JournalDamaged.mark(format!(
        "is damaged ({found}); the daemon goes on with what it could read: look at the disk, stop the daemon, then {}",
        what_to_do(path)
    ));
    format!("the journal in {} {what}", path.display())
}

/// A swap that is ready and cannot be finished, or an unfinished one that cannot be thrown away.
pub(super) fn unfinished(path: &Path, why: &dyn Display) -> StoreError {
    let what = format!(
        "is not opened: a salvage of it was cut off, and journal.salvage beside it can be neither put in its place nor \
         removed: {why}; see to that first, for the next start tries again"
    );
    sentence(path, Kind::Unavailable, what)
}

/// A salvage that has not come to its end, by an error of one of the files that it makes or reads.
pub(super) fn not_salvaged(path: &Path, file: &Path, why: &dyn Display) -> StoreError {
    let what = format!(
        "cannot be salvaged: {}: {why}; the old files are as they were, and the new one was removed",
        file.display()
    );
    sentence(path, Kind::Unavailable, what)
}

/// What to do about a journal that is not whole.
pub(super) fn what_to_do(path: &Path) -> String {
    let directory = path.parent().unwrap_or(path);
    format!(
        "`mainstay journal salvage` saves what can be read and keeps the old files beside it; or restore the journal \
         from a copy, as README says; or, to start with an empty history, move {name}* in {directory} away",
        name = "journal.",
        directory = directory.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_disk_says_what_was_found_and_what_to_do() {
        for (errno, found, remedy) in [
            (Errno::ROFS, "Read-only file system", "mount it writable"),
            (
                Errno::ACCESS,
                "Permission denied",
                "give the daemon's user access",
            ),
            (Errno::DQUOT, "quota", "raise the quota"),
            (Errno::NOSPC, "No space left", "free some space"),
            (Errno::IO, "Input/output error", "the health of the disk"),
            (Errno::MFILE, "Too many open files", "LimitNOFILE"),
            (Errno::ISDIR, "Is a directory", "look at the disk"),
        ] {
            let error = explain_refused(Path::new("/s/journal.db"), &errno.into());
            assert_eq!(error.kind, Kind::Unavailable);
            let said = error.to_string();
            for words in [
                "the journal in /s/journal.db cannot be written: ",
                found,
                remedy,
            ] {
                assert!(said.contains(words), "{errno:?}, {words}: {said}");
            }
            assert!(said.ends_with("[MS-0105]"), "{said}");
        }
    }

    #[test]
    fn what_cannot_be_opened_is_said_to_be_so_for_the_reason_that_the_system_gives() {
        let error = Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            None,
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        for below in ["journal.db", "gone/journal.db"] {
            let said = explain(&directory.path().join(below), &error).to_string();
            let expected = "cannot be opened: No such file or directory";
            assert!(said.contains(expected), "{said}");
        }
        std::fs::write(&path, "").unwrap();
        let said = explain(&path, &error).to_string();
        assert!(said.contains("check the owner and the mode"), "{said}");
    }
}
