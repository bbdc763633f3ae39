//! Whether a file system has room.

use rustix::fs::statvfs;
use std::path::Path;

/// With less than this nothing is stored that is worth it.
const ANY_BYTES: u64 = 1 << 20;

/// Whether there is any room where a path leads, for who is not privileged: some bytes, and a file more. True where nobody
/// can tell; what counts no files has room for them.
pub(super) fn is_there(path: &Path) -> bool {
    let Ok(found) = statvfs(path) else {
        return true;
    };
    let bytes = found.f_bavail.saturating_mul(found.f_frsize);
    bytes >= ANY_BYTES && (found.f_files == 0 || found.f_favail > 0)
}

/// So many bytes are free where a path leads, for who this runs as; none where nobody can tell.
pub(super) fn free(path: &Path) -> Option<u64> {
    let found = statvfs(path).ok()?;
    let blocks = match rustix::process::geteuid().is_root() {
        true => found.f_bfree,
        false => found.f_bavail,
    };
    Some(blocks.saturating_mul(found.f_frsize))
}
