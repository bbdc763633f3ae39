//! Conditions of the steps of a chain: a small language that an operator writes as `when` [seed 001].
//!
//! `severity >= high and (recurrence_count >= 2 or duration > 3m)`: comparisons of what is known of an incident, joined by
//! `or`, `and`, `not` and parentheses; `not` binds most, `or` least. `lexer` makes words of a text, `parser` a tree of
//! words, `typing` says what may be compared, and `print` makes a text again.
//!
//! Invariant: no text makes it panic; a text that is read has a bounded number of words and a bounded depth.
//! Invariant: what is read is typed: to ask whether it is met can neither fail nor name what is not there.
//! Invariant: what is printed reads as the same condition.

mod lexer;
mod parser;
mod print;
#[cfg(test)]
mod tests;
mod typing;

use crate::severity::Severity;
use std::{ops::Range, time::Duration};

/// So many bytes of text at most.
pub const MOST_BYTES: usize = 1024;
/// So many words, numbers, operators and parentheses at most [seed 001].
pub const MOST_TOKENS: usize = 50;
/// So many `not` and parentheses within one another at most.
pub const MOST_DEPTH: usize = 16;
/// The longest length of time that can be written.
pub const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// Units of time and their milliseconds, the shortest first.
static UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A condition, read and typed.
///
/// ```
/// use mainstay_domain::{condition::{Condition, Facts}, severity::Severity};
/// let condition = Condition::parse("severity >= 0.8 or recurrence_count >= 2").unwrap();
/// let first = Facts { severity: Severity::High, score: 0.7, ..Facts::default() };
/// assert!(!condition.is_met(&first));
/// assert!(condition.is_met(&Facts { recurrence_count: 2, ..first }));
/// assert_eq!(Condition::parse("severty >= 0.8").unwrap_err().span, 0..7);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Expression);

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// How bad it is, as a word.
    pub severity: Severity,
    /// The same as a number, from 0 to 1.
    pub score: f64,
    /// How sure it is, from 0 to 1.
    pub confidence: f64,
    /// How often it has occurred within its window, this time included: 1 the first time.
    pub recurrence_count: u32,
    /// Which step of the chain it is, from 1.
    pub step: u32,
    /// How long ago it was detected.
    pub duration: Duration,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl Default for Facts {
    /// A failure that is seen for the first time, for sure, and worth a record.
    fn default() -> Self {
        Self {
            severity: Severity::Low,
            score: 0.0,
            confidence: 1.0,
            recurrence_count: 1,
            step: 1,
            duration: Duration::ZERO,
            attempt: 1,
        }
    }
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// Which bytes of the text it is about; at the end of the text there may be none.
    pub span: Range<usize>,
    /// What was found, and what is wrong with it.
    pub message: String,
    /// What is allowed, or what to do next.
    pub help: String,
    /// The name that nothing has, where that is it.
    pub unknown: Option<String>,
}

/// A tree of comparisons.
#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Comparison(Comparison),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
}

/// Two things that can be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Comparison {
    left: Operand,
    by: Comparator,
    right: Operand,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operand {
    Variable(Variable),
    Class(Severity),
    Number(f64),
    Length(Duration),
}

/// What is known of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    Severity,
    RecurrenceCount,
    Confidence,
    Step,
    Duration,
    Attempt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparator {
    AtLeast,
    AtMost,
    Above,
    Below,
    Equal,
    Unequal,
}

impl Condition {
    /// Every name that a condition may have beside `and`, `or` and `not`.
    pub const NAMES: [&'static str; 10] = [
        "severity",
        "recurrence_count",
        "confidence",
        "step",
        "duration",
        "attempt",
        "low",
        "medium",
        "high",
        "critical",
    ];

    /// Reads a condition, and checks what it compares.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let tokens = lexer::tokens(text)?;
        parser::parse(&tokens, text.len()).map(Self)
    }

    /// Whether it is met.
    pub fn is_met(&self, facts: &Facts) -> bool {
        self.0.is_met(facts)
    }
}

impl Expression {
    fn is_met(&self, facts: &Facts) -> bool {
        match self {
            Expression::Comparison(comparison) => comparison.holds(facts),
            Expression::Not(inner) => !inner.is_met(facts),
            Expression::And(left, right) => left.is_met(facts) && right.is_met(facts),
            Expression::Or(left, right) => left.is_met(facts) || right.is_met(facts),
        }
    }
}

impl Comparison {
    fn holds(&self, facts: &Facts) -> bool {
        let is_class = |operand: Operand| matches!(operand, Operand::Class(_));
        // Beside a word the severity is a word, beside a number it is a number.
        let by_class = is_class(self.left) || is_class(self.right);
        let (left, right) = (
            self.left.value(facts, by_class),
            self.right.value(facts, by_class),
        );
        match self.by {
            Comparator::AtLeast => left >= right,
            Comparator::AtMost => left <= right,
            Comparator::Above => left > right,
            Comparator::Below => left < right,
            Comparator::Equal => left == right,
            Comparator::Unequal => left != right,
        }
    }
}

impl Operand {
    fn value(self, facts: &Facts, by_class: bool) -> f64 {
        match self {
            Operand::Variable(Variable::Severity) if by_class => rank(facts.severity),
            Operand::Variable(Variable::Severity) => facts.score,
            Operand::Variable(Variable::RecurrenceCount) => f64::from(facts.recurrence_count),
            Operand::Variable(Variable::Confidence) => facts.confidence,
            Operand::Variable(Variable::Step) => f64::from(facts.step),
            Operand::Variable(Variable::Duration) => facts.duration.as_secs_f64(),
            Operand::Variable(Variable::Attempt) => f64::from(facts.attempt),
            Operand::Class(severity) => rank(severity),
            Operand::Number(number) => number,
            Operand::Length(length) => length.as_secs_f64(),
        }
    }
}

/// Severities in order, as numbers.
fn rank(severity: Severity) -> f64 {
    f64::from(severity as u8)
}

impl Variable {
    const ALL: [Variable; 6] = [
        Variable::Severity,
        Variable::RecurrenceCount,
        Variable::Confidence,
        Variable::Step,
        Variable::Duration,
        Variable::Attempt,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Variable::Severity => "severity",
            Variable::RecurrenceCount => "recurrence_count",
            Variable::Confidence => "confidence",
            Variable::Step => "step",
            Variable::Duration => "duration",
            Variable::Attempt => "attempt",
        }
    }
}

impl Comparator {
    /// The longer ones first, so that none is taken for the beginning of another.
    const ALL: [Comparator; 6] = [
        Comparator::AtLeast,
        Comparator::AtMost,
        Comparator::Equal,
        Comparator::Unequal,
        Comparator::Above,
        Comparator::Below,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Comparator::AtLeast => ">=",
            Comparator::AtMost => "<=",
            Comparator::Above => ">",
            Comparator::Below => "<",
            Comparator::Equal => "==",
            Comparator::Unequal => "!=",
        }
    }
}

impl ConditionError {
    fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: help.into(),
            unknown: None,
        }
    }
}
