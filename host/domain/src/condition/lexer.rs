//! The words, numbers and signs of a condition, each with the bytes that it stands in.

use super::{Comparator, ConditionError, LONGEST, MOST_BYTES, MOST_TOKENS, UNITS};
use std::{ops::Range, time::Duration};

/// No number has more digits: what would be lost of it says nothing.
const MOST_DIGITS: usize = 20;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    /// As it is written.
    pub(super) text: &'a str,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TokenKind<'a> {
    And,
    Or,
    Not,
    Open,
    Close,
    Comparator(Comparator),
    Number(f64),
    Length(Duration),
    /// A name, or a text in quotes without them.
    Name(&'a str),
}

/// The tokens of a text, in order.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ConditionError> {
    if text.len() > MOST_BYTES {
        return Err(ConditionError::new(
            0..text.len(),
            format!(
                "a condition of {} bytes is longer than one may be",
                text.len()
            ),
            format!(
                "write at most {MOST_BYTES} bytes; several steps may call one handler, each under a condition of its own"
            ),
        ));
    }
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        if tokens.len() == MOST_TOKENS {
            return Err(ConditionError::new(
                token.span,
                format!(
                    "a condition has at most {MOST_TOKENS} words and signs, and here is one more"
                ),
                "shorten it; several steps may call one handler, each under a condition of its own",
            ));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Takes letters as long as they are of a kind.
    fn take_while(&mut self, is_of_it: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest
            .find(|letter: char| !is_of_it(letter))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn next(&mut self) -> Result<Option<Token<'a>>, ConditionError> {
        self.take_while(char::is_whitespace);
        let start = self.at;
        let rest = self.rest();
        let mut letters = rest.chars();
        let Some(first) = letters.next() else {
            return Ok(None);
        };
        let second = letters.next();
        let is_fraction = first == '.' && second.is_some_and(|letter| letter.is_ascii_digit());
        let begins_number = first.is_ascii_digit() || is_fraction;
        let kind = match first {
            '(' => self.sign(1, TokenKind::Open),
            ')' => self.sign(1, TokenKind::Close),
            '"' | '\'' => self.quoted(first)?,
            _ if begins_number => self.number()?,
            _ if first.is_ascii_alphabetic() || first == '_' => self.word(),
            _ => self.comparator(first)?,
        };
        Ok(Some(Token {
            kind,
            text: self.text.get(start..self.at).unwrap_or_default(),
            span: start..self.at,
        }))
    }

    fn sign(&mut self, length: usize, kind: TokenKind<'a>) -> TokenKind<'a> {
        self.at += length;
        kind
    }

    fn comparator(&mut self, first: char) -> Result<TokenKind<'a>, ConditionError> {
        let rest = self.rest();
        let mut all = Comparator::ALL.into_iter();
        if let Some(found) = all.find(|one| rest.starts_with(one.as_str())) {
            return Ok(self.sign(found.as_str().len(), TokenKind::Comparator(found)));
        }
        let help = match first {
            '=' => "write `==` for equal, and `>=` or `<=` for at least and at most",
            '!' => "write `not`, or `!=` for unequal",
            '&' => "write `and`",
            '|' => "write `or`",
            '-' => "nothing that can be compared is below zero",
            _ => {
                "comparisons are made with >=, <=, >, <, == and !=, and joined with `and`, `or`, `not` and parentheses"
            }
        };
        Err(ConditionError::new(
            self.at..self.at + first.len_utf8(),
            format!("{first:?} has no meaning in a condition"),
            help,
        ))
    }

    fn word(&mut self) -> TokenKind<'a> {
        match self.take_while(is_of_a_word) {
            "and" => TokenKind::And,
            "or" => TokenKind::Or,
            "not" => TokenKind::Not,
            name => TokenKind::Name(name),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind<'a>, ConditionError> {
        let start = self.at;
        self.at += quote.len_utf8();
        let name = self.take_while(|letter| letter != quote);
        if self.rest().is_empty() {
            return Err(ConditionError::new(
                start..self.at,
                format!("what begins with {quote} does not end"),
                "write the word without quotes: severity >= high",
            ));
        }
        self.at += quote.len_utf8();
        Ok(TokenKind::Name(name))
    }

    /// A number, or a whole number and a unit of time.
    fn number(&mut self) -> Result<TokenKind<'a>, ConditionError> {
        let start = self.at;
        self.take_while(|letter| letter.is_ascii_digit());
        let whole_end = self.at;
        let mut rest = self.rest().chars();
        if rest.next() == Some('.') && rest.next().is_some_and(|letter| letter.is_ascii_digit()) {
            self.at += 1;
            self.take_while(|letter| letter.is_ascii_digit());
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let is_whole = self.at == whole_end;
        let unit = self.take_while(is_of_a_word);
        let wrong = |why: &str| {
            let found = self.text.get(start..self.at).unwrap_or_default();
            ConditionError::new(
                start..self.at,
                format!("`{found}` is {why}"),
                "write a number, such as 2 or 0.8, or a whole number and a unit of time: 500ms, 90s, 3m, 2h or 1d",
            )
        };
        if digits.len() > MOST_DIGITS {
            return Err(wrong("a number of too many digits"));
        }
        if unit.is_empty() {
            let number = digits.parse::<f64>().ok();
            let number = number.filter(|number| number.is_finite());
            return number
                .map(TokenKind::Number)
                .ok_or_else(|| wrong("no number"));
        }
        let factor = UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, factor)) = factor.filter(|_| is_whole) else {
            return Err(wrong("neither a number nor a length of time"));
        };
        let length = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .map(Duration::from_millis);
        length
            .filter(|length| *length <= LONGEST)
            .map(TokenKind::Length)
            .ok_or_else(|| wrong("more than ten years"))
    }
}

fn is_of_a_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}
