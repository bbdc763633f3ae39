//! What may be compared with what.

use super::{Comparator, Comparison, ConditionError, LONGEST, Operand, Variable, parser::Placed};

/// What a variable is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Severity,
    Ratio,
    Count,
    Time,
}

impl Kind {
    /// For people, with an article.
    fn as_str(self) -> &'static str {
        match self {
            Kind::Severity => "a severity",
            Kind::Ratio => "a share",
            Kind::Count => "a count",
            Kind::Time => "a length of time",
        }
    }

    /// What it is compared with, for people.
    fn wanted(self) -> &'static str {
        match self {
            Kind::Severity => "low, medium, high or critical, or a number from 0 to 1",
            Kind::Ratio => "a number from 0 to 1",
            Kind::Count => "a whole number",
            Kind::Time => "a length of time such as 90s or 3m, or a number of seconds",
        }
    }

    /// Whether this literal is one of it.
    fn takes(self, literal: Operand) -> bool {
        let share = 0.0..=1.0;
        match (self, literal) {
            (Kind::Severity, Operand::Class(_)) | (Kind::Time, Operand::Length(_)) => true,
            (Kind::Severity | Kind::Ratio, Operand::Number(number)) => share.contains(&number),
            (Kind::Count, Operand::Number(number)) => {
                number.fract() == 0.0 && number <= f64::from(u32::MAX)
            }
            (Kind::Time, Operand::Number(seconds)) => seconds <= LONGEST.as_secs_f64(),
            _ => false,
        }
    }
}

impl Variable {
    fn kind(self) -> Kind {
        match self {
            Variable::Severity => Kind::Severity,
            Variable::Confidence => Kind::Ratio,
            Variable::RecurrenceCount | Variable::Step | Variable::Attempt => Kind::Count,
            Variable::Duration => Kind::Time,
        }
    }
}

/// The comparison of two values, where they can be compared.
pub(super) fn compared(
    left: &Placed,
    by: Comparator,
    right: &Placed,
) -> Result<Comparison, ConditionError> {
    let both = left.span.start..right.span.end;
    match (left.operand, right.operand) {
        (Operand::Variable(one), Operand::Variable(other)) if one == other => {
            return Err(ConditionError::new(
                both,
                format!("`{}` is compared with itself", one.as_str()),
                format!("compare it with {}", one.kind().wanted()),
            ));
        }
        (Operand::Variable(one), Operand::Variable(other)) if one.kind() != other.kind() => {
            let (first, second) = (one.kind().as_str(), other.kind().as_str());
            return Err(ConditionError::new(
                both,
                format!(
                    "`{}` is {first} and `{}` is {second}: neither is more than the other",
                    one.as_str(),
                    other.as_str()
                ),
                format!("compare `{}` with {}", one.as_str(), one.kind().wanted()),
            ));
        }
        (Operand::Variable(_), Operand::Variable(_)) => {}
        (Operand::Variable(variable), _) => literal(variable, right)?,
        (_, Operand::Variable(variable)) => literal(variable, left)?,
        _ => {
            return Err(ConditionError::new(
                both,
                "this compares nothing of the incident: it is always so, or never",
                "write a name on one side: severity, recurrence_count, confidence, step, duration or attempt",
            ));
        }
    }
    Ok(Comparison {
        left: left.operand,
        by,
        right: right.operand,
    })
}

fn literal(variable: Variable, placed: &Placed) -> Result<(), ConditionError> {
    let kind = variable.kind();
    if kind.takes(placed.operand) {
        return Ok(());
    }
    Err(ConditionError::new(
        placed.span.clone(),
        format!(
            "`{}` is {}, and `{}` is none",
            variable.as_str(),
            kind.as_str(),
            placed.operand
        ),
        format!("compare it with {}", kind.wanted()),
    ))
}
