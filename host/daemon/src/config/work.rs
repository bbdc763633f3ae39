//! How much work a config gives where the work could grow faster than the config: tests compare these numbers for
//! configs of different sizes. In the program itself nothing is counted.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// So many bytes, items or letters were looked at.
#[inline]
pub(crate) fn did(steps: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + steps);
    #[cfg(not(test))]
    let _ = steps;
}

/// How many steps this takes, on this thread.
#[cfg(test)]
pub(crate) fn steps_of<T>(job: impl FnOnce() -> T) -> (T, usize) {
    let before = STEPS.get();
    let done = job();
    (done, STEPS.get() - before)
}
