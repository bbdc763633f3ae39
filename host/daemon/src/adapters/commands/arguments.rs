//! Filling in the placeholders of a command: a decision about texts.
//!
//! Invariant: the operator's list keeps its length and its program; a value only ever becomes part of one element.

use mainstay_domain::{effect::EffectError, name::CommandName, spec::CommandSpec, text::list};

/// Program and arguments with the guest's values in their places.
pub(super) fn fill(
    name: &CommandName,
    spec: &CommandSpec,
    values: &[(String, String)],
) -> Result<Vec<String>, EffectError> {
    for (index, (key, value)) in values.iter().enumerate() {
        if !spec.placeholders.contains(key) {
            let declared = list(&spec.placeholders, "none");
            return Err(EffectError::Failed(format!(
                "command `{name}` has no placeholder `{key}`; declared are: {declared}"
            )));
        }
        if values.iter().skip(index + 1).any(|(other, _)| other == key) {
            return Err(EffectError::Failed(format!(
                "command `{name}`: placeholder `{key}` was given twice"
            )));
        }
        if value.contains('\0') {
            return Err(EffectError::Denied(format!(
                "command `{name}`: the value of `{key}` holds a NUL byte, which no argument can"
            )));
        }
    }
    let mut filled = Vec::with_capacity(spec.run.len());
    let mut options_may_follow = true;
    for (index, element) in spec.run.iter().enumerate() {
        let text = fill_element(name, spec, values, element)?;
        if text != *element {
            if index == 0 {
                return Err(EffectError::Denied(format!(
                    "command `{name}` has a placeholder in its program; only arguments can have one"
                )));
            }
            // `{file}` filled with `--config=…` would be an option that the operator did not write.
            if options_may_follow && text.starts_with('-') && !element.starts_with('-') {
                return Err(EffectError::Denied(format!(
                    "command `{name}`: the value of `{element}` begins with `-` and would be read as an option; put \
                     `--` before it in the config if the program knows that"
                )));
            }
        }
        options_may_follow &= element != "--";
        filled.push(text);
    }
    Ok(filled)
}

/// One pass, so that a value that looks like a placeholder is none.
fn fill_element(
    name: &CommandName,
    spec: &CommandSpec,
    values: &[(String, String)],
    element: &str,
) -> Result<String, EffectError> {
    let mut filled = String::with_capacity(element.len());
    let mut rest = element;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let placeholder = after
            .split_once('}')
            .filter(|(key, _)| spec.placeholders.iter().any(|declared| declared == key));
        // Braces around anything else are the operator's own, as in `awk '{print}'`.
        let Some((key, after)) = placeholder else {
            filled.push('{');
            rest = after;
            continue;
        };
        let value = values.iter().find(|(given, _)| given == key);
        let (_, value) = value.ok_or_else(|| {
            EffectError::Failed(format!(
                "command `{name}` needs a value for its placeholder `{key}`"
            ))
        })?;
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
