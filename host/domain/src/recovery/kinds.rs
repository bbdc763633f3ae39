//! The words for how incidents end, and for what follows when people were told of one.

/// What follows when people were told that they have to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Another round of attempts, after a pause.
    Round,
    /// Nothing until it is over: a person decided so.
    People,
    /// Nothing: no route fits it.
    Route,
}

/// How an incident came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// An operation was verified.
    Recovered,
    /// It had come back before, and then stayed healthy for the relapse window.
    Lasting,
    /// The checks pass, and no operation was verified.
    ByItself,
    /// No check sees it.
    Unseen,
    /// Its target is not configured any more.
    Removed,
}
