//! What is wrong with a config, for people and for programs.
//!
//! Invariant: a problem says what was found, what is allowed and what to do next, and can be shown without its file.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use std::{fmt, ops::Range, path::Path};

/// Whether a config can be used in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemSeverity {
    /// It cannot.
    Error,
    /// It can, but hardly does what its author wants.
    Warning,
}

/// One thing that is wrong. Serialised as `check --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    #[serde(skip)]
    excerpt: Option<Box<Excerpt>>,
}

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
    pub(crate) fn new(path: &Path, text: &str, range: Range<usize>) -> Self {
        let start = (0..=range.start.min(text.len()))
            .rev()
            .find(|byte| text.is_char_boundary(*byte))
            .unwrap_or(0);
        let (before, after) = text.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let head = before.get(line_start..).unwrap_or_default();
        let tail = after.lines().next().unwrap_or_default();
        let length = range.end.saturating_sub(start).min(tail.len());
        Self {
            file: path.display().to_string(),
            line: before.matches('\n').count() + 1,
            column: head.chars().count() + 1,
            excerpt: Box::new(Excerpt {
                text: format!("{head}{tail}"),
                marked: head.len()..head.len() + length,
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
    pub fn error(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: ProblemSeverity::Error,
            file: None,
            line: None,
            column: None,
            message: message.into(),
            help: help.into(),
            excerpt: None,
        }
    }

    /// A problem that leaves the config usable, without a place yet.
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
        self.excerpt = Some(location.excerpt);
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
        match (&self.excerpt, &self.file) {
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

/// The problems as text, one after the other.
pub fn render(problems: &[Problem], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let texts: Vec<String> = problems
        .iter()
        .map(|problem| renderer.render(&[problem.group()]))
        .collect();
    texts.join("\n\n")
}

/// What `check --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Whether there is no error; warnings are allowed.
    pub ok: bool,
    /// Everything that was found.
    pub problems: Vec<Problem>,
}

impl CheckReport {
    /// A report about these problems.
    pub fn new(problems: Vec<Problem>) -> Self {
        let ok = !problems.iter().any(Problem::is_error);
        Self { ok, problems }
    }
}

/// A config that cannot be used: every error, and the warnings beside them, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", render(.problems, false))]
pub struct ConfigErrors {
    /// At least one of them is an error.
    pub problems: Vec<Problem>,
}
