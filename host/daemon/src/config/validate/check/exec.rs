//! Checks that run a program.

use super::super::super::{
    reader::Fields,
    values::{environment, path, run, whole, word},
};
use mainstay_domain::spec::{CheckKind, ExecCheck};
use std::collections::BTreeMap;

pub(super) fn exec(fields: &mut Fields<'_>, _: bool) -> Option<CheckKind> {
    let arguments = fields.required("run", "run = [\"./check.sh\"]", run);
    let base = fields.context.base.to_owned();
    Some(CheckKind::Exec(ExecCheck {
        cwd: fields.or("cwd", base, path),
        env: fields.or("env", BTreeMap::new(), environment),
        user: fields.optional("user", word),
        degraded_exit: fields.optional("degraded_exit", whole(1..=255)),
        output_contains: fields.optional("output_contains", word),
        degraded_output: fields.optional("degraded_output", word),
        run: arguments?,
    }))
}
