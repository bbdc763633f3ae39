//! What the line of the writer takes.
//!
//! Invariant: pure. It is news once that submissions are refused, and once that they are taken again.

/// What the line takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Intake {
    /// What there is room for.
    #[default]
    Open,
    /// The same; submissions have been refused since the line was within its bound.
    Refusing,
    /// Nothing any more.
    Closed,
}

impl Intake {
    pub(super) fn is_closed(self) -> bool {
        self == Self::Closed
    }

    /// There is no room for a submission; whether that is news.
    pub(super) fn refused(&mut self) -> bool {
        let is_news = *self == Self::Open;
        if is_news {
            *self = Self::Refusing;
        }
        is_news
    }

    /// A submission is taken, with which the line is within its bound; whether that is news.
    pub(super) fn taken(&mut self) -> bool {
        let is_news = *self == Self::Refusing;
        if is_news {
            *self = Self::Open;
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_news_and_what_is_closed_stays_so() {
        use Intake::{Closed, Open, Refusing};
        // Before; whether a refusal is news, and the state then; the same of one that is taken.
        let table = [
            (Open, (true, Refusing), (false, Open)),
            (Refusing, (false, Refusing), (true, Open)),
            (Closed, (false, Closed), (false, Closed)),
        ];
        for (before, refused, taken) in table {
            let mut intake = before;
            assert_eq!((intake.refused(), intake), refused, "{before:?}");
            let mut intake = before;
            assert_eq!((intake.taken(), intake), taken, "{before:?}");
        }
    }
}
