//! Conditions as people read them, with no more parentheses than they need.

use super::{Comparison, Condition, Expression, Operand, UNITS};
use crate::time::millis;
use std::fmt;

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.print(Binding::Or, f)
    }
}

/// How much an expression holds its parts together, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
}

impl Expression {
    /// Prints it, in parentheses where it holds together less than what is around it.
    fn print(&self, around: Binding, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = match self {
            Expression::Or(..) => Binding::Or,
            Expression::And(..) => Binding::And,
            Expression::Not(_) | Expression::Comparison(_) => Binding::Not,
        };
        if own < around {
            f.write_str("(")?;
            self.print(Binding::Or, f)?;
            return f.write_str(")");
        }
        match self {
            Expression::Comparison(Comparison { left, by, right }) => {
                write!(f, "{left} {} {right}", by.as_str())
            }
            Expression::Not(inner) => {
                f.write_str("not ")?;
                inner.print(Binding::Not, f)
            }
            Expression::And(left, right) => {
                left.print(Binding::And, f)?;
                f.write_str(" and ")?;
                right.print(Binding::Not, f)
            }
            Expression::Or(left, right) => {
                left.print(Binding::Or, f)?;
                f.write_str(" or ")?;
                right.print(Binding::And, f)
            }
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Variable(variable) => f.write_str(variable.as_str()),
            Operand::Class(severity) => f.write_str(severity.as_str()),
            Operand::Number(number) => write!(f, "{number}"),
            Operand::Length(length) => {
                let all = millis(*length);
                let divides = |(_, factor): &&(&str, u64)| all.is_multiple_of(*factor);
                match UNITS.iter().rev().find(divides) {
                    Some((unit, factor)) if all > 0 => write!(f, "{}{unit}", all / factor),
                    _ => f.write_str("0s"),
                }
            }
        }
    }
}
