//! The tree of a condition.
//!
//! `or := and ("or" and)*`, `and := one ("and" one)*`, `one := "not" one | "(" or ")" | value COMPARATOR value`.
//!
//! Invariant: it calls itself no deeper than [`MOST_DEPTH`] times.

use super::{
    Condition, ConditionError, Expression, MOST_DEPTH, Operand, Variable,
    lexer::{Token, TokenKind},
    typing,
};
use crate::{severity::Severity, text::excerpt};
use std::ops::Range;

const EXAMPLE: &str = "write e.g. severity >= high and recurrence_count >= 2";

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) operand: Operand,
    pub(super) span: Range<usize>,
}

/// The expression that all the tokens make; `end` is the length of the text.
pub(super) fn parse(tokens: &[Token<'_>], end: usize) -> Result<Expression, ConditionError> {
    let mut parser = Parser {
        tokens,
        next: 0,
        end,
    };
    if tokens.is_empty() {
        return Err(ConditionError::new(
            0..end,
            "the condition is empty",
            EXAMPLE,
        ));
    }
    let whole = parser.or(0)?;
    match parser.peek() {
        None => Ok(whole),
        Some(token) => Err(left_over(token)),
    }
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    next: usize,
    end: usize,
}

impl<'t, 'a> Parser<'t, 'a> {
    fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.next)
    }

    fn takes(&mut self, kind: TokenKind<'_>) -> bool {
        let is_it = self.peek().is_some_and(|token| token.kind == kind);
        self.next += usize::from(is_it);
        is_it
    }

    fn or(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        let mut left = self.and(depth)?;
        while self.takes(TokenKind::Or) {
            left = Expression::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        let mut left = self.one(depth)?;
        while self.takes(TokenKind::And) {
            left = Expression::And(Box::new(left), Box::new(self.one(depth)?));
        }
        Ok(left)
    }

    fn one(&mut self, depth: usize) -> Result<Expression, ConditionError> {
        let opens = self
            .peek()
            .filter(|token| matches!(token.kind, TokenKind::Not | TokenKind::Open));
        let Some(opening) = opens else {
            return self.comparison();
        };
        if depth == MOST_DEPTH {
            return Err(ConditionError::new(
                opening.span.clone(),
                format!("more than {MOST_DEPTH} `not` and parentheses are within one another"),
                "write it with fewer; several steps may call one handler, each under a condition of its own",
            ));
        }
        self.next += 1;
        if opening.kind == TokenKind::Not {
            return Ok(Expression::Not(Box::new(self.one(depth + 1)?)));
        }
        let inner = self.or(depth + 1)?;
        if self.takes(TokenKind::Close) {
            return Ok(inner);
        }
        match self.peek() {
            Some(token) => Err(left_over(token)),
            None => Err(ConditionError::new(
                opening.span.clone(),
                "this `(` is not closed",
                "write the `)` that closes it, or remove it",
            )),
        }
    }

    fn comparison(&mut self) -> Result<Expression, ConditionError> {
        let left = self.operand()?;
        let Some(TokenKind::Comparator(by)) = self.peek().map(|token| token.kind) else {
            return Err(ConditionError::new(
                left.span,
                format!("`{}` is compared with nothing", left.operand),
                "write >=, <=, >, <, == or != behind it, and what it is compared with",
            ));
        };
        self.next += 1;
        let right = self.operand()?;
        typing::compared(&left, by, &right).map(Expression::Comparison)
    }

    fn operand(&mut self) -> Result<Placed, ConditionError> {
        let Some(token) = self.peek() else {
            return Err(ConditionError::new(
                self.end..self.end,
                "the condition ends where a value is wanted",
                EXAMPLE,
            ));
        };
        let operand = match token.kind {
            TokenKind::Number(number) => Operand::Number(number),
            TokenKind::Length(length) => Operand::Length(length),
            TokenKind::Name(name) => {
                named(name).ok_or_else(|| unknown(name, token.span.clone()))?
            }
            _ => {
                return Err(ConditionError::new(
                    token.span.clone(),
                    format!("`{}` stands where a value is wanted", excerpt(token.text)),
                    "write a name such as severity, a number, or a length of time such as 3m",
                ));
            }
        };
        self.next += 1;
        Ok(Placed {
            operand,
            span: token.span.clone(),
        })
    }
}

fn named(name: &str) -> Option<Operand> {
    let mut variables = Variable::ALL.into_iter();
    let variable = variables.find(|one| one.as_str() == name);
    let mut classes = Severity::ALL.into_iter();
    let class = classes.find(|one| one.as_str() == name);
    variable
        .map(Operand::Variable)
        .or(class.map(Operand::Class))
}

/// What comes behind a condition that could end before it.
fn left_over(token: &Token<'_>) -> ConditionError {
    let help = match token.kind {
        TokenKind::Close => "remove it, or write the `(` that it closes",
        TokenKind::Comparator(_) => {
            "comparisons do not go on: join two with `and`, as in step > 1 and step < 3"
        }
        _ => "join comparisons with `and` or `or`",
    };
    ConditionError::new(
        token.span.clone(),
        format!(
            "`{}` follows a condition that is whole",
            excerpt(token.text)
        ),
        help,
    )
}

fn unknown(name: &str, span: Range<usize>) -> ConditionError {
    let lower = name.to_ascii_lowercase();
    let help = match lower.as_str() {
        "and" | "or" | "not" => format!("write `{lower}`"),
        "always" => "`always` stands alone: when = \"always\"".to_owned(),
        "true" | "false" => "leave it out: a step without `when` is called".to_owned(),
        _ => format!("there are {}", Condition::NAMES.join(", ")),
    };
    ConditionError {
        unknown: Some(name.to_owned()),
        ..ConditionError::new(
            span,
            format!("a condition knows no `{}`", excerpt(name)),
            help,
        )
    }
}
