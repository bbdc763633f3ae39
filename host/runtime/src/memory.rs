//! Memory that is no longer needed goes back to the system.

/// Gives back what compiling took and the allocator kept, some 8 MB after ten plugins, and the pages of the program's own
/// file: a start and its loads run through 26 MB of them, of which a daemon with nothing to do needs some 2 MB again.
/// Blocking, for some milliseconds.
pub(crate) fn release_to_os() {
    trim();
    release_program();
}

/// Does nothing where the C library is not glibc, whose allocator keeps freed memory for itself.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "a call of the C library that no crate wraps")]
fn trim() {
    // SAFETY: it takes no pointer, may be called from any thread at any time, and only ever frees what is free.
    unsafe { libc::malloc_trim(0) };
}

/// See above.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

/// Lets go of the code and the constants of the program. What of it is used after that comes back out of the system's cache
/// of the file, sixteen pages at a time; a breakpoint that a debugger had set in it does not.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[allow(unsafe_code, reason = "a call of the C library that no crate wraps")]
fn release_program() {
    // SAFETY: `release_segments` is what the C library calls, with the data that it is given here and does not look at.
    unsafe { libc::dl_iterate_phdr(Some(release_segments), std::ptr::null_mut()) };
}

/// See above.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn release_program() {}

/// Of the first object that there is, which is the program; returns what ends the round.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[allow(
    unsafe_code,
    reason = "reads what the C library hands over, and has the system forget pages that the file has too"
)]
unsafe extern "C" fn release_segments(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    _data: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the C library calls this with what it knows of a loaded object, whose headers stay as long as that does.
    let (base, headers, page) = unsafe {
        let info = &*info;
        let count = usize::from(info.dlpi_phnum);
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, count);
        (info.dlpi_addr, headers, libc::sysconf(libc::_SC_PAGESIZE))
    };
    let Some(page) = u64::try_from(page).ok().filter(|page| *page > 0) else {
        return 1;
    };
    for header in headers {
        // What was never to be written is as the file has it.
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let begin = base.saturating_add(header.p_vaddr);
        let end = begin.saturating_add(header.p_filesz);
        // Whole pages of this segment alone.
        let (begin, end) = (begin.next_multiple_of(page), end - end % page);
        let length = usize::try_from(end.saturating_sub(begin));
        let (Ok(begin), Ok(length)) = (usize::try_from(begin), length) else {
            continue;
        };
        if length > 0 {
            let begin = std::ptr::with_exposed_provenance_mut::<libc::c_void>(begin);
            // SAFETY: these pages are mapped out of the program's file, privately and not to be written, and they stay
            // mapped: whoever reads or runs them next gets what the file has, which is what was there. Where the system
            // refuses it nothing has changed.
            let _ = unsafe { libc::madvise(begin, length, libc::MADV_DONTNEED) };
        }
    }
    1
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// The pages of the program's code that this process has in memory, in kB.
    fn resident_code() -> u64 {
        let program = std::env::current_exe().unwrap();
        let program = program.to_str().unwrap();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let (mut is_code, mut resident) = (false, 0);
        for line in maps.lines() {
            let first = line.split(' ').next().unwrap_or_default();
            if first.contains('-') {
                is_code = line.contains(" r-xp ") && line.ends_with(program);
            } else if let Some(kb) = line.strip_prefix("Rss:").filter(|_| is_code) {
                let kb = kb.trim().trim_end_matches(" kB");
                resident += kb.parse::<u64>().unwrap();
            }
        }
        resident
    }

    #[test]
    fn the_code_that_nothing_runs_is_let_go_of_and_what_is_needed_of_it_comes_back() {
        // Much of the program runs once.
        let compile = || {
            let engine = wasmtime::Engine::default();
            let component = wat::parse_str("(component)").unwrap();
            wasmtime::component::Component::new(&engine, component).is_ok()
        };
        assert!(compile());
        let before = resident_code();
        let mut least = before;
        // Other tests of this process run meanwhile.
        let start = std::time::Instant::now();
        while least * 2 > before && start.elapsed() < std::time::Duration::from_secs(20) {
            release_to_os();
            least = least.min(resident_code());
        }
        assert!(
            least * 2 <= before,
            "{before} kB, and at the least {least} kB"
        );
        assert!(compile(), "it runs on");
    }
}
