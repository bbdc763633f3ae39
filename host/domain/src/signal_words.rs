//! A signal that ended a process, for people.

/// Those of Linux, from 1 on, by their names without `SIG`.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// `signal 9 (SIGKILL)`; the number alone where it has no name, as those for real-time.
///
/// ```
/// use mainstay_domain::signal_words::signal_words;
/// assert_eq!(signal_words(3), "signal 3 (SIGQUIT)");
/// assert_eq!(signal_words(40), "signal 40");
/// assert_eq!(signal_words(0), "signal 0");
/// ```
pub fn signal_words(signal: i32) -> String {
    let place = usize::try_from(signal)
        .ok()
        .and_then(|place| place.checked_sub(1));
    match place.and_then(|place| NAMES.get(place)) {
        Some(name) => format!("signal {signal} (SIG{name})"),
        None => format!("signal {signal}"),
    }
}
