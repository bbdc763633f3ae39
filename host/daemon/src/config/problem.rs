//! What is wrong with a config, for people and for programs.
//!
//! Invariant: a problem says what was found, what is allowed and what to do next, and can be shown without its file.

use super::text::Text;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::{fmt, ops::Range, panic, path::Path, slice};

/// Whether a config can be used in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemSeverity {
    /// It cannot.
    Error,
    /// It can, but hardly does what its author wants.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the config can be used in spite of it.
    pub severity: ProblemSeverity,
    /// The file, as it was named.
    pub file: Option<String>,
    /// From 1; absent where it is about the whole file.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    /// What was found and why it is wrong.
    pub message: String,
    /// What is allowed, or what to do next.
    pub help: String,
    details: Box<ProblemDetails>,
}

/// What is not part of the machine-readable form.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ProblemDetails {
    raised_at: CallSite,
    excerpt: Option<Box<Excerpt>>,
    /// The examples that people are shown, if the problem stands for many.
    examples: Vec<Problem>,
}

/// The place in the program that raises a problem. Problems from the same place are of one kind, whatever names they
/// contain.
type CallSite = &'static panic::Location<'static>;

/// Problems of one kind differ only in what they are about.
pub(crate) type Kind = (ProblemSeverity, CallSite);

/// The line of the file that a problem is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    text: String,
    marked: Range<usize>,
}

/// A place in a file, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    file: String,
    line: usize,
    column: usize,
    excerpt: Box<Excerpt>,
}

impl Location {
    /// Where a byte range of a text is; what lies behind the end of its first line is not marked.
    pub(crate) fn new(path: &Path, text: &Text, range: Range<usize>) -> Self {
        let spot = text.spot(range);
        Self {
            file: path.display().to_string(),
            line: spot.line,
            column: spot.column,
            excerpt: Box::new(Excerpt {
                text: spot.text.to_owned(),
                marked: spot.marked,
            }),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Problem {
    /// A problem that makes the config unusable, without a place yet.
    #[track_caller]
    pub fn error(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: ProblemSeverity::Error,
            file: None,
            line: None,
            column: None,
            message: message.into(),
            help: help.into(),
            details: Box::new(ProblemDetails {
                raised_at: panic::Location::caller(),
                excerpt: None,
                examples: Vec::new(),
            }),
        }
    }

    /// A problem that leaves the config usable, without a place yet.
    #[track_caller]
    pub fn warning(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: ProblemSeverity::Warning,
            ..Self::error(message, help)
        }
    }

    /// Whether the config cannot be used because of it.
    pub fn is_error(&self) -> bool {
        self.severity == ProblemSeverity::Error
    }

    /// What it has in common with others of its kind.
    pub(crate) fn kind(&self) -> Kind {
        (self.severity, self.details.raised_at)
    }

    /// Adds an example to a problem that stands for many.
    pub(crate) fn add_example(&mut self, example: Problem) {
        self.details.examples.push(example);
    }

    /// About a whole file.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        self.file = Some(path.display().to_string());
        self
    }

    /// About a place in a file.
    #[must_use]
    pub(crate) fn at(mut self, location: Location) -> Self {
        self.file = Some(location.file);
        self.line = Some(location.line);
        self.column = Some(location.column);
        self.details.excerpt = Some(location.excerpt);
        self
    }

    /// About a place in a file, where there is one.
    #[must_use]
    pub(crate) fn at_some(self, location: Option<Location>) -> Self {
        match location {
            Some(location) => self.at(location),
            None => self,
        }
    }

    fn group(&self) -> Group<'_> {
        let level = match self.severity {
            ProblemSeverity::Error => Level::ERROR,
            ProblemSeverity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str());
        let help = Level::HELP.message(self.help.as_str());
        match (&self.details.excerpt, &self.file) {
            (Some(excerpt), file) => {
                let marked = AnnotationKind::Primary.span(excerpt.marked.clone());
                let snippet = Snippet::source(excerpt.text.as_str())
                    .path(file.as_deref())
                    .line_start(self.line.unwrap_or(1))
                    .annotation(marked);
                title.element(snippet).element(help)
            }
            (None, Some(file)) => title.element(Origin::path(file.as_str())).element(help),
            (None, None) => title.element(help),
        }
    }
}

/// The problems as text, one after the other; of a group its first ones.
pub fn render(problems: &[Problem], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let texts: Vec<String> = problems
        .iter()
        .flat_map(|problem| match problem.details.examples.as_slice() {
            [] => slice::from_ref(problem),
            examples => examples,
        })
        .map(|problem| renderer.render(&[problem.group()]))
        .collect();
    texts.join("\n\n")
}

/// What `check --json` prints of these problems.
pub fn report(problems: &[Problem]) -> mainstay_api::CheckReport {
    let problems = problems.iter().map(mainstay_api::Problem::from);
    mainstay_api::CheckReport::new(problems.collect())
}

impl From<&Problem> for mainstay_api::Problem {
    fn from(problem: &Problem) -> Self {
        Self {
            severity: match problem.severity {
                ProblemSeverity::Error => mainstay_api::ProblemSeverity::Error,
                ProblemSeverity::Warning => mainstay_api::ProblemSeverity::Warning,
            },
            file: problem.file.clone(),
            line: problem.line.and_then(|line| u64::try_from(line).ok()),
            column: problem.column.and_then(|column| u64::try_from(column).ok()),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}

/// A config that cannot be used: every error, and the warnings beside them, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", render(.problems, false))]
pub struct ConfigErrors {
    /// At least one of them is an error.
    pub problems: Vec<Problem>,
}
