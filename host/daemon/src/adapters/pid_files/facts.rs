//! What tells whether a number is that of a process that a pid file can mean.

/// Part of `/proc/PID/status`.
pub(super) struct Facts {
    /// The process that a thread belongs to.
    pub(super) leader: u32,
    /// How many pid namespaces it is in, one within the other, seen from here.
    pub(super) namespaces: usize,
    /// Its real user.
    pub(super) user: u32,
}

impl Facts {
    pub(super) fn read(pid: &str) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/status")).ok()?)
    }

    fn parse(status: &[u8]) -> Option<Self> {
        // The name of the process is escaped, so no line but the kernel's own begins like these.
        let text = String::from_utf8_lossy(status);
        let line = |label: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(label))
        };
        let first = |label: &str| line(label)?.split_ascii_whitespace().next()?.parse().ok();
        Some(Self {
            leader: first("Tgid:")?,
            namespaces: line("NSpid:")?.split_ascii_whitespace().count(),
            user: first("Uid:")?,
        })
    }
}
