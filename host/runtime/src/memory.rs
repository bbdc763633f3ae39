//! Memory that is no longer needed goes back to the system.

/// Gives back what compiling took and the allocator kept: some 8 MB after ten plugins. Blocking, for some milliseconds.
/// Does nothing where the C library is not glibc, whose allocator keeps freed memory for itself.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "a call of the C library that no crate wraps")]
pub(crate) fn release_to_os() {
    // SAFETY: it takes no pointer, may be called from any thread at any time, and only ever frees what is free.
    unsafe { libc::malloc_trim(0) };
}

/// See above.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn release_to_os() {}
