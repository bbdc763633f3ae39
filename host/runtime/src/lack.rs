//! Whether the host itself lacks something: descriptors, memory. What fails meanwhile may fail for that alone.

use std::{fs::File, io};

/// Whether the system refused this for want of something that the host lacks, whatever it was asked for.
pub fn is_own(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EAGAIN)
    )
}

/// Why the host can open nothing now, where it cannot.
pub fn now() -> Option<io::Error> {
    File::open("/dev/null").err().filter(is_own)
}
