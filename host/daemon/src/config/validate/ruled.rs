//! What phases and cooldowns say of handlers: whether it is said of one that routes call.

use super::super::{
    context::Context, group::MOST_ERRORS, reader::ValueAt, suggest::nearest, values::name,
};
use mainstay_domain::{name::PluginName, spec::RouteSpec};
use std::collections::BTreeSet;

/// The name of a handler of which something is said.
pub(super) fn ruled(at: ValueAt<'_>) -> Option<PluginName> {
    let handler: PluginName = name(PluginName::parse)(at)?;
    let mut facts = at.context.facts.borrow_mut();
    facts.ruled.push((handler.clone(), at.node.place));
    Some(handler)
}

/// Names that no route has, but for a slip of the finger: a handler that is not to be called would be. Needs a config without
/// errors.
pub(super) fn judge(context: &Context<'_>, routes: &[RouteSpec]) {
    let steps = routes.iter().flat_map(|route| &route.chain);
    let called: BTreeSet<&str> = steps.map(|step| step.handler.as_str()).collect();
    let facts = context.facts.borrow();
    let unknown = facts.ruled.iter();
    let unknown = unknown.filter(|(handler, _)| !called.contains(handler.as_str()));
    for (handler, place) in unknown.take(MOST_ERRORS) {
        if let Some(meant) = nearest(handler.as_str(), called.iter().copied()) {
            context.warn(
                *place,
                format!("no route calls `{handler}`, so this says nothing of any handler"),
                format!("did you mean \"{meant}\"?"),
            );
        }
    }
}
