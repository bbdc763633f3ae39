//! The public JSON as one OpenAPI 3.1 document: the paths of the admin API, and the schema of every form.

mod endpoint;
mod paths;
mod schemas;

use crate::{
    audit::AuditCheck,
    check::CheckReport,
    checkpoints::ResumedJob,
    commands::{EndedSilence, ForgottenPlugin, PauseReport},
    demo::{DemoEnd, DemoStep},
    errors::{ErrorBody, ErrorPage, ListedError},
    journal::{JournalCheck, JournalCopy, JournalSalvage},
    plugins::{PluginInspection, WrittenPlugin},
    simulation::Simulation,
};
use schemas::Schemas;
use serde_json::{Value, json};

/// The document that `openapi/mainstay.v1.json` holds.
///
/// ```
/// let document = mainstay_api::openapi();
/// assert_eq!(document["openapi"], "3.1.0");
/// assert!(document["paths"]["/v1/status"]["get"].is_object());
/// ```
pub fn openapi() -> Value {
    let mut schemas = Schemas::new();
    let paths = paths::all(&mut schemas);
    let error = schemas.answer::<ErrorBody>();
    // What only the command line prints has no path.
    schemas.answer::<CheckReport>();
    schemas.answer::<PluginInspection>();
    schemas.answer::<WrittenPlugin>();
    schemas.answer::<PauseReport>();
    schemas.answer::<EndedSilence>();
    schemas.answer::<ResumedJob>();
    schemas.answer::<ForgottenPlugin>();
    schemas.answer::<ErrorPage>();
    schemas.answer::<ListedError>();
    schemas.answer::<AuditCheck>();
    schemas.answer::<JournalCheck>();
    schemas.answer::<JournalSalvage>();
    schemas.answer::<JournalCopy>();
    schemas.answer::<DemoStep>();
    schemas.answer::<Simulation>();
    schemas.answer::<DemoEnd>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mainstay",
            "description": "The admin API of Mainstay, and what the command line prints with --json. Fields, words and \
                            paths are only ever added. Times are RFC 3339 in UTC, durations are milliseconds (_ms), \
                            sizes are bytes (_bytes).",
            "license": { "name": "Apache-2.0 or MIT", "identifier": "Apache-2.0 OR MIT" },
            "version": "1",
        },
        "paths": paths,
        "components": {
            "schemas": schemas.into_definitions(),
            "responses": {
                "Error": {
                    "description": "It was not done; what is wrong, and what to do.",
                    "content": { "application/json": { "schema": error } },
                },
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Over TCP alone; the Unix socket is open to its owner, and to whom host.api.group and host.api.viewers name.",
                },
            },
        },
        "security": [{}, { "token": [] }],
    })
}
